"""An authorisation of which no provider tells the end: it ends by the card networks' rule."""

import itertools
from functools import reduce
from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts import payments
from libs.eventsourcing.process import Timer
from services.payments import commands, planning
from services.payments.commands import Terms
from services.payments.decider import PAYMENT
from services.payments.standing import standing, waits
from services.payments.state import PaymentState
from tests.unit.payments.samples import HOUR, NOW, Payment, enveloped, line, packed, required
from tests.unit.payments.unasked import Told

DAY = 24 * HOUR
MUGS = line("a", 2, 1000)


@pytest.mark.parametrize(
    ("policy", "then"),
    [
        ("release", ["AuthorisationExpiring", "PaymentVoidRequested", "PaymentVoided"]),
        ("capture", ["AuthorisationExpiring", "PaymentCaptureRequested", "PaymentCaptured"]),
    ],
)
def test_an_authorisation_without_an_end_is_decided_on_before_its_seven_days_are_over(
    policy: commands.OnExpiry, then: list[str]
) -> None:
    payment = Payment(Terms("card", on_expiry=policy))
    payment.fact(required(MUGS))
    told = payment.last(payments.PaymentAuthorised)
    assert (told.capture_before, told.decide_by) == (None, NOW + 6 * DAY)
    before = len(payment.events)
    payment.due(NOW + 6 * DAY - 1)
    assert payment.types(before) == []
    payment.due(NOW + 6 * DAY)
    assert payment.types(before) == then


def test_an_assumed_end_releases_the_money_at_the_provider_and_names_who_decides() -> None:
    payment = Payment(Terms("card", margin=0))
    payment.fact(required(MUGS))
    payment.due(NOW + 30 * DAY)
    assert not payment.provider.intents["pi_0"]["open"]
    assert "AuthorisationExpired" not in payment.types()  # nobody has said that it is gone
    assert standing(payment.state) == ("authorisation_expired", "authorisation-expired")
    [wait] = waits(payment.state, (), payment.now)
    assert (wait.reason, wait.owner, wait.at_risk_minor) == (
        "authorisation-expired", "operations", 1000,
    )  # fmt: skip
    assert wait.next_action == "retry, or cancel the order"


def test_an_account_says_how_long_its_authorisations_last() -> None:
    payment = Payment(Terms("card", lasts=3 * DAY))
    payment.fact(required(MUGS))
    assert payment.last(payments.PaymentAuthorised).decide_by == NOW + 2 * DAY


def test_what_is_asked_for_without_the_buyer_is_assumed_to_last_as_long_as_visa_keeps_it() -> None:
    payment = Payment(Terms("card", "capture_then_reauthorise", "reauthorise", 12 * HOUR))
    payment.provider.mandate = True
    payment.fact(required(MUGS))
    payment.due(NOW + 7 * DAY - 12 * HOUR)
    again = payment.last(payments.PaymentAuthorisationRequested)
    assert (again.reason, again.off_session) == ("reauthorise", True)
    second = payment.last(payments.PaymentAuthorised).decide_by
    assert second == payment.now + 4 * DAY + 18 * HOUR - 12 * HOUR


def test_an_answer_that_comes_late_is_of_money_that_was_set_aside_when_it_was_asked_for() -> None:
    payment = Payment(live=False)
    payment.fact(required(MUGS))
    [name] = payment.calls
    payment.answer(name, lost=True)
    payment.give_up(name)
    payment.live, payment.now = True, NOW + 3 * DAY
    payment.tell(
        commands.Decide("adopt", "anna", "", payment.now, effect_id=name, reference="pi_0")
    )
    assert payment.last(payments.PaymentAuthorised).decide_by == NOW + 6 * DAY


