"""What becomes of an order whose stock is short, by the policy of its channel and by decisions."""

import pytest

from libs.contracts import orders
from libs.eventsourcing.testing import given
from services.orders import commands
from services.orders.decider import ORDER
from tests.unit.orders.samples import (
    HOUR,
    NOW,
    answer,
    cancel,
    captured,
    funds,
    line,
    parcel,
    released,
    told,
)
from tests.unit.orders.test_orders_confirming import BOX, MUG, names, only

SHORT = answer("MUG", 1, short=1)
DEADLINE = NOW + 48 * HOUR


def decide(decision: str, at: int = NOW + HOUR) -> commands.DecideShortage:
    return commands.DecideShortage(decision, "", "seller", at)  # type: ignore[arg-type]


def lost(units: int, seen: int) -> commands.RecordShortfall:
    return commands.RecordShortfall("MUG", units, seen, NOW, NOW)


def test_a_short_order_waits_with_its_shortages_its_deadline_and_its_value() -> None:
    waits = only(given(ORDER).when(told(MUG), SHORT).events, orders.OrderWaits)
    assert (waits.reason, waits.decide_by, waits.value_minor) == ("out-of-stock", DEADLINE, 200)
    assert [(d.sku, d.units) for d in waits.shortages] == [("MUG", 1)]


def test_nothing_is_decided_before_every_sku_has_answered() -> None:
    outcome = given(ORDER).when(told(MUG, BOX, shortage="cancel"), answer("MUG", 1, short=3))
    assert names(outcome.events) == ["OrderStockRecorded"]


def test_units_from_the_waiting_list_confirm_the_order() -> None:
    outcome = given(ORDER).when(told(MUG), SHORT, answer("MUG", 2, seen=2))
    assert names(outcome.events) == ["OrderStockRecorded", "OrderConfirmed", "PaymentRequired"]


def test_the_policy_cancel_cancels_all_and_gives_the_stock_back() -> None:
    outcome = given(ORDER).when(told(MUG, shortage="cancel"), SHORT)
    gone = only(outcome.events, orders.OrderLinesCancelled)
    assert (gone.whole, gone.by, gone.reason) == (True, "policy", "out-of-stock")
    required = only(outcome.events, orders.StockRequired)
    assert (required.revision, required.demands[0].units) == (2, 0)


def test_the_policy_split_confirms_what_is_whole_and_backorders_the_rest() -> None:
    placed = told(MUG, line("c", 3, ("CUP", 1)), shortage="split")
    outcome = given(ORDER).when(placed, answer("MUG", 1, short=1), answer("CUP", 3))
    confirmed = only(outcome.events, orders.OrderConfirmed)
    assert {row.line_id: row.quantity for row in confirmed.lines} == {"a": 1, "c": 3}
    assert confirmed.partial
    rest = only(outcome.events, orders.OrderLineBackordered)
    assert (rest.line_id, rest.quantity) == ("a", 1)
    assert only(outcome.events, orders.OrderWaits).value_minor == 100


def test_the_rest_of_a_split_order_is_confirmed_when_it_is_reserved() -> None:
    steps = (told(MUG, shortage="split"), SHORT, answer("MUG", 2, seen=2))
    confirmed = only(given(ORDER).when(*steps).events, orders.OrderConfirmed)
    assert (confirmed.partial, confirmed.lines[0].quantity) == (False, 2)


def test_a_split_never_confirms_half_a_kit() -> None:
    kit = line("k", 2, ("CUP", 1), ("TEA", 1))
    outcome = given(ORDER).when(
        told(kit, shortage="split"), answer("CUP", 2), answer("TEA", 1, short=1)
    )
    confirmed = only(outcome.events, orders.OrderConfirmed)
    assert [row.quantity for row in confirmed.lines] == [1]


def test_a_split_goes_on_where_a_line_was_cancelled_before_its_sku_was_asked_for() -> None:
    never = told(line("b", 0, ("HAT", 1)), MUG, shortage="split")
    outcome = given(ORDER).when(never, answer("MUG", 1, short=1))
    assert only(outcome.events, orders.OrderConfirmed).partial


