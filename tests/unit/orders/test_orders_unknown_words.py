"""A status that a shop made up itself ("packing") is no news of what the buyer has bought or paid."""

from typing import Any

import pytest

from libs.contracts import orders
from libs.eventsourcing.testing import given
from services.orders.decider import ORDER
from tests.unit.orders.samples import answer, cancelled, captured, funds, told
from tests.unit.orders.test_orders_confirming import MUG, names, only

PAID = told(MUG, funds="paid")


def packing(version: int = 2) -> Any:
    return told(MUG, version=version, commitment="unknown", funds="unknown", status_word="packing")


def test_an_order_that_waits_for_stock_keeps_its_place_when_its_status_is_not_understood() -> None:
    outcome = given(ORDER).when(PAID, answer("MUG", 1, short=1), packing())
    amended = only(outcome.events, orders.OrderAmended)
    assert (amended.order.commitment, amended.order.funds) == ("committed", "paid")
    assert amended.order.status_word == "packing"
    assert names(outcome.events) == ["OrderAmended"]


def test_an_order_that_is_to_be_sent_is_sent_when_its_status_is_not_understood() -> None:
    steps = (PAID, answer("MUG", 2), captured(200))
    assert names(given(ORDER).when(*steps, packing()).events) == ["OrderAmended"]
    only(given(ORDER).when(PAID, answer("MUG", 2), packing(), captured(200)).events,
         orders.FulfilmentRequested)  # fmt: skip


def test_money_of_an_unknown_kind_takes_none_away() -> None:
    outcome = given(ORDER).when(PAID, answer("MUG", 2), captured(200), funds("unknown", 2))
    assert names(outcome.events) == ["OrderFundsRecorded"]
    assert only(outcome.events, orders.OrderFundsRecorded).funds == "paid"


@pytest.mark.parametrize("word", ["committed", "tentative"])
def test_what_is_understood_counts(word: str) -> None:
    later = told(MUG, version=2, commitment=word, funds="pending")
    amended = only(given(ORDER).when(PAID, later).events, orders.OrderAmended)
    assert (amended.order.commitment, amended.order.funds) == (word, "pending")


@pytest.mark.parametrize(
    "before", [[], [told(MUG, commitment="tentative")], [PAID, cancelled(2)]]
)  # fmt: skip
def test_a_status_that_is_not_understood_commits_no_order(before: Any) -> None:
    outcome = given(ORDER).when(*before, packing(3))
    assert only(outcome.events, orders.OrderWaits).reason == "status-unknown"
