"""An order's row: what it shows is what it waits for now, not what it waited for."""

from functools import reduce
from typing import Any

from services.orders import commands
from services.orders.decider import ORDER
from services.orders.read_model import ORDERS
from services.orders.standing import OrderRow
from services.orders.state import OrderState
from tests.unit.memory import envelope, folded
from tests.unit.orders.samples import HOUR, NOW, answer, cancel, cancelled, line, parcel, told
from tests.unit.orders.test_orders_confirming import MUG
from tests.unit.orders.test_orders_shipping import LOST, PAID, SENT


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
