"""What Stripe tells unasked: in any order, twice, late, of other amounts, of what nobody knows."""

import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from libs.contracts import payments
from libs.effects.kinds import Confirmed
from libs.replay.memory import MemoryRows
from libs.runtime.ports import InboxRow, Interpreted, Ports
from libs.runtime.settings import Settings
from services.payments import calls, commands
from services.payments.commands import Terms
from services.payments.disagreement_decider import DISAGREEMENT, DisagreementState
from services.payments.intake import PaymentsIntake
from services.payments.read_model import CAPTURES, INTENTS
from services.payments.standing import standing, waits
from services.payments.sums import held
from services.payments.telling import tell
from tests.unit.memory import folded
from tests.unit.payments.samples import (
    HOUR,
    NOW,
    ORDER,
    STREAM,
    Payment,
    line,
    packed,
    required,
)

MUGS = line("a", 2, 1000)
SETTINGS = Settings.model_validate(
    {
        "payments": {"card": {"provider": "stripe"}},
        "channels": {"shop": {"provider": "standard", "custody": "us", "payments": "card"}},
    }
)


class Intents(MemoryRows[Any]):
    """The rows of intents; they are `behind` by so many of the payment's events."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(lambda: folded(INTENTS, payment.log[: len(payment.log) - self.behind]))
        self.behind = 0

    async def caught_up(self, seconds: float = 1.0) -> bool:
        del seconds
        return not self.behind


class Told:
    """A payment, and the intake that understands Stripe's events about it."""

    def __init__(self, terms: Terms | None = None, *, live: bool = True) -> None:
        self.payment = Payment(terms, live=live)
        none: Any = None
        self.now, self.rows = NOW + HOUR, Intents(self.payment)
        ports = Ports(SETTINGS, lambda: self.now, none, none, none, lambda _: self.rows)
        self.intake = PaymentsIntake(ports)
        self.strange: list[tuple[str, Any]] = []

    async def event(
        self, kind: str, body: dict[str, Any], at: int = NOW
    ) -> Interpreted | Exception:
        [told] = await self.events((kind, body, at))
        return told

    async def events(
        self, *given: tuple[str, dict[str, Any], int]
    ) -> Sequence[Interpreted | Exception]:
        """Have several understood together, at the second look, and taken one after another."""
        for _ in range(2):
            found = await self.intake.interpret([_row(*one) for one in given])
        for told in found:
            for stream, command in () if isinstance(told, Exception) else told.work:
                if stream == STREAM:
                    self.payment.tell(command)
                else:
                    self.strange.append((stream, command))
        return found

    def intent(self, **fields: Any) -> dict[str, Any]:
        asked = self.payment.last(payments.PaymentAuthorisationRequested)
        return {
            "id": "pi_0", "object": "payment_intent", "amount": asked.amount, "currency": "gbp",
            "status": "requires_capture", "amount_capturable": asked.amount, "amount_received": 0,
            "latest_charge": "ch_0",
            "metadata": {"lonja_order": ORDER, "lonja_intent": asked.intent_id},
        } | fields  # fmt: skip

    def charge(self, **fields: Any) -> dict[str, Any]:
        asked = self.payment.last(payments.PaymentAuthorisationRequested)
        end = {"card": {"capture_before": END // 1_000_000}, "type": "card"}
        return {
            "id": "ch_0", "object": "charge", "amount": asked.amount, "amount_captured": 0,
            "captured": False, "currency": "gbp", "payment_intent": "pi_0",
            "metadata": {"lonja_order": ORDER, "lonja_intent": asked.intent_id},
            "payment_method_details": end,
        } | fields  # fmt: skip

    def answer(self, status: Any) -> None:
        """Let Stripe answer the authorisation; what is to be confirmed has no end yet."""
        [(name, effect)] = self.payment.calls.items()
        self.payment.provider.call(name, calls.decode(effect.request))
        done = status == "authorised"
        said = calls.Authorised(
            status, "pi_0", "ch_0", 1000, "GBP", END if done else None, mandate=done
        )
        told = tell(self.payment.call(effect), Confirmed(said), NOW)
        self.payment.calls.clear()
        self.payment.tell(told)


def _row(kind: str, body: dict[str, Any], at: int) -> InboxRow:
    event = {"id": "evt_1", "type": kind, "created": at // 1_000_000, "data": {"object": body}}
    return InboxRow(1, "stripe", "card", "evt_1", kind, at, json.dumps(event).encode(), "")


END = NOW + 7 * 24 * HOUR


@pytest.mark.parametrize("order", [*itertools.permutations(("answer", "intent", "charge"))])
@pytest.mark.parametrize("answered", ["authorised", "action"])
async def test_an_authorisation_has_its_end_and_mandate_in_whatever_order_they_are_told(
    order: tuple[str, ...], answered: str
) -> None:
    told = Told(Terms("card", "capture_then_reauthorise", "capture"), live=False)
    payment = told.payment
    payment.fact(required(MUGS))
    kept = told.intent(customer="cus_1", setup_future_usage="off_session")
    for one in order:
        if one == "answer":
            told.answer(answered)
        elif one == "intent":
            await told.event("payment_intent.amount_capturable_updated", kept)
        else:
            await told.event("charge.succeeded", told.charge())
    [intent] = payment.state.intents.values()
    assert (intent.status, intent.capture_before, intent.mandate) == ("authorised", END, True)
    assert payment.types().count("PaymentAuthorised") == 1
    payment.live = True
    payment.due(END - HOUR)
    assert payment.last(payments.AuthorisationExpiring).decision == "capture"
    assert payment.provider.captured == 1000


async def test_an_event_in_kronur_tells_of_the_same_money() -> None:
    told = Told(live=False)
    told.payment.fact(required(line("a", 2, 5000), currency="ISK"))
    seen = told.intent(amount=500_000, amount_capturable=500_000, currency="isk")
    await told.event("payment_intent.amount_capturable_updated", seen)
    assert told.payment.types()[-1] == "PaymentAuthorised"
    assert told.payment.last(payments.PaymentAuthorised).amount == 5000
    done = seen | {"status": "succeeded", "amount_received": 500_000}
    await told.event("payment_intent.succeeded", done)
    charge = {"id": "ch_0", "amount": 500_000, "amount_captured": 500_000, "currency": "isk",
              "amount_refunded": 100_000, "payment_intent": "pi_0", "metadata": {}}  # fmt: skip
    await told.event("charge.refunded", charge)
    assert told.payment.last(payments.RefundMade).amount == 1000


async def test_a_charge_that_was_captured_at_once_is_told_by_its_intent() -> None:
    told = Told()
    told.payment.fact(required(MUGS))
    before = len(told.payment.events)
    seen = await told.event("charge.succeeded", told.charge(captured=True, amount_captured=1000))
    assert isinstance(seen, Interpreted)
    assert (seen.work, seen.ignored) == ((), "event-not-needed")
    assert told.payment.types(before) == []


async def test_what_is_told_before_the_answer_comes_is_taken_and_the_answer_adds_nothing() -> None:
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    await told.event("payment_intent.amount_capturable_updated", told.intent())
    assert standing(told.payment.state) == ("authorised", "")
    before = len(told.payment.events)
    told.payment.answer_all()
    await told.event("payment_intent.amount_capturable_updated", told.intent())
    assert told.payment.types(before) == []


async def test_a_doubt_ends_by_what_is_told() -> None:
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    [name] = told.payment.calls
    told.payment.answer(name, lost=True)
    await told.event("payment_intent.amount_capturable_updated", told.intent())
    assert told.payment.last(payments.PaymentOutcomeResolved).outcome == "adopted"
    assert standing(told.payment.state) == ("authorised", "")


async def test_a_capture_is_told_in_two_ways_and_recorded_once() -> None:
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    told.payment.answer_all()
    told.payment.fact(packed("s1", ("a", 2)))
    done = told.intent(status="succeeded", amount_capturable=0, amount_received=1000)
    await told.event("payment_intent.succeeded", done)
    charge = {"id": "ch_0", "amount": 1000, "amount_captured": 1000, "captured": True,
              "currency": "gbp", "payment_intent": "pi_0", "metadata": {}}  # fmt: skip
    await told.event("charge.captured", charge)
    told.payment.answer_all()
    assert told.payment.types().count("PaymentCaptured") == 1
    assert told.payment.cleared() == [("s1", "captured", 1000)]


async def test_another_amount_than_asked_for_is_a_disagreement_and_nothing_is_half_done() -> None:
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    told.payment.answer_all()
    told.payment.fact(packed("s1", ("a", 2)))
    less = told.intent(status="succeeded", amount_received=999)
    for _ in range(2):
        await told.event("payment_intent.succeeded", less)
    told_of = told.payment.last(payments.PaymentDisagreed)
    assert (told_of.code, told_of.amount, told_of.expected_amount) == ("capture-differs", 999, 1000)
    assert told.payment.types().count("PaymentDisagreed") == 1
    assert told.payment.cleared() == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"currency": "eur"}, "currency-differs"),
        ({"amount": 2000}, "amount-differs"),
        ({"status": "succeeded", "amount_received": 1001}, "capture-above-authorisation"),
        ({"metadata": {"lonja_order": ORDER, "lonja_intent": "pay_x"}}, "payment-unknown"),
    ],
)
async def test_what_does_not_fit_waits_for_a_person(fields: dict[str, Any], code: str) -> None:
    told = Told()
    told.payment.fact(required(MUGS))
    before = len(told.payment.events)
    await told.event("payment_intent.succeeded", told.intent(**fields))
    assert told.payment.types(before) == ["PaymentDisagreed"]
    assert told.payment.last(payments.PaymentDisagreed).code == code
    settle = commands.Decide("settle", "anna", "refunded by hand", NOW)
    told.payment.tell(settle)
    assert "PaymentDisagreementSettled" in told.payment.types(before)


