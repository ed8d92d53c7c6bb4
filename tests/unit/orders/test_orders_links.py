"""A listing that is linked to another SKU: which lines go with it, and which stay as sold."""

from libs.contracts import orders
from libs.eventsourcing.testing import given
from services.orders.decider import ORDER
from tests.unit.orders.samples import answer, line, told
from tests.unit.orders.test_orders_confirming import MUG, names, only
from tests.unit.orders.test_orders_shipping import ARRIVED, PAID, PLANNED, SENT, needed

OTHER = line("a", 2, ("CUP", 1))


def test_units_that_may_be_in_a_parcel_stay_what_they_were_sold_as() -> None:
    for steps in (PAID, PLANNED, SENT, ARRIVED):
        outcome = given(ORDER).when(*steps, told(OTHER, version=2))
        assert names(outcome.events) == ["OrderAmended"]
        assert only(outcome.events, orders.OrderAmended).order.lines == (MUG,)


def test_units_that_are_reserved_only_become_the_other_sku() -> None:
    assert needed(told(MUG), answer("MUG", 2), told(OTHER, version=2)) == {"MUG": 0, "CUP": 2}


def test_more_of_a_line_of_which_units_may_be_in_a_parcel_are_of_its_sku() -> None:
    assert needed(*SENT, told(line("a", 3, ("CUP", 1)), version=2)) == {"MUG": 3}
