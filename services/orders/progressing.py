"""Folds money, parcels and queues into an order's row. Pure."""

from typing import Any

from msgspec.structs import replace

from libs.contracts import orders
from services.orders.destinations import KEPT
from services.orders.folding import LaterEvent
from services.orders.progress import OUT
from services.orders.standing import LineRow, OrderRow, ParcelRow, QueueRow


def progressed(row: OrderRow, event: LaterEvent, at: int) -> OrderRow:
    """Return the row behind an event of the order's later life."""
    match event:
        case orders.OrderShipmentRecorded():
            return _ledger(replace(row, parcels=_parcels(row.parcels, event, at)))
        case orders.OrderPaymentRecorded():
            payment = replace(
                row.payment, standing=event.standing, authorised_minor=event.authorised,
                captured_minor=event.captured, refunded_minor=event.refunded, reason=event.reason,
            )  # fmt: skip
            return replace(row, payment=payment)
        case orders.PaymentRequired():
            costs = {one.line_id: one.amount for one in event.lines}
            payment = replace(
                row.payment, required_minor=event.amount, required_revision=event.revision,
                decide_by=event.decide_by if event.amount else None,
            )  # fmt: skip
            lines = tuple(replace(o, amount_minor=costs.get(o.line_id, 0)) for o in row.lines)
            return replace(row, payment=payment, lines=lines, custody=event.custody)
        case orders.FulfilmentRequested():
            units = {one.line_id: one.quantity for one in event.lines}
            lines = tuple(replace(o, requested=units.get(o.line_id, 0)) for o in row.lines)
            return replace(row, lines=lines, blocked=event.blocked, requested=event.revision)
        case orders.OrderDecisionTaken():
            return _decided(row, event)
        case orders.OrderWaitOver():
            left = {name: one for name, one in row.queues.items() if name != event.reason}
            return replace(row, queues=left)
        case orders.OrderCompleted():
            return replace(row, completed_at=at, completed_by=event.rule)
        case _:
            return row


def queued(row: OrderRow, event: orders.OrderWaits, at: int) -> OrderRow:
    """Let the row stand in a queue; one that it stood in keeps its age."""
    old = row.queues.get(event.reason)
    queue = QueueRow(old.since if old else at, event.decide_by, event.value_minor)
    return replace(row, queues=row.queues | {event.reason: queue})


def _parcels(
    parcels: dict[str, ParcelRow], event: orders.OrderShipmentRecorded, at: int
) -> dict[str, ParcelRow]:
    old, lines = parcels.get(event.shipment_id), dict[str, int]()
    if event.fact == KEPT and old is not None:
        return parcels
    status: str = event.status
    for line in event.lines:
        lines[line.line_id] = lines.get(line.line_id, 0) + line.quantity
    settled = ""
    if status == "stopped":
        had = old.lines if old else {}
        left = {name: units - lines.get(name, 0) for name, units in had.items()}
        lines = {name: units for name, units in left.items() if units > 0}
        settled = old.settled if old else ""
        shown = old.status if old and lines else status
        return parcels | {event.shipment_id: ParcelRow(shown, lines, event.reason, at, settled)}
    if event.fact == "StopTooLate" and old is not None:
        names = old.lines | lines
        lines = {name: max(old.lines.get(name, 0), lines.get(name, 0)) for name in names}
        status = old.status
    if old is not None and status != "delivered":
        settled = old.settled
    return parcels | {event.shipment_id: ParcelRow(status, lines, event.reason, at, settled)}


def _ledger(row: OrderRow) -> OrderRow:
    """Return the row with what each line's units in parcels come to."""
    out = [one for one in row.parcels.values() if one.status in OUT]
    return replace(row, lines=tuple(_line(line, out) for line in row.lines))


def _line(line: LineRow, out: list[ParcelRow]) -> LineRow:
    units: dict[str, int] = {}
    for parcel in out:
        count = parcel.lines.get(line.line_id, 0)
        units[parcel.status] = units.get(parcel.status, 0) + count
    shipped = sum(units.values())
    return replace(
        line, shipped=shipped, delivered=units.get("delivered", 0),
        returned=units.get("returned_to_sender", 0), reserved=max(0, line.confirmed - shipped),
    )  # fmt: skip


def _decided(row: OrderRow, event: orders.OrderDecisionTaken) -> OrderRow:
    field = {"reship": "resent", "refund": "refunded"}.get(event.decision)
    units = {one.line_id: one.quantity for one in event.lines}
    lines = row.lines
    if field is not None:
        lines = tuple(_more(one, field, units.get(one.line_id, 0)) for one in lines)
    parcels, name = row.parcels, event.shipment_id or ""
    if name in parcels:
        parcels = parcels | {name: replace(parcels[name], settled=event.decision)}
    return replace(row, lines=lines, parcels=parcels)


def _more(line: LineRow, field: str, units: int) -> LineRow:
    changed: dict[str, Any] = {field: getattr(line, field) + units}
    return replace(line, **changed)
