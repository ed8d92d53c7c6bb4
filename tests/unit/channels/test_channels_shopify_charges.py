"""What a Shopify order costs beside its lines: duties, fees, and shipping that was refunded."""

from typing import Any

import pytest

from libs.contracts import channels, common
from services.channels.adapters import shopify
from services.channels.adapters.parsing import ChannelDataError
from tests.unit.channels import payloads
from tests.unit.channels.memory import Shop
from tests.unit.channels.payloads import VAT, both, duty


def crossing(**changes: Any) -> dict[str, Any]:
    """The order of `payloads`, with duties of 6.00 and 1.50 and 20 % tax on them: 43.00 in all."""
    order = payloads.shopify(
        duties_included=False, original_total_duties_set=both("7.50"), total_tax="6.50",
        current_total_duties_set=both("7.50"), total_price="43.00",
    )  # fmt: skip
    order["line_items"][0]["duties"] = [duty(1, "6.00", "1.200")]
    order["line_items"][1]["duties"] = [duty(2, "1.00", "0.200"), duty(3, "0.50", "0.100")]
    return order | changes


def cut(order: dict[str, Any], *left: int) -> dict[str, Any]:
    """The order with so many units left of its lines."""
    for item, units in zip(order["line_items"], left, strict=True):
        item["current_quantity"] = units
    return order


def read(payload: dict[str, Any]) -> common.Order:
    return payloads.order_of(shopify, "orders/updated", payload)


def charged(order: common.Order) -> list[tuple[str, int, list[int]]]:
    return [
        (one.kind, one.amounts.net, [tax.amount for tax in one.amounts.taxes])
        for one in order.charges
    ]


def test_duties_are_a_charge_of_their_own_kind_with_their_taxes() -> None:
    order = read(crossing())
    assert charged(order) == [("shipping", 400, []), ("duty", 750, [150])]
    tax = order.charges[1].amounts.taxes[0]
    assert (tax.jurisdiction, tax.rate, tax.collected_by) == ("VAT", "0.2", "seller")
    assert (order.totals.total, order.totals.charges, order.totals.rounding) == (4300, 1150, 0)
    assert [line.amounts.net for line in order.lines] == [2000, 500]


def test_an_order_without_duties_has_no_charge_for_them() -> None:
    none = {"original_total_duties_set": None, "current_total_duties_set": None}
    assert charged(read(payloads.shopify(**none))) == [("shipping", 400, [])]
    zero = {"original_total_duties_set": both("0.00"), "current_total_duties_set": both("0.00")}
    assert charged(read(payloads.shopify(**zero))) == [("shipping", 400, [])]


def test_taxes_on_duties_alone_are_no_taxes_of_the_goods() -> None:
    exempt = crossing(total_price="38.00", total_tax="1.50", tax_lines=[VAT | {"price": "1.50"}])
    for item in exempt["line_items"]:
        item["tax_lines"] = []
    order = read(exempt)
    assert charged(order) == [("shipping", 400, []), ("duty", 750, [150])]
    assert [line.amounts.taxes for line in order.lines] == [(), ()]
    assert order.totals.rounding == 0


def test_the_first_duties_count_where_the_current_ones_are_not_told() -> None:
    order = crossing()
    del order["current_total_duties_set"]
    assert (read(order).totals.rounding, charged(read(order))[1]) == (0, ("duty", 750, [150]))


def test_duties_go_with_their_units() -> None:
    gone = cut(crossing(
        current_total_duties_set=both("3.00"), current_total_price="19.60",
        current_total_tax="2.60", current_subtotal_price="10.00",
    ), 1, 0)  # fmt: skip
    order = read(gone)
    assert charged(order) == [("shipping", 400, []), ("duty", 300, [60])]
    assert (order.totals.total, order.totals.rounding) == (1960, 0)


