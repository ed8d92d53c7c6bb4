"""The two currencies of a Shopify order (the buyer's and the shop's), its totals, its money. Pure.

Source: shopify.dev, Order: `total_price` stands as placed, `current_total_price` follows edits and
refunds; `total_outstanding` is not transacted yet, negative where the shop owes it to the buyer,
and told in the shop's currency alone.
Refund: an order adjustment (but for `shipping_refund`, of older versions) is what the lines and
the shipping refunded come to less what was paid back: negative where more went back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.contracts import common
from services.channels.adapters import amounts
from services.channels.adapters import parsing as read
from services.channels.adapters.neutral import Taken

Json = Mapping[str, Any]
_TOOK = frozenset({"paid", "part_paid", "part_refunded", "refunded"})
_NAMED = (
    "refund_line_items", "refund_shipping_lines", "order_adjustments", "refund_duties", "duties",
)  # fmt: skip


class Side(msgspec.Struct, frozen=True):
    """Which of Shopify's amounts to read: plain fields, or a money set's side."""

    currency: str
    money: str | None = None

    def value(self, data: Json, name: str) -> Any:
        """Return the raw amount of a field, None where it is absent."""
        return data.get(name) if self.money is None else self.of_set(data, f"{name}_set")

    def of_set(self, data: Json, name: str) -> Any:
        """Return the raw amount of a money set, None where it is absent."""
        return self.of_both(read.record(data, name))

    def of_both(self, both: Json) -> Any:
        """Return the raw amount out of the two currencies' amounts, None where it is absent."""
        return read.record(both, self.money or "shop_money").get("amount")

    def amount(self, data: Json, name: str, *, needed: bool = False) -> int:
        """Return the minor units of a field, 0 where it is absent and not needed."""
        value = self.value(data, name)
        if value is None and not needed:
            return 0
        return read.money(value, self.currency, name)


def sides(data: Json) -> tuple[Side, Side | None]:
    """Return the buyer's side and, where its currency is another one, the shop's."""
    shop = read.currency_code(data, "currency")
    presented = read.text(data, "presentment_currency").upper() or shop
    sets = read.record(data, "total_price_set")
    if presented == shop or not read.record(sets, "presentment_money"):
        return Side(shop), None
    buyer = read.currency_code(data, "presentment_currency")
    return Side(buyer, "presentment_money"), Side(shop, "shop_money")


def current(data: Json, name: str, side: Side, *, needed: bool = False) -> int:
    """Return the current total of this name, or the first one where there is no current."""
    if side.value(data, f"current_{name}") is not None:
        return side.amount(data, f"current_{name}")
    return side.amount(data, name, needed=needed)


def units_left(item: Json) -> int:
    """Return the units of a line after edits and refunds, or the first ones."""
    return read.quantity(item, "current_quantity" if "current_quantity" in item else "quantity")


def totals(
    data: Json, side: Side, lines: Sequence[common.OrderLine], charges: Sequence[common.Charge]
) -> common.Totals:
    """Return Shopify's totals; what was given back as goodwill made nothing cheaper.

    Its current total may be less by it; that one counts which the parts come nearer to.
    """
    parts = [line.amounts for line in lines] + [charge.amounts for charge in charges]
    told, whole = _current_total(data, side), sum(amounts.cost(one) for one in parts)
    before = told + max(_goodwill(data, side), 0)
    return amounts.totals(
        parts,
        net=current(data, "subtotal_price", side),
        discount=current(data, "total_discounts", side),
        charges=sum(charge.amounts.net for charge in charges),
        tax=current(data, "total_tax", side),
        total=min(told, before, key=lambda total: abs(total - whole)),
    )


def _current_total(data: Json, side: Side) -> int:
    return current(data, "total_price", side, needed=True)


def _goodwill(data: Json, side: Side) -> int:
    """Return what went back on nothing in particular, over all refunds."""
    return sum(_of_nothing(one, side) for one in read.records(data, "refunds"))


def _of_nothing(refund: Json, side: Side) -> int:
    if not any(refund.get(part) for part in _NAMED):
        return _back(refund, side)
    return -sum(
        side.amount(one, part)
        for one in read.records(refund, "order_adjustments")
        if one.get("kind") != "shipping_refund"
        for part in ("amount", "tax_amount")
    )


def _back(refund: Json, side: Side) -> int:
    """Return what a refund brought the buyer in this currency."""
    return sum(
        read.amount(one, "amount", side.currency, needed=True)
        for one in _gone(refund)
        if _currency(one, side) == side.currency
    )


def _gone(refund: Json) -> list[Json]:
    return [
        one
        for one in read.records(refund, "transactions")
        if (one.get("kind"), one.get("status")) == ("refund", "success")
    ]


def _currency(transaction: Json, side: Side) -> str:
    return read.text(transaction, "currency", side.currency)


def taken(data: Json, side: Side, funds: common.Funds) -> Taken:
    """Return what Shopify took in all and what it gave back; nothing where it does not say.

    What it has is the current total less what is outstanding, whatever the order cost before.
    """
    outstanding = _outstanding(data, side)
    if funds not in _TOOK or outstanding is None:
        return None, None
    refunds = read.records(data, "refunds")
    gone = [one for refund in refunds for one in _gone(refund)]
    if any(_currency(one, side) != side.currency for one in gone):
        return None, None
    back = sum(_back(refund, side) for refund in refunds)
    kept = _current_total(data, side) - outstanding
    return (None, None) if kept < 0 else (kept + back, back)


def _outstanding(data: Json, side: Side) -> int | None:
    """Return what is outstanding in this currency: 0 in the shop's own is 0 in any."""
    if side.value(data, "total_outstanding") is not None:
        return side.amount(data, "total_outstanding")
    told = data.get("total_outstanding")
    return 0 if told is not None and not read.decimal(told, "total_outstanding") else None
