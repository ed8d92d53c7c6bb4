"""What is kept and what is owed differ: the queue says by how much, and a person decides on that."""

import pytest

from libs.contracts import payments
from libs.eventsourcing.decider import Refused
from services.payments import commands
from services.payments.commands import Terms
from services.payments.standing import waits
from services.payments.sums import held
from tests.unit.payments.samples import HOUR, NOW, Payment, line, packed, required

SETTLE = commands.Decide("settle", "anna", "because", NOW)


def queue(payment: Payment) -> list[tuple[str, str, int]]:
    return [(one.what, one.reason, one.at_risk_minor) for one in waits(payment.state, (), NOW)]


def test_a_rest_that_is_settled_leaves_what_is_set_aside_to_be_captured() -> None:
    payment = Payment()
    payment.fact(required(line("a", 2, 10_000)), required(line("a", 2, 10_020), revision=2))
    assert queue(payment) == [("authorisation", "below-provider-minimum", 20)]
    payment.tell(SETTLE)
    assert payment.last(payments.PaymentDecided).amount == 20
    assert queue(payment) == []
    payment.fact(packed("s1", ("a", 2)))
    assert payment.cleared() == [("s1", "captured", 10_020)]
    assert (held(payment.state), payment.provider.captured) == (10_000, 10_000)


def tell_of_amount(payment: Payment, amount: int) -> None:
    """Let the provider tell of another amount than the authorisation has."""
    [intent] = payment.state.intents
    payment.tell(
        commands.RecordIntentSeen(
            "main", payment.state.order_id, "card", intent, "pi_0", "requires_capture", amount,
            amount, 0, "GBP", "ch_0", "", None, NOW, NOW,
        )
    )  # fmt: skip


def test_a_strangers_word_that_is_settled_forgives_nothing_that_is_set_aside() -> None:
    payment = Payment()
    payment.fact(required(line("a", 2, 10_000)))
    tell_of_amount(payment, 9_000)
    payment.tell(SETTLE)
    payment.fact(packed("s1", ("a", 2)))
    assert payment.provider.captured == 10_000


def test_what_could_not_be_captured_is_settled_outside_and_given_back() -> None:
    payment = Payment(live=False)
    payment.fact(required(line("a", 2, 1000)))
    payment.answer_all()
    payment.fact(packed("s1", ("a", 2)))
    [name] = payment.calls
    payment.calls.clear()
    [capture] = payment.state.captures
    refused = commands.RecordRefusal(name, "capture", capture, "provider-refused", "", NOW)
    payment.tell(refused)
    assert ("authorisation", "capture-failed", 1000) in queue(payment)
    payment.tell(SETTLE)
    payment.answer_all()
    assert payment.last(payments.PaymentDecided).amount == 1000
    assert payment.types()[-1] == "PaymentVoided"
    assert payment.cleared() == [("s1", "not_required", 1000)]


def sent_back(payment: Payment, amount: int) -> None:
    """Send so much back in the provider's dashboard."""
    payment.provider.by_hand("pi_0", amount)
    tell_of_refunds(payment)


def tell_of_refunds(payment: Payment) -> None:
    """Let the provider tell what went back in all."""
    payment.tell(
        commands.RecordRefundSeen(
            "main", payment.state.order_id, "card", "pi_0", "ch_0", payment.provider.refunded,
            "GBP", NOW, NOW,
        )
    )  # fmt: skip


def owing(left: int) -> Payment:
    """Return a payment of 1000 whose order costs so much by now, and whose refund was refused."""
    payment = Payment()
    payment.fact(required(line("a", 2, 1000)), packed("s1", ("a", 2)))
    payment.provider.refuses_refunds = True
    payment.fact(required(line("a", 1, left), revision=2) if left else required(revision=2))
    assert queue(payment) == [("refund", "refund-failed", 1000 - left)]
    payment.provider.refuses_refunds = False
    return payment


@pytest.mark.parametrize("left", [0, 800])
def test_a_refused_refund_that_is_made_by_hand_is_owed_no_more(left: int) -> None:
    payment = owing(left)
    sent_back(payment, 1000 - left)
    made = payment.last(payments.RefundMade)
    assert (made.origin, made.amount) == ("provider_dashboard", 1000 - left)
    assert queue(payment) == []
    with pytest.raises(Refused, match="No refused call"):
        payment.tell(commands.Decide("retry", "anna", "because", NOW))
    assert (held(payment.state), payment.state.waived) == (left, 0)


@pytest.mark.parametrize("left", [0, 800])
def test_a_part_of_a_refused_refund_by_hand_leaves_the_rest_to_be_sent_back(left: int) -> None:
    payment = owing(left)
    sent_back(payment, 50)
    assert payment.provider.refunded == 1000 - left
    assert (held(payment.state), payment.state.waived) == (left, 0)
    assert queue(payment) == []


def test_more_than_a_refused_refund_by_hand_is_somebody_elses_refund() -> None:
    payment = owing(800)
    sent_back(payment, 300)
    made = [e.amount for e in payment.events if isinstance(e, payments.RefundMade)]
    assert made == [200, 100]
    assert (held(payment.state), payment.state.waived) == (700, 100)


