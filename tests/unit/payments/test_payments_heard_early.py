"""What a provider tells before it is known here what it is about: it waits, and is not lost."""

from typing import Any

import pytest

from libs.runtime.ports import Interpreted
from services.payments import commands
from services.payments.intake import PATIENCE
from services.payments.standing import waits
from services.payments.sums import held
from tests.unit.payments.samples import HOUR, NOW, line, packed, required
from tests.unit.payments.unasked import Told

MUGS = line("a", 2, 1000)
KINDS = {"re_9": "refund.failed", "dp_1": "charge.dispute.created"}
REFUND = {
    "id": "re_9", "amount": 300, "currency": "gbp", "status": "failed", "payment_intent": "pi_0",
    "failure_reason": "lost_or_stolen_card", "metadata": {},
}  # fmt: skip
DISPUTE = {
    "id": "dp_1", "amount": 1000, "currency": "gbp", "status": "needs_response", "charge": "ch_0",
    "payment_intent": "pi_0",
}  # fmt: skip


def paid() -> Told:
    told = Told()
    told.payment.fact(required(MUGS), packed("s1", ("a", 2)))
    return told


async def heard(told: Told, body: dict[str, Any]) -> Interpreted:
    found = await told.event(KINDS[body["id"]], body)
    assert isinstance(found, Interpreted)
    return found


@pytest.mark.parametrize(
    ("body", "comes"), [(REFUND, "RefundReturned"), (DISPUTE, "DisputeOpened")]
)
async def test_what_is_heard_before_the_rows_know_its_payment_waits_for_them(
    body: dict[str, Any], comes: str
) -> None:
    told = paid()
    told.rows.behind = len(told.payment.log)
    assert (await heard(told, body)).later
    assert (await heard(told, body)).later  # however long that takes
    assert not told.strange
    told.rows.behind = 0
    assert not (await heard(told, body)).later
    assert comes in told.payment.types()
    assert not told.strange


@pytest.mark.parametrize("body", [REFUND, DISPUTE])
async def test_a_strangers_is_called_so_when_it_has_waited_and_the_rows_hold_all_that_was_recorded(
    body: dict[str, Any],
) -> None:
    told = Told()
    told.now = NOW + PATIENCE - 1
    assert (await heard(told, body)).later
    assert not told.strange
    told.now = NOW + PATIENCE
    assert not (await heard(told, body)).later
    [(stream, command)] = told.strange
    assert stream == f"disagreement-card:{body['id']}"
    assert isinstance(command, commands.Disagree)
    assert command.code == "payment-unknown"


async def test_what_names_no_intent_waits_for_nothing() -> None:
    told = Told()
    told.now = NOW
    assert not (await heard(told, DISPUTE | {"payment_intent": None})).later
    assert len(told.strange) == 1


def taken_by_hand() -> Told:
    """Return a payment that is set aside, of which somebody takes all and sends 300 back."""
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    told.payment.answer_all()
    return told


def refunded(told: Told, in_all: int) -> dict[str, Any]:
    taken = {"captured": True, "amount_captured": 1000, "amount_refunded": in_all}
    return told.charge(refunds={"data": []}, **taken)


async def test_a_refund_that_failed_before_its_capture_was_heard_of_has_never_been() -> None:
    told = taken_by_hand()
    await told.event("refund.failed", REFUND, NOW + HOUR)
    for _ in range(2):
        await told.event("charge.refunded", refunded(told, 300), NOW)
        assert (held(told.payment.state), told.payment.state.waived) == (1000, 0)
    await told.event("refund.updated", REFUND, NOW + HOUR)
    assert (held(told.payment.state), told.payment.state.waived) == (1000, 0)


async def test_what_went_back_beside_a_refund_that_failed_early_has_gone() -> None:
    told = taken_by_hand()
    await told.event("refund.failed", REFUND, NOW + HOUR)
    await told.event("charge.refunded", refunded(told, 500), NOW)
    assert (held(told.payment.state), told.payment.state.waived) == (800, 200)
    await told.event("charge.refunded", refunded(told, 600), NOW + 2 * HOUR)
    assert (held(told.payment.state), told.payment.state.waived) == (400, 600)


async def test_a_person_hears_of_a_refund_that_failed_early() -> None:
    told = taken_by_hand()
    await told.event("refund.failed", REFUND, NOW + HOUR)
    assert [(one.reason, one.at_risk_minor) for one in waits(told.payment.state, (), NOW)] == [
        ("refund-failed", 300)
    ]


async def test_a_dispute_taken_just_before_the_word_of_its_payment_is_that_payments() -> None:
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    charge = told.charge(captured=True, amount_captured=1000)
    await told.events((KINDS["dp_1"], DISPUTE, NOW), ("charge.captured", charge, NOW))
    assert "DisputeOpened" in told.payment.types()
    assert "PaymentDisagreed" not in told.payment.types()
    assert not told.strange
