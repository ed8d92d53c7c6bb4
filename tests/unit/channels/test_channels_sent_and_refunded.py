"""Units of a Shopify order that were sent and refunded stand for none that is still to go."""

import json
import random
from typing import Any

import pytest

from libs.contracts import orders
from services.channels.adapters import shopify
from services.fulfilment import shipment_commands as fulfilment
from services.fulfilment.process import Places
from services.orders import commands
from tests.property.channels.till import Till
from tests.unit.channels import payloads
from tests.unit.channels.payloads import order_of
from tests.unit.orders.samples import NOW

PLACES = Places({"main": fulfilment.Policy(carrier="self")}, {}, "main")


def refund(units: int, restock: str = "return", amount: str = "12.00") -> dict[str, Any]:
    row = {"line_item_id": 1, "quantity": units, "restock_type": restock, "subtotal": 10.0,
           "total_tax": 2.0}  # fmt: skip
    paid = {"kind": "refund", "status": "success", "amount": amount, "currency": "GBP"}
    return {"refund_line_items": [row], "transactions": [paid], "order_adjustments": []}


def sent(units: int, status: str = "success") -> dict[str, Any]:
    rows = [{"id": 1, "quantity": units}, {"id": 2, "quantity": 1}]
    return {"id": 7, "status": status, "line_items": rows}


def shop(quantity: int, current: int, total: str, at: int = 5, **changes: Any) -> dict[str, Any]:
    """An order of so many T-shirts in all, some of which it has still, and of one mug."""
    lines = payloads.shopify()["line_items"]
    lines[0] |= {"quantity": quantity, "current_quantity": current}
    lines[0]["tax_lines"][0]["price"] = f"{2 * quantity}.00"
    now = {"current_total_price": total, "total_outstanding": "0.00", "refunds": []}
    return payloads.shopify(
        updated_at=f"2024-03-01T10:00:{at:02d}+00:00", line_items=lines, **now | changes
    )


@pytest.mark.parametrize(
    ("quantity", "current", "gone", "refunds", "told"),
    [
        (2, 1, sent(2), [refund(1)], 1), (3, 2, sent(2), [refund(1)], 1),
        (2, 1, sent(1), [refund(1)], 1), (2, 1, sent(1), [refund(1, "cancel")], 0),
        (2, 1, sent(2), [refund(1, "no_restock")], 1), (2, 2, sent(2), [], 0),
        (2, 1, sent(2, "cancelled"), [refund(1)], 0), (3, 1, sent(2), [refund(2)], 2),
    ],
)  # fmt: skip
def test_what_shopify_says_of_units_that_were_sent_and_refunded(
    quantity: int, current: int, gone: dict[str, Any], refunds: list[Any], told: int
) -> None:
    payload = shop(quantity, current, "10.00", fulfillments=[gone], refunds=refunds)
    order = order_of(shopify, "orders/updated", payload)
    assert [(line.quantity, line.refunded_units) for line in order.lines] == [
        (current, told), (1, 0),
    ]  # fmt: skip


def heard(till: Till, *payloads_: dict[str, Any]) -> None:
    for one in payloads_:
        till.hear("orders/updated", json.dumps(one).encode())
        till.market.finish(NOW)


def test_a_unit_ordered_anew_after_another_was_refunded_is_sent() -> None:
    till = Till(random.Random(1), PLACES, "shop", "shopify", "1001")
    till.stock("TEE", 9)
    till.stock("MUG", 9)
    stream = f"order-{till.order}"
    fulfilled: dict[str, Any] = {"fulfillments": [sent(2)], "refunds": [refund(1)]}
    heard(till, shop(2, 2, "34.00"), shop(2, 1, "22.00", 6, **fulfilled))
    till.market.ask(stream, commands.DecideConcern("accept", None, "seller", NOW))
    till.market.finish(NOW)
    assert till.market.orders()[stream].completed
    before = dict(till.market.left(stream))
    heard(till, shop(3, 2, "34.00", 7, **fulfilled))
    after = till.market.left(stream)
    assert sorted(after[line] - units for line, units in before.items()) == [0, 1]
    assert till.market.orders()[stream].completed
    waits = [one.event for one in till.market.log if isinstance(one.event, orders.OrderWaits)]
    assert [one.reason for one in waits] == ["edit-too-late"]
    till.post()
    assert (till.clearing(), till.held_back()) == (3400, [])


def test_a_unit_that_waits_is_sent_though_the_one_before_it_was_refunded() -> None:
    till = Till(random.Random(2), PLACES, "shop", "shopify", "1001")
    till.shortage = "split"
    till.stock("TEE", 1)
    till.stock("MUG", 9)
    stream = f"order-{till.order}"
    fulfilled: dict[str, Any] = {"fulfillments": [sent(1)], "refunds": [refund(1)]}
    heard(till, shop(2, 2, "34.00"), shop(2, 1, "22.00", 6, **fulfilled))
    assert sorted(till.market.left(stream).values()) == [1, 1]
    till.stock("TEE", 9, "later")
    till.market.finish(NOW)
    assert sorted(till.market.left(stream).values()) == [1, 2]
