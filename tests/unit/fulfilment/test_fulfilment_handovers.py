"""An order's units into parcels: by place, whole kits, and back when they are not wanted."""

from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts import fulfilment as events
from libs.eventsourcing.testing import given
from services.fulfilment import handover_commands, shipment_commands
from services.fulfilment.decider import HANDOVER
from services.fulfilment.handover_decider import UNPLANNED
from tests.unit.fulfilment.samples import MUGS, NOW, ORDER, customer, kept, line, rows, taken

KIT = line("k1", 1, ("MUG", 1), ("CUP", 1))
FILE = line("f1", 1, carried=False)


def planned(*told: Any) -> list[tuple[str, dict[str, int]]]:
    """Which parcels the last command plans: location and units by line."""
    return [
        (event.location, {row.line_id: row.quantity for row in event.rows})
        for event in given(HANDOVER).when(*told).events
        if isinstance(event, events.HandoverPlanned)
    ]


def unplannable(*told: Any) -> list[str]:
    return [
        event.code
        for event in given(HANDOVER).when(*told).events
        if isinstance(event, events.ShipmentUnplannable)
    ]


def answer(
    name: str, fact: str, version: int, *lines: tuple[str, int]
) -> handover_commands.RecordAnswer:
    return handover_commands.RecordAnswer("main", ORDER, name, fact, rows(*lines), version, NOW)


def test_units_are_planned_when_both_the_order_and_the_places_are_known() -> None:
    whole = [("main", {"l1": 2})]
    assert planned(taken(MUGS), kept("MUG", 1, ("main", 2))) == whole
    assert planned(kept("MUG", 1, ("main", 2)), taken(MUGS)) == whole
    assert planned(taken(MUGS)) == []
    assert planned(taken(MUGS), kept("MUG", 1, ("main", 1))) == []


def test_units_in_two_places_make_two_parcels() -> None:
    assert planned(taken(MUGS), kept("MUG", 1, ("east", 1), ("west", 1))) == [
        ("east", {"l1": 1}), ("west", {"l1": 1}),
    ]  # fmt: skip


def test_a_kit_goes_where_all_its_parts_are_before_other_lines_take_them() -> None:
    told = (
        taken(line("l1", 1, ("MUG", 1)), KIT), kept("CUP", 1, ("west", 1)),
        kept("MUG", 1, ("east", 1), ("west", 1)),
    )  # fmt: skip
    assert planned(*told) == [("east", {"l1": 1}), ("west", {"k1": 1})]


def test_a_kit_whose_parts_lie_apart_waits_for_a_person_until_they_meet() -> None:
    apart = (taken(KIT), kept("CUP", 1, ("west", 1)), kept("MUG", 1, ("east", 1)))
    assert unplannable(*apart) == ["kit-over-locations"]
    assert planned(*apart, kept("MUG", 2, ("east", -1), ("west", 1))) == [("west", {"k1": 1})]
    outcome = given(HANDOVER).when(*apart)
    assert outcome.events[-1].deadline == NOW + UNPLANNED


def test_what_nobody_carries_goes_at_once_and_waits_for_no_stock() -> None:
    assert planned(taken(MUGS, FILE)) == [("at-once", {"f1": 1})]


def test_a_line_without_stock_leaves_from_the_default_place() -> None:
    assert planned(taken(line("c1", 3))) == [("main", {"c1": 3})]


def test_an_order_in_one_parcel_waits_where_its_units_are_apart() -> None:
    told = (taken(MUGS, one_parcel=True), kept("MUG", 1, ("east", 1), ("west", 1)))
    assert (planned(*told), unplannable(*told)) == ([], ["several-locations"])


@pytest.mark.parametrize("code", ["address-missing", "country-not-served"])
def test_an_address_that_the_place_cannot_send_to_waits_for_a_person(code: str) -> None:
    told = (taken(MUGS, refused=(("main", code),)), kept("MUG", 1, ("main", 2)))
    assert (planned(*told), unplannable(*told)) == ([], [code])


