"""What fulfilment does when facts arrive, also its own; the timers and effects they set. Pure.

The configuration comes in as data (`Places`) and goes on inside commands.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.contracts import fulfilment as events
from libs.contracts import inventory, orders, payments
from libs.contracts.common import Allocation, Customer, RefusedLocation
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Reaction, Timer, reacting
from services.fulfilment import handover_commands, shipment_commands, tracker_commands

HOUR = 3_600_000_000  # microseconds
DAY = 24 * HOUR
PLANNED_WITHIN = HOUR
CREATE, BUY, VOID, POLL = "easypost.create", "easypost.buy", "easypost.void", "easypost.poll"

ANSWERS: Mapping[type[events.FulfilmentEvent], str] = {
    events.DispatchStopped: "stopped", events.StopTooLate: "too-late",
    events.ShipmentAddressKept: "kept",
}  # fmt: skip
Work = list[tuple[str, Any]]


class Places(msgspec.Struct, frozen=True):
    """Our locations: how parcels leave each, and where its carrier goes (empty: everywhere)."""

    policies: Mapping[str, shipment_commands.Policy]
    countries: Mapping[str, tuple[str, ...]]
    default: str = "main"

    def policy(self, location: str) -> shipment_commands.Policy:
        """Return how parcels leave; a place that is not configured has no carrier."""
        return self.policies.get(location, shipment_commands.Policy())

    def refusals(self, customer: Customer) -> tuple[RefusedLocation, ...]:
        """Return the places whose carrier cannot go to this address, with the code of why."""
        found = []
        for location, policy in sorted(self.policies.items()):
            served = self.countries.get(location, ())
            code = ""
            if policy.carrier == shipment_commands.SELF:
                continue
            if customer.contact is None:
                code = "address-missing"
            elif not customer.ship_to_country:
                code = "address-incomplete"
            elif served and customer.ship_to_country not in served:
                code = "country-not-served"
            if code:
                found.append(RefusedLocation(location=location, code=code))
        return tuple(found)


NOWHERE = Places({}, {})


def reactions(places: Places) -> Mapping[str, Reaction]:
    """Return the reactions, by service, for these places."""

    @reacting(orders.FulfilmentRequested, orders.OrderDecisionTaken)
    def to_orders(envelope: Envelope[Any]) -> Work:
        return react_to_orders(places, envelope)

    @reacting(
        events.HandoverPlanned, events.DispatchStopped, events.StopTooLate,
        events.ShipmentAddressKept, events.LabelBought, events.TrackingMatched,
    )  # fmt: skip
    def to_own(envelope: Envelope[Any]) -> Work:
        return react_to_own(places, envelope)

    return {
        "orders": to_orders, "inventory": react_to_inventory, "payments": react_to_payments,
        "fulfilment": to_own,
    }  # fmt: skip


def react_to_orders(places: Places, envelope: Envelope[Any]) -> Work:
    """Take what is to be handed over of an order, and what was decided on a parcel of it."""
    match envelope.event:
        case orders.FulfilmentRequested() as event:
            command = handover_commands.TakeFulfilment(
                entity=event.entity, order_id=event.order_id, revision=event.revision,
                account=event.account, lines=event.lines, blocked=event.blocked,
                one_parcel=event.one_parcel, ship_by=event.ship_by, deliver_by=event.deliver_by,
                service_level=event.service_level, customer=event.customer,
                declared_value=event.declared_value, currency=event.currency,
                default_location=places.default,
                refused_locations=places.refusals(event.customer), at=envelope.at,
                reference=event.reference,
            )  # fmt: skip
            return [(handover_commands.handover_stream(event.order_id), command)]
        case orders.OrderDecisionTaken(shipment_id=str(shipment), decision=decision) as event:
            settled = shipment_commands.SettleOrder(
                event.entity, shipment, event.order_id, decision, event.by, envelope.at
            )
            return [(shipment_commands.shipment_stream(shipment), settled)]
        case _:
            return []


@reacting(
    inventory.StockReserved, inventory.StockReleased, inventory.StockHoldExpired,
    inventory.StockShipped, inventory.StockReallocated, inventory.ShortfallDetected,
)  # fmt: skip
def react_to_inventory(envelope: Envelope[Any]) -> Work:
    """Take where inventory keeps an order's units, and where no longer."""
    event = envelope.event
    match event:
        case inventory.StockReserved():
            changes = event.allocations
        case inventory.StockReleased() | inventory.StockHoldExpired() | inventory.StockShipped():
            changes = _taken(event.allocations)
        case inventory.StockReallocated():
            changes = (*_taken(event.taken), *event.given)
        case inventory.ShortfallDetected():
            return [
                _allocation(
                    envelope, hit.order_id,
                    (Allocation(location=event.location, units=-hit.units),), None,
                )
                for hit in event.orders
            ]  # fmt: skip
        case _:
            return []
    shipment = event.shipment_id if isinstance(event, inventory.StockShipped) else None
    if not changes and shipment is None:
        return []
    return [_allocation(envelope, event.order_id, changes, shipment)]


def _taken(allocations: Sequence[Allocation]) -> tuple[Allocation, ...]:
    return tuple(Allocation(location=one.location, units=-one.units) for one in allocations)


