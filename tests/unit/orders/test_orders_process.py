"""Which commands facts lead to, and which deadlines orders set."""

from typing import Any

from libs.contracts import channels, common, inventory
from libs.eventsourcing.states import pack, unpack
from libs.eventsourcing.testing import given
from services.orders import commands, process
from services.orders.decider import ORDER
from tests.unit.memory import envelope
from tests.unit.orders.samples import HOUR, ID, NOW, T0, line, order, told
from tests.unit.orders.test_orders_confirming import MUG

STREAM = commands.order_stream(ID)
NAMES: dict[str, Any] = {"entity": "main", "occurred_at": T0}


def test_a_received_and_a_changed_order_are_versions_of_one_order() -> None:
    for kind in (channels.ChannelOrderReceived, channels.ChannelOrderChanged):
        fact = kind(**NAMES, account="shop", external_id="1001", order=order(MUG))
        reactions = process.react_to_channels(envelope(fact, at=NOW, service="channels"))
        assert list(reactions) == [(STREAM, told(MUG))]


def test_a_link_and_the_order_it_is_for_meet_in_one_stream() -> None:
    fact = channels.ListingLineResolved(
        **NAMES, account="shop", listing_id="l", external_id="1001", line_id="u", sku="CUP",
        units_per_listing=1, components=(common.Component(sku="CUP", units=1),),
    )  # fmt: skip
    [(stream, command)] = process.react_to_channels(envelope(fact, at=NOW))
    assert (stream, command.order_id) == (STREAM, ID)


def test_an_answer_of_stock_carries_the_version_of_its_sku() -> None:
    fact = inventory.StockReleased(
        **NAMES, sku="MUG", reservation_id=f"{ID}:MUG", order_id=ID, revision=3, allocations=(),
        units=1, waiting=0, reserved=1, short=1, reason="not-needed",
    )  # fmt: skip
    [(stream, command)] = process.react_to_inventory(envelope(fact, version=7, at=NOW))
    assert (stream, command.stock_version, command.fact) == (STREAM, 7, "StockReleased")
    assert (command.revision, command.reserved, command.short) == (3, 1, 1)


def test_a_shortfall_tells_every_order_that_it_touches() -> None:
    touched = tuple(
        common.AffectedOrder(order_id=name, units=n, reservation_class="commitment")
        for name, n in (("ord_1", 2), ("ord_2", 1))
    )
    fact = inventory.ShortfallDetected(
        **NAMES, sku="MUG", location="main", units=3, cause="count", orders=touched, rule="",
        decide_by=0,
    )  # fmt: skip
    reactions = process.react_to_inventory(envelope(fact, at=NOW))
    assert [(stream, command.units) for stream, command in reactions] == [
        ("order-ord_1", 2), ("order-ord_2", 1),
    ]  # fmt: skip


def test_what_an_order_does_not_care_for_asks_nothing_of_it() -> None:
    fact = channels.ListingUnlinked(**NAMES, account="shop", listing_id="l", by="x")
    assert not process.react_to_channels(envelope(fact))
    assert not process.react_to_inventory(envelope(fact))


def test_each_deadline_is_planned_once() -> None:
    placed = given(ORDER).when(told(MUG, commitment="tentative", expires_at=NOW + HOUR))
    timers = [timer for event in placed.events for timer in process.plan(envelope(event))]
    assert {(timer.id, timer.due) for timer in timers} == {(timers[0].id, NOW + HOUR)}  # type: ignore[union-attr]


def test_a_hold_with_an_end_is_released_by_time() -> None:
    hold = commands.PlaceHold("h1", "manual", "", (), "both", NOW + HOUR, "seller", NOW)
    [held] = given(ORDER).when(told(MUG), hold).events
    [timer] = process.plan(envelope(held))
    assert timer.due == NOW + HOUR  # type: ignore[union-attr]
    outcome = given(ORDER).when(told(MUG), hold, timer.command)  # type: ignore[union-attr]
    assert not outcome.state.holds


def test_a_state_and_every_command_survive_being_stored() -> None:
    outcome = given(ORDER).when(told(MUG, line("u", 1), country="", commitment="tentative"))
    assert unpack(ORDER.state, pack(outcome.state)) == outcome.state
    for command in (told(MUG), commands.DecideByDeadline(NOW)):
        assert unpack(ORDER.commands, pack(command)) == command
