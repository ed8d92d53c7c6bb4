"""The two currencies of a Shopify order (the buyer's and the shop's), its totals, its money. Pure.

Source: shopify.dev, Order: `total_price` stands as placed, `current_total_price` follows edits and
refunds; `total_outstanding` is not transacted yet, negative where the shop owes it to the buyer.
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
    """Return Shopify's totals."""
    parts = [line.amounts for line in lines] + [charge.amounts for charge in charges]
    return amounts.totals(
        parts,
        net=current(data, "subtotal_price", side),
        discount=current(data, "total_discounts", side),
        charges=sum(charge.amounts.net for charge in charges),
        tax=current(data, "total_tax", side),
        total=current(data, "total_price", side, needed=True),
    )


def taken(data: Json, side: Side, funds: common.Funds, total: int) -> Taken:
    """Return what Shopify took in all and what it gave back; nothing where it does not say.

    What it has is the current total less what is outstanding, whatever the order cost before.
    """
    if funds not in _TOOK or side.value(data, "total_outstanding") is None:
        return None, None
    gone = [
        one
        for refund in read.records(data, "refunds")
        for one in read.records(refund, "transactions")
        if (one.get("kind"), one.get("status")) == ("refund", "success")
    ]
    if any(read.text(one, "currency", side.currency) != side.currency for one in gone):
        return None, None
    back = sum(read.amount(one, "amount", side.currency, needed=True) for one in gone)
    kept = total - side.amount(data, "total_outstanding")
    return (None, None) if kept < 0 else (kept + back, back)
