"""What Stripe tells unasked of money that goes back, of disputes, and of what nobody knows here."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from libs.contracts import payments
from libs.runtime.ports import Interpreted
from services.payments import commands
from services.payments.disagreement_decider import DISAGREEMENT, DisagreementState
from services.payments.read_model import CAPTURES
from services.payments.standing import standing, waits
from services.payments.sums import held
from tests.unit.memory import folded
from tests.unit.payments.samples import (
    NOW,
    line,
    packed,
    required,
)
from tests.unit.payments.unasked import MUGS, Told, sent_back


async def test_a_refund_by_hand_is_recorded_and_not_charged_again() -> None:
    told = Told()
    told.payment.fact(required(MUGS), packed("s1", ("a", 2)))
    charge = {"id": "ch_0", "amount": 1000, "amount_captured": 1000, "amount_refunded": 300,
              "currency": "gbp", "payment_intent": "pi_0", "metadata": {}}  # fmt: skip
    for _ in range(2):
        await told.event("charge.refunded", charge)
    made = told.payment.last(payments.RefundMade)
    assert (made.origin, made.amount) == ("provider_dashboard", 300)
    told.payment.fact(required(MUGS, revision=2))
    assert len(told.payment.provider.requests) == 2
    assert told.payment.types().count("RefundMade") == 1


async def test_our_own_refund_comes_back_as_an_echo() -> None:
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    told.payment.answer_all()
    told.payment.fact(packed("s1", ("a", 2)))
    told.payment.answer_all()
    told.payment.fact(required(line("a", 1, 500), revision=2))
    charge = {"id": "ch_0", "amount": 1000, "amount_captured": 1000, "amount_refunded": 500,
              "currency": "gbp", "payment_intent": "pi_0", "metadata": {}}  # fmt: skip
    await told.event("charge.refunded", charge)
    told.payment.answer_all()
    assert told.payment.types().count("RefundMade") == 1
    assert told.payment.last(payments.RefundMade).origin == "us"


@pytest.mark.parametrize("order", [("captured", "refunded"), ("refunded", "captured")])
@pytest.mark.parametrize("packs", [True, False])
async def test_a_capture_and_what_went_back_of_it_are_told_in_any_order(
    order: tuple[str, str], packs: bool
) -> None:
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    told.payment.answer_all()
    if packs:
        told.payment.fact(packed("s1", ("a", 2)))
    charge = {"id": "ch_0", "amount": 1000, "amount_captured": 1000, "amount_refunded": 300,
              "captured": True, "currency": "gbp", "payment_intent": "pi_0",
              "metadata": {}}  # fmt: skip
    done = told.intent(status="succeeded", amount_capturable=0, amount_received=1000)
    events = {"captured": ("payment_intent.succeeded", done),
              "refunded": ("charge.refunded", charge)}  # fmt: skip
    for word in order:
        await told.event(*events[word])
    told.payment.answer_all()
    assert held(told.payment.state) == 700
    assert told.payment.types().count("PaymentCaptured") == 1
    assert told.payment.types().count("RefundMade") == 1
    assert "PaymentDisagreed" not in told.payment.types()


async def test_an_authorisation_that_is_given_back_is_no_refund() -> None:
    told = Told()
    told.payment.fact(required(MUGS), required(revision=2))
    charge = {"id": "ch_0", "amount": 1000, "amount_captured": 0, "amount_refunded": 1000,
              "captured": False, "currency": "gbp", "payment_intent": "pi_0",
              "metadata": {}}  # fmt: skip
    seen = await told.event("charge.refunded", charge)
    assert isinstance(seen, Interpreted)
    assert (seen.work, seen.ignored) == ((), "nothing-captured")
    assert told.payment.types()[-1] == "PaymentVoided"


async def test_what_a_part_capture_leaves_is_no_refund() -> None:
    told = Told()
    told.payment.fact(required(MUGS), required(line("a", 1, 500), revision=2))
    told.payment.fact(packed("s1", ("a", 1)))
    charge = {"id": "ch_0", "amount": 1000, "amount_captured": 500, "amount_refunded": 500,
              "captured": True, "currency": "gbp", "payment_intent": "pi_0",
              "metadata": {}}  # fmt: skip
    await told.event("charge.refunded", charge)
    assert told.payment.types()[-1] == "ShipmentCleared"
    await told.event("charge.refunded", charge | {"amount_refunded": 700})
    made = told.payment.last(payments.RefundMade)
    assert (made.origin, made.amount) == ("provider_dashboard", 200)


FAILURES = ("refund.failed", "refund.updated", "charge.refund.updated")


@pytest.mark.parametrize("first", FAILURES)
async def test_a_refund_that_fails_after_it_was_made_is_owed_again_and_paid_by_a_retry(
    first: str,
) -> None:
    told = Told()
    payment = told.payment
    payment.fact(required(MUGS), packed("s1", ("a", 2)), required(revision=2))
    before = len(payment.events)
    for kind in (first, *FAILURES):
        await told.event(kind, sent_back(told))
    assert payment.types(before) == ["RefundReturned"]
    back = payment.last(payments.RefundReturned)
    assert (back.holder, back.amount, back.provider_code) == ("card", 1000, "lost_or_stolen_card")
    [wait] = waits(payment.state, (), NOW)
    assert (wait.what, wait.reason, wait.at_risk_minor) == ("refund", "refund-failed", 1000)
    [row] = folded(CAPTURES, payment.log).values()
    assert row.refunded_minor == 0
    payment.provider.sent_back.clear()
    payment.provider.refunds.clear()
    payment.tell(commands.Decide("retry", "anna", "the buyer has a new card", NOW))
    assert payment.provider.refunded == 1000
    assert waits(payment.state, (), NOW) == ()
    made = len(payment.events)
    for kind in FAILURES:  # the first one's failure, told once more, is not the second one's
        await told.event(kind, sent_back(told))
    assert payment.types(made) == []
    [row] = folded(CAPTURES, payment.log).values()
    assert row.refunded_minor == 1000


async def test_a_refund_that_goes_its_way_is_not_needed() -> None:
    told = Told()
    told.payment.fact(required(MUGS), packed("s1", ("a", 2)), required(revision=2))
    seen = await told.event("refund.updated", sent_back(told, status="succeeded"))
    assert isinstance(seen, Interpreted)
    assert (seen.work, seen.ignored) == ((), "event-not-needed")


@pytest.mark.parametrize("order", [("created", "closed"), ("closed", "created")])
@pytest.mark.parametrize(("status", "end"), [("lost", "DisputeLost"), ("won", "DisputeWon")])
async def test_a_dispute_is_found_by_its_intent_in_any_order(
    order: tuple[str, str], status: str, end: str
) -> None:
    told = Told()
    told.payment.fact(required(MUGS), packed("s1", ("a", 2)))
    before = len(told.payment.events)
    for word in order:
        await told.event(
            f"charge.dispute.{word}",
            {"id": "dp_1", "amount": 1000, "currency": "gbp", "reason": "fraudulent",
             "status": "needs_response" if word == "created" else status, "charge": "ch_0",
             "payment_intent": "pi_0", "evidence_details": {"due_by": NOW // 1_000_000 + 9}},
        )  # fmt: skip
    assert told.payment.types(before) == ["DisputeOpened", end]


def disputed(status: str) -> dict[str, Any]:
    return {"id": "dp_1", "amount": 1000, "currency": "gbp", "reason": "fraudulent",
            "status": status, "charge": "ch_0", "payment_intent": "pi_0"}  # fmt: skip


@pytest.mark.parametrize(
    ("told_of", "facts"),
    [
        ([("created", "warning_needs_response"), ("closed", "warning_closed")],
         [("DisputeOpened", 0), ("DisputeWon", 0)]),
        ([("closed", "warning_closed"), ("created", "warning_needs_response")],
         [("DisputeOpened", 0), ("DisputeWon", 0)]),
        ([("created", "warning_needs_response"), ("updated", "warning_under_review"),
          ("updated", "needs_response"), ("funds_withdrawn", "needs_response"), ("closed", "lost")],
         [("DisputeOpened", 0), ("DisputeOpened", 1000), ("DisputeLost", 1000)]),
        ([("funds_withdrawn", "needs_response"), ("created", "warning_needs_response"),
          ("closed", "won")],
         [("DisputeOpened", 1000), ("DisputeWon", 1000)]),
        ([("created", "warning_needs_response"), ("closed", "lost")],
         [("DisputeOpened", 0), ("DisputeOpened", 1000), ("DisputeLost", 1000)]),
    ],
)  # fmt: skip
async def test_an_inquiry_takes_no_money_until_it_becomes_a_dispute(
    told_of: list[tuple[str, str]], facts: list[tuple[str, int]]
) -> None:
    told = Told()
    told.payment.fact(required(MUGS), packed("s1", ("a", 2)))
    before = len(told.payment.events)
    for word, status in told_of:
        await told.event(f"charge.dispute.{word}", disputed(status))
    found: list[Any] = told.payment.events[before:]
    assert [(type(one).__name__, one.amount) for one in found] == facts


async def test_an_inquiry_is_answered_by_somebody() -> None:
    told = Told()
    told.payment.fact(required(MUGS), packed("s1", ("a", 2)))
    for status, code in (
        ("warning_needs_response", "dispute-inquiry"), ("needs_response", "dispute-open"),
    ):  # fmt: skip
        await told.event("charge.dispute.updated", disputed(status))
        assert standing(told.payment.state) == ("disputed", code)
        [wait] = waits(told.payment.state, (), NOW)
        assert (wait.reason, wait.owner, wait.next_action) == (
            code,
            "operations",
            "answer it at the provider",
        )


async def test_a_payment_that_nobody_knows_waits_in_a_stream_of_its_own() -> None:
    told = Told()
    told.payment.fact(required(MUGS))
    foreign = told.intent(id="pi_foreign", metadata={})
    await told.event("payment_intent.succeeded", foreign)
    [(stream, command)] = told.strange
    assert stream == "disagreement-card:pi_foreign"
    state = DisagreementState()
    [event] = DISAGREEMENT.decide(command, state)
    assert isinstance(event, payments.PaymentDisagreed)
    assert (event.code, event.order_id, event.amount) == ("payment-unknown", None, 1000)
    state = DISAGREEMENT.evolve(state, event)
    assert DISAGREEMENT.decide(command, state) == []
    settle = commands.SettleDisagreement("a till's own payment", "anna", NOW)
    [settled] = DISAGREEMENT.decide(settle, state)
    assert DISAGREEMENT.decide(settle, DISAGREEMENT.evolve(state, settled)) == []


async def test_events_that_nobody_needs_and_that_nobody_can_read_have_a_name() -> None:
    told = Told()
    ignored = await told.event("customer.created", {"id": "cus_1"})
    assert isinstance(ignored, Interpreted)
    assert ignored.ignored == "event-not-needed"
    broken = await told.event("payment_intent.succeeded", {"id": 7})
    assert isinstance(broken, Exception)
    assert getattr(broken, "code", "") == "malformed-event"


@pytest.mark.parametrize(
    ("name", "kind", "reference"),
    [
        ("payment_intent", "payment_intent.succeeded", "pi_fakefakefakefakefake0001"),
        ("charge", "charge.captured", "pi_fakefakefakefakefake0001"),
        ("charge", "charge.refunded", "ch_fakefakefakefakefake0001"),
        ("dispute", "charge.dispute.created", "dp_1JAyTwJSZQVUcJYgPqasUEn1"),
    ],
)
async def test_stripes_own_objects_are_read_and_are_unknown_here(
    name: str, kind: str, reference: str
) -> None:
    folder = os.environ.get("LONJA_FIXTURES")
    if folder is None:
        pytest.skip("LONJA_FIXTURES is not set: third parties' payloads are not here")
    told = Told()
    told.payment.fact(required(MUGS))
    body = json.loads((Path(folder) / "stripe" / f"{name}.json").read_bytes())
    assert isinstance(await told.event(kind, body), Interpreted)
    [(stream, command)] = told.strange
    assert (stream, command.currency) == (f"disagreement-card:{reference}", "USD")


async def test_an_authorisation_that_ends_under_a_capture_is_lost_whole() -> None:
    told = Told(live=False)
    payment = told.payment
    payment.fact(required(MUGS))
    payment.answer_all()
    payment.fact(packed("s1", ("a", 2)))
    assert payment.types()[-2:] == ["PaymentCaptureRequested", "ClearanceDelayed"]
    gone = told.intent(status="canceled", cancellation_reason="automatic")
    await told.event("payment_intent.canceled", gone)
    assert payment.last(payments.AuthorisationExpired).amount == 1000
