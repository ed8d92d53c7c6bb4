"""What fulfilment shows: parcels, what each order still waits for, and unmatched words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import common
from libs.contracts import fulfilment as events
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from services.fulfilment.standing import ShipmentRow, standing

OURS = ("fulfilment",)
NOT_PLANNED_WITHIN = 3_600_000_000  # microseconds


class ShipmentOrderRow(msgspec.Struct, frozen=True):
    """That an order has, or had, units in a parcel."""

    order_id: str
    shipment_id: str
    first_version: int = 0


class HandoverRow(msgspec.Struct, frozen=True):
    """An order's units: wanted in all, in parcels, and what no parcel has."""

    order_id: str
    entity: str = "main"
    revision: int = 0
    wanted: dict[str, int] = {}
    parcels: dict[str, dict[str, int]] = {}
    left: int = 0
    blocked: str | None = None
    value: int = 0
    currency: str = ""
    code: str = ""
    code_deadline: int | None = None
    taken_at: int = 0
    waiting: bool = False
    reason: str = ""
    owner: str = ""
    deadline: int | None = None
    next_action: str = ""
    since: int = 0
    version: int = 0


class TrackingRow(msgspec.Struct, frozen=True):
    """A carrier's tracker; it waits while no parcel of ours is known for it."""

    account: str
    tracker: str
    entity: str = "main"
    shipment_id: str = ""
    tracking_code: str = ""
    status: str = ""
    seen_at: int = 0
    waiting: bool = False
    reason: str = ""
    owner: str = ""
    deadline: int | None = None
    next_action: str = ""
    since: int = 0
    version: int = 0


def _of(envelope: Envelope[Any], category: str) -> bool:
    return envelope.stream.startswith(category)


def _shipment_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    return (
        [(envelope.event.shipment_id,)]
        if _of(envelope, "shipment-") and hasattr(envelope.event, "shipment_id")
        else []
    )


