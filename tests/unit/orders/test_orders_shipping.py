"""Parcels: what is asked for, what stops, what is too late, and when an order is complete."""

from typing import Any

import pytest

from libs.contracts import orders
from libs.eventsourcing.testing import given
from services.orders import commands
from services.orders.decider import ORDER
from services.orders.state import OrderState
from services.orders.units import delivered, leaving, shipped
from tests.unit.orders.samples import (
    HOUR,
    NOW,
    answer,
    cancel,
    cancelled,
    captured,
    line,
    parcel,
    released,
    said,
    told,
)
from tests.unit.orders.test_orders_confirming import MUG, names, only

PAID = (told(MUG), answer("MUG", 2), captured(200))
PLANNED = (*PAID, parcel("planned", ("a", 2)))
SENT = (*PLANNED, parcel("dispatched", ("a", 2), seen=2))
ARRIVED = (*SENT, parcel("delivered", ("a", 2), seen=3))
HOLD = commands.PlaceHold("h1", "fraud-review", "", (), "both", None, "seller", NOW)


def asked(*steps: Any) -> dict[str, int]:
    """Return the units that fulfilment was last asked to hand over."""
    requested = given(ORDER).when(*steps).state.requested
    return dict(requested.lines) if requested is not None else {}


def needed(*steps: Any) -> dict[str, int]:
    """Return the units that were last asked of stock."""
    needs = given(ORDER).when(*steps).state.needs
    return {sku: need.units for sku, need in needs.items()}


def decide(decision: Any, shipment: str | None = None) -> commands.DecideConcern:
    return commands.DecideConcern(decision, shipment, "seller", NOW)


def test_a_hold_after_the_confirmation_blocks_what_has_not_left() -> None:
    held = given(ORDER).when(*PAID, HOLD)
    assert names(held.events) == ["OrderHeld", "FulfilmentRequested"]
    assert only(held.events, orders.FulfilmentRequested).blocked == "fraud-review"
    other = commands.PlaceHold("h2", "manual", "", (), "dispatch", None, "seller", NOW)
    two = (*PAID, HOLD, other, commands.ReleaseHold("h1", "ok", "seller", NOW))
    assert only(given(ORDER).when(*two).events, orders.FulfilmentRequested).blocked == "manual"
    free = given(ORDER).when(*two, commands.ReleaseHold("h2", "ok", "seller", NOW))
    assert only(free.events, orders.FulfilmentRequested).blocked is None
    assert names(given(ORDER).when(*SENT, HOLD).events) == ["OrderHeld"]


def test_a_confirmed_order_that_loses_units_is_blocked_until_it_has_them_again() -> None:
    lost = commands.RecordShortfall("MUG", 1, 2, NOW, NOW)
    outcome = given(ORDER).when(*PAID, lost)
    again = only(outcome.events, orders.FulfilmentRequested)
    assert (again.blocked, again.lines[0].quantity) == ("out-of-stock", 2)
    found = given(ORDER).when(*PAID, lost, answer("MUG", 2, seen=3))
    assert only(found.events, orders.FulfilmentRequested).blocked is None


def test_what_others_hand_over_is_not_asked_for_and_ends_with_the_money() -> None:
    elsewhere = line("f", 1, ("CUP", 1), fulfilled_by="channel")
    steps = (told(MUG, elsewhere), answer("MUG", 2), captured(300))
    assert asked(*steps) == {"a": 2}
    done = given(ORDER).when(*steps, parcel("delivered", ("a", 2)))
    completed = only(done.events, orders.OrderCompleted)
    assert {one.line_id: one.quantity for one in completed.lines} == {"a": 2, "f": 1}
    alone = given(ORDER).when(told(elsewhere), captured(100))
    assert only(alone.events, orders.OrderCompleted).rule == "channel"


def test_what_needs_no_parcel_is_asked_for_too() -> None:
    card = line("g", 1, kind="gift_card", requires_shipping=False)
    event = only(given(ORDER).when(told(card), captured(100)).events, orders.FulfilmentRequested)
    [row] = event.lines
    assert (row.kind, row.requires_shipping, row.components) == ("gift_card", False, ())
    done = given(ORDER).when(
        told(card), captured(100), parcel("delivered", ("g", 1), reason="at-once")
    )
    assert only(done.events, orders.OrderCompleted).rule == "at-once"