async def test_a_capture_by_hand_at_the_provider_is_recorded_and_clears() -> None:
    told = Told()
    told.payment.fact(required(MUGS))
    await told.event(
        "payment_intent.succeeded", told.intent(status="succeeded", amount_received=1000)
    )
    told.payment.fact(packed("s1", ("a", 2)))
    assert told.payment.cleared() == [("s1", "captured", 1000)]
    assert len(told.payment.provider.requests) == 1


@pytest.mark.parametrize(
    ("reason", "event", "stands"),
    [
        ("automatic", "AuthorisationExpired", "authorisation_expired"),
        ("requested_by_customer", "PaymentVoided", "voided"),
    ],
)
async def test_an_authorisation_that_ends_outside_waits_and_is_not_asked_for_again(
    reason: str, event: str, stands: str
) -> None:
    told = Told()
    told.payment.fact(required(MUGS))
    gone = told.intent(status="canceled", cancellation_reason=reason)
    await told.event("payment_intent.canceled", gone)
    assert told.payment.types()[-1] == event
    assert standing(told.payment.state)[0] == stands
    assert len(told.payment.provider.requests) == 1


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


def sent_back(told: Told, **fields: Any) -> dict[str, Any]:
    [refund] = told.payment.state.refunds
    return {
        "id": "re_1", "object": "refund", "amount": 1000, "currency": "gbp", "status": "failed",
        "payment_intent": "pi_0", "charge": "ch_0", "failure_reason": "lost_or_stolen_card",
        "metadata": {"lonja_order": ORDER, "lonja_refund": refund},
    } | fields  # fmt: skip


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
