"""What fulfilment shows: parcels, what each order still waits for, and unmatched words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import common
from libs.contracts import fulfilment as events
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from services.fulfilment.order_rows import HANDOVERS, TRACKINGS
from services.fulfilment.standing import OURS, ShipmentRow, less, lines, standing, without


class ShipmentOrderRow(msgspec.Struct, frozen=True):
    """That an order has, or had, units in a parcel."""

    order_id: str
    shipment_id: str
    first_version: int = 0


VOIDED_WITHIN = 24 * 3_600_000_000  # microseconds


def _shipment_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    return (
        [(envelope.event.shipment_id,)]
        if envelope.stream.startswith("shipment-") and hasattr(envelope.event, "shipment_id")
        else []
    )


def _added(
    units: Mapping[str, int], more: Sequence[common.ShipmentUnits], sign: int
) -> dict[str, int]:
    found = dict(units)
    for one in more:
        found[one.sku] = found.get(one.sku, 0) + sign * one.units
    return {sku: n for sku, n in sorted(found.items()) if n}


def _shipment(row: ShipmentRow | None, key: Key, envelope: Envelope[Any]) -> ShipmentRow | None:
    event, at = envelope.event, envelope.at
    old = row or ShipmentRow(str(key[0]))
    match event:
        case events.ShipmentPlanned():
            new = _planned(old, event, at)
        case _ if not old.planned_at:
            return row  # an order's units that came too late for any parcel of this name
        case events.ShipmentJoined():
            orders = {**old.orders, event.order_id: lines(event.rows)}
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
            blocked = without(old.blocked, event.order_id)
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
        case (
            events.DispatchStopRequested() | events.DispatchStopped() | events.StopTooLate()
            | events.ShipmentAddressKept()
        ):  # fmt: skip
            new = _stopping(old, event)
        case _:
            new = _on_its_way(_labelled(old, event, at), event, at)
    return standing(old, replace(new, version=envelope.version), at)


def _planned(old: ShipmentRow, event: events.ShipmentPlanned, at: int) -> ShipmentRow:
    order = event.rows[0].order_id
    return replace(
        old, entity=event.entity, state="planned", location=event.location, carrier=event.carrier,
        service=event.service, requires_shipping=event.requires_shipping,
        subject=event.customer.subject, orders={order: lines(event.rows)},
        units=_added({}, event.units, 1), accounts=(event.account,), packing=event.packing,
        hand_over=event.hand_over, ship_by=event.ship_by, deliver_by=event.deliver_by,
        value=event.declared_value, currency=event.currency, planned_at=at, changed_at=at,
        blocked={} if event.blocked is None else {order: event.blocked},
    )  # fmt: skip


def _stopping(
    old: ShipmentRow,
    event: events.DispatchStopRequested
    | events.DispatchStopped
    | events.StopTooLate
    | events.ShipmentAddressKept,
) -> ShipmentRow:
    order = event.order_id
    if isinstance(event, events.DispatchStopRequested):
        reasons = {**old.stop_reasons, order: event.reason}
    else:
        reasons = without(old.stop_reasons, order)
    old = replace(old, stop_reasons=reasons)
    match event:
        case events.DispatchStopRequested():
            stops = {**old.stops, order: lines(event.rows)}
            return replace(old, stops=stops, due=event.answer_by)
        case events.StopTooLate() | events.ShipmentAddressKept():
            return replace(old, stops=without(old.stops, order))
        case events.DispatchStopped():
            stops = without(old.stops, order)
            if order not in old.orders:
                return replace(old, stops=stops)
            left = less(old.orders[order], lines(event.rows))
            orders = {**old.orders, order: left} if left else without(old.orders, order)
            return replace(
                old, stops=stops, orders=orders, units=_added(old.units, event.units, -1),
                cleared=tuple(one for one in old.cleared if one in orders),
                blocked={k: v for k, v in old.blocked.items() if k in orders},
            )  # fmt: skip


def _labelled(old: ShipmentRow, event: Any, at: int) -> ShipmentRow:
    earlier = getattr(event, "label_id", old.label_id) != old.label_id
    if earlier and not isinstance(event, events.LabelRequested):
        return _stray(old, event, at)
    match event:
        case events.LabelRequested():
            return replace(old, label="requested", label_id=event.label_id, label_code="")
        case events.LabelQuoted():
            return replace(old, label="quoted")
        case events.LabelBought():
            return replace(
                old, label="bought", label_account=event.account,
                provider_shipment=event.provider_shipment, label_cost=event.cost,
                label_currency=event.currency, tracking_code=event.tracking_code,
                tracker=event.tracker,
            )  # fmt: skip
        case events.LabelRefused():
            return replace(old, label="refused", label_code=event.code, due=event.deadline)
        case events.LabelInDoubt():
            return replace(old, label="doubt", due=event.deadline)
        case events.LabelVoidRequested():
            return replace(old, label="voiding", due=at + VOIDED_WITHIN)
        case events.LabelVoided():
            return replace(old, label="voided" if event.accepted else "void-refused")
        case _:
            return old


def _stray(old: ShipmentRow, event: Any, at: int) -> ShipmentRow:
    """Show that an earlier label turned out to be bought, until it is given back."""
    strays = without(old.strays, event.label_id)
    if isinstance(event, events.LabelVoidRequested):
        strays[event.label_id] = at + VOIDED_WITHIN
    return replace(old, strays=strays)


def _on_its_way(old: ShipmentRow, event: Any, at: int) -> ShipmentRow:
    match event:
        case events.ParcelTracked():
            return replace(old, tracking=event.status)
        case events.ShipmentDelivered() | events.DeliveryAssumed():
            return replace(old, state="delivered", changed_at=at, decision="", decisions={})
        case events.DeliveryFailed():
            return replace(old, state="failed", changed_at=at, due=event.deadline)
        case events.ParcelLost():
            return replace(old, state="lost", changed_at=at, due=event.deadline)
        case events.ReturnedToSender():
            return replace(old, state="returned", changed_at=at, due=event.deadline)
        case events.ExceptionSettled():
            decisions = {**old.decisions, event.order_id or "": event.decision}
            whole = event.order_id is None or set(old.orders) <= set(decisions)
            return replace(
                old, decisions=decisions, decision=event.decision if whole else old.decision
            )
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


SHIPMENTS = Projection(
    name="shipments", version=5, row=ShipmentRow, key=("shipment_id",), topics=OURS,
    keys=_shipment_keys, evolve=_shipment, by_stream=True,
    indexes=(("state", "shipment_id"), ("waiting", "shipment_id")),
)  # fmt: skip
SHIPMENT_ORDERS = Projection(
    name="shipment_orders", version=1, row=ShipmentOrderRow, key=("order_id", "shipment_id"),
    topics=OURS, keys=_pair_keys, evolve=_pair,
)  # fmt: skip
PROJECTIONS = (SHIPMENTS, SHIPMENT_ORDERS, HANDOVERS, TRACKINGS)
