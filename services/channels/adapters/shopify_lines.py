"""The lines and charges of a Shopify order, with their discounts and taxes. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from libs.contracts import common
from services.channels.adapters import amounts
from services.channels.adapters import parsing as read
from services.channels.adapters.neutral import Terms, line_id
from services.channels.adapters.shopify_charges import Priced, border, shipped
from services.channels.adapters.shopify_money import Side, current, units_left

Json = Mapping[str, Any]
_UNDONE = frozenset({"cancelled", "error", "failure"})  # fulfilments whose units wait again


def priced_parts(
    data: Json, external_id: str, terms: Terms, side: Side, settlement: Side | None
) -> tuple[tuple[common.OrderLine, ...], tuple[common.Charge, ...]]:
    """Read lines that still have units, and charges, in the buyer's currency."""
    items = read.records(data, "line_items")
    left = [units_left(item) for item in items]
    shipping = [
        one for one in read.records(data, "shipping_lines") if not read.flag(one, "is_removed")
    ]
    priced = _priced(data, items, left, shipping, side)
    settled = _priced(data, items, left, shipping, settlement) if settlement else None
    pos, gone = read.text(data, "source_name") == "pos", _sent_and_refunded(data)
    lines = tuple(
        _line(
            item, left[i], gone, terms, external_id, priced[i], settled[i] if settled else None,
            side, pos,
        )
        for i, item in enumerate(items)
        if left[i]
    )  # fmt: skip
    carried = shipped(data, side, shipping, priced[len(items) :])
    return lines, (*carried, *border(data, side))


def _priced(
    data: Json, items: Sequence[Json], left: Sequence[int], shipping: Sequence[Json], side: Side
) -> list[Priced]:
    """Gross, discounts and taxes of each line, then of each charge."""
    included = read.flag(data, "taxes_included")
    codes = [
        read.free_text(one, "code") or None for one in read.records(data, "discount_applications")
    ]
    found = [
        _line_money(item, side, codes, included, n) for item, n in zip(items, left, strict=True)
    ]
    found += [
        (
            side.amount(one, "price", needed=True),
            _discounts(one, side, codes, 1, 1),
            _taxes(one, side, included, 1, 1),
        )
        for one in shipping
    ]
    told = (*items, *read.records(data, "shipping_lines"))
    if not any(_discounted(one, side) for one in told):
        _share_discount(data, found, side, len(items))
    duties = [duty for one in items for duty in read.records(one, "duties")]
    if not any(read.records(duty, "tax_lines") for duty in duties):
        _share_taxes(data, found, side, included)
    return found


def _discounted(item: Json, side: Side) -> bool:
    """Say whether Shopify told a discount of this line or charge, be it gone by now."""
    shares = read.records(item, "discount_allocations")
    return bool(side.amount(item, "total_discount")) or any(
        side.amount(one, "amount") for one in shares
    )


def _line_money(
    item: Json, side: Side, codes: Sequence[str | None], included: bool, left: int
) -> Priced:
    ordered = max(read.quantity(item, "quantity"), left)
    price = read.decimal(side.value(item, "price"), "price")
    gross = amounts.product(price, left, side.currency)
    discounts = _discounts(item, side, codes, left, ordered)
    whole = side.amount(item, "total_discount")
    if not discounts and whole:
        share = amounts.part(whole, left, ordered)
        discounts = (common.Discount(code=None, amount=share, allocated_by="channel"),)
    return gross, discounts, _taxes(item, side, included, left, ordered)


def _discounts(
    item: Json, side: Side, codes: Sequence[str | None], left: int, ordered: int
) -> tuple[common.Discount, ...]:
    found = []
    for one in read.records(item, "discount_allocations"):
        index = one.get("discount_application_index")
        share = amounts.part(side.amount(one, "amount"), left, ordered)
        code = codes[index] if isinstance(index, int) and 0 <= index < len(codes) else None
        found.append(common.Discount(code=code, amount=share, allocated_by="channel"))
    return tuple(one for one in found if one.amount)


def _taxes(
    item: Json, side: Side, included: bool, left: int, ordered: int
) -> tuple[common.TaxLine, ...]:
    return tuple(
        common.TaxLine(
            jurisdiction=read.free_text(one, "title")[:100],
            rate=read.plain(read.decimal(one.get("rate"), "rate")),
            amount=amounts.part(side.amount(one, "price"), left, ordered),
            included=included,
            collected_by="channel" if one.get("channel_liable") is True else "seller",
        )
        for one in read.records(item, "tax_lines")
    )


