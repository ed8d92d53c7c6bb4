"""Cancellations: asked for, stated by the channel, and never counted twice."""

from libs.contracts import orders
from libs.eventsourcing.testing import given
from services.orders import commands
from services.orders.decider import ORDER
from services.orders.units import remaining
from tests.unit.orders.samples import HOUR, NOW, answer, cancel, cancelled, funds, line, told
from tests.unit.orders.test_orders_confirming import MUG, names, only

THREE = line("a", 3, ("MUG", 1))


def test_a_request_is_granted_and_states_the_smaller_demand() -> None:
    outcome = given(ORDER).when(told(THREE), cancel("c1", ("a", 1)))
    assert names(outcome.events) == [
        "CancellationRequested", "CancellationAccepted", "OrderLinesCancelled", "StockRequired",
    ]  # fmt: skip
    assert only(outcome.events, orders.OrderLinesCancelled).whole is False
    assert only(outcome.events, orders.StockRequired).demands[0].units == 2


def test_a_request_without_lines_cancels_the_order() -> None:
    outcome = given(ORDER).when(told(THREE), answer("MUG", 3), cancel("c1"))
    assert only(outcome.events, orders.OrderLinesCancelled).whole
    assert only(outcome.events, orders.StockRequired).demands[0].units == 0
    assert outcome.state.ended is not None


def test_a_request_for_more_than_is_left_is_partly_accepted() -> None:
    outcome = given(ORDER).when(told(THREE), cancel("c1", ("a", 2)), cancel("c2", ("a", 2)))
    assert only(outcome.events, orders.CancellationAccepted).lines[0].quantity == 1
    refused = only(outcome.events, orders.CancellationRefused)
    assert (refused.lines[0].quantity, refused.reason) == (1, "already-cancelled")


def test_a_repeated_request_changes_nothing_and_an_empty_one_is_refused() -> None:
    given(ORDER).when(told(THREE), cancel("c1", ("a", 1)), cancel("c1", ("a", 1))).then()
    given(ORDER).when(told(THREE), cancel("c1"), cancel("c2")).then_refused("nothing-to-cancel")
    given(ORDER).when(told(THREE), cancel("c1", ("z", 1))).then_refused("line-not-found")
    given(ORDER).when(cancel("c1")).then_refused("order-not-found")


def test_a_channels_request_is_answered_by_events_and_never_refused_to_nobody() -> None:
    asked = commands.RequestCancellation("r1", (), "buyer", "", NOW, external=True)
    outcome = given(ORDER).when(told(THREE), cancel("c1"), asked)
    assert names(outcome.events) == ["CancellationRequested", "CancellationRefused"]


def test_a_smaller_quantity_after_our_own_cancellation_is_its_echo() -> None:
    for quantity, left in ((3, 2), (2, 2), (1, 1), (5, 4)):
        newer = told(line("a", quantity, ("MUG", 1)), version=2)
        outcome = given(ORDER).when(told(THREE), cancel("c1", ("a", 1)), newer)
        assert remaining(outcome.state)["a"] == left, quantity


def test_units_cancelled_by_us_and_by_the_channel_are_capped_by_what_is_left() -> None:
    outcome = given(ORDER).when(told(THREE), cancel("c1", ("a", 2)), cancelled(2, ("x-a", 2)))
    gone = only(outcome.events, orders.OrderLinesCancelled)
    assert (gone.lines[0].quantity, gone.whole, gone.cause) == (1, True, "channel")


def test_a_repeated_or_older_statement_of_the_channel_changes_nothing() -> None:
    given(ORDER).when(told(THREE), cancelled(2, ("x-a", 1)), cancelled(2, ("x-a", 1))).then()
    given(ORDER).when(told(THREE, version=3), cancelled(2, ("x-a", 1))).then()
    given(ORDER).when(told(THREE), cancelled(3), cancelled(2)).then()
    given(ORDER).when(told(THREE), cancelled(3), told(THREE, version=2)).then()


def test_a_cancellation_of_an_ended_order_is_remembered_as_the_last_word() -> None:
    outcome = given(ORDER).when(told(THREE), cancelled(2), cancelled(4), told(THREE, version=3))
    assert outcome.events == []
    assert not remaining(outcome.state)
    again = given(ORDER).when(told(THREE), cancelled(2), cancelled(4), told(THREE, version=5))
    assert remaining(again.state)["a"] == 3


def test_money_does_not_bring_back_what_the_channel_has_cancelled_after_us() -> None:
    unpaid = told(THREE, commitment="tentative", expires_at=NOW + HOUR)
    expired = commands.DecideByDeadline(NOW + HOUR)
    for last in (cancelled(2), told(THREE, version=2, commitment="tentative", cancelled=True)):
        outcome = given(ORDER).when(unpaid, expired, last, funds("paid", 3))
        assert names(outcome.events) == ["OrderFundsRecorded", *["PaymentRequired"] * 2]
        assert outcome.state.ended is not None
    outcome = given(ORDER).when(unpaid, expired, funds("paid", 3))
    assert "OrderReopened" in names(outcome.events)


def test_an_order_that_comes_cancelled_takes_no_stock() -> None:
    outcome = given(ORDER).when(told(MUG, cancelled=True))
    assert names(outcome.events) == ["OrderPlaced", "OrderLinesCancelled"]
    given(ORDER).when(told(MUG, cancelled=True), cancelled(1)).then()


def test_a_version_that_leaves_nothing_cancels_the_order() -> None:
    outcome = given(ORDER).when(told(THREE), told(version=2))
    assert names(outcome.events) == ["OrderAmended", "OrderLinesCancelled", "StockRequired"]
    assert only(outcome.events, orders.OrderLinesCancelled).whole


def test_a_channel_may_take_its_cancellation_back() -> None:
    outcome = given(ORDER).when(told(THREE), cancelled(2), told(THREE, version=3))
    assert names(outcome.events) == ["OrderAmended", "OrderReopened", "StockRequired"]
    assert remaining(outcome.state)["a"] == 3


def test_a_version_does_not_bring_back_what_we_cancelled() -> None:
    outcome = given(ORDER).when(told(THREE), cancel("c1"), told(THREE, version=2))
    assert names(outcome.events) == ["OrderAmended"]
    assert outcome.state.ended is not None


def test_a_confirmed_order_is_confirmed_again_with_what_a_cancellation_leaves() -> None:
    steps = (told(THREE), answer("MUG", 3), cancel("c1", ("a", 1)))
    outcome = given(ORDER).when(*steps, answer("MUG", 2, revision=2, seen=2))
    assert only(outcome.events, orders.OrderConfirmed).lines[0].quantity == 2