def test_a_unit_that_a_parcel_has_is_promised_to_no_other_line() -> None:
    kit = line("a", 1, ("MUG", 1), ("CUP", 1))
    placed = told(kit, line("b", 1, ("MUG", 1)), shortage="split", funds="paid")
    steps = (placed, answer("MUG", 1, short=1), answer("CUP", 0, short=1), captured(100))
    for where in ((), (parcel("planned", ("b", 1)),), (parcel("dispatched", ("b", 1)),)):
        outcome = given(ORDER).when(*steps, *where, answer("CUP", 1, seen=2))
        assert names(outcome.events) == ["OrderStockRecorded"]
    outcome = given(ORDER).when(*steps, parcel("dispatched", ("b", 1)), decide("cancel"))
    cancelled = only(outcome.events, orders.OrderLinesCancelled)
    assert {row.line_id: row.quantity for row in cancelled.lines} == {"a": 1}


def test_a_unit_that_left_too_many_is_no_other_lines() -> None:
    both = (line("a", 1, ("MUG", 1)), line("b", 2, ("MUG", 1)))
    left = (told(*both, funds="paid"), answer("MUG", 3), parcel("dispatched", ("a", 1), ("b", 2)))
    changed = told(line("a", 3, ("MUG", 1)), line("b", 1, ("MUG", 1)), funds="paid", version=2)
    required = only(given(ORDER).when(*left, changed).events, orders.StockRequired)
    assert [(d.sku, d.units) for d in required.demands] == [("MUG", 5)]


def test_what_was_short_of_a_line_that_is_gone_says_nothing_of_the_rest() -> None:
    kit = line("a", 1, ("MUG", 1), ("CUP", 1))
    placed = told(kit, line("b", 2, ("MUG", 1)), shortage="split")
    short = (answer("MUG", 0, short=3), answer("CUP", 0, short=1))
    steps = (placed, *short, cancel("c", ("a", 1)))
    outcome = given(ORDER).when(*steps, answer("MUG", 0, short=2, revision=2, seen=2))
    assert names(outcome.events) == ["OrderStockRecorded", "OrderWaits"]
    outcome = given(ORDER).when(*steps, answer("MUG", 1, short=1, revision=2, seen=2))
    confirmed = only(outcome.events, orders.OrderConfirmed)
    assert {row.line_id: row.quantity for row in confirmed.lines} == {"b": 1}


@pytest.mark.parametrize("policy", ["backorder", "cancel"])
def test_a_shortfall_after_the_confirmation_makes_the_order_wait_again(policy: str) -> None:
    outcome = given(ORDER).when(told(MUG, shortage=policy), answer("MUG", 2), lost(1, 2))
    assert names(outcome.events) == ["OrderStockRecorded", "OrderWaits"]
    recorded = only(outcome.events, orders.OrderStockRecorded)
    assert (recorded.reserved, recorded.short) == (1, 1)


def test_a_repeated_shortfall_takes_nothing_twice() -> None:
    given(ORDER).when(told(MUG), answer("MUG", 2), lost(1, 2), lost(1, 2)).then()


def test_a_shortfall_of_a_split_order_takes_back_what_was_confirmed() -> None:
    steps = (told(MUG, shortage="split"), answer("MUG", 2), lost(1, 2))
    confirmed = only(given(ORDER).when(*steps).events, orders.OrderConfirmed)
    assert (confirmed.partial, confirmed.lines[0].quantity) == (True, 1)


def test_an_undecided_order_becomes_a_persons_matter_at_its_deadline() -> None:
    overdue = given(ORDER).when(told(MUG), SHORT, commands.DecideByDeadline(DEADLINE))
    waits = only(overdue.events, orders.OrderWaits)
    assert (waits.reason, waits.decide_by) == ("decision-overdue", None)
    given(ORDER).when(told(MUG), SHORT, commands.DecideByDeadline(DEADLINE - 1)).then()


def test_an_order_that_inventory_never_answers_is_not_silently_stuck() -> None:
    outcome = given(ORDER).when(told(MUG), commands.DecideByDeadline(DEADLINE))
    assert only(outcome.events, orders.OrderWaits).reason == "decision-overdue"


