"""Orders whose money went back before their units have left: a person says whether these go."""

from typing import Any

import pytest

from libs.contracts import common, orders
from libs.eventsourcing.testing import given
from services.orders import commands
from services.orders.decider import ORDER
from tests.unit.orders.samples import (
    NOW,
    answer,
    cancel,
    captured,
    funds,
    line,
    parcel,
    released,
    said,
    told,
)
from tests.unit.orders.test_orders_confirming import MUG, names, only
from tests.unit.orders.test_orders_rows import row

REASON = "refunded-not-sent"
BACK = said("refunded", 200, seen=2)


def paid(custody: common.Custody = "us", *more: Any) -> tuple[Any, ...]:
    """Return the steps to an order of two mugs that is paid and in a parcel."""
    placed = told(MUG, custody=custody)
    return (placed, answer("MUG", 2), captured(200), parcel("packed", ("a", 2)), *more)


def held(*steps: Any) -> list[str]:
    return [hold.reason for hold in given(ORDER).when(*steps).state.holds.values()]


def blocked(*steps: Any) -> str | None:
    requested = given(ORDER).when(*steps).state.requested
    assert requested is not None
    return requested.blocked


@pytest.mark.parametrize("custody", ["us", "channel_remits_gross"])
def test_units_whose_money_went_back_wait_for_a_person(custody: common.Custody) -> None:
    outcome = given(ORDER).when(*paid(custody), BACK)
    assert names(outcome.events) == ["OrderPaymentRecorded", "OrderHeld", "FulfilmentRequested"]
    hold = only(outcome.events, orders.OrderHeld)
    assert (hold.reason, hold.by, hold.blocks) == (REASON, "policy", "both")
    requested = only(outcome.events, orders.FulfilmentRequested)
    assert requested.blocked == REASON
    assert [one.quantity for one in requested.lines] == [2]  # they stay in their parcel
    assert outcome.state.confirmed is not None


def test_an_order_that_is_held_for_its_refund_says_whose_turn_it_is_and_for_how_much() -> None:
    shown = row(*paid("us", BACK))
    assert (shown.state, shown.reason, shown.owner) == ("held", REASON, "operations")
    assert "cancel" in shown.next_action
    assert shown.value_at_risk_minor == shown.total_minor > 0


def test_a_part_of_the_money_that_goes_back_keeps_nothing_here() -> None:
    assert held(*paid("us", said("refunded", 199, seen=2))) == []


def test_what_has_left_is_kept_back_by_nothing() -> None:
    gone = paid("us", parcel("dispatched", ("a", 2), seen=2))
    assert held(*gone, BACK) == []
    half = (*paid()[:3], parcel("dispatched", ("a", 1)), parcel("packed", ("a", 1), name="s2"))
    assert held(*half, BACK) == [REASON]


def test_a_parcel_that_left_all_the_same_ends_the_wait() -> None:
    assert held(*paid("us", BACK, parcel("dispatched", ("a", 2), seen=2))) == []


def test_money_that_is_there_again_lets_the_units_go() -> None:
    again = paid("us", BACK, said("refunded", -200, seen=3, reason="refund-failed"))
    assert (held(*again), blocked(*again)) == ([], None)


def test_a_person_sends_it_all_the_same_and_is_not_asked_again() -> None:
    [name] = given(ORDER).when(*paid("us", BACK)).state.holds
    sent = paid("us", BACK, commands.ReleaseHold(name, "a gift", "seller", NOW))
    assert (held(*sent), blocked(*sent)) == ([], None)
    later = (*sent, told(MUG, custody="us", version=2))
    assert (held(*later), blocked(*later)) == ([], None)


def test_a_person_cancels_it_and_nothing_leaves() -> None:
    stopped = paid("us", BACK, cancel("c", ("a", 2)), released(3))
    outcome = given(ORDER).when(*stopped, parcel("stopped", ("a", 2), seen=2))
    assert outcome.state.ended is not None
    assert outcome.state.bill is not None
    assert outcome.state.bill.amount == 0


def test_units_that_nobody_was_asked_for_yet_wait_too_and_go_once_a_person_says_so() -> None:
    lost = (answer("MUG", 2), answer("MUG", 0, short=2, seen=2))
    back = (told(MUG, custody="us"), *lost, captured(200), BACK)
    state = given(ORDER).when(*back).state
    assert held(*back) == [REASON]
    assert state.requested is None
    release = commands.ReleaseHold(next(iter(state.holds)), "a gift", "seller", NOW)
    sent = given(ORDER).when(*back, release, answer("MUG", 2, seen=4)).state
    assert sent.requested is not None
    assert (dict(sent.requested.lines), sent.requested.blocked) == ({"a": 2}, None)
    assert not sent.concerns


def test_money_that_is_asked_for_anew_after_a_part_went_back_is_no_refund_of_the_order() -> None:
    dear = (told(MUG, custody="us"), answer("MUG", 2), said("authorised", 200))
    part = (said("captured", 100, seen=2), said("voided", 100, seen=3),
            said("refunded", 100, seen=4))  # fmt: skip
    assert held(*dear, parcel("packed", ("a", 2)), *part) == []


@pytest.mark.parametrize("first", ["paid", "refunded"])
def test_what_others_sent_and_the_channel_refunded_waits_for_nobody(first: Any) -> None:
    """A sale at the counter, say, or an order that its shop had sent before we heard of it."""
    theirs = line("a", 1, ("MUG", 1), fulfilled_by="channel")
    placed = told(theirs, funds=first, received=100, refunded=0)
    later = [] if first == "refunded" else [funds("refunded", 2)]
    done = given(ORDER).when(placed, captured(100), *later, said("refunded", 100, 2)).state
    assert done.completed
    assert done.bill is not None
    overdue = commands.DecideByDeadline(done.bill.decide_by)
    assert list(ORDER.decide(overdue, done)) == []
