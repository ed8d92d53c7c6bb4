"""Facts from outside that take promised units away."""

from msgspec.structs import replace

from tests.unit.inventory.samples import adjust, after, count, has, move, need, receive, then, told

TWO = (receive(3, "attic"), receive(3, "main", "r2"))


def test_a_loss_of_free_units_hurts_nobody() -> None:
    assert told(after(receive(3), need("a", 1)), adjust(-2)) == ["Adjusted -2"]


def test_holds_lose_before_commitments_and_the_latest_before_the_earliest() -> None:
    stock = after(
        receive(4), need("early", 1), need("late", 1, placed=5), need("cart", 1, hold=2),
        need("vip", 1, priority=1, placed=9),
    )  # fmt: skip
    assert told(stock, adjust(-1)) == ["Adjusted -1", "ShortfallDetected cart-1 1"]
    assert told(stock, adjust(-3)) == [
        "Adjusted -3", "ShortfallDetected cart-1,late-1,early-1 3",
    ]  # fmt: skip


def test_who_loses_waits_and_is_served_first_by_what_comes() -> None:
    stock, _ = then(after(receive(2), need("a", 2)), count(0))
    assert has(stock, "a") == ({}, 2)
    assert told(stock, receive(1, document="r9")) == ["Received 1", "Reserved a 1"]


def test_units_that_are_free_elsewhere_take_the_place_of_lost_ones() -> None:
    stock = after(*TWO, need("a", 3))
    assert has(stock, "a") == ({"attic": 3}, 0)
    done, _ = then(stock, adjust(-2, "attic"))
    assert told(stock, adjust(-2, "attic")) == ["Adjusted -2", "Reallocated a attic:2>main:2"]
    assert has(done, "a") == ({"attic": 1, "main": 2}, 0)


def test_only_what_finds_no_other_place_is_short() -> None:
    stock = after(*TWO, need("a", 3), need("b", 2))
    assert told(stock, adjust(-3, "attic")) == [
        "Adjusted -3", "Reallocated b main:2>attic:2", "Reallocated a attic:3>main:3",
        "ShortfallDetected b-2 2",
    ]  # fmt: skip


def test_a_hold_elsewhere_gives_its_place_to_a_commitment() -> None:
    stock = after(*TWO, need("a", 3), need("cart", 3, hold=1))
    done, events = then(stock, adjust(-2, "attic"))
    assert [type(event).__name__ for event in events] == [
        "StockAdjusted", "StockReallocated", "StockReallocated", "ShortfallDetected",
    ]  # fmt: skip
    assert has(done, "a") == ({"attic": 1, "main": 2}, 0)
    assert has(done, "cart") == ({"main": 1}, 2)


def test_a_move_takes_promises_along() -> None:
    stock = after(receive(3, "attic"), need("a", 3))
    done, events = then(stock, move(3, "attic", "main"))
    assert [type(event).__name__ for event in events] == ["StockMoved", "StockReallocated"]
    assert has(done, "a") == ({"main": 3}, 0)


def test_a_move_to_a_location_of_others_takes_units_away() -> None:
    stock = after(receive(3, "attic"), need("a", 3))
    gone = replace(move(3, "attic", "fba"), reservable=False)
    assert told(stock, gone) == ["Moved 3", "ShortfallDetected a-3 3"]


def test_a_count_below_nothing_promised_leaves_a_debt_that_receipts_fill_first() -> None:
    stock, _ = then(after(receive(1), need("a", 1)), adjust(-3))
    assert stock.levels["main"].on_hand == -2
    assert told(stock, receive(2, document="r9")) == ["Received 2"]