def test_a_confirmed_order_that_is_paid_has_no_deadline() -> None:
    overdue = commands.DecideByDeadline(DEADLINE)
    given(ORDER).when(told(MUG), answer("MUG", 2), captured(200), overdue).then()


def test_an_unpaid_order_is_cancelled_at_its_deadline_and_by_its_expired_hold() -> None:
    placed = told(MUG, commitment="tentative", expires_at=NOW + HOUR)
    by_time = given(ORDER).when(placed, commands.DecideByDeadline(NOW + HOUR))
    by_stock = given(ORDER).when(placed, commands.RecordHoldExpiry("MUG", NOW + HOUR, NOW + HOUR))
    assert by_time.events == by_stock.events
    assert names(by_time.events) == ["OrderLinesCancelled", "StockRequired"]
    gone = only(by_time.events, orders.OrderLinesCancelled)
    assert (gone.reason, gone.whole) == ("payment-expired", True)


def test_the_expiry_of_a_hold_that_was_renewed_or_paid_cancels_nothing() -> None:
    placed = told(MUG, commitment="tentative", expires_at=NOW + HOUR)
    renewed = told(MUG, commitment="tentative", expires_at=NOW + 2 * HOUR, version=2)
    expiry = commands.RecordHoldExpiry("MUG", NOW + HOUR, NOW + HOUR)
    given(ORDER).when(placed, renewed, expiry).then()
    given(ORDER).when(placed, funds("paid", 2), expiry).then()


def test_units_that_may_be_in_a_parcel_stay_committed_though_the_order_is_unpaid_again() -> None:
    until = NOW + HOUR
    unpaid = told(MUG, commitment="tentative", funds="pending", expires_at=until, version=2)
    bought = (told(MUG), answer("MUG", 2))
    outcome = given(ORDER).when(*bought, unpaid)
    required = only(outcome.events, orders.StockRequired)
    assert (required.reservation_class, required.expires_at) == ("hold", until)
    engaged = (*bought, captured(200), unpaid)
    outcome = given(ORDER).when(*engaged)
    assert names(outcome.events) == ["OrderAmended", "OrderWaits"]
    assert only(outcome.events, orders.OrderWaits).decide_by == until
    ended = given(ORDER).when(*engaged, commands.DecideByDeadline(until))
    assert only(ended.events, orders.OrderLinesCancelled).reason == "payment-expired"
    assert "StockRequired" not in names(ended.events), "fulfilment has not answered yet"
    freed = given(ORDER).when(*engaged, commands.DecideByDeadline(until), released(2))
    assert only(freed.events, orders.StockRequired).demands[0].units == 0


def test_an_order_that_is_paid_again_waits_for_its_payment_no_more() -> None:
    digital = line("d", 1, kind="digital", requires_shipping=False)
    for one, bought in ((digital, ()), (MUG, (answer("MUG", 2), captured(200)))):
        unpaid = told(one, commitment="tentative", expires_at=NOW + HOUR, version=2)
        waits = (told(one), *bought, unpaid)
        assert given(ORDER).when(*waits).state.wait is not None
        paid = given(ORDER).when(*waits, told(one, version=3))
        assert paid.state.wait is None
        assert only(paid.events, orders.OrderConfirmed).partial is False
        assert names(given(ORDER).when(told(one), *bought, told(one, version=3)).events) == [
            "OrderAmended"
        ]


def test_a_payment_after_the_expiry_reopens_the_order_and_asks_for_stock_again() -> None:
    placed = told(MUG, commitment="tentative", expires_at=NOW + HOUR)
    expired = commands.DecideByDeadline(NOW + HOUR)
    for paid, costs in (
        (funds("paid", 2), ["PaymentRequired"]),
        (told(MUG, version=2), []),
    ):
        outcome = given(ORDER).when(placed, expired, paid)
        assert names(outcome.events)[1:] == ["OrderReopened", "StockRequired", *costs]
        required = only(outcome.events, orders.StockRequired)
        assert (required.demands[0].units, required.reservation_class) == (2, "commitment")
        again = given(ORDER).when(
            placed, expired, paid, answer("MUG", 0, short=2, revision=required.revision)
        )
        assert only(again.events, orders.OrderWaits).reason == "out-of-stock"