def test_an_order_is_complete_when_all_of_it_has_arrived() -> None:
    first = parcel("delivered", ("a", 1))
    assert names(given(ORDER).when(*PAID, first).events) == ["OrderShipmentRecorded"]
    second = parcel("delivered", ("a", 1), name="s2", reason="untracked")
    done = given(ORDER).when(*PAID, first, second)
    completed = only(done.events, orders.OrderCompleted)
    assert (completed.rule, completed.lines[0].quantity) == ("scan", 2)
    given(ORDER).when(*PAID, first, second, second).then()


def test_units_that_are_delivered_or_cancelled_complete_it() -> None:
    one = (*PAID, parcel("planned", ("a", 1)), parcel("delivered", ("a", 1), seen=2))
    kept = (cancel("c", ("a", 1)), released(2, ("a", 1)))
    done = given(ORDER).when(*one, *kept, answer("MUG", 1, revision=2, seen=2))
    assert only(done.events, orders.OrderCompleted).lines[0].quantity == 1


def test_a_packed_parcel_tells_nothing_new_and_older_facts_change_nothing() -> None:
    given(ORDER).when(*PLANNED, parcel("packed", ("a", 2), seen=2)).then()
    given(ORDER).when(*ARRIVED, parcel("dispatched", ("a", 2), seen=2)).then()


def test_units_in_a_parcel_are_cancelled_when_it_has_stopped() -> None:
    steps = (*PLANNED, cancel("c1", ("a", 1)))
    outcome = given(ORDER).when(*steps)
    assert names(outcome.events) == ["CancellationRequested", "FulfilmentRequested", "OrderWaits"]
    assert only(outcome.events, orders.OrderWaits).reason == "cancellation-asked"
    assert (asked(*steps), needed(*steps)) == ({"a": 1}, {"MUG": 2})
    given(ORDER).when(*steps, cancel("c1", ("a", 1))).then()
    halted = (*steps, parcel("stopped", ("a", 1), seen=2))
    assert names(given(ORDER).when(*halted).events) == ["OrderShipmentRecorded"]
    stopped = given(ORDER).when(*halted, released(2, ("a", 1)))
    assert names(stopped.events) == [
        "OrderReleaseRecorded", "CancellationAccepted", "OrderLinesCancelled", "StockRequired",
        "PaymentRequired", "OrderWaitOver",
    ]  # fmt: skip
    assert only(stopped.events, orders.StockRequired).demands[0].units == 1


def test_units_that_leave_before_they_are_stopped_are_refused() -> None:
    steps = (*PLANNED, cancel("c1"))
    assert asked(*steps) == {}
    late = given(ORDER).when(*steps, parcel("packed", ("a", 2), seen=3, fact="StopTooLate"))
    refused = only(late.events, orders.CancellationRefused)
    assert (refused.reason, refused.lines[0].quantity) == ("too-late", 2)
    assert "OrderLinesCancelled" not in names(late.events)
    assert asked(*steps, parcel("dispatched", ("a", 2), seen=2)) == {"a": 2}


def test_a_request_is_answered_in_parts() -> None:
    one = (*PAID, parcel("dispatched", ("a", 1)), cancel("c1", ("a", 2)))
    assert only(given(ORDER).when(*one).events, orders.CancellationRefused).reason == "too-late"
    outcome = given(ORDER).when(*one, released(2, ("a", 1)))
    assert only(outcome.events, orders.CancellationAccepted).lines[0].quantity == 1
    given(ORDER).when(*SENT, cancel("c1")).then_refused("cancellation-too-late")
    given(ORDER).when(*PLANNED, cancel("c1"), cancel("c2")).then_refused("cancellation-asked")


def test_a_whole_parcel_may_stop_and_the_rest_goes_in_another() -> None:
    halted = (*PLANNED, cancel("c1", ("a", 1)), parcel("stopped", ("a", 2), seen=2))
    assert "c1" in given(ORDER).when(*halted).state.stops
    steps = (*halted, released(2))
    state = given(ORDER).when(*steps).state
    assert (state.parcels["s1"].status, dict(state.confirmed or {})) == ("stopped", {"a": 1})
    assert not state.stops
    again = (*steps, answer("MUG", 1, revision=2, seen=2), parcel("delivered", ("a", 1), name="s2"))
    assert given(ORDER).when(*again).state.completed


