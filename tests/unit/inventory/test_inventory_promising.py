"""Who gets units: promises, the waiting list, releases and holds."""

import pytest
from msgspec.structs import replace

from libs.contracts.common import Component
from libs.eventsourcing.decider import Refused
from services.inventory.commands import DefineItem
from tests.unit.inventory.samples import (
    HOUR,
    NOW,
    adjust,
    after,
    count,
    expire,
    has,
    need,
    receive,
    ship,
    then,
    told,
)


def test_units_are_promised_from_one_location_where_that_has_them_all() -> None:
    stock = after(receive(3, "attic"), receive(5, "main", "r2"))
    assert told(stock, need("a", 4)) == ["Reserved a 4"]
    assert has(then(stock, need("a", 4))[0], "a") == ({"main": 4}, 0)
    assert has(then(stock, need("a", 7))[0], "a") == ({"attic": 3, "main": 4}, 0)


def test_units_at_a_location_of_others_are_not_promised() -> None:
    assert told(after(receive(5, "fba", ours=False)), need("a", 1)) == ["Short a 1"]


def test_what_is_missing_waits_and_is_served_by_priority_then_time_then_id() -> None:
    stock = after(
        receive(1), need("first", 2), need("late", 1, placed=9), need("b", 1, placed=3),
        need("a", 1, placed=3), need("vip", 1, priority=1, placed=99),
    )  # fmt: skip
    assert has(stock, "first") == ({"main": 1}, 1)
    served = told(stock, receive(4, document="r2"))
    assert served == [
        "Received 4", "Reserved vip 1", "Reserved first 1", "Reserved a 1", "Reserved b 1",
    ]  # fmt: skip


def test_who_waits_moves_up_when_its_terms_change() -> None:
    stock = after(need("a", 1), need("b", 1), need("b", 1, revision=2, priority=1))
    assert told(stock, receive(1)) == ["Received 1", "Reserved b 1"]


def test_nobody_new_is_served_before_those_who_wait() -> None:
    stock = after(receive(2, "fba", ours=False), need("a", 2))
    assert told(stock, need("b", 1)) == ["Short b 1"]
    assert stock.free() == 0


def test_a_repeated_or_older_revision_does_nothing() -> None:
    stock = after(receive(5), need("a", 2, revision=4))
    assert told(stock, need("a", 2, revision=4)) == []
    assert told(stock, need("a", 9, revision=3)) == []
    assert told(stock, need("nobody", 0)) == []


def test_what_is_given_back_goes_to_those_who_wait_in_the_same_turn() -> None:
    stock = after(receive(2), need("a", 2), need("b", 1))
    assert told(stock, need("a", 1, revision=2)) == ["Released a 1", "Reserved b 1"]
    assert told(stock, need("a", 0, revision=2)) == ["Released a 2", "Reserved b 1"]


def test_waiting_units_are_given_up_before_promised_ones() -> None:
    stock, _ = then(after(receive(2), need("a", 5)), need("a", 2, revision=2))
    assert has(stock, "a") == ({"main": 2}, 0)
    assert not stock.queue


def test_an_order_that_grows_is_told_of_no_shortage_before_it_is_served() -> None:
    stock = after(receive(10), need("a", 1, hold=4))
    grown, events = then(stock, need("a", 2, revision=2))
    assert [(type(e).__name__, e.reserved, e.short) for e in events] == [("StockReserved", 2, 0)]
    assert told(grown, expire("a", 4)) == [], "it is committed with all that it has"
    _, events = then(stock, need("a", 12, revision=2))
    assert [(type(e).__name__, e.reserved, e.short) for e in events] == [
        ("StockReserved", 10, 2), ("StockShort", 10, 2),
    ]  # fmt: skip


def test_a_hold_ends_at_its_time_and_a_renewed_or_committed_one_does_not() -> None:
    stock = after(receive(1), need("a", 1, hold=1), need("b", 1))
    assert told(stock, expire("a", 1)) == ["HoldExpired a 1", "Reserved b 1"]
    assert told(stock, expire("a", 1, at=0)) == []
    renewed, _ = then(stock, need("a", 1, revision=2, hold=5))
    assert told(renewed, expire("a", 1)) == []
    committed, events = then(stock, need("a", 1, revision=2))
    assert [type(event).__name__ for event in events] == ["StockReservationChanged"]
    assert told(committed, expire("a", 1)) == []


def test_a_hold_that_ends_while_it_waits_leaves_the_list() -> None:
    stock, _ = then(after(need("a", 1, hold=1), need("b", 1)), expire("a", 1))
    assert told(stock, receive(1)) == ["Received 1", "Reserved b 1"]


def test_a_document_counts_once_and_a_count_sets_what_is_there() -> None:
    stock = after(receive(5, document="r1"))
    assert told(stock, receive(5, document="r1")) == []
    assert told(stock, adjust(-1, document="r1")) == []
    counted, events = then(stock, count(7))
    assert events[0].difference == 2
    assert counted.levels["main"].on_hand == 7


def test_ended_orders_are_known_until_their_deadline_and_then_forgotten() -> None:
    stock = after(receive(1))
    for number in range(255):
        stock, _ = then(stock, need(f"o{number}", 1))
        stock, _ = then(stock, need(f"o{number}", 0, revision=2))
    assert told(stock, need("o1", 1, revision=2)) == []
    late = need("last", 1)
    stock, events = then(stock, late)
    assert events[0].occurred_at == NOW
    assert len(stock.ended) == 255
    stock, _ = then(stock, replace(need("last", 0, revision=2), at=NOW + 49 * HOUR))
    assert not stock.ended
    assert not stock.reservations


def test_a_kit_has_no_stock_of_its_own() -> None:
    def kit(*parts: str) -> DefineItem:
        components = tuple(Component(sku=part, units=2) for part in parts)
        return DefineItem("main", "MUG", "A set", None, components, "", NOW)

    for stock, command, code in (
        (after(kit("CUP")), receive(1), "kit-has-no-stock"),
        (after(receive(1)), kit("CUP"), "kit-has-stock"),
        (after(), kit("MUG"), "kit-holds-itself"),
    ):
        with pytest.raises(Refused) as refused:
            told(stock, command)
        assert refused.value.code == code
    assert told(after(kit("CUP")), kit("CUP")) == []


def test_an_item_becomes_no_kit_while_orders_wait_for_it() -> None:
    """They would for ever: nothing of a kit is received, and an order keeps what it was sold as."""
    kit = DefineItem("main", "MUG", "A set", None, (Component(sku="CUP", units=2),), "", NOW)
    waiting = after(need("a", 4))
    with pytest.raises(Refused) as refused:
        told(waiting, kit)
    assert refused.value.code == "kit-has-orders"
    for ends in ((need("a", 0, revision=2),), (receive(4), ship("a", 4))):
        assert told(after(need("a", 4), *ends), kit) == ["ItemDefined"]
    assert told(after(kit, need("a", 4)), replace(kit, description="Two cups")) == ["ItemDefined"]
