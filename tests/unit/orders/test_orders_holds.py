"""Holds: those that an order calls for itself, those of a person, and what releases them."""

import pytest

from libs.contracts import orders
from libs.eventsourcing.testing import given
from services.orders import commands
from services.orders.decider import ORDER
from tests.unit.orders.samples import NOW, answer, line, told
from tests.unit.orders.test_orders_confirming import MUG, names, only

MANUAL = commands.PlaceHold("h1", "fraud-review", "", (), "both", None, "seller", NOW)
RESERVED = answer("MUG", 2)


def release(hold_id: str, by: str = "seller") -> commands.ReleaseHold:
    return commands.ReleaseHold(hold_id, "checked", by, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rounding", "held"), [(0, False), (1, False), (-1, False), (2, True), (-100, True)]
)
def test_totals_may_differ_by_one_minor_unit_per_line(rounding: int, held: bool) -> None:
    outcome = given(ORDER).when(told(MUG, rounding=rounding))
    reasons = [e.reason for e in outcome.events if isinstance(e, orders.OrderHeld)]
    assert reasons == (["totals-disagree"] if held else [])


def test_an_order_that_ships_to_an_unknown_country_is_held() -> None:
    held = only(given(ORDER).when(told(MUG, country="")).events, orders.OrderHeld)
    assert (held.reason, held.blocks) == ("tax-country-unknown", "both")
    digital = line("d", 1, kind="digital", requires_shipping=False)
    assert "OrderHeld" not in names(given(ORDER).when(told(digital, country="")).events)


def test_several_holds_stand_at_once_and_the_last_release_confirms() -> None:
    placed = told(MUG, country="", rounding=50)
    first = given(ORDER).when(placed, RESERVED)
    one, other = sorted(first.state.holds)
    assert names(first.events) == ["OrderStockRecorded"]
    assert names(given(ORDER).when(placed, RESERVED, release(one)).events) == ["OrderReleased"]
    last = given(ORDER).when(placed, RESERVED, release(one), release(other))
    assert names(last.events) == ["OrderReleased", "OrderConfirmed", "PaymentRequired"]


def test_a_version_that_mends_the_cause_releases_the_hold() -> None:
    outcome = given(ORDER).when(told(MUG, rounding=50), RESERVED, told(MUG, version=2))
    assert names(outcome.events) == [
        "OrderAmended",
        "OrderReleased",
        "OrderConfirmed",
        "PaymentRequired",
    ]


def test_a_cause_that_a_person_waived_does_not_hold_again() -> None:
    first = given(ORDER).when(told(MUG, rounding=50))
    waive = release(next(iter(first.state.holds)))
    outcome = given(ORDER).when(told(MUG, rounding=50), waive, told(MUG, rounding=50, version=2))
    assert names(outcome.events) == ["OrderAmended"]


def test_a_persons_hold_keeps_the_stock_and_blocks_the_confirmation() -> None:
    outcome = given(ORDER).when(told(MUG), MANUAL, RESERVED)
    assert names(outcome.events) == ["OrderStockRecorded"]
    given(ORDER).when(told(MUG), MANUAL, MANUAL).then()
    freed = given(ORDER).when(told(MUG), MANUAL, RESERVED, release("h1"))
    assert names(freed.events) == ["OrderReleased", "OrderConfirmed", "PaymentRequired"]


def test_a_release_by_time_is_silent_where_the_hold_is_gone() -> None:
    given(ORDER).when(told(MUG), MANUAL, release("h1"), release("h1", "policy")).then()


def test_an_unlinked_line_cannot_be_released_by_hand() -> None:
    first = given(ORDER).when(told(line("u", 1)))
    given(ORDER).when(told(line("u", 1)), release(next(iter(first.state.holds)))).then_refused(
        "line-unlinked"
    )


def test_unknown_holds_lines_and_orders_are_refused() -> None:
    given(ORDER).when(told(MUG), release("nope")).then_refused("hold-not-found")
    given(ORDER).when(MANUAL).then_refused("order-not-found")
    wrong = commands.PlaceHold("h1", "manual", "", ("zz",), "both", None, "seller", NOW)
    given(ORDER).when(told(MUG), wrong).then_refused("line-not-found")