def test_a_channels_cancellation_frees_units_only_when_the_parcel_stopped() -> None:
    steps = (*PLANNED, cancelled(2))
    assert (asked(*steps), needed(*steps)) == ({}, {"MUG": 2})
    halted = (*steps, parcel("stopped", ("a", 2), seen=2))
    assert needed(*halted) == {"MUG": 2}
    freed = given(ORDER).when(*halted, released(2))
    assert only(freed.events, orders.StockRequired).demands[0].units == 0
    early = (*steps, released(2))
    assert needed(*early) == {"MUG": 2}
    assert needed(*early, parcel("stopped", ("a", 2), seen=2)) == {"MUG": 0}


def test_a_parcel_that_stopped_for_a_reason_of_its_own_frees_and_ends_nothing() -> None:
    moved = (*PLANNED, parcel("stopped", ("a", 2), seen=2, reason="units-moved"))
    assert names(given(ORDER).when(*moved).events) == ["OrderShipmentRecorded"]
    assert (asked(*moved), needed(*moved)) == ({"a": 2}, {"MUG": 2})
    crossed = (
        *PLANNED,
        cancel("c1", ("a", 1)),
        *moved[-1:],
        parcel("planned", ("a", 2), name="s2"),
    )
    assert "c1" in given(ORDER).when(*crossed).state.stops
    late = given(ORDER).when(*crossed, parcel("dispatched", ("a", 2), name="s2", seen=2))
    assert only(late.events, orders.CancellationRefused).reason == "too-late"
    given(ORDER).when(*crossed, released(1, ("a", 2))).then()


def test_units_that_may_be_in_a_parcel_we_do_not_know_are_asked_for_not_granted() -> None:
    steps = (*PAID, cancel("c1", ("a", 1)))
    assert "CancellationAccepted" not in names(given(ORDER).when(*steps).events)
    never = given(ORDER).when(*steps, released(2))
    assert only(never.events, orders.CancellationAccepted).lines[0].quantity == 1
    late = (*steps, released(2, ("a", 2)))
    assert names(given(ORDER).when(*late).events) == ["OrderReleaseRecorded"]
    left = given(ORDER).when(*late, parcel("dispatched", ("a", 2)))
    assert only(left.events, orders.CancellationRefused).reason == "too-late"
    assert "edit-too-late" not in left.state.concerns


def test_a_warehouse_that_cannot_stop_a_parcel_lets_all_of_it_go() -> None:
    late = parcel("packed", ("a", 1), seen=2, fact="StopTooLate")
    steps = (*PLANNED, cancel("c1", ("a", 1)), late)
    outcome = given(ORDER).when(*steps)
    assert only(outcome.events, orders.CancellationRefused).reason == "too-late"
    assert (asked(*steps), shipped(outcome.state), leaving(outcome.state)) == (
        {"a": 2}, {}, {"a": 2},
    )  # fmt: skip
    held = given(ORDER).when(*steps, HOLD)
    assert only(held.events, orders.FulfilmentRequested).blocked == "fraud-review"
    free = given(ORDER).when(*steps, HOLD, commands.ReleaseHold("h1", "ok", "seller", NOW))
    assert only(free.events, orders.FulfilmentRequested).blocked is None
    gone = given(ORDER).when(*steps, parcel("dispatched", ("a", 2), seen=3))
    assert shipped(gone.state) == {"a": 2}


LOST = (
    *PAID, parcel("dispatched", ("a", 1)), parcel("dispatched", ("a", 1), name="s2"),
    parcel("lost", ("a", 1), seen=2),
)  # fmt: skip
REFUNDED = (*LOST, decide("refund", "s1"))
RESENT = (
    *LOST, decide("reship", "s1"), answer("MUG", 3, revision=2, seen=2),
    parcel("delivered", ("a", 1), name="s3"),
)  # fmt: skip
FOUND = parcel("delivered", ("a", 1), seen=3)
OTHER = parcel("delivered", ("a", 1), name="s2", seen=2)


