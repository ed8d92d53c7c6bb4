"""The lines, charges and totals of our own store's orders, less what was cancelled. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from msgspec.structs import replace

from libs.contracts import common
from services.channels.adapters import amounts
from services.channels.adapters import parsing as read
from services.channels.adapters.neutral import Terms, line_id

Json = Mapping[str, Any]
Lines = tuple[common.OrderLine, ...]
_KINDS = frozenset(get_args(common.LineKind))
_CHARGES = frozenset(get_args(common.ChargeKind))


def lines_left(data: Json, external_id: str, terms: Terms, currency: str) -> tuple[Lines, Lines]:
    """Read the lines as first given, and what is left of them."""
    gone: defaultdict[str, int] = defaultdict(int)
    for one in read.records(data, "cancellations"):
        gone[read.identifier(one, "line_id")] += read.quantity(one, "quantity")
    given = tuple(_line(item, external_id, terms, currency) for item in read.records(data, "lines"))
    left = (_left(line, line.quantity - gone[line.external_line_id]) for line in given)
    return given, tuple(line for line in left if line.quantity > 0)


def charges(data: Json, currency: str) -> tuple[common.Charge, ...]:
    """Read the charges."""
    found = []
    for one in read.records(data, "charges"):
        word = read.text(one, "kind")[:60]
        kind = word.replace("-", "_")
        cost, shares = _amounts(one, currency)
        found.append(
            common.Charge(
                kind=kind if kind in _CHARGES else "unknown",  # type: ignore[arg-type]
                kind_word=word,
                amounts=cost,
                discounts=shares,
            )
        )
    return tuple(found)


def order_discounts(data: Json, currency: str) -> tuple[common.Discount, ...]:
    """Read the order's discounts as given; their shares stand in the lines."""
    return _discounts(data, currency)


def totals(
    data: Json, currency: str, given: Lines, left: Lines, beside: Sequence[common.Charge]
) -> common.Totals:
    """Return the store's totals less what the cancelled units cost; rounding is of the first."""
    said = read.record(data, "totals")
    before, after = ([line.amounts for line in lines] for lines in (given, left))
    other = [charge.amounts for charge in beside]
    kept = sum(one.net for one in before) - sum(one.net for one in after)
    taxes = sum(map(amounts.tax_of, before)) - sum(map(amounts.tax_of, after))
    gone = sum(map(amounts.cost, before)) - sum(map(amounts.cost, after))
    less = sum(one.discount for one in before) - sum(one.discount for one in after)
    charged = sum(one.net for one in other)
    return amounts.totals(
        [*after, *other],
        net=read.amount(said, "net", currency) - charged - kept,
        discount=read.amount(said, "discount", currency) - less,
        charges=charged,
        tax=read.amount(said, "tax", currency) - taxes,
        total=read.amount(said, "total", currency, needed=True) - gone,
    )


def _discounts(data: Json, currency: str) -> tuple[common.Discount, ...]:
    return tuple(
        common.Discount(
            code=read.free_text(one, "code")[:100] or None,
            amount=read.amount(one, "amount", currency, needed=True),
            allocated_by="channel",
        )
        for one in read.records(data, "discounts")
    )


def _amounts(item: Json, currency: str) -> tuple[common.Amounts, tuple[common.Discount, ...]]:
    net = read.amount(item, "net", currency, needed=True)
    tax = read.amount(item, "tax", currency)
    rate = read.plain(read.decimal(item.get("tax_rate"), "tax_rate"))
    shares = _discounts(item, currency)
    taxes = (
        common.TaxLine(
            jurisdiction=read.text(item, "tax_jurisdiction")[:100], rate=rate, amount=tax,
            included=False, collected_by="seller",
        ),
    ) if tax or rate != "0" else ()  # fmt: skip
    return amounts.amounts(net + sum(one.amount for one in shares), shares, taxes), shares


def _line(item: Json, external_id: str, terms: Terms, currency: str) -> common.OrderLine:
    own = read.identifier(item, "id")
    sku = read.text(item, "sku")[:200]
    word = read.text(item, "kind", "goods")[:60]
    kind = word.replace("-", "_")
    cost, shares = _amounts(item, currency)
    listing = read.optional_identifier(item, "listing_id")
    return common.OrderLine(
        line_id=line_id(terms, external_id, own), external_line_id=own,
        listing_id=listing or _listing(sku, kind, f"line:{external_id}:{own}"),
        channel_sku=sku, sku=None, units_per_listing=1, components=(),
        kind=kind if kind in _KINDS else "unknown",  # type: ignore[arg-type]
        kind_word=word, quantity=read.quantity(item, "quantity"), fulfilled_by="us",
        requires_shipping=read.flag(item, "requires_shipping", kind == "goods"),
        title=read.free_text(item, "title")[:200],
        unit_price=read.plain(read.decimal(item.get("unit_price"), "unit_price")),
        amounts=cost, discounts=shares, settlement_amounts=None,
    )  # fmt: skip


def _listing(sku: str, kind: str, alone: str) -> str:
    """Name a line's listing where the store does not: by its SKU, or goods by the line itself."""
    if sku.strip():
        return f"sku:{sku.strip().upper()[:120]}"
    return alone if kind == "goods" else ""


def _left(line: common.OrderLine, left: int) -> common.OrderLine:
    if left == line.quantity or left <= 0:
        return replace(line, quantity=max(left, 0))
    of, whole = line.quantity, line.amounts
    shares = tuple(
        replace(one, amount=amounts.part(one.amount, left, of)) for one in line.discounts
    )
    taxes = [replace(one, amount=amounts.part(one.amount, left, of)) for one in whole.taxes]
    found = amounts.amounts(amounts.part(whole.gross, left, of), shares, taxes)
    return replace(line, quantity=left, amounts=found, discounts=shares)
