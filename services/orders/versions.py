"""Compares whole versions of an order: what changed by line, and what stays cancelled. Pure."""

import hashlib
from collections.abc import Iterable

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts import common
from services.orders.state import Line, Link, OrderState
from services.orders.units import inside

_NO_AMOUNTS = common.Amounts(gross=0, discount=0, net=0, taxes=())


def number(version: common.Version) -> tuple[int, int]:
    """Return a version as something that can be compared."""
    return (version.updated_at, version.counter)


def with_known(state: OrderState, order: common.Order) -> common.Order:
    """Return the version with what is known where its words are not understood.

    A status that a shop has made up ("packing") takes back neither a purchase nor its money.
    """
    if state.ended is not None or not state.committed:
        return order
    commitment = state.commitment if order.commitment == "unknown" else order.commitment
    return replace(order, commitment=commitment, funds=known_funds(state, order.funds))


def known_funds(state: OrderState, told: common.Funds) -> common.Funds:
    """Return what is known of a committed order's money, where it is told in unknown words."""
    kept = told == "unknown" and state.committed and state.ended is None
    return state.funds if kept else told


def with_links(state: OrderState, order: common.Order) -> common.Order:
    """Return the version with what we know of its lines: a link once learned stays.

    So do the parts of a kit that is defined anew: a line takes what it was sold as. Only another
    SKU, or other units per listing, is another link, and for units that may be in a parcel nothing
    is: they are reserved, packed or gone as what they were.
    """
    engaged = inside(state)
    lines = tuple(_linked(state, line, engaged.get(line.line_id, 0)) for line in order.lines)
    return order if lines == order.lines else replace(order, lines=lines)


def _linked(state: OrderState, line: common.OrderLine, engaged: int) -> common.OrderLine:
    known: Line | Link | None = state.lines.get(line.line_id)
    if known is None or known.sku is None:
        known = state.links.get(line.line_id) if line.sku is None else None
    if known is None or known.sku is None or (not engaged and _other_link(line, known)):
        return line
    return replace(
        line, sku=known.sku, units_per_listing=known.units_per_listing,
        components=known.components,
    )  # fmt: skip


def _other_link(line: common.OrderLine, known: Line | Link) -> bool:
    told = (line.sku, line.units_per_listing)
    return line.sku is not None and told != (known.sku, known.units_per_listing)


def ledger(before: Line | None, line: common.OrderLine) -> Line:
    """Return the line at this version, with the units of it that stay cancelled.

    A smaller quantity first echoes units that were cancelled already, so that nothing counts twice.
    """
    now = _line(line)
    if before is None:
        return now
    more = max(now.taken_back - before.taken_back, 0)  # they are no echo of what was cancelled
    still = still_cancelled(before.quantity, before.cancelled, line.quantity + more)
    return replace(
        now,
        cancelled=min(still, line.quantity),
        backordered=min(before.backordered, line.quantity),
        resent=before.resent,
        refunded=before.refunded,
    )


def still_cancelled(before: int, cancelled: int, now: int) -> int:
    """Return the cancelled units that the quantity `now` still counts."""
    return min(max(cancelled - max(before - now, 0), 0), now)


def _line(line: common.OrderLine) -> Line:
    amounts = line.amounts
    on_top = sum(tax.amount for tax in amounts.taxes if not tax.included)
    bare = replace(
        line, quantity=0, sku=None, units_per_listing=1, components=(), amounts=_NO_AMOUNTS,
        settlement_amounts=None,
    )  # fmt: skip
    return Line(
        external_line_id=line.external_line_id,
        quantity=line.quantity,
        sku=line.sku,
        components=line.components,
        units_per_listing=line.units_per_listing,
        goods=line.kind == "goods" and line.fulfilled_by == "us",
        shipping=line.requires_shipping and line.fulfilled_by == "us",
        value=amounts.net + on_top,
        amounts=f"{amounts.gross}-{amounts.discount}={amounts.net} tax {_taxes(amounts)}",
        kind=line.kind,
        ours=line.fulfilled_by == "us",
        needs_parcel=line.requires_shipping,
        taken_back=line.refunded_units,
        details=hashlib.sha256(msgspec.msgpack.encode(bare)).hexdigest()[:8],
    )


def _taxes(amounts: common.Amounts) -> str:
    return "+".join(f"{tax.amount}@{tax.rate}" for tax in amounts.taxes) or "0"


def at_version(state: OrderState, order: common.Order) -> Map[str, Line]:
    """Return the lines as this version has them, and lines that are gone but may be in parcels."""
    lines = {line.line_id: ledger(state.lines.get(line.line_id), line) for line in order.lines}
    for name in inside(state):
        if name not in lines and name in state.lines:
            lines[name] = replace(state.lines[name], quantity=0, cancelled=0, backordered=0,
                                  taken_back=0)  # fmt: skip
    return Map(lines)


def differences(state: OrderState, order: common.Order) -> tuple[common.Difference, ...]:
    """Return what this version changes, by line."""
    now = at_version(state, order)
    told, sent = {line.line_id for line in order.lines}, inside(state)
    gone = (
        common.Difference(line_id=name, field="removed", before=str(line.quantity), after="")
        for name, line in sorted(state.lines.items())
        if name not in told and (line.quantity or name not in sent)
    )
    changed = (
        found
        for line in order.lines
        for found in _compare(line.line_id, state.lines.get(line.line_id), now[line.line_id])
    )
    return (*changed, *gone)


def _compare(name: str, before: Line | None, now: Line) -> Iterable[common.Difference]:
    if before is None:
        yield common.Difference(line_id=name, field="added", before="", after=str(now.quantity))
        return
    fields = (
        ("quantity", str(before.quantity), str(now.quantity)),
        ("amounts", before.amounts, now.amounts),
        ("sku", before.sku or "", now.sku or ""),
        ("details", before.details, now.details),
    )
    for field, old, new in fields:
        if old != new:
            yield common.Difference(line_id=name, field=field, before=old, after=new)


def early(event_links: Map[str, Link], order: common.Order) -> Map[str, Link]:
    """Return the links whose lines are not in this version: they are still waited with."""
    for line in order.lines:
        if line.line_id in event_links:
            event_links = event_links.delete(line.line_id)
    return event_links
