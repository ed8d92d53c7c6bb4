"""How a parcel's history makes what must be remembered of it. Pure; never refuses what happened."""

from typing import assert_never

from immutables import Map
from msgspec.structs import replace

from libs.contracts import fulfilment as events
from services.fulfilment.shipment import (
    MOST_ASKED,
    Label,
    Part,
    Shipment,
    fewer,
    fewer_units,
    kind_of,
)


def evolve(state: Shipment, event: events.FulfilmentEvent) -> Shipment:
    """Return the parcel behind an event."""
    match event:
        case events.ShipmentPlanned():
            return _planned(event)
        case events.ShipmentJoined():
            part = Part(
                event.account, event.statement, event.rows, event.units, event.blocked,
                reference=event.reference,
            )  # fmt: skip
            value = state.declared_value + event.declared_value
            return _part(replace(state, declared_value=value), event.order_id, part)
        case events.ShipmentPacked():
            return replace(state, status="packed", weight_grams=event.weight_grams)
        case events.ShipmentClearanceRecorded():
            return _part(state, event.order_id, replace(_of(state, event.order_id), cleared=True))
        case events.ShipmentBlocked():
            part = replace(
                _of(state, event.order_id), blocked=event.blocked, statement=event.statement
            )
            return _part(state, event.order_id, part)
        case events.ShipmentContactChanged():
            part = replace(_of(state, event.order_id), statement=event.statement)
            return _part(replace(state, customer=event.customer), event.order_id, part)
        case events.DispatchStopRequested():
            part = replace(
                _of(state, event.order_id), stop=event.rows, stop_units=event.units,
                stop_reason=event.reason, statement=event.statement,
            )  # fmt: skip
            return _part(state, event.order_id, part)
        case events.DispatchStopped():
            part = _of(state, event.order_id)
            rows, units = fewer(part.rows, event.rows), fewer_units(part.units, event.units)
            part = replace(part, rows=rows, units=units, stop=(), stop_units=())
            return _part(state, event.order_id, part)
        case events.StopTooLate() | events.ShipmentAddressKept():
            part = replace(_of(state, event.order_id), stop=(), stop_units=())
            return _part(state, event.order_id, part)
        case events.ShipmentReady():
            return replace(state, status="ready")
        case events.ShipmentDispatched():
            return replace(
                state, status="dispatched", tracked=event.tracked, heard_at=event.occurred_at
            )
        case events.ShipmentCancelled():
            return replace(state, status="cancelled")
        case (
            events.LabelRequested() | events.LabelQuoted() | events.LabelBought()
            | events.LabelRefused() | events.LabelInDoubt() | events.LabelVoidRequested()
            | events.LabelVoided()
        ):  # fmt: skip
            return _labelled(state, event)
        case (
            events.ParcelTracked() | events.ShipmentDelivered() | events.DeliveryAssumed()
            | events.DeliveryFailed() | events.ParcelLost() | events.ReturnedToSender()
            | events.ExceptionSettled() | events.TrackingAsked()
        ):  # fmt: skip
            return _followed(state, event)
        case (
            events.FulfilmentTaken() | events.AllocationTaken() | events.HandoverPlanned()
            | events.FulfilmentReleased() | events.HandoverRecorded() | events.ShipmentUnplannable()
            | events.ShipmentJoinRequested() | events.TrackerLinked() | events.TrackingMatched()
            | events.TrackingUnmatched()
        ):  # fmt: skip
            return state  # of handovers and trackers: never in this stream
        case _:
            assert_never(event)


def _of(state: Shipment, order: str) -> Part:
    return state.parts.get(order, Part("", 0))


def _part(state: Shipment, order: str, part: Part) -> Shipment:
    return replace(state, parts=state.parts.set(order, part))


def _planned(event: events.ShipmentPlanned) -> Shipment:
    order = event.rows[0].order_id
    part = Part(
        event.account, event.statement, event.rows, event.units, event.blocked,
        reference=next(iter(event.references), None),
    )  # fmt: skip
    return Shipment(
        status="planned", entity=event.entity, location=event.location,
        requires_shipping=event.requires_shipping,
        carrier=event.carrier, service=event.service, packing=event.packing,
        hand_over=event.hand_over, silent_days=event.silent_days, assume_days=event.assume_days,
        customer=event.customer, ship_by=event.ship_by, deliver_by=event.deliver_by,
        declared_value=event.declared_value, currency=event.currency, parts=Map({order: part}),
    )  # fmt: skip


