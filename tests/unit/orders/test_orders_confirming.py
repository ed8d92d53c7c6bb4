"""An order is placed, states its demand, and is confirmed when all of it is reserved."""

from typing import Any

from msgspec.structs import replace

from libs.contracts import common, orders
from libs.eventsourcing.testing import given
from services.orders.decider import ORDER
from tests.unit.orders.samples import HOUR, ID, NOW, T0, answer, funds, line, order, resolved, told


def names(events: Any) -> list[str]:
    return [type(event).__name__ for event in events]


def only(events: Any, kind: type[Any]) -> Any:
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, names(events)
    return found[0]


MUG = line("a", 2, ("MUG", 1))
BOX = line("b", 1, ("MUG", 2), ("BOX", 1))


def test_an_order_is_placed_and_states_its_demand_summed_over_lines_and_kits() -> None:
    outcome = given(ORDER).when(told(MUG, BOX))
    outcome.then(
        orders.OrderPlaced(
            entity="main", occurred_at=T0, order_id=ID, revision=1, order=order(MUG, BOX),
            decide_by=NOW + 48 * HOUR,
        ),
        orders.StockRequired(
            entity="main", occurred_at=NOW, order_id=ID, revision=1, account="shop",
            demands=(common.Demand(sku="BOX", units=1), common.Demand(sku="MUG", units=4)),
            reservation_class="commitment", expires_at=None, priority=100, placed_at=T0,
            decide_by=NOW + 48 * HOUR,
        ),
    )  # fmt: skip


def test_an_order_is_confirmed_when_the_last_sku_is_reserved() -> None:
    placed = given(ORDER).when(told(MUG, BOX), answer("MUG", 4))
    assert names(placed.events) == ["OrderStockRecorded"]
    confirmed = given(ORDER).when(told(MUG, BOX), answer("MUG", 4), answer("BOX", 1))
    event = only(confirmed.events, orders.OrderConfirmed)
    assert {row.line_id: row.quantity for row in event.lines} == {"a": 2, "b": 1}
    assert (event.partial, event.revision) == (False, 1)


def test_an_order_without_demand_is_confirmed_at_once() -> None:
    card = line("g", 1, kind="gift_card", requires_shipping=False)
    elsewhere = line("f", 1, ("MUG", 1), fulfilled_by="channel")
    outcome = given(ORDER).when(told(card, elsewhere))
    assert names(outcome.events) == ["OrderPlaced", "OrderConfirmed", "PaymentRequired"]


def test_an_answer_to_an_earlier_revision_does_not_confirm() -> None:
    more = told(line("a", 3, ("MUG", 1)), version=2)
    outcome = given(ORDER).when(told(MUG), more, answer("MUG", 2, revision=1))
    outcome.then()
    later = given(ORDER).when(told(MUG), more, answer("MUG", 3, revision=2))
    assert names(later.events) == ["OrderStockRecorded", "OrderConfirmed", "PaymentRequired"]


def test_a_draft_and_a_test_order_are_never_placed() -> None:
    given(ORDER).when(told(MUG, commitment="draft")).then()
    given(ORDER).when(told(MUG, test=True)).then()


def test_an_older_or_equal_version_changes_nothing() -> None:
    given(ORDER).when(told(MUG, version=2), told(BOX, version=1)).then()
    given(ORDER).when(told(MUG, version=2), told(BOX, version=2)).then()


def test_a_newer_version_states_what_changed_and_gives_back_what_is_no_longer_needed() -> None:
    newer = told(line("a", 3, ("MUG", 1)), version=2)
    outcome = given(ORDER).when(told(MUG, BOX), answer("MUG", 4), answer("BOX", 1), newer)
    amended = only(outcome.events, orders.OrderAmended)
    changed = {(d.line_id, d.field): (d.before, d.after) for d in amended.differences}
    assert changed[("a", "quantity")] == ("2", "3")
    assert changed[("b", "removed")] == ("1", "")
    required = only(outcome.events, orders.StockRequired)
    assert required.revision == amended.revision == 2
    assert {d.sku: d.units for d in required.demands} == {"BOX": 0, "MUG": 3}


def test_an_amended_order_is_confirmed_again_at_its_new_revision() -> None:
    newer = told(line("a", 3, ("MUG", 1)), version=2)
    steps = (told(MUG), answer("MUG", 2), newer, answer("MUG", 3, revision=2, seen=2))
    event = only(given(ORDER).when(*steps).events, orders.OrderConfirmed)
    assert (event.revision, event.lines[0].quantity) == (2, 3)


def test_a_version_that_changes_no_demand_asks_nothing_of_stock() -> None:
    outcome = given(ORDER).when(told(MUG), told(MUG, version=2, display_number="#1001b"))
    assert names(outcome.events) == ["OrderAmended"]


