"""Refunds that a provider never makes and a person pays back another way: once, and never lost."""

import pytest

from libs.contracts import payments
from libs.eventsourcing.decider import Refused
from services.payments import commands
from services.payments.read_model import CAPTURES, PAYMENTS
from services.payments.standing import standing, waits
from tests.unit.memory import folded
from tests.unit.payments.samples import HOUR, NOW, line, packed, required
from tests.unit.payments.test_payments_came_back import DAY, asked, found_failed, owed, refunded
from tests.unit.payments.unasked import MUGS, Told, sent_back

TRANSFER = "TRF_2026_17"


def refused(amount: int = 1000) -> Told:
    """Return a payment of 1000 of which the provider refuses to send so much back."""
    told = Told()
    payment = told.payment
    payment.fact(required(MUGS), packed("s1", ("a", 2)))
    payment.provider.refuses_refunds = True
    left = [line("a", 1, 1000 - amount)] if amount < 1000 else []
    payment.fact(required(*left, revision=2))
    assert owed(told) == [("refund-failed", amount)]
    return told


def pay_back(told: Told, reference: str = TRANSFER) -> list[str]:
    [name] = (name for name, one in told.payment.state.refunds.items() if one.status == "failed")
    before = len(told.payment.events)
    told.payment.tell(
        commands.Decide("paid-back", "anna", "card closed", NOW, reference=reference,
                        refund_id=name)
    )  # fmt: skip
    return told.payment.types(before)


def at_provider(told: Told) -> int:
    """Return what went back of the captures by what is shown beside the provider's books."""
    return sum(row.refunded_minor for row in folded(CAPTURES, told.payment.log).values())


def test_a_refund_that_was_paid_back_another_way_is_owed_no_more() -> None:
    told = refused()
    assert "paid-back" in waits(told.payment.state, (), NOW)[0].next_action
    assert pay_back(told) == ["PaymentDecided", "RefundMade"]
    decided = told.payment.last(payments.PaymentDecided)
    assert (decided.decision, decided.by, decided.amount) == ("paid-back", "anna", 1000)
    made = told.payment.last(payments.RefundMade)
    assert (made.amount, made.holder, made.provider_reference) == (1000, "by hand", TRANSFER)
    assert made.reason == "paid-back-by-hand"
    assert (owed(told), standing(told.payment.state)) == ([], ("not_required", ""))


@pytest.mark.parametrize(
    ("status", "holder"),
    [("lost", "by dispute"), ("won", "by hand"), ("needs_response", "by hand")],
)
async def test_what_the_buyers_bank_took_by_a_lost_dispute_is_owed_no_more(
    status: str, holder: str
) -> None:
    told = refused()
    dispute = {"id": "dp_1", "amount": 1000, "currency": "gbp", "reason": "general",
               "status": status, "charge": "ch_0", "payment_intent": "pi_0"}  # fmt: skip
    await told.event("charge.dispute.updated", dispute)
    action = waits(told.payment.state, (), NOW)[0].next_action
    assert ("dp_1" in action) == (status == "lost")
    assert pay_back(told, "dp_1") == ["PaymentDecided", "RefundMade"]
    made = told.payment.last(payments.RefundMade)
    assert (made.amount, made.holder) == (1000, holder)
    assert {wait.what for wait in waits(told.payment.state, (), NOW)} <= {"dispute"}


def lost(name: str, amount: int, **fields: str) -> dict[str, object]:
    return {"id": name, "amount": amount, "currency": "gbp", "reason": "general", "status": "lost",
            "charge": "ch_0", "payment_intent": "pi_0"} | fields  # fmt: skip


async def test_a_dispute_pays_back_what_it_took_once_and_the_rest_is_owed_on() -> None:
    told = refused()
    await told.event("charge.dispute.closed", lost("dp_1", 400))
    assert "4.00 GBP" in waits(told.payment.state, (), NOW)[0].next_action
    pay_back(told, "dp_1")
    made = told.payment.last(payments.RefundMade)
    assert (made.amount, made.holder) == (400, "by dispute")
    assert told.payment.last(payments.PaymentDecided).amount == 400
    assert owed(told) == [("refund-failed", 600)]
    assert "dp_1" not in waits(told.payment.state, (), NOW)[0].next_action
    with pytest.raises(Refused, match="counted already"):
        pay_back(told, "dp_1")
    await told.event("charge.dispute.closed", lost("dp_2", 900))
    pay_back(told, "dp_2")
    assert (owed(told), told.payment.last(payments.RefundMade).amount) == ([], 600)
    assert sum(one.amount for one in told.payment.state.refunds.values()) == 1000


async def test_a_dispute_in_another_currency_pays_back_nothing_that_can_be_counted() -> None:
    told = refused()
    await told.event("charge.dispute.closed", lost("dp_1", 1000, currency="usd"))
    with pytest.raises(Refused, match="counted already"):
        pay_back(told, "dp_1")


async def test_a_dispute_waits_with_its_own_amount_until_its_bank_wants_an_answer() -> None:
    told = refused()
    due = (NOW + 9 * DAY) // 1_000_000
    open_still = lost("dp_1", 400) | {
        "status": "needs_response",
        "evidence_details": {"due_by": due},
    }
    await told.event("charge.dispute.created", open_still)
    [wait] = (one for one in waits(told.payment.state, (), NOW) if one.what == "dispute")
    assert (wait.at_risk_minor, wait.deadline) == (400, NOW + 9 * DAY)


