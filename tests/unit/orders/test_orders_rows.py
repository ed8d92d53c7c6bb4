"""An order's row: what it shows is what it waits for now, not what it waited for."""

from functools import reduce
from typing import Any

from libs.contracts import common
from services.orders import commands
from services.orders.decider import ORDER
from services.orders.read_model import ORDERS
from services.orders.standing import OrderRow
from services.orders.state import OrderState
from tests.unit.memory import envelope, folded
from tests.unit.orders.samples import (
    HOUR,
    NOW,
    answer,
    cancel,
    cancelled,
    line,
    parcel,
    said,
    told,
)
from tests.unit.orders.test_orders_confirming import MUG
from tests.unit.orders.test_orders_shipping import LOST, PAID, PLANNED, SENT


def row(*steps: Any) -> OrderRow:
    state = OrderState()
    log: list[Any] = []
    for step in steps:
        events = ORDER.decide(step, state)
        state = reduce(ORDER.evolve, events, state)
        log += [envelope(event, len(log) + n) for n, event in enumerate(events, 1)]
    [found] = folded(ORDERS, log).values()
    return found  # type: ignore[no-any-return]


def test_a_queue_that_is_left_takes_its_deadline_along() -> None:
    waits = row(*SENT, parcel("lost", ("a", 2), seen=3, deadline=NOW + HOUR))
    assert (waits.state, waits.reason, waits.decide_by) == ("waiting", "parcel-lost", NOW + HOUR)
    decided = row(*LOST, commands.DecideConcern("refund", None, "seller", NOW))
    assert (decided.state, decided.decide_by) == ("completed", None)


def test_units_are_shown_as_confirmed_and_reserved_while_they_are() -> None:
    def units(*steps: Any) -> tuple[int, int]:
        [one] = row(*steps).lines
        return one.confirmed, one.reserved

    confirmed = (told(MUG), answer("MUG", 2))
    assert units(*confirmed) == (2, 2)
    assert units(*confirmed, cancel("c", ("a", 1))) == (1, 1)
    assert units(*confirmed, told(line("a", 1, ("MUG", 1)), version=2)) == (1, 1)
    assert units(*PAID, cancelled(2)) == (0, 0)
    assert units(*PAID, commands.RecordShortfall("MUG", 1, 2, NOW, NOW)) == (0, 0)
    assert units(*SENT, cancelled(2)) == (0, 0)


def test_money_at_risk_grows_with_a_second_parcel_that_is_lost_and_the_queue_keeps_its_age() -> (
    None
):
    first = parcel("lost", ("a", 1), seen=3, deadline=NOW + HOUR)
    second = parcel("lost", ("a", 1), name="s2", seen=3, deadline=NOW + 9 * HOUR)
    assert row(*PAID, first).value_at_risk_minor == 100
    both = row(*PAID, first, second)
    assert (both.reason, both.value_at_risk_minor) == ("parcel-lost", 200)
    assert both.queues["parcel-lost"].decide_by == NOW + HOUR
    decided = row(*PAID, first, second, commands.DecideConcern("claim", "s1", "seller", NOW))
    at_risk = {reason: queue.at_risk for reason, queue in decided.queues.items()}
    assert at_risk == {"parcel-lost": 100, "carrier-claim": 100}


def test_money_at_risk_falls_as_units_of_a_split_order_come() -> None:
    steps = (told(line("a", 9, ("MUG", 1)), shortage="split"), answer("MUG", 1, short=8))
    waits = row(*steps)
    assert (waits.reason, waits.value_at_risk_minor) == ("out-of-stock", 800)
    later = row(*steps, answer("MUG", 7, short=2, seen=2))
    assert (later.reason, later.value_at_risk_minor) == ("out-of-stock", 200)
    assert (later.decide_by, later.since) == (waits.decide_by, waits.since)


def test_money_at_risk_is_what_is_not_paid_yet() -> None:
    steps = (told(MUG, custody="us"), answer("MUG", 2))
    overdue = commands.DecideByDeadline(NOW + 48 * HOUR)
    assert row(*steps, overdue).value_at_risk_minor == 200
    assert row(*steps, overdue, said("authorised", 150, 2)).value_at_risk_minor == 50


def test_a_request_that_is_to_be_answered_sooner_hurries_the_queue() -> None:
    def request(name: str, answer_by: int) -> commands.RequestCancellation:
        asked = (common.LineQuantity(line_id="x-a", quantity=1),)
        return commands.RequestCancellation(name, asked, "buyer", "", NOW, answer_by, external=True)

    steps = (*PLANNED, request("c1", NOW + 48 * HOUR), request("c2", NOW + 2 * HOUR))
    shown = row(*steps)
    assert (shown.reason, shown.decide_by) == ("cancellation-asked", NOW + 2 * HOUR)
    assert shown.value_at_risk_minor == 200
    later = row(*steps, request("c3", NOW + HOUR))
    assert later.decide_by == NOW + 2 * HOUR, "nothing is left that it could ask for"
