"""What inventory does when orders state their needs, and the timers its facts set. Pure."""

from collections.abc import Sequence
from typing import Any

from libs.contracts import fulfilment, orders
from libs.contracts import inventory as events
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Timer, reacting
from services.inventory import commands


def stream_of(sku: str) -> str:
    """Return the stream of a SKU."""
    return f"stock-{sku}"


@reacting(orders.StockRequired)
def react_to_orders(envelope: Envelope[Any]) -> list[tuple[str, commands.InventoryCommand]]:
    """Ask each SKU for what the order needs of it in all."""
    match envelope.event:
        case orders.StockRequired() as event:
            return [
                (
                    stream_of(demand.sku),
                    commands.RequireUnits(
                        entity=event.entity, sku=demand.sku, order_id=event.order_id,
                        units=demand.units, revision=event.revision,
                        reservation_class=event.reservation_class, expires_at=event.expires_at,
                        priority=event.priority, placed_at=event.placed_at,
                        decide_by=event.decide_by, at=envelope.at,
                    ),
                )
                for demand in event.demands
            ]  # fmt: skip
        case _:
            return []


@reacting(fulfilment.ShipmentDispatched)
def react_to_fulfilment(envelope: Envelope[Any]) -> list[tuple[str, commands.InventoryCommand]]:
    """Take what a parcel holds out of stock, by SKU and order."""
    match envelope.event:
        case fulfilment.ShipmentDispatched() as event:
            packed: dict[tuple[str, str], int] = {}
            for row in event.units:
                key = (row.sku, row.order_id)
                packed[key] = packed.get(key, 0) + row.units
            return [
                (
                    stream_of(sku),
                    commands.ShipUnits(
                        entity=event.entity, sku=sku, location=event.location, order_id=order_id,
                        shipment_id=event.shipment_id, quantity=units, at=envelope.at,
                    ),
                )
                for (sku, order_id), units in packed.items()
                if units > 0
            ]  # fmt: skip
        case _:
            return []


def plan(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    """Set the end of a hold, also of one that is promised anew until the same time."""
    event = envelope.event
    match event:
        case events.StockReserved() | events.StockShort() | events.StockReservationChanged():
            due = event.expires_at
            if event.reservation_class != "hold" or due is None:
                return ()
            command = commands.ExpireHold(
                entity=event.entity, sku=event.sku, order_id=event.order_id, expires_at=due, at=due
            )
            name = f"hold:{event.reservation_id}:{event.revision}:{due}"
            return (Timer(name, due, envelope.stream, command),)
        case _:
            return ()
