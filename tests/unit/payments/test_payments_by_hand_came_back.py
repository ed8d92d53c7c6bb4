"""What somebody sent back at the provider and what came back of it: as if it had never been sent."""

import pytest

from libs.contracts import payments
from libs.eventsourcing.decider import Refused
from services.payments import commands
from services.payments.standing import waits
from services.payments.sums import held
from tests.unit.payments.samples import HOUR, NOW, ORDER, Payment, line, packed, required

DAY = 24 * HOUR
SETTLE = commands.Decide("settle", "anna", "because", NOW + 2 * DAY)


def paid() -> Payment:
    payment = Payment()
    payment.fact(required(line("a", 2, 1000)), packed("s1", ("a", 2)))
    return payment


def sent_back(payment: Payment, in_all: int, at: int = NOW) -> None:
    """Let the provider tell what went back in all."""
    payment.tell(
        commands.RecordRefundSeen("main", ORDER, "card", "pi_0", "ch_0", in_all, "GBP", at, NOW)
    )


def came_back(payment: Payment, amount: int, at: int = NOW + DAY, name: str = "re_9") -> None:
    """Let the provider tell that a refund of somebody else has failed."""
    payment.tell(
        commands.RecordRefundReturned(
            "main", ORDER, "card", "", name, amount, "GBP", "lost_or_stolen_card", at, NOW, "pi_0"
        )
    )


def queue(payment: Payment) -> list[tuple[str, str, int]]:
    return [(one.what, one.reason, one.at_risk_minor) for one in waits(payment.state, (), NOW)]


def test_the_money_is_there_again_nobody_is_asked_for_it_and_a_person_is_told() -> None:
    payment = paid()
    sent_back(payment, 300)
    assert (held(payment.state), payment.state.waived) == (700, 300)
    came_back(payment, 300)
    back = payment.last(payments.RefundReturned)
    assert (back.amount, back.provider_reference) == (300, "re_9")
    assert (held(payment.state), payment.state.waived) == (1000, 0)
    assert queue(payment) == [("disagreement", "refund-failed", 300)]
    payment.tell(SETTLE)
    assert queue(payment) == []
    assert payment.types().count("PaymentAuthorisationRequested") == 1


def test_what_an_order_costs_more_later_is_asked_for_whole() -> None:
    payment = paid()
    sent_back(payment, 300)
    came_back(payment, 300)
    payment.fact(required(line("a", 2, 1400), revision=2))
    assert ("authorisation", "no-mandate", 400) in queue(payment)


def test_it_may_be_told_before_the_word_of_its_charge() -> None:
    payment = paid()
    came_back(payment, 300)
    sent_back(payment, 300, NOW)
    assert (held(payment.state), payment.state.waived) == (1000, 0)


def test_one_of_two_that_were_heard_of_as_one_comes_back_as_a_part() -> None:
    payment = paid()
    sent_back(payment, 700)
    came_back(payment, 300)
    assert (held(payment.state), payment.state.waived) == (600, 400)
    sent_back(payment, 400, NOW + 2 * DAY)
    assert (held(payment.state), payment.state.waived) == (600, 400)


@pytest.mark.parametrize("parts", [(700,), (300, 400)])
def test_each_of_several_comes_back_once(parts: tuple[int, ...]) -> None:
    payment = paid()
    sent_back(payment, 300)
    sent_back(payment, 700)
    for number, amount in enumerate((*parts, *parts)):
        came_back(payment, amount, name=f"re_{number % len(parts)}")
    assert (held(payment.state), payment.state.waived) == (1000, 0)


def test_what_paid_a_refund_that_had_been_refused_is_sent_back_by_us_anew() -> None:
    payment = paid()
    payment.provider.refuses_refunds = True
    payment.fact(required(line("a", 1, 800), revision=2))
    payment.provider.refuses_refunds = False
    sent_back(payment, 200)
    assert queue(payment) == []
    came_back(payment, 200)
    assert payment.provider.refunded == 200
    assert (held(payment.state), payment.state.waived) == (800, 0)


def in_dispute() -> Payment:
    """Return a payment of which 800 were taken at the provider while 1000 were asked for."""
    payment = Payment(live=False)
    payment.fact(required(line("a", 2, 1000)))
    payment.answer_all()
    payment.fact(packed("s1", ("a", 2)))
    [intent] = payment.state.intents
    payment.tell(
        commands.RecordIntentSeen(
            "main", ORDER, "card", intent, "pi_0", "succeeded", 1000, 0, 800, "GBP", "ch_0", "",
            None, NOW, NOW,
        )
    )  # fmt: skip
    return payment


@pytest.mark.parametrize("failed", [0, 250])
def test_what_went_back_of_a_capture_in_dispute_is_known_once_that_is_settled(failed: int) -> None:
    payment = in_dispute()
    sent_back(payment, 100)
    sent_back(payment, 350)
    assert ("disagreement", "refund-told-early", 350) in queue(payment)
    if failed:
        came_back(payment, failed)
    payment.tell(SETTLE)
    made = [one.amount for one in payment.events if isinstance(one, payments.RefundMade)]
    assert (made, held(payment.state)) == ([350 - failed], 450 + failed)
    assert not [one for one in queue(payment) if one[0] == "disagreement"]


def test_a_buyers_dispute_of_a_capture_that_is_in_dispute_is_the_orders() -> None:
    payment = in_dispute()
    payment.tell(
        commands.RecordDispute(
            "main", ORDER, "card", "pi_0", "dp_1", "open", 800, "GBP", "general", NOW, NOW, NOW
        )
    )
    assert payment.last(payments.DisputeOpened).amount == 800
    assert "dispute" in {what for what, _, _ in queue(payment)}


def test_a_part_that_goes_back_by_hand_while_all_of_it_is_asked_for_leaves_the_rest_to_us() -> None:
    payment = paid()
    payment.live = False
    payment.fact(required(revision=2))
    payment.provider.by_hand("pi_0", 67)
    sent_back(payment, 67)
    [name] = payment.calls
    with pytest.raises(Refused, match="settled outside"):
        payment.tell(SETTLE)
    payment.calls.clear()
    [refund] = payment.state.refunds
    payment.tell(commands.RecordRefusal(name, "refund", refund, "provider-refused", "", NOW))
    assert {("refund", "refund-failed", 1000), ("disagreement", "refund-told-early", 67)} <= {
        *queue(payment)
    }
    payment.live = True
    payment.tell(SETTLE)
    assert (payment.provider.refunded, held(payment.state), queue(payment)) == (1000, 0, [])
