"""Refunds that never reached the buyer: whatever is told of them late, they are owed."""

from typing import Any

import pytest

from libs.contracts import payments
from libs.effects.kinds import Rejected
from services.payments import calls, commands
from services.payments.standing import waits
from services.payments.sums import held
from services.payments.telling import tell
from tests.unit.payments.samples import HOUR, NOW, line, packed, required
from tests.unit.payments.unasked import MUGS, Told, sent_back

DAY = 24 * HOUR


def refunded(amount: int) -> dict[str, Any]:
    return {
        "id": "ch_0", "amount": 1000, "amount_captured": 1000, "captured": True,
        "currency": "gbp", "amount_refunded": amount, "payment_intent": "pi_0", "metadata": {},
    }  # fmt: skip


def owed(told: Told) -> list[tuple[str, int]]:
    return [(one.reason, one.at_risk_minor) for one in waits(told.payment.state, (), NOW)]


def asked() -> tuple[Told, str]:
    """Return a payment whose whole refund is asked for and not answered, and its call."""
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    told.payment.answer_all()
    told.payment.fact(packed("s1", ("a", 2)))
    told.payment.answer_all()
    told.payment.fact(required(revision=2))
    [name] = told.payment.calls
    return told, name


@pytest.mark.parametrize("lost", [False, True])
async def test_a_refund_that_failed_before_its_answer_came_is_owed_whatever_that_says(
    lost: bool,
) -> None:
    told, name = asked()
    if lost:  # it is in doubt meanwhile, and repeated under its key
        told.payment.answer(name, lost=True)
    await told.event("refund.failed", sent_back(told, id=f"re_{name}"))
    told.payment.answer(name)
    assert owed(told) == [("refund-failed", 1000)]
    assert told.payment.types().count("RefundReturned") == 1
    assert told.payment.types().count("RefundMade") == 1
    assert not told.payment.state.doubts


async def test_what_a_charge_said_before_its_refund_came_back_makes_no_refund() -> None:
    told, name = asked()
    told.payment.answer(name)
    await told.event("refund.failed", sent_back(told, id=f"re_{name}"), NOW + DAY)
    before = len(told.payment.events)
    await told.event("charge.refunded", refunded(1000), NOW)
    assert told.payment.types(before) == []
    assert owed(told) == [("refund-failed", 1000)]


async def test_what_is_sent_back_by_hand_after_a_refund_came_back_pays_it() -> None:
    told, name = asked()
    told.payment.answer(name)
    await told.event("refund.failed", sent_back(told, id=f"re_{name}"), NOW + DAY)
    await told.event("charge.refunded", refunded(1000), NOW + 2 * DAY)
    assert told.payment.last(payments.RefundMade).origin == "provider_dashboard"
    assert owed(told) == []


async def test_of_two_refunds_the_one_that_stayed_is_made_by_what_was_said_before() -> None:
    told, name = asked()
    told.payment.answer(name)
    await told.event("refund.failed", sent_back(told, id=f"re_{name}"), NOW + DAY)
    told.payment.fact(required(line("a", 1, 400), revision=3))
    before = len(told.payment.events)
    await told.event("charge.refunded", refunded(1000), NOW)
    assert told.payment.types(before) == []


def found_failed(told: Told, name: str) -> None:
    """Let a call in doubt find its refund at the provider, where it has failed by now."""
    told.payment.answer(name, lost=True)
    call = told.payment.call(told.payment.calls.pop(name))
    refusal = Rejected("refund-failed", calls.Refusal("failed", final=True))
    command = tell(call, refusal, NOW)
    assert command is not None
    told.payment.tell(command)


def tried_again(told: Told, at: int) -> str:
    """Let a person try it once more; returns the call."""
    told.payment.now = at
    told.payment.tell(commands.Decide("retry", "anna", "", at))
    [name] = told.payment.calls
    return name


@pytest.mark.parametrize("charge_first", [False, True])
async def test_a_refund_that_was_found_failed_is_owed_whatever_its_charge_said_before(
    charge_first: bool,
) -> None:
    told, name = asked()
    found_failed(told, name)
    failed = "refund.failed", sent_back(told, id=f"re_{name}"), NOW + DAY
    charge = "charge.refunded", refunded(1000), NOW
    for one in (charge, failed) if charge_first else (failed, charge):
        await told.event(*one)
    assert owed(told) == [("refund-failed", 1000)]
    made, returned = (told.payment.types().count(e) for e in ("RefundMade", "RefundReturned"))
    assert (made, returned) == (1, 1)


@pytest.mark.parametrize("answered", [False, True])
async def test_what_is_told_late_of_the_first_try_owes_nothing_that_a_second_one_has_paid(
    answered: bool,
) -> None:
    told, name = asked()
    found_failed(told, name)
    told.payment.provider.refunds.clear()
    again = tried_again(told, NOW + 2 * DAY)
    if answered:
        told.payment.provider.sent_back.clear()
        told.payment.answer(again)
    before = len(told.payment.events)
    await told.event("refund.failed", sent_back(told, id=f"re_{name}"), NOW + DAY)
    assert told.payment.types(before) == []
    assert owed(told) == []


async def test_a_second_try_that_comes_back_is_owed() -> None:
    told, name = asked()
    found_failed(told, name)
    told.payment.provider.refunds.clear()
    told.payment.provider.sent_back.clear()
    again = tried_again(told, NOW + DAY)
    told.payment.answer(again)
    await told.event("refund.failed", sent_back(told, id=f"re_{again}"), NOW + 2 * DAY)
    assert owed(told) == [("refund-failed", 1000)]


async def test_what_is_told_late_of_a_refund_owes_nothing_that_was_paid_by_hand_since() -> None:
    told, name = asked()
    found_failed(told, name)
    await told.event("charge.refunded", refunded(1000), NOW + 2 * DAY)
    made = told.payment.last(payments.RefundMade)
    assert (made.origin, made.occurred_at) == ("provider_dashboard", NOW + 2 * DAY)
    await told.event("refund.failed", sent_back(told, id=f"re_{name}"), NOW + DAY)
    assert owed(told) == []


@pytest.mark.parametrize("first", ["refund", "intent"])
async def test_a_refund_that_comes_with_the_first_word_of_its_intent_is_no_strangers(
    first: str,
) -> None:
    told = Told(live=False)
    told.payment.fact(required(MUGS))
    failed = {"id": "re_0", "amount": 300, "currency": "gbp", "payment_intent": "pi_0",
              "status": "failed", "failure_reason": "lost_or_stolen_card"}  # fmt: skip
    captured = told.intent(status="succeeded", amount_capturable=0, amount_received=1000)
    refund = ("refund.failed", failed, NOW + DAY)
    intent = ("payment_intent.succeeded", captured, NOW)
    await told.events(*((refund, intent) if first == "refund" else (intent, refund)))
    assert told.strange == []
    assert told.payment.state.disagreed == ("refund-failed:re_0:300:GBP",)
    if first == "intent":  # the charge's older word comes at last
        await told.event("charge.refunded", refunded(300), NOW)
        assert held(told.payment.state) == 1000
