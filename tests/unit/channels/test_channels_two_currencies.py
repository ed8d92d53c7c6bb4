"""A shop in pounds that sells in euros: what was taken and given back, in the buyer's currency.

Shopify tells `total_outstanding` in the shop's currency alone: 0 is 0 in any.
"""

import json
import random
from typing import Any

from libs.contracts import common
from services.channels.adapters import shopify
from services.fulfilment import shipment_commands as fulfilment
from services.fulfilment.process import Places
from tests.property.channels.till import Till
from tests.unit.channels import payloads
from tests.unit.channels.payloads import both

LATER, LAST = "2024-03-01T11:00:05+00:00", "2024-03-02T11:00:05+00:00"


def euros(**changes: Any) -> dict[str, Any]:
    """The usual basket, sold for euros at a rate of 1.2 and paid."""
    order = payloads.shopify(refunds=[])
    for line in order["line_items"]:
        line["price_set"] = _both(line["price"])
        line["tax_lines"][0]["price_set"] = _both(line["tax_lines"][0]["price"])
    order["shipping_lines"][0]["price_set"] = _both("4.00")
    totals = {
        f"{name}_set": _both(order[name]) for name in ("total_price", "subtotal_price", "total_tax")
    }
    return order | totals | {"presentment_currency": "EUR", "total_outstanding": "0.00"} | changes


def cheaper(outstanding: str, *refunds: Any) -> dict[str, Any]:
    """One T-shirt of two is taken back: 12.00 with its tax, 14.40 in euros."""
    order = euros(updated_at=LATER, total_outstanding=outstanding, refunds=list(refunds))
    order["line_items"][0]["current_quantity"] = 1
    return order | {
        "current_total_price": "22.00", "current_total_price_set": _both("22.00"),
        "current_subtotal_price_set": _both("15.00"), "current_total_tax_set": _both("3.00"),
        "financial_status": "partially_refunded" if refunds else "paid",
    }  # fmt: skip


def _both(pounds: str) -> dict[str, Any]:
    return both(pounds, f"{float(pounds) * 1.2:.2f}")


def back(amount: str, currency: str = "EUR") -> dict[str, Any]:
    gone = {"kind": "refund", "status": "success", "amount": amount, "currency": currency}
    row = {"line_item_id": 1, "quantity": 1, "restock_type": "cancel"}
    return {"id": 5, "refund_line_items": [row], "transactions": [gone]}


def money(payload: dict[str, Any]) -> tuple[int | None, ...]:
    order: common.Order = payloads.order_of(shopify, "orders/updated", payload)
    assert (order.currency, order.totals.rounding) == ("EUR", 0)
    return order.totals.total, order.received, order.refunded


def test_nothing_outstanding_is_nothing_in_euros() -> None:
    assert money(euros()) == (4080, 4080, 0)
    assert money(cheaper("0.00", back("14.40"))) == (2640, 4080, 1440)


def test_what_is_outstanding_in_pounds_says_nothing_in_euros() -> None:
    assert money(cheaper("-12.00")) == (2640, None, None)
    assert money(cheaper("0.00", back("12.00", "GBP"))) == (2640, None, None)


def paid_back(*steps: dict[str, Any]) -> tuple[int, list[tuple[int, str]]]:
    """What payments has taken in the end, and each refund with how it stands."""
    places = Places({"main": fulfilment.Policy(carrier="self")}, {}, "main")
    till = Till(random.Random(1), places, "shop", "shopify", "1001")
    till.stock("TEE", 5)
    till.stock("MUG", 5)
    for payload in steps:
        till.hear("orders/updated", json.dumps(payload).encode())
        till.market.settle()
    refunds = [(one.amount, one.status) for one in till.payment.refunds.values()]
    return sum(one.amount for one in till.payment.captures.values()), refunds


def test_a_refund_in_euros_is_asked_for_once_and_has_been_made() -> None:
    owed, refunded = cheaper("-12.00"), cheaper("0.00", back("14.40"))
    refunded["updated_at"] = LAST
    for steps in ((euros(), owed, refunded), (euros(), refunded), (refunded,)):
        assert paid_back(*steps) == (4080, [(1440, "made")])


def test_goodwill_in_euros_is_money_that_went_back() -> None:
    gone = back("6.00")["transactions"]
    given = euros(
        updated_at=LATER, financial_status="partially_refunded",
        refunds=[{"id": 6, "refund_line_items": [], "transactions": gone}],
        current_total_price_set=_both("29.00"),
    )  # fmt: skip
    assert paid_back(euros(), given) == (4080, [(600, "made")])