LabelEvent = (
    events.LabelRequested | events.LabelQuoted | events.LabelBought | events.LabelRefused
    | events.LabelInDoubt | events.LabelVoidRequested | events.LabelVoided
)  # fmt: skip


def _labelled(state: Shipment, event: LabelEvent) -> Shipment:
    old = state.label or Label(event.label_id, "requested")
    if event.label_id in state.earlier:
        return replace(state, earlier=_earlier(state.earlier, event))
    match event:
        case events.LabelRequested():
            label = Label(event.label_id, "requested", event.carrier, doubted=event.occurred_at)
            earlier = state.earlier
            if state.label is not None:
                earlier = earlier.set(state.label.label_id, state.label)
            return replace(
                state, label=label, labels=state.labels + 1, earlier=earlier, carrier=event.carrier,
                service=event.service,
            )  # fmt: skip
        case events.LabelQuoted():
            label = replace(
                old, state="quoted", provider_shipment=event.provider_shipment, cost=event.cost,
                currency=event.currency, doubted=event.occurred_at,
            )  # fmt: skip
        case events.LabelBought():
            label = Label(
                event.label_id, "bought", event.account, event.provider_shipment,
                event.tracking_code, event.tracker, event.carrier, event.service, event.cost,
                event.currency, bought_at=event.occurred_at,
            )  # fmt: skip
        case events.LabelRefused():
            label = replace(old, state="refused")
        case events.LabelInDoubt():
            label = replace(old, state="doubt", doubted=event.since)
        case events.LabelVoidRequested():
            label = replace(old, state="voiding", doubted=event.occurred_at)
        case events.LabelVoided():
            label = replace(old, state="voided")
        case _:
            assert_never(event)
    return replace(state, label=label)


def _earlier(labels: Map[str, Label], event: LabelEvent) -> Map[str, Label]:
    """Return the earlier labels, where one that was bought after all is given back."""
    if isinstance(event, events.LabelVoided):
        return labels.delete(event.label_id)
    label = replace(labels[event.label_id], state="voiding", doubted=event.occurred_at)
    return labels.set(event.label_id, label)


TrackedEvent = (
    events.ParcelTracked | events.ShipmentDelivered | events.DeliveryAssumed
    | events.DeliveryFailed | events.ParcelLost | events.ReturnedToSender
    | events.ExceptionSettled | events.TrackingAsked
)  # fmt: skip


def _followed(state: Shipment, event: TrackedEvent) -> Shipment:
    match event:
        case events.ParcelTracked():
            seen, kind = event.occurred_at, kind_of(event.status)
            state = replace(
                state, scans=state.scans.set(kind, seen), heard_at=max(state.heard_at, seen),
                detail=event.detail if kind == "failure" else state.detail,
            )  # fmt: skip
            # What is heard of again is under way again; what has arrived or come back stays so, and
            # what is asked for no more, for nothing would end its way.
            again = state.status in {"failed", "lost"} and state.verdict()[0] == "other"
            again = again and state.asked < MOST_ASKED
            return replace(state, status="dispatched") if again else state
        case events.TrackingAsked():
            return replace(state, asked=event.ordinal)
        case events.ExceptionSettled():
            return _settled(state, event.order_id, event.decision)
        case events.ShipmentDelivered() | events.DeliveryAssumed():
            arrived = replace(state, status="delivered", told=state.verdict())
            return _settled(arrived, None, "")
        case events.DeliveryFailed():
            return replace(state, status="failed", told=state.verdict())
        case events.ReturnedToSender():
            return replace(state, status="returned", told=state.verdict())
        case events.ParcelLost():
            return replace(state, status="lost", told=state.verdict())
        case _:
            assert_never(event)


def _settled(state: Shipment, order: str | None, decision: str) -> Shipment:
    """Keep what was decided: until it arrives, whatever else is heard of the parcel."""
    for name, part in state.parts.items():
        if order in {None, name}:
            state = _part(state, name, replace(part, decided=decision))
    return state
