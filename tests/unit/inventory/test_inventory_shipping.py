"""Parcels take units out of stock: of their order, of their location, and never twice."""

from typing import Any

from libs.contracts import common, fulfilment
from services.inventory import commands, process
from services.inventory.read_model import ENTRIES, RESERVATIONS, STOCK
from tests.unit.inventory.samples import MUG, NOW, after, has, need, receive, ship, then, told
from tests.unit.memory import envelope, folded

TWO = (receive(3, "attic"), receive(3, "main", "r2"))


def test_a_parcel_takes_the_promised_units_of_its_location() -> None:
    stock, [event] = then(after(receive(5), need("a", 3)), ship("a", 2))
    assert (event.from_reservation, event.reserved, event.short) == (2, 1, 0)
    assert has(stock, "a") == ({"main": 1}, 0)
    assert (stock.levels["main"].on_hand, stock.levels["main"].reserved) == (3, 1)


def test_a_parcel_leaves_once() -> None:
    stock, _ = then(after(receive(5), need("a", 3)), ship("a", 2))
    assert told(stock, ship("a", 2)) == []
    assert told(stock, ship("a", 1, shipment="s2")) == ["Shipped a 1"]


def test_a_parcel_from_another_location_frees_the_units_that_were_promised() -> None:
    stock, events = then(after(*TWO, need("a", 3)), ship("a", 3, "main"))
    assert [type(event).__name__ for event in events] == ["StockShipped"]
    assert [(one.location, one.units) for one in events[0].allocations] == [("attic", 3)]
    assert (stock.levels["main"].on_hand, stock.free()) == (0, 3)


def test_whoever_was_promised_what_a_parcel_took_gets_the_units_that_it_freed() -> None:
    stock = after(*TWO, need("a", 3), need("b", 3))
    assert told(stock, ship("a", 3, "main")) == [
        "Shipped a 3", "Reallocated b main:3>attic:3",
    ]  # fmt: skip


def test_more_than_was_promised_leaves_a_debt_and_names_who_lacks_units() -> None:
    stock = after(receive(3), need("a", 1), need("b", 2))
    assert told(stock, ship("a", 3)) == ["Shipped a 3", "ShortfallDetected b-2 2"]
    done, _ = then(stock, ship("a", 4))
    assert done.levels["main"].on_hand == -1
    assert has(done, "b") == ({}, 2)


def test_units_that_leave_without_a_promise_are_recorded_and_remembered() -> None:
    stock, [event] = then(after(receive(5)), ship("x", 2))
    assert (event.from_reservation, event.revision) == (0, 0)
    assert told(stock, need("x", 3)) == ["Reserved x 1"]


def test_units_that_have_left_are_a_part_of_what_an_order_needs_in_all() -> None:
    stock, _ = then(after(receive(5), need("a", 3)), ship("a", 2))
    assert told(stock, need("a", 3, 2)) == ["ReservationChanged a"]
    assert told(stock, need("a", 5, 2)) == ["Reserved a 2"]
    assert told(stock, need("a", 2, 2)) == ["Released a 1"]
    assert told(stock, need("a", 1, 2)) == ["Released a 1"]
    gone, _ = then(stock, ship("a", 1, shipment="s2"))
    assert told(gone, need("a", 2, 2)) == ["ReservationChanged a"]


def test_waiting_units_that_leave_are_waited_for_no_more() -> None:
    stock, [event] = then(after(receive(1), need("a", 3)), ship("a", 3))
    assert (event.reserved, event.short) == (0, 0)
    assert not stock.queue


def test_a_dispatched_parcel_asks_each_sku_once_for_each_order() -> None:
    rows = (("o1", MUG, 1), ("o1", MUG, 2), ("o2", MUG, 1), ("o1", "CUP", 1))
    fact = fulfilment.ShipmentDispatched(
        entity="main", occurred_at=NOW, shipment_id="s1", location="attic", rows=(),
        units=tuple(common.ShipmentUnits(order_id=o, sku=s, units=n) for o, s, n in rows),
        accounts=(), carrier="", service="", tracking_code=None, tracking_url=None,
        tracked=False, by="x",
    )  # fmt: skip
    asked = process.react_to_fulfilment(envelope(fact, at=NOW, service="fulfilment"))
    assert [(stream, c.order_id, c.quantity) for stream, c in asked] == [
        ("stock-MUG", "o1", 3), ("stock-MUG", "o2", 1), ("stock-CUP", "o1", 1),
    ]  # fmt: skip
    assert asked[0][1] == commands.ShipUnits("main", MUG, "attic", "o1", "s1", 3, NOW)


def test_the_rows_show_what_left_and_with_which_parcel() -> None:
    stock, log = after(), list[Any]()
    for command in (receive(5), need("a", 3), ship("a", 2)):
        stock, events = then(stock, command)
        for event in events:
            log.append(envelope(event, len(log) + 1, NOW, "inventory"))
    row = folded(STOCK, log)[MUG,]
    assert (row.on_hand, row.reserved, row.shipped, row.available) == (3, 1, 2, 2)
    mine = folded(RESERVATIONS, log)["a", MUG]
    assert (mine.reserved, mine.short, mine.shipped) == (1, 0, 2)
    entry = folded(ENTRIES, log)[MUG, 3]
    assert (entry.kind, entry.units, entry.location) == ("StockShipped", -2, "main")
    assert (entry.order_id, entry.document) == ("a", "s1")