def test_a_tentative_order_holds_stock_and_waits_for_payment() -> None:
    until = NOW + HOUR
    outcome = given(ORDER).when(told(MUG, commitment="tentative", expires_at=until))
    required = only(outcome.events, orders.StockRequired)
    assert (required.reservation_class, required.expires_at) == ("hold", until)
    waits = only(outcome.events, orders.OrderWaits)
    assert (waits.reason, waits.decide_by, waits.value_minor) == ("payment", until, 200)


def test_payment_turns_the_hold_into_a_commitment_and_the_answer_confirms() -> None:
    placed = told(MUG, commitment="tentative", expires_at=NOW + HOUR)
    paid = given(ORDER).when(placed, answer("MUG", 2), funds("paid", 2))
    assert names(paid.events) == ["OrderFundsRecorded", "StockRequired", "PaymentRequired"]
    assert only(paid.events, orders.StockRequired).reservation_class == "commitment"
    steps = (placed, answer("MUG", 2), funds("paid", 2), answer("MUG", 2, revision=2, seen=2))
    assert names(given(ORDER).when(*steps).events) == ["OrderStockRecorded", "OrderConfirmed"]


def test_an_unlinked_line_is_held_while_the_others_are_reserved() -> None:
    outcome = given(ORDER).when(told(MUG, line("u", 1)))
    held = only(outcome.events, orders.OrderHeld)
    assert (held.reason, held.lines) == ("unlinked-listing", ("u",))
    required = only(outcome.events, orders.StockRequired)
    assert {d.sku: d.units for d in required.demands} == {"MUG": 2}
    reserved = given(ORDER).when(told(MUG, line("u", 1)), answer("MUG", 2))
    assert names(reserved.events) == ["OrderStockRecorded"]


def test_linking_the_listing_resumes_the_order_by_itself() -> None:
    steps = (told(MUG, line("u", 2)), answer("MUG", 2), resolved("u", "CUP", 3))
    outcome = given(ORDER).when(*steps)
    assert names(outcome.events) == ["OrderLineResolved", "OrderReleased", "StockRequired"]
    required = only(outcome.events, orders.StockRequired)
    assert {d.sku: d.units for d in required.demands} == {"CUP": 6, "MUG": 2}
    answers = (answer("CUP", 6, revision=2), answer("MUG", 2, revision=2, seen=2))
    assert "OrderConfirmed" in names(given(ORDER).when(*steps, *answers).events)


def test_a_link_that_comes_before_its_order_is_used_when_the_order_comes() -> None:
    outcome = given(ORDER).when(resolved("u", "CUP"), told(line("u", 2)))
    assert names(outcome.events) == ["OrderPlaced", "StockRequired"]
    assert only(outcome.events, orders.OrderPlaced).order.lines[0].sku == "CUP"


def test_a_link_once_learned_survives_a_version_that_does_not_know_it() -> None:
    steps = (told(line("u", 2)), resolved("u", "CUP"), told(line("u", 2), version=2))
    assert names(given(ORDER).when(*steps).events) == ["OrderAmended"]


def test_a_line_keeps_its_parts_when_its_kit_is_defined_anew() -> None:
    sold, anew = (line("k", 2, *parts, sku="KIT") for parts in ([("CUP", 1)], [("LID", 3)]))
    amended = given(ORDER).when(told(sold), told(anew, version=2))
    assert names(amended.events) == ["OrderAmended"]
    assert only(amended.events, orders.OrderAmended).order.lines == (sold,)
    more = given(ORDER).when(told(sold), told(replace(anew, quantity=3), version=2))
    required = only(more.events, orders.StockRequired)
    assert {d.sku: d.units for d in required.demands} == {"CUP": 3}


def test_a_line_that_was_resolved_keeps_its_parts_when_its_kit_is_defined_anew() -> None:
    waiting, anew = line("u", 2), line("u", 2, ("LID", 3), sku="CUP", units_per_listing=3)
    learned = (told(waiting), resolved("u", "CUP", 3))
    early = (resolved("u", "CUP", 3), told(waiting))
    for steps in (learned, early):
        outcome = given(ORDER).when(*steps, told(anew, version=2))
        assert names(outcome.events) == ["OrderAmended"]
        (kept,) = only(outcome.events, orders.OrderAmended).order.lines
        assert kept.components == (common.Component(sku="CUP", units=3),)


def test_a_line_follows_its_listing_to_another_link() -> None:
    sold = line("k", 2, ("CUP", 1))
    dozen = line("k", 2, ("CUP", 12), units_per_listing=12)
    for other, needs in ((line("k", 2, ("JUG", 1)), {"CUP": 0, "JUG": 2}), (dozen, {"CUP": 24})):
        outcome = given(ORDER).when(told(sold), told(other, version=2))
        required = only(outcome.events, orders.StockRequired)
        assert {d.sku: d.units for d in required.demands} == needs