@pytest.mark.parametrize("settled", [REFUNDED, RESENT])
def test_a_found_parcel_completes_nothing_while_another_is_under_way(settled: Any) -> None:
    found = given(ORDER).when(*settled, FOUND)
    assert names(found.events) == ["OrderShipmentRecorded"]
    assert not found.state.completed


@pytest.mark.parametrize("settled", [REFUNDED, RESENT])
@pytest.mark.parametrize("arrived", [(FOUND, OTHER), (OTHER, FOUND)])
def test_what_arrives_although_it_was_made_good_waits_for_a_person(
    settled: Any, arrived: Any
) -> None:
    twice = given(ORDER).when(*settled, *arrived)
    waits = only(twice.events, orders.OrderWaits)
    assert (waits.reason, waits.value_minor) == ("delivered-twice", 100)
    assert not twice.state.completed
    accepted = given(ORDER).when(*settled, *arrived, decide("accept"))
    told_of = only(accepted.events, orders.OrderDecisionTaken)
    assert (told_of.reason, [(n.line_id, n.quantity) for n in told_of.lines]) == (
        "delivered-twice", [("a", 1)],
    )  # fmt: skip
    assert names(accepted.events)[1:] == ["OrderWaitOver", "OrderCompleted"]
    given(ORDER).when(*settled, *arrived, decide("accept"), decide("accept")).then()


@pytest.mark.parametrize("change", [cancelled(2), told(line("b", 1, ("CUP", 1)), version=2)])
def test_a_change_for_units_that_have_left_waits_for_a_person(change: Any) -> None:
    outcome = given(ORDER).when(*SENT, change)
    late = only(outcome.events, orders.OrderEditTooLate)
    assert [(one.line_id, one.quantity) for one in late.lines] == [("a", 2)]
    assert only(outcome.events, orders.OrderWaits).reason == "edit-too-late"
    settled = given(ORDER).when(*SENT, change, decide("accept"))
    assert names(settled.events) == ["OrderDecisionTaken", "OrderWaitOver"]
    given(ORDER).when(*SENT, change, decide("accept"), decide("accept")).then()


def test_a_parcel_that_nobody_wanted_any_more_is_told_too_late_whichever_came_first() -> None:
    away = parcel("dispatched", ("a", 2))
    gone = cancelled(2)
    for steps in ((*PAID, gone, away), (*PAID, away, cancelled(2))):
        state = given(ORDER).when(*steps).state
        assert dict(state.late) == {"a": 2}
        assert "edit-too-late" in state.concerns


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("delivery_failed", "delivery-failed"), ("lost", "parcel-lost"),
        ("returned_to_sender", "returned-to-sender"),
    ],
)  # fmt: skip
def test_a_parcel_that_does_not_arrive_waits_for_a_decision(status: Any, reason: str) -> None:
    steps = (*SENT, parcel(status, ("a", 2), seen=3, deadline=NOW + HOUR))
    waits = only(given(ORDER).when(*steps).events, orders.OrderWaits)
    assert (waits.reason, waits.decide_by, waits.value_minor) == (reason, NOW + HOUR, 200)
    arrived = given(ORDER).when(*steps, parcel("delivered", ("a", 2), seen=4))
    assert names(arrived.events) == ["OrderShipmentRecorded", "OrderWaitOver", "OrderCompleted"]


LOST = (*SENT, parcel("lost", ("a", 2), seen=3))


def test_a_lost_parcel_is_sent_again_from_new_stock_and_costs_nothing_more() -> None:
    outcome = given(ORDER).when(*LOST, decide("reship"))
    assert names(outcome.events) == [
        "OrderDecisionTaken", "StockRequired", "PaymentRequired", "OrderWaitOver",
    ]  # fmt: skip
    assert only(outcome.events, orders.StockRequired).demands[0].units == 4
    # Payments counts units that leave: those that are sent again leave, too, and cost nothing.
    again = only(outcome.events, orders.PaymentRequired)
    assert [(one.quantity, one.amount) for one in again.lines] == [(4, 200)]
    stocked = given(ORDER).when(*LOST, decide("reship"), answer("MUG", 2, revision=2, seen=2))
    assert names(stocked.events) == [
        "OrderStockRecorded", "OrderConfirmed", "FulfilmentRequested",
    ]  # fmt: skip
    assert only(stocked.events, orders.FulfilmentRequested).lines[0].quantity == 4
    steps = (*LOST, decide("reship"), answer("MUG", 2, revision=2, seen=2))
    done = given(ORDER).when(*steps, parcel("delivered", ("a", 2), name="s2"))
    assert only(done.events, orders.OrderCompleted).lines[0].quantity == 2


