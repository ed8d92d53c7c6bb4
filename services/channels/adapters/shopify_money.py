"""The two currencies of a Shopify order (the buyer's and the shop's) and its totals. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.contracts import common
from services.channels.adapters import amounts
from services.channels.adapters import parsing as read

Json = Mapping[str, Any]


class Side(msgspec.Struct, frozen=True):
    """Which of Shopify's amounts to read: plain fields, or a money set's side."""

    currency: str
    money: str | None = None

    def value(self, data: Json, name: str) -> Any:
        """Return the raw amount of a field, None where it is absent."""
        if self.money is None:
            return data.get(name)
        return read.record(read.record(data, f"{name}_set"), self.money).get("amount")

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