@pytest.mark.parametrize(
    ("left", "duties", "tax", "price", "expected"),
    [((2, 1), "0.00", "5.00", "34.00", []),  # refunded, and no unit with them
     ((2, 1), "3.75", "5.75", "38.50", [("duty", 375, [75])]),
     ((2, 0), "7.50", "5.50", "37.00", [("duty", 750, [150])])],  # kept, though its unit went
)  # fmt: skip
def test_duties_are_refunded_apart_from_units(
    left: Any, duties: str, tax: str, price: str, expected: Any
) -> None:
    told = cut(crossing(current_total_duties_set=both(duties), current_total_tax=tax,
                        current_total_price=price), *left)  # fmt: skip
    order = read(told)
    assert charged(order)[1:] == expected
    assert order.totals.rounding == 0


def test_duties_that_the_prices_include_are_no_charge() -> None:
    order = read(payloads.shopify(duties_included=True, current_total_duties_set=both("7.50")))
    assert (charged(order), order.totals.rounding) == ([("shipping", 400, [])], 0)


def test_further_fees_of_crossing_a_border_are_a_charge() -> None:
    order = read(crossing(current_total_additional_fees_set=both("1.25"), total_price="44.25"))
    assert charged(order)[1:] == [("duty", 750, [150]), ("fee", 125, [])]
    assert order.totals.rounding == 0


def test_duties_are_read_in_the_buyers_currency() -> None:
    item = payloads.shopify()["line_items"][0] | {
        "quantity": 1, "price_set": both("10.00", "12.50"), "tax_lines": [],
        "duties": [both("2.00", "2.50") | {
            "id": "1", "tax_lines": [VAT | {"price": "0.40", "price_set": both("0.40", "0.50")}],
        }],
    }  # fmt: skip
    order = read(payloads.shopify(
        presentment_currency="EUR", line_items=[item], shipping_lines=[],
        current_total_duties_set=both("2.00", "2.50"), total_tax_set=both("0.40", "0.50"),
        total_price_set=both("12.40", "15.50"), subtotal_price_set=both("10.00", "12.50"),
    ))  # fmt: skip
    assert (order.currency, charged(order)) == ("EUR", [("duty", 250, [50])])
    assert (order.totals.total, order.totals.rounding) == (1550, 0)


def taxed(*, included: bool = False, **shipping: Any) -> dict[str, Any]:
    """The order of `payloads` with 20 % tax on shipping, too, on top or included."""
    line = payloads.shopify()["shipping_lines"][0]
    tax = {"title": "VAT", "rate": 0.2, "price": "0.80"}
    line |= {"price": "4.80" if included else "4.00", "tax_lines": [tax]} | shipping
    order = payloads.shopify(shipping_lines=[line], taxes_included=included, total_tax="5.80",
                             total_price="34.80")  # fmt: skip
    if included:
        for item, price in zip(order["line_items"], ("12.00", "6.00"), strict=True):
            item["price"] = price
    return order


def shipping_refund(amount: str, tax: str, **more: Any) -> dict[str, Any]:
    """A refund of shipping as shops of older versions tell it, with a pair that is none."""
    adjustments = [
        {"kind": "shipping_refund", "amount": f"-{amount}", "tax_amount": f"-{tax}"},
        {"kind": "refund_discrepancy", "amount": amount, "tax_amount": tax},
        {"kind": "refund_discrepancy", "amount": f"-{amount}", "tax_amount": f"-{tax}"},
    ]
    return {"transactions": [], "order_adjustments": adjustments} | more


HALF = {"current_total_price": "32.40", "current_total_tax": "5.40"}


@pytest.mark.parametrize("included", [False, True])
def test_shipping_that_was_refunded_in_part_is_owed_no_more(included: bool) -> None:
    left = "2.40" if included else "2.00"
    now = taxed(included=included, current_discounted_price_set=both(left)) | HALF
    order = read(now)
    assert charged(order) == [("shipping", 240 if included else 200, [40])]
    assert (order.totals.total, order.totals.rounding) == (3240, 0)