def test_a_held_order_is_not_planned_and_its_parcels_hear_of_the_hold() -> None:
    stock = kept("MUG", 1, ("main", 2))
    assert planned(stock, taken(MUGS, blocked="fraud-review")) == []
    outcome = given(HANDOVER).when(stock, taken(MUGS), taken(MUGS, revision=2, blocked="fraud"))
    (said,) = [e for e in outcome.events if isinstance(e, events.HandoverPlanned)]
    assert (said.blocked, said.rows) == ("fraud", rows(("l1", 2)))


def test_fewer_units_ask_for_them_back_from_the_parcel_that_was_planned_last() -> None:
    told = (taken(MUGS), kept("MUG", 1, ("east", 1), ("west", 1)))
    fewer = taken(line("l1", 1, ("MUG", 1)), revision=2)
    assert planned(*told, fewer) == [("west", {})]


def test_freed_units_that_are_wanted_again_get_a_new_parcel() -> None:
    name = shipment_commands.shipment_name(ORDER, "main", 1)
    told = (
        taken(MUGS), kept("MUG", 1, ("main", 2)), taken(revision=2), taken(MUGS, revision=3),
        answer(name, "stopped", 4, ("l1", 2)),
    )  # fmt: skip
    outcome = given(HANDOVER).when(*told)
    assert planned(*told) == [("main", {"l1": 2})]
    assert outcome.events[-1].shipment_id == shipment_commands.shipment_name(ORDER, "main", 2)


def test_what_has_left_is_not_asked_for_again() -> None:
    name = shipment_commands.shipment_name(ORDER, "main", 1)
    told = (
        taken(MUGS), kept("MUG", 1, ("main", 2)), taken(revision=2),
        answer(name, "too-late", 4, ("l1", 2)),
    )  # fmt: skip
    assert planned(*told) == []
    assert planned(*told, taken(revision=3)) == []


def test_a_new_address_takes_parcels_back_to_plan_them_again() -> None:
    told = (taken(MUGS), kept("MUG", 1, ("main", 2)), taken(MUGS, revision=2, contact=b"new"))
    assert planned(*told) == [("main", {})]
    assert given(HANDOVER).when(*told).events[-1].reason == "address-changed"


def test_an_address_that_a_person_let_be_is_not_asked_about_again() -> None:
    name = shipment_commands.shipment_name(ORDER, "main", 1)
    moved = (taken(MUGS), kept("MUG", 1, ("main", 2)), taken(MUGS, revision=2, contact=b"new"))
    let_be = (*moved, answer(name, "kept", 4, ("l1", 2)))
    assert planned(*let_be) == []
    assert planned(*let_be, taken(MUGS, revision=3, contact=b"new")) == []
    assert planned(*let_be, taken(MUGS, revision=3, contact=b"newer")) == [("main", {})]
    crossed = (*moved, taken(MUGS, revision=3, contact=b"newer"))
    assert planned(*crossed, answer(name, "kept", 4, ("l1", 2))) == [("main", {})]
    back = (*moved, taken(MUGS, revision=3))
    assert planned(*back, answer(name, "kept", 4, ("l1", 2))) == []


def test_a_buyer_who_is_called_elsewhere_takes_no_parcel_back() -> None:
    at = [customer(told, place="mill") for told in (b"mill", b"mill, 0207", b"mill, 0208")]
    first = (taken(MUGS, customer=at[0]), kept("MUG", 1, ("main", 2)))
    [_, told] = given(HANDOVER).when(*first, taken(MUGS, revision=2, customer=at[1])).events
    assert (told.reason, told.rows, told.customer) == ("contact", rows(("l1", 2)), at[1])
    once = (*first, taken(MUGS, revision=2, customer=at[1]))
    assert planned(*once, taken(MUGS, revision=3, customer=at[1])) == []
    assert planned(*once, taken(MUGS, revision=3, customer=at[2])) == [("main", {"l1": 2})]
    name = shipment_commands.shipment_name(ORDER, "main", 1)
    late = (*first, answer(name, "too-late", 4, ("l1", 2)))
    assert planned(*late, taken(MUGS, revision=2, customer=at[1])) == []
    moved = taken(MUGS, revision=3, customer=customer(b"quay, 0207", place="quay"))
    assert planned(*once, moved) == [("main", {})]