def _lines(rows: Sequence[common.ShipmentRow]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        found[row.line_id] = found.get(row.line_id, 0) + row.quantity
    return found


def _added(
    units: Mapping[str, int], more: Sequence[common.ShipmentUnits], sign: int
) -> dict[str, int]:
    found = dict(units)
    for one in more:
        found[one.sku] = found.get(one.sku, 0) + sign * one.units
    return {sku: n for sku, n in sorted(found.items()) if n}


def _less(rows: Mapping[str, int], by: Mapping[str, int]) -> dict[str, int]:
    return {k: n - by.get(k, 0) for k, n in rows.items() if n > by.get(k, 0)}


def _without(found: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != key}


def _shipment(row: ShipmentRow | None, key: Key, envelope: Envelope[Any]) -> ShipmentRow | None:
    event, at = envelope.event, envelope.at
    old = row or ShipmentRow(str(key[0]))
    match event:
        case events.ShipmentPlanned():
            new = _planned(old, event, at)
        case _ if not old.planned_at:
            return row  # an order's units that came too late for any parcel of this name
        case events.ShipmentJoined():
            orders = {**old.orders, event.order_id: _lines(event.rows)}
            new = replace(
                old, orders=orders, units=_added(old.units, event.units, 1),
                accounts=tuple(sorted({*old.accounts, event.account})),
                value=old.value + event.declared_value,
                blocked=old.blocked if event.blocked is None
                else {**old.blocked, event.order_id: event.blocked},
            )  # fmt: skip
        case events.ShipmentPacked():
            new = replace(old, state="packed", changed_at=at)
        case events.ShipmentReady():
            new = replace(old, state="ready", changed_at=at)
        case events.ShipmentClearanceRecorded():
            new = replace(old, cleared=tuple(sorted({*old.cleared, event.order_id})))
        case events.ShipmentBlocked():
            blocked = _without(old.blocked, event.order_id)
            new = replace(
                old, blocked=blocked if event.blocked is None
                else {**blocked, event.order_id: event.blocked},
            )  # fmt: skip
        case events.ShipmentDispatched():
            new = replace(
                old, state="dispatched", changed_at=at, carrier=event.carrier,
                service=event.service,
            )  # fmt: skip
        case events.ShipmentCancelled():
            new = replace(old, state="cancelled", changed_at=at)
        case events.DispatchStopRequested() | events.DispatchStopped() | events.StopTooLate():
            new = _stopping(old, event)
        case _:
            new = _on_its_way(_labelled(old, event), event, at)
    return standing(old, replace(new, version=envelope.version), at)


def _planned(old: ShipmentRow, event: events.ShipmentPlanned, at: int) -> ShipmentRow:
    order = event.rows[0].order_id
    return replace(
        old, entity=event.entity, state="planned", location=event.location, carrier=event.carrier,
        service=event.service, requires_shipping=event.requires_shipping,
        subject=event.customer.subject, orders={order: _lines(event.rows)},
        units=_added({}, event.units, 1), accounts=(event.account,), packing=event.packing,
        hand_over=event.hand_over, ship_by=event.ship_by, deliver_by=event.deliver_by,
        value=event.declared_value, currency=event.currency, planned_at=at, changed_at=at,
        blocked={} if event.blocked is None else {order: event.blocked},
    )  # fmt: skip


def _stopping(
    old: ShipmentRow,
    event: events.DispatchStopRequested | events.DispatchStopped | events.StopTooLate,
) -> ShipmentRow:
    order = event.order_id
    match event:
        case events.DispatchStopRequested():
            stops = {**old.stops, order: _lines(event.rows)}
            return replace(old, stops=stops, due=event.answer_by)
        case events.StopTooLate():
            return replace(old, stops=_without(old.stops, order))
        case events.DispatchStopped():
            stops = _without(old.stops, order)
            if order not in old.orders:
                return replace(old, stops=stops)
            left = _less(old.orders[order], _lines(event.rows))
            orders = {**old.orders, order: left} if left else _without(old.orders, order)
            return replace(
                old, stops=stops, orders=orders, units=_added(old.units, event.units, -1),
                cleared=tuple(one for one in old.cleared if one in orders),
                blocked={k: v for k, v in old.blocked.items() if k in orders},
            )  # fmt: skip


def _labelled(old: ShipmentRow, event: Any) -> ShipmentRow:
    match event:
        case events.LabelRequested():
            return replace(old, label="requested", label_code="")
        case events.LabelQuoted():
            return replace(old, label="quoted")
        case events.LabelBought():
            return replace(
                old, label="bought", label_url=event.label_url, label_cost=event.cost,
                label_currency=event.currency, tracking_code=event.tracking_code,
                tracker=event.tracker,
            )  # fmt: skip
        case events.LabelRefused():
            return replace(old, label="refused", label_code=event.code, due=event.deadline)
        case events.LabelInDoubt():
            return replace(old, label="doubt", due=event.deadline)
        case events.LabelVoidRequested():
            return replace(old, label="voiding")
        case events.LabelVoided():
            return replace(old, label="voided" if event.accepted else "void-refused")
        case _:
            return old


def _on_its_way(old: ShipmentRow, event: Any, at: int) -> ShipmentRow:
    match event:
        case events.ParcelTracked():
            return replace(old, tracking=event.status)
        case events.ShipmentDelivered() | events.DeliveryAssumed():
            return replace(old, state="delivered", changed_at=at)
        case events.DeliveryFailed():
            return replace(old, state="failed", changed_at=at, due=event.deadline, decision="")
        case events.ParcelLost():
            return replace(old, state="lost", changed_at=at, due=event.deadline, decision="")
        case events.ReturnedToSender():
            return replace(old, state="returned", changed_at=at, due=event.deadline, decision="")
        case events.ExceptionSettled():
            return replace(old, decision=event.decision)
        case _:
            return old


def _pair_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case events.ShipmentPlanned() as event:
            return [(event.rows[0].order_id, event.shipment_id)]
        case events.ShipmentJoined() as event:
            return [(event.order_id, event.shipment_id)]
        case _:
            return []


def _pair(
    row: ShipmentOrderRow | None, key: Key, envelope: Envelope[Any]
) -> ShipmentOrderRow | None:
    return row or ShipmentOrderRow(str(key[0]), str(key[1]), envelope.version)


def _handover_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    return (
        [(envelope.event.order_id,)]
        if _of(envelope, "handover-") and hasattr(envelope.event, "order_id")
        else []
    )


def _handover(row: HandoverRow | None, key: Key, envelope: Envelope[Any]) -> HandoverRow | None:
    event, at = envelope.event, envelope.at
    old = row or HandoverRow(str(key[0]))
    match event:
        case events.FulfilmentTaken():
            wanted: dict[str, int] = {}
            for line in event.lines:
                wanted[line.line_id] = wanted.get(line.line_id, 0) + line.quantity
            new = replace(
                old, entity=event.entity, revision=event.revision, wanted=wanted,
                blocked=event.blocked, value=event.declared_value, currency=event.currency,
                taken_at=at,
            )  # fmt: skip
        case events.HandoverPlanned():
            if event.shipment_id in old.parcels:
                return row  # less of it is heard when the parcel has answered
            parcels = {**old.parcels, event.shipment_id: _lines(event.rows)}
            new = replace(old, parcels=parcels)
        case events.HandoverRecorded(fact="stopped"):
            left = _less(old.parcels.get(event.shipment_id, {}), _lines(event.rows))
            parcels = _without(old.parcels, event.shipment_id)
            new = replace(old, parcels={**parcels, event.shipment_id: left} if left else parcels)
        case events.ShipmentUnplannable():
            new = replace(old, code=event.code, code_deadline=event.deadline)
        case _:
            return row
    return _waits(old, replace(new, version=envelope.version), at)


def _waits(old: HandoverRow, new: HandoverRow, at: int) -> HandoverRow:
    """Say what units that are in no parcel wait for."""
    held: dict[str, int] = {}
    for lines in new.parcels.values():
        for line, units in lines.items():
            held[line] = held.get(line, 0) + units
    left = sum(max(0, units - held.get(line, 0)) for line, units in new.wanted.items())
    code = new.code if left else ""
    reason, owner, deadline, action = "", "", None, ""
    if left and new.blocked is not None:
        reason, owner, action = "blocked", "operations", "release the hold on the order"
    elif code:
        reason, owner, deadline = code, "warehouse", new.code_deadline
        action = "move the units to one place, or amend the order"
    elif left:
        reason, owner, action = "allocation", "inventory", "the units' places are awaited"
        deadline = new.taken_at + NOT_PLANNED_WITHIN
    return replace(
        new, left=left, code=code, code_deadline=new.code_deadline if code else None,
        waiting=bool(reason), reason=reason, owner=owner, deadline=deadline, next_action=action,
        since=old.since if old.reason == reason and old.since else at,
    )  # fmt: skip


def _tracking_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    if not _of(envelope, "tracker-"):
        return []
    account, _, tracker = envelope.stream.removeprefix("tracker-").partition(":")
    return [(account, tracker)]


def _tracking(row: TrackingRow | None, key: Key, envelope: Envelope[Any]) -> TrackingRow | None:
    event, at = envelope.event, envelope.at
    old = row or TrackingRow(str(key[0]), str(key[1]))
    match event:
        case events.TrackerLinked():
            return replace(
                old, shipment_id=event.shipment_id, waiting=False, reason="", owner="",
                deadline=None, next_action="", since=at, version=envelope.version,
            )  # fmt: skip
        case events.TrackingMatched() | events.TrackingUnmatched():
            newer = event.occurred_at >= old.seen_at
            new = replace(
                old, tracking_code=event.tracking_code, version=envelope.version,
                status=event.status if newer else old.status,
                seen_at=max(old.seen_at, event.occurred_at),
            )  # fmt: skip
            if isinstance(event, events.TrackingMatched):
                return new
            return replace(
                new, waiting=True, reason="tracking-unmatched", owner="warehouse",
                deadline=event.deadline, next_action="find out whose parcel it is",
                since=old.since if old.waiting else at,
            )  # fmt: skip
        case _:
            return row


SHIPMENTS = Projection(
    name="shipments", version=1, row=ShipmentRow, key=("shipment_id",), topics=OURS,
    keys=_shipment_keys, evolve=_shipment,
    indexes=(("state", "shipment_id"), ("waiting", "shipment_id")),
)  # fmt: skip
SHIPMENT_ORDERS = Projection(
    name="shipment_orders", version=1, row=ShipmentOrderRow, key=("order_id", "shipment_id"),
    topics=OURS, keys=_pair_keys, evolve=_pair,
)  # fmt: skip
HANDOVERS = Projection(
    name="handovers", version=1, row=HandoverRow, key=("order_id",), topics=OURS,
    keys=_handover_keys, evolve=_handover, indexes=(("waiting", "order_id"),),
)  # fmt: skip
TRACKINGS = Projection(
    name="trackings", version=1, row=TrackingRow, key=("account", "tracker"), topics=OURS,
    keys=_tracking_keys, evolve=_tracking, indexes=(("waiting", "account", "tracker"),),
)  # fmt: skip
PROJECTIONS = (SHIPMENTS, SHIPMENT_ORDERS, HANDOVERS, TRACKINGS)
