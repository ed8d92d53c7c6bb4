"""A wholesale order of 500 kits: each of its SKUs answers, and each answer costs about the same."""

import time
from functools import reduce

from libs.eventsourcing.testing import given
from services.orders.decider import ORDER
from tests.unit.orders.samples import answer, line, told
from tests.unit.orders.test_orders_confirming import names

LINES = tuple(line(f"l{n}", 1, (f"A{n}", 1), (f"B{n}", 2)) for n in range(500))
PLACED = told(*LINES, funds="paid")
ANSWERS = [answer(f"{half}{n}", units) for n in range(500) for half, units in (("A", 1), ("B", 2))]


def test_an_order_of_many_lines_is_confirmed_by_its_last_answer_and_does_not_hold_up_others() -> (
    None
):
    state = given(ORDER).when(PLACED).state
    begun = time.process_time()
    for said in ANSWERS[:-1]:
        events = ORDER.decide(said, state)
        assert names(events) == ["OrderStockRecorded"]
        state = reduce(ORDER.evolve, events, state)
    assert time.process_time() - begun < 1.5  # 999 of them; a look at every line takes 20 ms
    assert names(ORDER.decide(ANSWERS[-1], state)) == ["OrderStockRecorded", "OrderConfirmed"]
