"""What orders shows: each order as it stands, and its history. Folded from its own events. Pure."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from libs.contracts import common, orders
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from services.orders.evolve import OrderEvent
from services.orders.progressing import progressed, queued
from services.orders.standing import DemandRow, HoldRow, LineRow, OrderRow, standing
from services.orders.state import BEFORE
from services.orders.versions import still_cancelled

_OURS = frozenset(get_args(OrderEvent))


def _order_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    return ((envelope.event.order_id,),) if type(envelope.event) in _OURS else ()


def _order(row: OrderRow | None, key: Key, envelope: Envelope[Any]) -> OrderRow | None:
    match envelope.event:
        case orders.OrderPlaced() as event:
            placed = OrderRow(
                order_id=str(key[0]), received_at=envelope.at, waits_until=event.decide_by
            )
            moved = _version(placed, event.order)
        case _ if row is None:  # a link that came before its order
            return None
        case event:
            moved = _moved(row, event, envelope.at)
    return standing(row, moved, envelope.at)


def _moved(row: OrderRow, event: Any, at: int) -> OrderRow:
    match event:
        case orders.OrderStockRecorded():
            return _answered(row, event)
        case orders.StockRequired():
            return _asked(row, event)
        case orders.OrderConfirmed():
            return _confirmed(row, event, at)
        case orders.OrderAmended():
            return _version(row, event.order)
        case orders.OrderWaits() as waits if waits.reason not in BEFORE:
            return queued(row, waits, at)
        case orders.OrderWaits(reason=reason):
            void = reason in {"out-of-stock", "decision-overdue"} and row.shortage != "split"
            return replace(
                row, waits_for=reason, at_risk=event.value_minor, waits_until=event.decide_by,
                confirmed_at=None if void else row.confirmed_at,
                lines=_sure(row.lines, none=void),
            )  # fmt: skip
        case orders.OrderFundsRecorded():
            return replace(row, funds=event.funds)
        case orders.OrderHeld():
            hold = HoldRow(event.reason, event.blocks, event.by, at, event.lines, event.until)
            return replace(row, holds=row.holds | {event.hold_id: hold})
        case orders.OrderReleased():
            left = {name: hold for name, hold in row.holds.items() if name != event.hold_id}
            return replace(row, holds=left)
        case orders.OrderLinesCancelled():
            return _cancelled(row, event)
        case orders.OrderReopened():
            if row.completed_at is not None:
                return replace(row, completed_at=None, completed_by="")
            back = {one.line_id: -one.quantity for one in event.lines}
            lines = _shifted(row.lines, back)
            return replace(row, lines=lines, ended=None, waits_for="", waits_until=event.decide_by)
        case orders.OrderLineResolved():
            found = {"sku": event.sku, "components": event.components}
            return replace(row, lines=_changed(row.lines, event.line_id, found))
        case orders.OrderLineBackordered():
            late = {"backordered": event.quantity}
            return replace(row, lines=_changed(row.lines, event.line_id, late))
        case orders.ShortfallSettled():
            return row
        case _:
            return progressed(row, event, at)


def _version(row: OrderRow, order: common.Order) -> OrderRow:
    known = {line.line_id: line for line in row.lines}
    told = {line.line_id for line in order.lines}
    packed = {name for one in row.parcels.values() for name in one.lines}
    packed |= {line.line_id for line in row.lines if line.requested}
    gone = tuple(
        replace(line, quantity=0, cancelled=0, backordered=0)
        for line in row.lines
        if line.line_id in packed and line.line_id not in told
    )
    return replace(
        row, account=order.account, external_id=order.external_id, provider=order.provider,
        display_number=order.display_number, placed_at=order.placed_at, currency=order.currency,
        total_minor=order.totals.total, commitment=order.commitment, funds=order.funds,
        shortage=order.shortage, customer=order.customer.subject,
        lines=_sure((*(_line(known.get(line.line_id), line) for line in order.lines), *gone)),
        custody=order.custody,
    )  # fmt: skip


def _line(before: LineRow | None, line: common.OrderLine) -> LineRow:
    cancelled = 0
    if before is not None:
        cancelled = still_cancelled(before.quantity, before.cancelled, line.quantity)
    ours = before or LineRow("", "", None, "", "", 0, 0, ())
    return replace(
        ours, line_id=line.line_id, external_line_id=line.external_line_id, sku=line.sku,
        title=line.title, kind=line.kind, quantity=line.quantity, net_minor=line.amounts.net,
        components=line.components, cancelled=cancelled,
    )  # fmt: skip


def _sure(lines: tuple[LineRow, ...], *, none: bool = False) -> tuple[LineRow, ...]:
    """Return the lines with no more units confirmed than are wanted, or with none."""
    most = ((one, 0 if none else max(one.quantity - one.cancelled, 0)) for one in lines)
    sure = ((one, min(one.confirmed, units)) for one, units in most)
    return tuple(
        replace(one, confirmed=units, reserved=max(0, units - one.shipped)) for one, units in sure
    )


def _changed(
    lines: tuple[LineRow, ...], line_id: str, fields: dict[str, Any]
) -> tuple[LineRow, ...]:
    return tuple(replace(one, **fields) if one.line_id == line_id else one for one in lines)


def _shifted(lines: tuple[LineRow, ...], by: dict[str, int]) -> tuple[LineRow, ...]:
    """Return the lines with more (or, negative, fewer) units cancelled."""
    return tuple(
        replace(one, cancelled=max(one.cancelled + by[one.line_id], 0), backordered=0)
        if one.line_id in by
        else one
        for one in lines
    )


def _cancelled(row: OrderRow, event: orders.OrderLinesCancelled) -> OrderRow:
    lines = _shifted(row.lines, {gone.line_id: gone.quantity for gone in event.lines})
    if not event.whole:
        return replace(row, lines=_sure(lines))
    return replace(
        row,
        lines=_sure(lines, none=True),
        ended=event.reason,
        waits_for="",
        confirmed_at=None,
        waits_until=None,
        completed_at=None,
        completed_by="",
    )


def _asked(row: OrderRow, event: orders.StockRequired) -> OrderRow:
    fresh = {
        wanted.sku: replace(row.demands.get(wanted.sku, DemandRow()), units=wanted.units)
        for wanted in event.demands
    }
    committed = event.reservation_class == "commitment"
    over = committed or row.waits_for in {"out-of-stock", "decision-overdue"}
    return replace(
        row, revision=event.revision, demands=row.demands | fresh, confirmed_at=None,
        waits_for="" if over else row.waits_for,
        waits_until=row.waits_until if row.ended else event.decide_by,
    )  # fmt: skip


def _answered(row: OrderRow, event: orders.OrderStockRecorded) -> OrderRow:
    demand = replace(
        row.demands[event.sku], answered=event.revision, reserved=event.reserved, short=event.short
    )
    row = replace(row, demands=row.demands | {event.sku: demand})
    open_still = any(
        one.units and (one.answered < row.revision or one.short) for one in row.demands.values()
    )
    if row.waits_for in {"out-of-stock", "decision-overdue"} and not open_still:
        return replace(row, waits_for="")
    return row


def _confirmed(row: OrderRow, event: orders.OrderConfirmed, at: int) -> OrderRow:
    sure = {line.line_id: line.quantity for line in event.lines}
    lines = tuple(
        replace(
            one, confirmed=sure.get(one.line_id, 0),
            reserved=max(0, sure.get(one.line_id, 0) - one.shipped),
            backordered=one.backordered if event.partial else 0,
        )
        for one in row.lines
    )  # fmt: skip
    return replace(
        row, lines=lines, confirmed_at=at, partial=event.partial,
        waits_for=row.waits_for if event.partial else "",
        waits_until=row.waits_until if event.partial else None,
    )  # fmt: skip


ORDERS: Projection[OrderRow] = Projection(
    name="orders",
    version=4,
    row=OrderRow,
    key=("order_id",),
    topics=("orders",),
    keys=_order_keys,
    evolve=_order,
    indexes=(
        ("display_number",),
        ("account", "external_id"),
        ("state", "reason", "order_id"),
        ("account", "state", "order_id"),
    ),
    by_stream=True,
)


class HistoryRow(msgspec.Struct, frozen=True):
    """One event of an order's life; `facts` are its short, impersonal fields.

    `trace` names the request that it all began with, in logs and in the other services' events.
    """

    order_id: str
    version: int
    type: str
    occurred_at: int
    recorded_at: int
    facts: dict[str, Any]
    trace: str = ""


_SILENT = frozenset(
    {"order", "entity", "order_id", "occurred_at", "note", "customer", "subject", "tenders",
     "method"}
)  # fmt: skip


def _history_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    if type(envelope.event) in _OURS:
        return ((envelope.event.order_id, envelope.version),)
    return ()


def _history(row: HistoryRow | None, key: Key, envelope: Envelope[Any]) -> HistoryRow | None:
    del row
    event = envelope.event
    fields = (name for name in event.__struct_fields__ if name not in _SILENT)
    facts = {name: msgspec.to_builtins(getattr(event, name)) for name in fields}
    return HistoryRow(
        str(key[0]), envelope.version, type(event).__name__, event.occurred_at, envelope.at, facts,
        envelope.trace[3:35],
    )  # fmt: skip


HISTORY: Projection[HistoryRow] = Projection(
    name="order_history",
    version=2,
    row=HistoryRow,
    key=("order_id", "version"),
    topics=("orders",),
    keys=_history_keys,
    appends=True,
    evolve=_history,
    by_stream=True,
)