def test_a_lost_parcel_is_refunded_by_a_lower_bill_and_ends_the_order() -> None:
    outcome = given(ORDER).when(*LOST, decide("refund"))
    assert names(outcome.events) == [
        "OrderDecisionTaken", "PaymentRequired", "OrderWaitOver", "OrderCompleted",
    ]  # fmt: skip
    assert only(outcome.events, orders.PaymentRequired).amount == 0
    # What has left stays counted, or the order's other parcels would hold too many units.
    lines = only(outcome.events, orders.PaymentRequired).lines
    assert [(one.quantity, one.amount) for one in lines] == [(2, 0)]
    assert only(outcome.events, orders.OrderCompleted).lines == ()


def test_a_claim_is_a_queue_of_its_own_until_it_is_decided() -> None:
    outcome = given(ORDER).when(*LOST, decide("claim"))
    assert names(outcome.events) == ["OrderDecisionTaken", "OrderWaitOver", "OrderWaits"]
    assert only(outcome.events, orders.OrderWaits).reason == "carrier-claim"
    assert "OrderCompleted" in names(
        given(ORDER).when(*LOST, decide("claim"), decide("refund")).events
    )


def test_decisions_are_taken_once_and_only_where_something_waits() -> None:
    given(ORDER).when(decide("reship")).then_refused("order-not-found")
    given(ORDER).when(*SENT, decide("reship")).then_refused("order-not-waiting")
    given(ORDER).when(*SENT, decide("accept")).then_refused("order-not-waiting")
    given(ORDER).when(*LOST, decide("reship", "s9")).then_refused("shipment-not-found")
    given(ORDER).when(*LOST, decide("reship"), decide("reship")).then()
    given(ORDER).when(*LOST, decide("reship"), decide("refund", "s1")).then_refused(
        "already-decided"
    )
    two = (*PAID, parcel("lost", ("a", 1)), parcel("lost", ("a", 1), name="s2"))
    given(ORDER).when(*two, decide("reship")).then_refused("shipment-needed")


def test_a_complete_order_opens_again_for_late_scans_disputes_and_new_units() -> None:
    back = given(ORDER).when(*ARRIVED, parcel("returned_to_sender", ("a", 2), seen=4))
    assert only(back.events, orders.OrderReopened).reason == "late-scan"
    disputed = given(ORDER).when(*ARRIVED, said("disputed", seen=2))
    assert only(disputed.events, orders.OrderReopened).reason == "disputed"
    more = given(ORDER).when(*ARRIVED, told(line("a", 3, ("MUG", 1)), version=2))
    assert only(more.events, orders.OrderReopened).reason == "units-added"
    won = given(ORDER).when(*ARRIVED, said("disputed", seen=2), said("unknown", seen=3))
    assert "OrderCompleted" in names(won.events)


def test_units_that_no_parcel_can_take_wait_until_one_does() -> None:
    stuck = parcel("unplannable", ("a", 2), name="", seen=7, reason="address-incomplete")
    outcome = given(ORDER).when(*PAID, stuck)
    assert only(outcome.events, orders.OrderWaits).reason == "unplannable"
    planned = given(ORDER).when(*PAID, stuck, parcel("planned", ("a", 2)))
    assert only(planned.events, orders.OrderWaitOver).reason == "unplannable"


def test_a_line_that_is_gone_stays_known_while_it_is_in_parcels() -> None:
    state: OrderState = given(ORDER).when(*PLANNED, told(version=2)).state
    assert needed(*PLANNED, told(version=2)) == {"MUG": 2}
    assert state.lines["a"].quantity == 0
    assert (shipped(state), delivered(state)) == ({}, {})
