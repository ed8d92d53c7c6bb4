"""What is kept and what is owed differ: the queue says by how much, and a person decides on that."""

from libs.contracts import payments
from services.payments import commands
from services.payments.standing import waits
from services.payments.state import held
from tests.unit.payments.samples import NOW, Payment, line, packed, required

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


def test_a_strangers_word_that_is_settled_forgives_nothing_that_is_set_aside() -> None:
    payment = Payment()
    payment.fact(required(line("a", 2, 10_000)))
    [intent] = payment.state.intents
    seen = commands.RecordIntentSeen(
        "main", payment.state.order_id, "card", intent, "pi_0", "requires_capture", 9_000, 9_000,
        0, "GBP", "ch_0", "", None, NOW, NOW,
    )  # fmt: skip
    payment.tell(seen)
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