def test_what_went_back_while_all_is_asked_back_is_named_and_taken_once_that_is_refused() -> None:
    payment = Payment(live=False)
    payment.fact(required(line("a", 2, 1000)))
    payment.answer_all()
    payment.fact(packed("s1", ("a", 2)))
    payment.answer_all()
    payment.fact(required(revision=2))
    sent_back(payment, 400)
    assert payment.last(payments.PaymentDisagreed).expected_amount == 0
    assert queue(payment) == [("disagreement", "refund-told-early", 400)]
    payment.provider.refuses_refunds = True
    payment.answer_all()
    payment.provider.refuses_refunds = False
    tell_of_refunds(payment)
    payment.answer_all()
    assert payment.provider.refunded == 1000
    assert held(payment.state) == 0


def test_what_comes_back_and_was_sent_back_by_hand_pays_for_no_other_parcel() -> None:
    payment = Payment(Terms("card", "capture_then_reauthorise"))
    payment.provider.mandate = True
    payment.fact(required(line("a", 1, 5000), line("b", 1, 5000)), packed("s1", ("a", 1)))
    sent_back(payment, 5000)
    assert (held(payment.state), payment.state.waived) == (0, 5000)
    payment.fact(required(line("a", 1, 0), line("b", 1, 5000), revision=2), packed("s2", ("b", 1)))
    assert payment.cleared()[-1] == ("s2", "captured", 5000)
    assert (held(payment.state), payment.state.waived) == (5000, 0)


def test_before_an_authorisation_ends_it_is_captured_and_the_others_stay() -> None:
    day = 24 * HOUR
    payment = Payment(Terms("card", "one_parcel", "capture", day))
    payment.provider.mandate, payment.provider.expires = True, NOW + 7 * day
    payment.fact(required(line("a", 1, 6000)))
    payment.now = NOW + 6 * day - HOUR
    payment.provider.expires = payment.now + day  # it ends sooner, and is decided on later
    payment.fact(required(line("a", 1, 6000), line("b", 1, 4000), revision=2))
    payment.due(NOW + 6 * day)
    asked = [e for e in payment.events if isinstance(e, payments.PaymentCaptureRequested)]
    assert [(one.provider_intent, one.amount) for one in asked] == [("pi_0", 6000)]
    assert payment.provider.intents["pi_1"]["open"]
    assert len(payment.provider.intents) == 2


def test_what_is_told_anew_after_a_settlement_waits_again() -> None:
    payment = Payment()
    payment.fact(required(line("a", 2, 1000)), packed("s1", ("a", 2)))
    for number, amount in enumerate((1100, 5000), 1):
        for _ in range(2):
            payment.tell(
                commands.RecordRefundSeen(
                    "main", payment.state.order_id, "card", "pi_0", "ch_0", amount, "GBP", NOW, NOW
                )
            )  # fmt: skip
        assert queue(payment) == [("disagreement", "amount-differs", amount)]
        payment.tell(SETTLE)
        assert queue(payment) == []
        assert payment.types().count("PaymentDisagreementSettled") == number
    with pytest.raises(Refused, match="Nothing is due"):
        payment.tell(SETTLE)


@pytest.mark.parametrize("taken", [400, 999])
def test_a_capture_of_another_amount_is_made_once_a_person_has_settled_that(taken: int) -> None:
    payment = Payment(live=False)
    payment.fact(required(line("a", 2, 1000)))
    payment.answer_all()
    payment.fact(packed("s1", ("a", 2)))
    [name] = payment.calls
    payment.calls.clear()
    payment.provider.intents["pi_0"].update(received=taken, open=False)
    [capture] = payment.state.captures
    payment.tell(commands.RecordCapture(name, capture, "ch_0", taken, "GBP", NOW))
    payment.tell(
        commands.RecordIntentSeen(
            "main", payment.state.order_id, "card", next(iter(payment.state.intents)), "pi_0",
            "succeeded", 1000, 0, taken, "GBP", "ch_0", "", None, NOW, NOW,
        )
    )  # fmt: skip
    assert payment.types().count("PaymentDisagreed") == 1
    assert ("disagreement", "capture-differs", taken) in queue(payment)
    payment.tell(SETTLE)
    assert held(payment.state) == payment.provider.captured == taken
    reason = "below-provider-minimum" if taken == 999 else "no-mandate"
    assert ("authorisation", reason, 1000 - taken) in queue(payment)
    payment.tell(SETTLE)
    assert queue(payment) == []
    assert payment.cleared() == [("s1", "captured", 1000)]


def test_another_amount_of_an_authorisation_is_never_taken_for_a_capture() -> None:
    payment = Payment(live=False)
    payment.fact(required(line("a", 2, 10_000)))
    payment.answer_all()
    tell_of_amount(payment, 9_000)
    payment.fact(packed("s1", ("a", 2)))
    payment.tell(SETTLE)
    assert held(payment.state) == 0
    payment.answer_all()
    assert held(payment.state) == payment.provider.captured == 10_000
