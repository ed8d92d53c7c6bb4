"""What a Shopify order costs beside its lines: shipping, and what crossing a border adds. Pure.

Source: shopify.dev. ShippingLine: `price` stands as placed, `current_discounted_price_set` is what
refunds and discounts left of it. Refund (older payloads): an order adjustment of the kind
`shipping_refund` has the price given back and, apart, its tax; `refund_shipping_lines` tell the
same once more, without the tax. Order: `original_total_duties_set`, `current_total_duties_set`;
`duties_included`: the subtotal holds them. LineItem: `duties`, each with its tax lines.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import common
from libs.values.money import split
from services.channels.adapters import amounts
from services.channels.adapters import parsing as read
from services.channels.adapters.shopify_money import Side, units_left

Json = Mapping[str, Any]
Priced = tuple[int, tuple[common.Discount, ...], tuple[common.TaxLine, ...]]
_ADDED: Sequence[tuple[common.ChargeKind, str]] = (
    ("duty", "total_duties_set"), ("fee", "total_additional_fees_set"),
)  # fmt: skip


class _Tax(msgspec.Struct, frozen=True):
    title: str
    rate: str
    by: common.CollectedBy


def shipped(
    data: Json, side: Side, lines: Sequence[Json], priced: Sequence[Priced]
) -> tuple[common.Charge, ...]:
    """Return the shipping charges, less what was refunded of them."""
    nets = [gross - sum(one.amount for one in discounts) for gross, discounts, _ in priced]
    left = _left(data, side, lines, nets)
    return tuple(
        _charge("shipping", read.free_text(line, "code")[:100], _less(one, net, now))
        for line, one, net, now in zip(lines, priced, nets, left, strict=True)
    )


def _left(data: Json, side: Side, lines: Sequence[Json], nets: list[int]) -> list[int]:
    """Return what is left of each net price; a shop of an older version tells the sum at most."""
    told = [side.of_set(line, "current_discounted_price_set") for line in lines]
    if None not in told:
        now = [read.money(one, side.currency, "current_discounted_price_set") for one in told]
        return [min(one, net) for one, net in zip(now, nets, strict=True)]
    back = sum(_given_back(data, one, side) for one in read.records(data, "refunds"))
    return split(max(sum(nets) - back, 0), nets) if back > 0 else nets


def _given_back(data: Json, refund: Json, side: Side) -> int:
    """Return what a refund took off shipping, as prices are: with taxes where they include them."""
    parts = ("amount", "tax_amount") if read.flag(data, "taxes_included") else ("amount",)
    adjusted = [
        one
        for one in read.records(refund, "order_adjustments")
        if one.get("kind") == "shipping_refund"
    ]
    if adjusted:
        return -sum(side.amount(one, part) for one in adjusted for part in parts)
    return sum(
        read.money(side.of_set(one, "subtotal_amount_set"), side.currency, "subtotal_amount_set")
        for one in read.records(refund, "refund_shipping_lines")
    )


def _less(priced: Priced, net: int, left: int) -> Priced:
    """Return a price of which so much is left, its discounts and taxes in proportion."""
    if left >= net:
        return priced
    _, discounts, taxes = priced
    discounts, taxes = (
        tuple(replace(one, amount=amounts.part(one.amount, left, net)) for one in discounts),
        tuple(replace(one, amount=amounts.part(one.amount, left, net)) for one in taxes),
    )
    return left + sum(one.amount for one in discounts), discounts, taxes


def border(data: Json, side: Side) -> tuple[common.Charge, ...]:
    """Return duties and further fees of an order that crosses a border, as they are now.

    Duties that the prices include are the shop's own cost and no charge to the buyer.
    """
    found = []
    for kind, name in _ADDED:
        told = [side.of_set(data, f"{when}_{name}") for when in ("current", "original")]
        now = next((one for one in told if one is not None), None)
        amount = 0 if now is None else read.money(now, side.currency, name)
        if amount and not (kind == "duty" and read.flag(data, "duties_included")):
            taxes = _duty_taxes(data, side, amount) if kind == "duty" else ()
            found.append(_charge(kind, kind, (amount, (), taxes)))
    return tuple(found)


def _duty_taxes(data: Json, side: Side, amount: int) -> tuple[common.TaxLine, ...]:
    """Return the taxes on so much of the duties: those of the units left, else of the first ones.

    The amounts of single duties and of their taxes may be finer than the currency.
    """
    listed, taxes = _listed(data, side, placed=False)
    if amounts.product(listed, 1, side.currency) < amount:  # units went, their duty did not
        listed, taxes = _listed(data, side, placed=True)
    whole = max(amounts.product(listed, 1, side.currency), amount)
    return tuple(
        common.TaxLine(
            jurisdiction=tax.title, rate=tax.rate, collected_by=tax.by,
            included=read.flag(data, "taxes_included"),
            amount=amounts.part(amounts.product(value, 1, side.currency), amount, whole),
        )
        for tax, value in taxes.items()
    )  # fmt: skip


def _listed(data: Json, side: Side, *, placed: bool) -> tuple[Decimal, Mapping[_Tax, Decimal]]:
    """Sum the duties of the lines and the taxes on them, as placed or of the units left."""
    duties, taxes = Decimal(0), defaultdict[_Tax, Decimal](Decimal)
    for item in read.records(data, "line_items"):
        ordered, left = read.quantity(item, "quantity"), units_left(item)
        share = Decimal(1) if placed or left >= ordered else Decimal(left) / ordered
        for duty in read.records(item, "duties"):
            duties += share * read.decimal(side.of_both(duty), "duties")
            for one in read.records(duty, "tax_lines"):
                tax = _Tax(
                    read.free_text(one, "title")[:100],
                    read.plain(read.decimal(one.get("rate"), "rate")),
                    "channel" if one.get("channel_liable") is True else "seller",
                )
                taxes[tax] += share * read.decimal(side.value(one, "price"), "price")
    return duties, taxes


def _charge(kind: common.ChargeKind, word: str, priced: Priced) -> common.Charge:
    return common.Charge(
        kind=kind, kind_word=word or kind, amounts=amounts.amounts(*priced), discounts=priced[1]
    )