def test_retry_states_the_demand_anew() -> None:
    outcome = given(ORDER).when(told(MUG), SHORT, decide("retry"))
    assert names(outcome.events) == ["ShortfallSettled", "StockRequired"]
    assert only(outcome.events, orders.StockRequired).revision == 2


def test_backorder_gives_the_order_another_deadline() -> None:
    outcome = given(ORDER).when(told(MUG), SHORT, decide("backorder"))
    waits = only(outcome.events, orders.OrderWaits)
    assert waits.decide_by == NOW + 49 * HOUR
    given(ORDER).when(told(MUG), SHORT, decide("backorder"), decide("backorder")).then()


def test_cancel_ends_the_order_or_the_part_that_waits() -> None:
    whole = given(ORDER).when(told(MUG), SHORT, decide("cancel"))
    assert only(whole.events, orders.OrderLinesCancelled).whole
    part = given(ORDER).when(told(MUG, shortage="split"), SHORT, decide("cancel"))
    gone = only(part.events, orders.OrderLinesCancelled)
    assert (gone.whole, gone.lines[0].quantity) == (False, 1)
    assert only(part.events, orders.StockRequired).demands[0].units == 1


def test_what_is_in_a_parcel_is_not_cancelled_by_a_decision_however_often_it_is_told() -> None:
    steps = (told(MUG, shortage="split"), SHORT, parcel("planned", ("a", 2)))
    given(ORDER).when(*steps, decide("cancel")).then_refused("nothing-to-cancel")


def test_an_order_that_does_not_wait_refuses_a_decision() -> None:
    given(ORDER).when(told(MUG), answer("MUG", 2), decide("retry")).then_refused(
        "order-not-waiting"
    )
    given(ORDER).when(decide("retry")).then_refused("order-not-found")


BLOCKED = (told(MUG), answer("MUG", 2), captured(200), parcel("planned", ("a", 2)), lost(1, 2))


def test_to_cancel_what_waits_in_a_parcel_stops_the_parcel() -> None:
    """The picker finds one of two mugs; the buyer wants both or none, and so does the policy."""
    asked = given(ORDER).when(*BLOCKED, decide("cancel"))
    request = only(asked.events, orders.CancellationRequested)
    assert [(row.line_id, row.quantity) for row in request.lines] == [("a", 2)]
    stop = only(asked.events, orders.FulfilmentRequested)
    assert (stop.lines, stop.blocked) == ((), "out-of-stock")
    stopped = parcel("stopped", ("a", 2), seen=2)
    ended = given(ORDER).when(*BLOCKED, decide("cancel"), stopped, released(stop.revision))
    assert only(ended.events, orders.CancellationAccepted).request_id == request.request_id
    gone = only(ended.events, orders.OrderLinesCancelled)
    assert (gone.whole, gone.by) == (True, "seller")
    assert only(ended.events, orders.StockRequired).demands[0].units == 0
    given(ORDER).when(*BLOCKED, decide("cancel"), decide("cancel")).then_refused(
        "cancellation-asked"
    )


def test_what_left_all_the_same_is_not_cancelled() -> None:
    left = given(ORDER).when(*BLOCKED, decide("cancel"), parcel("dispatched", ("a", 2), seen=2))
    assert only(left.events, orders.CancellationRefused).reason == "too-late"
    gone = parcel("dispatched", ("a", 2), seen=2)
    given(ORDER).when(*BLOCKED, gone, decide("cancel")).then_refused("nothing-to-cancel")


def test_what_fulfilment_was_asked_for_is_cancelled_when_it_has_let_it_go() -> None:
    three = line("a", 3, ("MUG", 1))
    steps = (told(three), answer("MUG", 3), captured(300), parcel("dispatched", ("a", 1)))
    outcome = given(ORDER).when(*steps, lost(1, 2), decide("cancel"))
    request = only(outcome.events, orders.CancellationRequested)
    assert [row.quantity for row in request.lines] == [2]  # one has left
    assert "OrderLinesCancelled" not in names(outcome.events), "fulfilment may have them"