def _share_discount(data: Json, found: list[Priced], side: Side, lines: int) -> None:
    """Share out a discount that Shopify told for the whole order only (older payloads)."""
    whole = current(data, "total_discounts", side)
    if whole > 0 and lines:
        codes = [read.free_text(one, "code") for one in read.records(data, "discount_codes")]
        code = codes[0] or None if codes else None
        shares = amounts.shared_discounts(whole, [gross for gross, _, _ in found[:lines]], code)
        for i, share in enumerate(shares):
            found[i] = (found[i][0], share, found[i][2])


def _share_taxes(data: Json, found: list[Priced], side: Side, included: bool) -> None:
    """Share out taxes that Shopify told for the whole order only (older payloads)."""
    taxes = _taxes(data, side, included, 1, 1)
    if taxes and found and not any(own for _, _, own in found):
        weights = [
            max(gross - sum(d.amount for d in discounts), 0) for gross, discounts, _ in found
        ]
        for i, own in enumerate(amounts.shared_taxes(taxes, weights)):
            found[i] = (found[i][0], found[i][1], own)


def _line(
    item: Json, left: int, gone: Mapping[str, int], terms: Terms, external_id: str, priced: Priced,
    settled: Priced | None, side: Side, pos: bool,
) -> common.OrderLine:  # fmt: skip
    own = read.identifier(item, "id")
    sku = read.text(item, "sku")[:200]
    kind, word = _kind(item)
    listing = (
        read.optional_identifier(item, "variant_id")
        or read.optional_identifier(item, "product_id")
        or (f"sku:{sku.strip().upper()[:120]}" if sku.strip() else "")
    )
    return common.OrderLine(
        line_id=line_id(terms, external_id, own), external_line_id=own, listing_id=listing,
        channel_sku=sku, sku=None, units_per_listing=1, components=(), kind=kind, kind_word=word,
        quantity=left, fulfilled_by=_fulfilled_by(item, pos),
        requires_shipping=read.flag(item, "requires_shipping", kind == "goods"),
        title=read.free_text(item, "title")[:200],
        unit_price=read.plain(read.decimal(side.value(item, "price"), "price")),
        amounts=amounts.amounts(*priced), discounts=priced[1],
        settlement_amounts=amounts.amounts(*settled) if settled else None,
        refunded_units=gone.get(own, 0),
    )  # fmt: skip


def _sent_and_refunded(data: Json) -> dict[str, int]:
    """Return the fulfilled units of each line that are none of those it has now.

    Those are units that came back; of others Shopify does not say whether they had been sent, but
    what was fulfilled beyond what the line has now must be such.
    """
    back = dict[str, int]()
    for one in read.records(data, "refunds"):
        rows = read.records(one, "refund_line_items")
        _count(back, [row for row in rows if row.get("restock_type") == "return"], "line_item_id")
    left = {read.identifier(one, "id"): units_left(one) for one in read.records(data, "line_items")}
    return {
        name: min(units, max(back.get(name, 0), units - left.get(name, 0)))
        for name, units in fulfilled_units(data).items()
    }


def fulfilled_units(data: Json) -> dict[str, int]:
    """Return the units of each line that have been sent, also those that came back."""
    sent = dict[str, int]()
    for one in read.records(data, "fulfillments"):
        if read.text(one, "status") not in _UNDONE:
            _count(sent, read.records(one, "line_items"), "id")
    return sent


def _count(found: dict[str, int], rows: Sequence[Json], name: str) -> None:
    for row in rows:
        line = read.identifier(row, name)
        found[line] = found.get(line, 0) + read.quantity(row, "quantity")


def _kind(item: Json) -> tuple[common.LineKind, str]:
    if read.flag(item, "gift_card"):
        return "gift_card", "gift_card"
    if item.get("tip"):
        return "tip", "tip"
    if not (item.get("variant_id") or item.get("product_id") or read.text(item, "sku").strip()):
        return "custom", "custom"
    if not read.flag(item, "requires_shipping", True):
        return "digital", "product without shipping"
    return "goods", "product"


def _fulfilled_by(item: Json, pos: bool) -> common.FulfilledBy:
    service = read.text(item, "fulfillment_service")
    if pos and read.text(item, "fulfillment_status") == "fulfilled":
        return "at_counter"
    return "us" if service in {"", "manual", "gift_card"} else "third_party"