@pytest.mark.parametrize("included", [False, True])
def test_a_shop_of_an_older_version_tells_refunded_shipping_by_its_adjustment(
    included: bool,
) -> None:
    again = {"refund_shipping_lines": [{"id": 5, "subtotal_amount_set": both("2.00")}]}
    for refund in (shipping_refund("2.00", "0.40"), shipping_refund("2.00", "0.40", **again)):
        order = read(taxed(included=included) | HALF | {"refunds": [refund]})
        assert charged(order) == [("shipping", 240 if included else 200, [40])]
        assert order.totals.rounding == 0


def test_refunded_shipping_lines_count_where_no_adjustment_tells_them() -> None:
    refund = {"refund_shipping_lines": [{"id": 5, "subtotal_amount_set": both("2.00")}]}
    order = read(taxed() | HALF | {"refunds": [refund]})
    assert (charged(order), order.totals.rounding) == ([("shipping", 200, [40])], 0)


def test_shipping_that_was_refunded_whole_costs_nothing() -> None:
    none = {"current_total_price": "30.00", "current_total_tax": "5.00"}
    for told in (
        taxed(current_discounted_price_set=both("0.00")),
        taxed() | {"refunds": [shipping_refund("4.00", "0.80")]},
    ):
        order = read(told | none)
        assert (charged(order), order.totals.rounding) == ([("shipping", 0, [0])], 0)


def test_a_discount_of_shipping_shrinks_with_it() -> None:
    discounted = {"discount_allocations": [{"amount": "1.00", "discount_application_index": 0}]}
    line = payloads.shopify()["shipping_lines"][0] | discounted
    line["current_discounted_price_set"] = both("1.50")
    order = read(payloads.shopify(shipping_lines=[line], total_price="33.00",
                                  current_total_price="31.50"))  # fmt: skip
    (charge,) = order.charges
    assert (charge.amounts.gross, charge.amounts.discount, charge.amounts.net) == (200, 50, 150)
    assert [one.amount for one in charge.discounts] == [50]
    assert order.totals.rounding == 0


def test_of_several_shipping_lines_each_says_what_is_left_of_it() -> None:
    first, second = (
        payloads.shopify()["shipping_lines"][0] | {"current_discounted_price_set": both(left)}
        for left in ("4.00", "1.00")
    )
    order = read(payloads.shopify(shipping_lines=[first, second], total_price="38.00",
                                  current_total_price="35.00"))  # fmt: skip
    assert [net for _, net, _ in charged(order)] == [400, 100]
    assert order.totals.rounding == 0


@pytest.mark.parametrize(
    "broken",
    [{"current_total_duties_set": both("much")}, {"current_total_duties_set": []},
     {"refunds": [{"order_adjustments": [{"kind": "shipping_refund", "amount": "x"}]}]},
     {"refunds": [{"refund_shipping_lines": [{"id": 1}]}]}],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_a_code(broken: Any) -> None:
    with pytest.raises(ChannelDataError) as refused:
        read(crossing() | broken)
    assert refused.value.code in {"malformed-amount", "malformed-order"}


async def test_through_the_door_duties_and_refunded_shipping_are_what_the_order_says() -> None:
    shop = Shop()
    await shop.deliver("shop", "orders/create", crossing())
    later = taxed(current_discounted_price_set=both("2.00")) | HALF | {
        "id": 1002, "total_outstanding": "0.00", "financial_status": "partially_refunded",
        "refunds": [shipping_refund("2.00", "0.40", transactions=[
            {"kind": "refund", "status": "success", "amount": "2.40", "currency": "GBP"},
        ])],
    }  # fmt: skip
    await shop.deliver("shop", "orders/updated", later)
    duties, shipping = (
        one.order for one in shop.events if isinstance(one, channels.ChannelOrderReceived)
    )
    assert (duties.totals.rounding, charged(duties)[1]) == (0, ("duty", 750, [150]))
    assert (shipping.totals.rounding, charged(shipping)) == (0, [("shipping", 200, [40])])
    assert (shipping.totals.total, shipping.received, shipping.refunded) == (3240, 3480, 240)