async def test_what_a_buyer_confirms_late_is_set_aside_when_the_provider_says_so() -> None:
    told = Told(live=False)
    payment = told.payment
    payment.fact(required(MUGS))
    told.answer("action")
    payment.due(NOW + 48 * HOUR)  # the buyer's time is over, and the provider waits on
    assert standing(payment.state)[1] == "action-overdue"
    confirmed = NOW + 9 * DAY
    await told.event("payment_intent.amount_capturable_updated", told.intent(), confirmed)
    assert payment.last(payments.PaymentAuthorised).decide_by == confirmed + 6 * DAY


@pytest.mark.parametrize("days", [2, 30])
@pytest.mark.parametrize("order", [*itertools.permutations(("answer", "intent", "charge"))])
async def test_the_providers_own_date_takes_the_place_of_the_assumed_one(
    order: tuple[str, ...], days: int
) -> None:
    told = Told(Terms("card", on_expiry="capture"), live=False)
    payment, end = told.payment, NOW + days * DAY
    payment.fact(required(MUGS))
    for one in order:
        if one == "answer":
            told.answer("action")
        elif one == "intent":
            await told.event("payment_intent.amount_capturable_updated", told.intent())
        else:
            card = {"card": {"capture_before": end // 1_000_000}, "type": "card"}
            await told.event("charge.succeeded", told.charge(payment_method_details=card))
    payment.live = True
    before = len(payment.events)
    payment.due(end - DAY - 1)
    assert payment.types(before) == []  # also not when the assumed end has come
    payment.due(end - DAY)
    assert payment.last(payments.AuthorisationExpiring).capture_before == end
    assert payment.provider.captured == 1000


def test_a_mandate_that_is_heard_of_later_moves_no_end() -> None:
    payment = Payment(Terms("card"))
    payment.fact(required(MUGS))
    authorised = payment.last(payments.PaymentAuthorised)
    payment.now = NOW + 5 * DAY
    payment.tell(
        commands.RecordAuthorisation(
            "", authorised.intent_id, "authorised", authorised.provider_intent, "ch", 1000, "GBP",
            None, mandate=True, at=payment.now,
        )
    )  # fmt: skip
    [detailed] = [e for e in payment.events if isinstance(e, payments.AuthorisationDetailed)]
    assert (detailed.mandate, detailed.decide_by) == (True, NOW + 6 * DAY)


def of_an_older_version(told: list[Any]) -> list[Any]:
    """Return events as they were told before an end was assumed."""
    return [
        replace(one, decide_by=None) if isinstance(one, payments.PaymentAuthorised) else one
        for one in told
    ]


@pytest.mark.parametrize(("after", "decided"), [(DAY, NOW + 6 * DAY), (20 * DAY, NOW + 20 * DAY)])
def test_an_authorisation_from_before_that_rule_gets_its_end_with_the_next_that_is_heard(
    after: int, decided: int
) -> None:
    payment = Payment(live=True)
    payment.fact(required(MUGS))
    old = of_an_older_version(payment.events)
    state = reduce(PAYMENT.evolve, old, PaymentState())
    payment.state, payment.now = state, NOW + after
    payment.timers.clear()
    payment.fact(packed("s1", ("b", 1)))
    assert payment.last(payments.AuthorisationDetailed).decide_by == decided
    payment.due(decided)
    assert standing(payment.state)[1] == "authorisation-expired"


def test_money_that_is_set_aside_at_a_channel_ends_by_the_channels_word() -> None:
    payment = Payment(live=True)
    custody = "channel_captures_at_our_order"
    payment.fact(required(MUGS, custody=custody, funds="authorised"))
    told = payment.last(payments.PaymentAuthorised)
    assert (told.decide_by, payment.timers) == (None, {})
    assert "AuthorisationDetailed" not in payment.types()


def test_an_assumed_end_plans_the_decision_and_no_end() -> None:
    payment = Payment(Terms("card", margin=0))
    payment.fact(required(MUGS))
    told = payment.last(payments.PaymentAuthorised)
    [timer] = planning.plan(enveloped(told, 1, "payments"))
    assert isinstance(timer, Timer)
    assert timer.command == commands.ExpireSoon(told.intent_id, NOW + 7 * DAY)
