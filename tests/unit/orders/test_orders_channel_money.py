"""What a channel says that it took and gave back is a part of what an order states."""

from typing import Any

from msgspec.structs import replace

from libs.contracts import common, orders
from libs.eventsourcing.testing import given
from services.orders.decider import ORDER
from services.orders.paying import covered
from tests.unit.orders.samples import NOW, answer, captured, funds, line, said, told

MUGS, MUG = line("a", 2, ("MUG", 1)), line("a", 1, ("MUG", 1))


def bill(events: Any) -> orders.PaymentRequired:
    return next(one for one in reversed(events) if isinstance(one, orders.PaymentRequired))


def version(number: int, one: common.OrderLine, received: int, refunded: int = 0) -> Any:
    word = "part_refunded" if refunded else "paid"
    return told(one, version=number, funds=word, received=received, refunded=refunded)


def test_an_order_first_seen_after_a_cheaper_edit_states_what_was_taken() -> None:
    stated = bill(given(ORDER).when(version(2, MUG, 200)).events)
    assert (stated.amount, stated.total) == (100, 100)
    assert (stated.received, stated.refunded, stated.funds) == (200, 0, "paid")


def test_a_refund_that_changes_nothing_else_is_stated_anew() -> None:
    paid = replace(funds("paid", 3), received=200, refunded=100)
    stated = bill(given(ORDER).when(version(2, MUG, 200), paid).events)
    assert (stated.revision, stated.received, stated.refunded) == (2, 200, 100)
    assert given(ORDER).when(version(2, MUG, 200), paid, replace(paid, at=NOW + 1)).events == []


def test_an_older_version_takes_no_newer_money_back() -> None:
    paid = replace(funds("part_refunded", 3), received=200, refunded=100)
    state = given(ORDER).when(version(1, MUGS, 200), paid, version(2, MUG, 150)).state
    assert (state.received, state.refunded, state.funds) == (200, 100, "part_refunded")


def test_money_of_an_order_that_is_seen_cancelled_first_is_stated_and_then_not_due() -> None:
    gone = told(MUGS, funds="refunded", cancelled=True, received=200, refunded=200)
    stated = [
        one for one in given(ORDER).when(gone).events if isinstance(one, orders.PaymentRequired)
    ]
    assert [(one.amount, one.received, one.refunded) for one in stated] == [
        (200, 200, 200),
        (0, 200, 200),
    ]


def test_a_channel_that_gave_some_back_and_calls_the_order_paid_keeps_nothing_waiting() -> None:
    story = (version(1, MUGS, 200, refunded=50), answer("MUG", 2), captured(200))
    state = given(ORDER).when(*story, said("refunded", 50, seen=2)).state
    assert covered(state)
    unpaid = replace(state, funds="part_paid", received=150, refunded=0)
    assert not covered(unpaid)
