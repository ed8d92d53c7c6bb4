"""The lines, shipping and fees of a WooCommerce order, with discounts and taxes. Pure."""

from collections.abc import Mapping
from typing import Any

from libs.contracts import common
from services.channels.adapters import amounts
from services.channels.adapters import parsing as read
from services.channels.adapters.neutral import Terms, line_id

Json = Mapping[str, Any]
_GIFT_CARD = "wc_gc_giftcard"  # WooCommerce Gift Cards marks its lines with keys of this prefix


def lines(
    data: Json, external_id: str, terms: Terms, currency: str
) -> tuple[common.OrderLine, ...]:
    """Read the lines that have units."""
    rates = _rates(data)
    coupons = read.records(data, "coupon_lines")
    code = read.free_text(coupons[0], "code")[:100] or None if len(coupons) == 1 else None
    return tuple(
        _line(item, external_id, terms, currency, rates, code)
        for item in read.records(data, "line_items")
        if read.quantity(item, "quantity")
    )


def charges(data: Json, currency: str) -> tuple[common.Charge, ...]:
    """Read shipping and fees; a fee may be negative."""
    rates = _rates(data)
    found = [
        _charge(one, "shipping", read.text(one, "method_id")[:100] or "shipping", currency, rates)
        for one in read.records(data, "shipping_lines")
    ]
    found += [
        _charge(one, "fee", "fee", currency, rates) for one in read.records(data, "fee_lines")
    ]
    return tuple(found)


def discounts(data: Json, currency: str) -> tuple[common.Discount, ...]:
    """Read the coupons as given; their shares stand in the lines."""
    return tuple(
        common.Discount(
            code=read.free_text(one, "code")[:100] or None,
            amount=read.amount(one, "discount", currency),
            allocated_by="channel",
        )
        for one in read.records(data, "coupon_lines")
    )


def _rates(data: Json) -> Mapping[str, Json]:
    return {
        read.text(one, "rate_id"): one
        for one in read.records(data, "tax_lines")
        if one.get("rate_id") is not None
    }


def _taxes(item: Json, currency: str, rates: Mapping[str, Json]) -> tuple[common.TaxLine, ...]:
    found = []
    for one in read.records(item, "taxes"):
        amount = read.amount(one, "total", currency)
        rate = rates.get(read.text(one, "id"), {})
        percent = read.decimal(rate.get("rate_percent"), "rate_percent")
        name = read.text(rate, "rate_code") or read.text(rate, "label")
        if amount or percent:
            found.append(_tax(name, read.plain(percent / 100), amount))
    whole = read.amount(item, "total_tax", currency)
    if not found and whole:
        found.append(_tax("", "0", whole))
    return tuple(found)


def _tax(name: str, rate: str, amount: int) -> common.TaxLine:
    return common.TaxLine(
        jurisdiction=name[:100], rate=rate, amount=amount, included=False, collected_by="seller"
    )


def _line(
    item: Json, external_id: str, terms: Terms, currency: str, rates: Mapping[str, Json],
    code: str | None,
) -> common.OrderLine:  # fmt: skip
    own = read.identifier(item, "id")
    units = read.quantity(item, "quantity")
    kind, word = _kind(item)
    net = read.amount(item, "total", currency, needed=True)
    gross = read.amount(item, "subtotal", currency) if item.get("subtotal") else net
    given = max(gross - net, 0)
    shares = (common.Discount(code=code, amount=given, allocated_by="channel"),) if given else ()
    found = amounts.amounts(net + given, shares, _taxes(item, currency, rates))
    return common.OrderLine(
        line_id=line_id(terms, external_id, own), external_line_id=own, listing_id=_listing(item),
        channel_sku=read.text(item, "sku")[:200], sku=None, units_per_listing=1, components=(),
        kind=kind, kind_word=word, quantity=units, fulfilled_by="us",
        requires_shipping=kind == "goods", title=read.free_text(item, "name")[:200],
        unit_price=read.plain(read.decimal(item.get("price"), "price")), amounts=found,
        discounts=shares, settlement_amounts=None,
    )  # fmt: skip


def _listing(item: Json) -> str:
    sku = read.text(item, "sku").strip().upper()
    return (
        read.optional_identifier(item, "variation_id")
        or read.optional_identifier(item, "product_id")
        or (f"sku:{sku[:120]}" if sku else "")
    )


def _kind(item: Json) -> tuple[common.LineKind, str]:
    keys = [one.get("key") for one in read.records(item, "meta_data")]
    if any(isinstance(key, str) and key.startswith(_GIFT_CARD) for key in keys):
        return "gift_card", "gift card"
    if item.get("virtual") is True or item.get("downloadable") is True:
        return "digital", "virtual"
    if not _listing(item):
        return "custom", "line without a product"
    return "goods", "line_item"


def _charge(
    line: Json, kind: common.ChargeKind, word: str, currency: str, rates: Mapping[str, Json]
) -> common.Charge:
    net = read.amount(line, "total", currency, needed=True)
    found = amounts.amounts(net, (), _taxes(line, currency, rates))
    return common.Charge(kind=kind, kind_word=word, amounts=found, discounts=())
