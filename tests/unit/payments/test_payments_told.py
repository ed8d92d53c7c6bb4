"""What Stripe tells of authorisations and captures unasked: in any order, twice, of other amounts."""

import itertools
from typing import Any

import pytest

from libs.contracts import payments
from libs.runtime.ports import Interpreted
from services.payments import commands
from services.payments.commands import Terms
from services.payments.standing import standing
from tests.unit.payments.samples import (
    HOUR,
    NOW,
    ORDER,
    line,
    packed,
    required,
)
from tests.unit.payments.unasked import END, MUGS, Told


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