def test_a_cancellation_does_not_wait_for_the_address() -> None:
    moved = (taken(MUGS), kept("MUG", 1, ("main", 2)), taken(MUGS, revision=2, contact=b"new"))
    [event] = given(HANDOVER).when(*moved, taken(revision=3, contact=b"new")).events[1:]
    assert (event.rows, event.reason) == ((), "not-wanted")
    name = shipment_commands.shipment_name(ORDER, "main", 1)
    gone = (*moved, taken(revision=3, contact=b"new"), answer(name, "stopped", 4, ("l1", 2)))
    [_, released] = given(HANDOVER).when(*gone).events
    assert (released.revision, released.lines) == (3, ())


def test_fewer_units_are_answered_once_no_parcel_has_them() -> None:
    first = (taken(MUGS), kept("MUG", 1, ("main", 2)))
    fewer = replace(MUGS, quantity=1)
    asked = given(HANDOVER).when(*first, taken(fewer, revision=2)).events
    assert [type(one).__name__ for one in asked] == ["FulfilmentTaken", "HandoverPlanned"]
    name = shipment_commands.shipment_name(ORDER, "main", 1)
    halted = (*first, taken(fewer, revision=2), answer(name, "stopped", 3, ("l1", 1)))
    released = given(HANDOVER).when(*halted).events[-1]
    assert [(one.line_id, one.quantity) for one in released.lines] == [("l1", 1)]
    never = given(HANDOVER).when(taken(MUGS), taken(revision=2)).events
    assert [type(one).__name__ for one in never] == ["FulfilmentTaken", "FulfilmentReleased"]
    late = (*first, taken(revision=2), answer(name, "too-late", 3, ("l1", 2)))
    [_, gone] = given(HANDOVER).when(*late).events
    assert [(one.line_id, one.quantity) for one in gone.lines] == [("l1", 2)]


def test_units_that_inventory_moved_take_their_parcel_along() -> None:
    told = (taken(MUGS), kept("MUG", 1, ("east", 2)), kept("MUG", 2, ("east", -1), ("west", 1)))
    assert planned(*told) == [("east", {"l1": 1})]


def test_units_that_were_shipped_do_not_look_as_if_they_were_taken_away() -> None:
    name = shipment_commands.shipment_name(ORDER, "main", 1)
    told = (
        taken(MUGS), kept("MUG", 1, ("main", 2)), kept("MUG", 2, ("main", -2), shipment=name),
    )  # fmt: skip
    assert planned(*told) == []


def test_units_that_nobody_keeps_are_named_after_an_hour() -> None:
    check = handover_commands.CheckPlan("main", ORDER, 1, NOW)
    assert unplannable(taken(MUGS), check) == ["no-allocation"]
    assert unplannable(taken(MUGS), check, check) == []
    assert unplannable(taken(MUGS), taken(MUGS, revision=2), check) == []
    assert unplannable(taken(MUGS), kept("MUG", 1, ("main", 2)), check) == []


def test_units_join_another_orders_parcel_once_their_own_has_given_them_back() -> None:
    name = shipment_commands.shipment_name(ORDER, "main", 1)
    join = handover_commands.JoinShipment("main", ORDER, name, "shp_other", "w", NOW)
    told = (taken(MUGS), kept("MUG", 1, ("main", 2)), join)
    assert planned(*told) == [("main", {})]
    outcome = given(HANDOVER).when(*told, answer(name, "stopped", 3, ("l1", 2)))
    assert outcome.events[-1].shipment_id == "shp_other"
    closed = answer("shp_other", "stopped", 9, ("l1", 2))
    outcome = given(HANDOVER).when(*told, answer(name, "stopped", 3, ("l1", 2)), closed)
    assert outcome.events[-1].shipment_id == shipment_commands.shipment_name(ORDER, "main", 3)


def test_joining_what_is_not_open_is_refused() -> None:
    join = handover_commands.JoinShipment("main", ORDER, "shp_no", "shp_other", "w", NOW)
    given(HANDOVER).when(taken(MUGS), join).then_refused("shipment-not-open")
