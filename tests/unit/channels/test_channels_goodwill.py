"""Money that a Shopify shop gives back on nothing in particular: the order costs what it did."""

import json
import random
from typing import Any

import pytest

from libs.contracts import common, orders
from services.channels.adapters import shopify
from services.fulfilment import shipment_commands as fulfilment
from services.fulfilment.process import Places
from tests.property.channels.till import Till
from tests.unit.channels import payloads
from tests.unit.channels.payloads import order_of
from tests.unit.orders.samples import NOW

GONE = {"kind": "refund", "status": "success", "amount": "5.00", "currency": "GBP"}


def adjusted(*amounts: str) -> dict[str, Any]:
    """What Shopify notes of the difference between what was refunded and what went back."""
    return {
        "order_adjustments": [
            {"kind": "refund_discrepancy", "reason": "Refund discrepancy", "amount": amount,
             "tax_amount": "0.00", "amount_set": payloads.both(amount),
             "tax_amount_set": payloads.both("0.00")}
            for amount in amounts
        ]
    }  # fmt: skip


GIVEN: dict[str, Any] = {"refund_line_items": [], "transactions": [GONE], **adjusted("-5.00")}
BARE: dict[str, Any] = {"refund_line_items": [], "transactions": [GONE], **adjusted()}
BACK: dict[str, Any] = {"financial_status": "partially_refunded", "total_outstanding": "0.00"}
LESS: dict[str, Any] = BACK | {
    "current_total_price": "29.00", "current_total_tax": "5.00", "current_subtotal_price": "25.00",
}  # fmt: skip


def told(**changes: Any) -> common.Order:
    """An order of 34.00 of which 5.00 were given back."""
    return order_of(shopify, "orders/updated", payloads.shopify(**changes))


def sums(order: common.Order) -> tuple[Any, ...]:
    return order.totals.total, order.totals.rounding, order.received, order.refunded


@pytest.mark.parametrize("refund", [GIVEN, BARE])
def test_goodwill_makes_an_order_no_cheaper(refund: dict[str, Any]) -> None:
    order = told(**LESS, refunds=[refund])
    assert sums(order) == (3400, 0, 3400, 500)
    assert [line.quantity for line in order.lines] == [2, 1]


def test_a_total_that_goodwill_left_as_it_was_counts_as_it_is() -> None:
    same = LESS | {"current_total_price": "34.00", "total_outstanding": "5.00"}
    assert sums(told(**same, refunds=[GIVEN])) == (3400, 0, 3400, 500)


def test_goodwill_beside_a_refunded_unit_leaves_the_price_of_the_others() -> None:
    lines = payloads.shopify()["line_items"]
    lines[0] |= {"current_quantity": 1}
    both = {
        "refund_line_items": [{"line_item_id": 1, "quantity": 1, "subtotal": 10.0,
                               "total_tax": 2.0}],
        "transactions": [GONE | {"amount": "17.00"}], **adjusted("-5.00"),
    }  # fmt: skip
    less = LESS | {"current_total_price": "17.00", "current_total_tax": "3.00"}
    order = told(**less, line_items=lines, refunds=[both])
    assert sums(order) == (2200, 0, 3400, 1700)


def test_goodwill_that_has_not_gone_back_yet_is_none() -> None:
    pending = GIVEN | {"transactions": [GONE | {"status": "pending"}], **adjusted("-5.00", "5.00")}
    paid = LESS | {"current_total_price": "34.00", "financial_status": "paid"}
    assert sums(told(**paid, refunds=[pending])) == (3400, 0, 3400, 0)


def test_a_total_that_no_goodwill_explains_still_disagrees() -> None:
    assert told(**LESS, refunds=[]).totals.rounding == -500
    kept = {"refund_line_items": [], "transactions": [], **adjusted("5.00")}
    assert told(**LESS, refunds=[kept]).totals.rounding == -500


def test_goodwill_in_another_currency_than_the_order_is_not_guessed() -> None:
    other = BARE | {"transactions": [GONE | {"currency": "EUR"}]}
    assert sums(told(**LESS, refunds=[other])) == (2900, -500, None, None)


def test_goodwill_of_a_buyer_in_another_currency_is_read_in_theirs() -> None:
    lines = payloads.shopify()["line_items"]
    for line in lines:
        line["price_set"] = payloads.both(line["price"], line["price"])
        line["tax_lines"][0]["price_set"] = payloads.both(
            line["tax_lines"][0]["price"], line["tax_lines"][0]["price"]
        )
    shipping = payloads.shopify()["shipping_lines"]
    shipping[0]["price_set"] = payloads.both("4.00", "4.00")
    refund = BARE | {"transactions": [GONE | {"currency": "EUR", "amount": "6.00"}]}
    refund["order_adjustments"] = [
        {"kind": "refund_discrepancy", "amount": "-5.00", "tax_amount": "0.00",
         "amount_set": payloads.both("-5.00", "-6.00"), "tax_amount_set": payloads.both("0.00")}
    ]  # fmt: skip
    order = told(
        **LESS, line_items=lines, shipping_lines=shipping, refunds=[refund],
        presentment_currency="EUR", total_price_set=payloads.both("34.00", "34.00"),
        current_total_price_set=payloads.both("29.00", "28.00"),
    )  # fmt: skip
    assert sums(order) == (3400, 0, 3400, 600)


@pytest.mark.parametrize("sent_first", [True, False])
def test_an_order_with_goodwill_is_sent_and_the_money_given_back_is_posted(
    sent_first: bool,
) -> None:
    places = Places({"main": fulfilment.Policy(carrier="self")}, {}, "main")
    till = Till(random.Random(1), places, "shop", "shopify", "1001")
    till.stock("TEE", 5)
    till.stock("MUG", 5)
    paid = payloads.shopify(total_outstanding="0.00", refunds=[])
    given = payloads.shopify(**LESS, refunds=[GIVEN], updated_at="2024-03-01T11:00:05+00:00")
    till.hear("orders/create", json.dumps(paid).encode())
    if sent_first:
        till.market.finish(NOW)
    till.hear("orders/updated", json.dumps(given).encode())
    till.market.finish(NOW)
    till.post()
    held = [one.event for one in till.market.log if isinstance(one.event, orders.OrderHeld)]
    waits = [one.event for one in till.market.log if isinstance(one.event, orders.OrderWaits)]
    assert (held, waits) == ([], [])
    assert till.market.left(f"order-{till.order}") == {
        line: units for line, units in _units(till).items() if units
    }
    assert [(one.amount, one.status) for one in till.payment.refunds.values()] == [(500, "made")]
    assert till.clearing() == 2900
    open_ = {name: n for name, n in till.ledger.short().items() if name[:4] in {"1200", "2100"}}
    assert (open_, till.held_back()) == ({}, [])


def _units(till: Till) -> dict[str, int]:
    found = till.market.orders()[f"order-{till.order}"]
    return {name: line.quantity for name, line in found.lines.items()}