def test_what_was_paid_back_another_way_is_never_asked_of_the_provider_again() -> None:
    told = refused()
    pay_back(told)
    told.payment.provider.refuses_refunds = False
    asked = len(told.payment.provider.requests)
    with pytest.raises(Refused, match="No refused call"):
        told.payment.tell(commands.Decide("retry", "anna", "", NOW))
    told.payment.fact(required(revision=3))
    assert len(told.payment.provider.requests) == asked
    assert told.payment.provider.refunded == 0


def test_only_a_refund_that_was_refused_is_paid_back_once_and_with_a_reference() -> None:
    told = refused()
    with pytest.raises(Refused, match="Name the payment"):
        pay_back(told, "")
    pay_back(told)
    for name in (*told.payment.state.refunds, "ref_none"):
        with pytest.raises(Refused, match="No refund with this id"):
            told.payment.tell(
                commands.Decide("paid-back", "anna", "", NOW, reference="T", refund_id=name)
            )


def test_a_payment_shows_what_went_back_by_hand_apart_from_its_holders_books() -> None:
    told = refused()
    pay_back(told)
    [row] = folded(PAYMENTS, told.payment.log).values()
    assert (row.refunded_minor, row.by_hand_minor, row.waits) == (1000, 1000, ())
    [capture] = folded(CAPTURES, told.payment.log).values()
    assert (capture.refunded_minor, capture.by_hand_minor) == (0, 1000)


def test_what_is_due_back_later_is_sent_by_the_provider_as_ever() -> None:
    told = refused(400)
    pay_back(told)
    told.payment.provider.refuses_refunds = False
    told.payment.fact(required(revision=3))
    assert told.payment.provider.refunded == 600
    assert (at_provider(told), owed(told)) == (600, [])


@pytest.mark.parametrize("amount", [1000, 400])
async def test_a_provider_that_sends_it_back_after_all_is_seen_by_a_person_and_in_the_books(
    amount: int,
) -> None:
    told = refused(amount)
    pay_back(told)
    for _ in range(2):
        await told.event("charge.refunded", refunded(amount), NOW + DAY)
    assert owed(told) == [("refund-paid-twice", amount)]
    assert at_provider(told) == amount
    assert told.payment.types().count("PaymentAuthorisationRequested") == 1
    told.payment.tell(commands.Decide("settle", "anna", "they gave it back", NOW))
    assert owed(told) == []


@pytest.mark.parametrize("webhook_first", [False, True])
async def test_an_old_call_that_is_answered_late_counts_once_beside_its_webhook(
    webhook_first: bool,
) -> None:
    told = refused(400)
    [name] = told.payment.state.refunds
    pay_back(told)
    answer = commands.RecordRefund("old", name, "re_old", 400, "GBP", NOW + DAY)
    if webhook_first:
        await told.event("charge.refunded", refunded(400), NOW + DAY)
    told.payment.tell(answer)
    await told.event("charge.refunded", refunded(400), NOW + DAY)
    assert owed(told) == [("refund-paid-twice", 400)]
    assert at_provider(told) == 400


async def test_more_than_was_paid_back_by_hand_is_somebodys_own_for_the_rest() -> None:
    told = refused(400)
    pay_back(told)
    await told.event("charge.refunded", refunded(100), NOW + DAY)
    assert owed(told) == [("refund-paid-twice", 100)]
    await told.event("charge.refunded", refunded(1000), NOW + 2 * DAY)
    assert ("refund-paid-twice", 400) in owed(told)
    assert at_provider(told) == 1000


async def test_what_the_provider_sent_back_as_well_and_came_back_is_its_holders_again() -> None:
    told = refused(400)
    failed = sent_back(told, amount=400)
    pay_back(told)
    await told.event("charge.refunded", refunded(400), NOW + DAY)
    for _ in range(2):
        await told.event("refund.failed", failed, NOW + 2 * DAY)
    assert at_provider(told) == 0
    assert sorted(owed(told)) == [("refund-failed", 400), ("refund-paid-twice", 400)]
    with pytest.raises(Refused, match="No refused call"):  # it has been paid, by hand
        told.payment.tell(commands.Decide("retry", "anna", "", NOW))


@pytest.mark.parametrize("charge_too", [False, True])
async def test_the_failure_that_a_webhook_tells_late_owes_nothing_that_was_paid_by_hand(
    charge_too: bool,
) -> None:
    told, name = asked()
    found_failed(told, name)
    pay_back(told)
    await told.event("refund.failed", sent_back(told, id=f"re_{name}"), NOW + HOUR)
    if charge_too:
        await told.event("charge.refunded", refunded(1000), NOW)
    assert owed(told) == []
    assert at_provider(told) == 0
    told.payment.tell(commands.RecordRefund("old", _only(told), f"re_{name}", 1000, "GBP", NOW))
    assert owed(told) == []


def _only(told: Told) -> str:
    [name] = (key for key, one in told.payment.state.refunds.items() if one.status == "by-hand")
    return name