def _allocation(
    envelope: Envelope[Any], order: str, changes: tuple[Allocation, ...], shipment: str | None
) -> tuple[str, handover_commands.TakeAllocation]:
    event = envelope.event
    command = handover_commands.TakeAllocation(
        entity=event.entity, order_id=order, sku=event.sku, changes=changes,
        stock_version=envelope.version, shipment_id=shipment, at=envelope.at,
    )  # fmt: skip
    return handover_commands.handover_stream(order), command


@reacting(payments.ShipmentCleared)
def react_to_payments(envelope: Envelope[Any]) -> Work:
    """Record that an order's share of a parcel may go."""
    match envelope.event:
        case payments.ShipmentCleared() as event:
            command = shipment_commands.RecordClearance(
                entity=event.entity, shipment_id=event.shipment_id, order_id=event.order_id,
                basis=event.basis, amount=event.amount, currency=event.currency, at=envelope.at,
            )  # fmt: skip
            return [(shipment_commands.shipment_stream(event.shipment_id), command)]
        case _:
            return []


def react_to_own(places: Places, envelope: Envelope[Any]) -> Work:
    """Carry what one stream decided to the other: plans to parcels, answers back, words on."""
    event, at = envelope.event, envelope.at
    match event:
        case events.HandoverPlanned():
            share = shipment_commands.TakeShare(
                entity=event.entity, shipment_id=event.shipment_id, order_id=event.order_id,
                account=event.account, statement=event.statement, location=event.location,
                rows=event.rows, units=event.units, requires_shipping=event.requires_shipping,
                blocked=event.blocked, ship_by=event.ship_by, deliver_by=event.deliver_by,
                customer=event.customer, declared_value=event.declared_value,
                currency=event.currency, reason=event.reason,
                policy=places.policy(event.location), at=at, reference=event.reference,
            )  # fmt: skip
            return [(shipment_commands.shipment_stream(event.shipment_id), share)]
        case events.DispatchStopped() | events.StopTooLate() | events.ShipmentAddressKept():
            answer = handover_commands.RecordAnswer(
                entity=event.entity, order_id=event.order_id, shipment_id=event.shipment_id,
                fact=ANSWERS[type(event)], rows=event.rows,
                shipment_version=envelope.version, at=at,
            )  # fmt: skip
            return [(handover_commands.handover_stream(event.order_id), answer)]
        case events.LabelBought():
            link = tracker_commands.LinkTracker(
                entity=event.entity, account=event.account, tracker=event.tracker,
                shipment_id=event.shipment_id, at=at,
            )  # fmt: skip
            stream = tracker_commands.tracker_stream(event.account, event.tracker)
            return [(stream, link)] if event.tracker else []
        case events.TrackingMatched():
            heard = shipment_commands.RecordTracking(
                entity=event.entity, shipment_id=event.shipment_id,
                tracking_code=event.tracking_code, status=event.status,
                status_word=event.status_word, detail=event.detail, source="webhook",
                seen_at=event.occurred_at, at=at,
            )  # fmt: skip
            return [(shipment_commands.shipment_stream(event.shipment_id), heard)]
        case _:
            return []


def plan(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    """Set deadlines, and what the carrier is to be asked."""
    event = envelope.event
    match event:
        case events.FulfilmentTaken():
            due = envelope.at + PLANNED_WITHIN
            check = handover_commands.CheckPlan(
                entity=event.entity, order_id=event.order_id, revision=event.revision, at=due
            )
            return (Timer(f"plan:{event.order_id}:{event.revision}", due, envelope.stream, check),)
        case events.ShipmentDispatched():
            return _on_its_way(event, envelope)
        case events.TrackingAsked():
            ask = shipment_commands.AskTracking(
                entity=event.entity, shipment_id=event.shipment_id, ordinal=event.ordinal + 1,
                at=event.next_at,
            )  # fmt: skip
            name = f"track:{event.shipment_id}:{event.ordinal + 1}"
            again = Timer(name, event.next_at, envelope.stream, ask)
            return again, _effect(f"{event.shipment_id}:poll:{event.ordinal}", POLL, envelope)
        case events.LabelRequested():
            return (_effect(f"{event.label_id}:create", CREATE, envelope),)
        case events.LabelQuoted():
            return (_effect(f"{event.label_id}:buy", BUY, envelope),)
        case events.LabelVoidRequested():
            return (_effect(f"{event.label_id}:void", VOID, envelope),)
        case _:
            return ()


def _on_its_way(event: events.ShipmentDispatched, envelope: Envelope[Any]) -> Sequence[Timer]:
    if event.tracked:
        due = envelope.at + DAY
        ask = shipment_commands.AskTracking(
            entity=event.entity, shipment_id=event.shipment_id, ordinal=1, at=due
        )
        return (Timer(f"track:{event.shipment_id}:1", due, envelope.stream, ask),)
    if event.assume_by is None:
        return ()
    assume = shipment_commands.AssumeDelivered(
        entity=event.entity, shipment_id=event.shipment_id, at=event.assume_by
    )
    return (Timer(f"assume:{event.shipment_id}", event.assume_by, envelope.stream, assume),)


def _effect(name: str, kind: str, envelope: Envelope[Any]) -> Effect:
    """The request is the event itself: what is personal in it is sealed."""
    return Effect(name, kind, envelope.stream, msgspec.msgpack.encode(envelope.event))
