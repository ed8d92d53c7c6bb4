"""Lines that become another SKU, or another's to hand over: what of them stays as it was sold."""

from libs.contracts import orders
from libs.eventsourcing.testing import given
from services.orders.decider import ORDER
from tests.unit.orders.samples import answer, line, parcel, released, told
from tests.unit.orders.test_orders_confirming import MUG, names, only
from tests.unit.orders.test_orders_shipping import ARRIVED, PAID, PLANNED, SENT, asked, needed

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


def test_units_of_a_line_that_others_hand_over_now_stay_until_fulfilment_lets_them_go() -> None:
    theirs = told(line("a", 2, ("MUG", 1), fulfilled_by="third_party"), version=2)
    for steps in (PAID, PLANNED):
        assert (asked(*steps, theirs), needed(*steps, theirs)) == ({}, {"MUG": 2})
    assert needed(*PAID, theirs, released(2)) == {"MUG": 0}
    stopped = parcel("stopped", ("a", 2), seen=2)
    assert needed(*PLANNED, theirs, stopped) == {"MUG": 2}
    assert needed(*PLANNED, theirs, stopped, released(2)) == {"MUG": 0}


def test_units_that_left_are_no_other_lines_though_a_counter_is_said_to_have_handed_them_over() -> (
    None
):
    counter = line("a", 2, ("MUG", 1), fulfilled_by="at_counter")
    assert needed(*SENT, told(counter, version=2)) == {"MUG": 2}
    more = (*SENT, told(counter, line("b", 1, ("MUG", 1)), shortage="split", version=2))
    assert needed(*more) == {"MUG": 3}
    short = given(ORDER).when(*more, answer("MUG", 0, short=1, revision=2, seen=2))
    assert dict(short.state.confirmed or {}) == {"a": 2}
