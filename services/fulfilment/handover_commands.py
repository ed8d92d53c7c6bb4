"""What an order's handover can be told."""

import msgspec

from libs.contracts.common import (
    Allocation,
    Customer,
    FulfilmentLine,
    OrderReference,
    RefusedLocation,
    ShipmentRow,
)

AT_ONCE = "at-once"  # the location of what nobody carries


def handover_stream(order_id: str) -> str:
    """Return the stream in which an order's units are planned."""
    return f"handover-{order_id}"


class TakeFulfilment(msgspec.Struct, frozen=True, tag=True):
    """What is to be handed over of an order in all, from this revision on."""

    entity: str
    order_id: str
    revision: int
    account: str
    lines: tuple[FulfilmentLine, ...]
    blocked: str | None
    one_parcel: bool
    ship_by: int | None
    deliver_by: int | None
    service_level: str | None
    customer: Customer
    declared_value: int
    currency: str
    default_location: str
    refused_locations: tuple[RefusedLocation, ...]
    at: int
    reference: OrderReference | None = None


class TakeAllocation(msgspec.Struct, frozen=True, tag=True):
    """Inventory gave units of a SKU to an order (positive) or took some (negative), by location."""

    entity: str
    order_id: str
    sku: str
    changes: tuple[Allocation, ...]
    stock_version: int
    shipment_id: str | None
    at: int


class RecordAnswer(msgspec.Struct, frozen=True, tag=True):
    """A shipment answered to the plan: these rows were stopped, or it was too late for them."""

    entity: str
    order_id: str
    shipment_id: str
    fact: str
    rows: tuple[ShipmentRow, ...]
    shipment_version: int
    at: int


class JoinShipment(msgspec.Struct, frozen=True, tag=True):
    """A person puts an order's units into another order's parcel at the same location."""

    entity: str
    order_id: str
    shipment_id: str
    into: str
    by: str
    at: int


class CheckPlan(msgspec.Struct, frozen=True, tag=True):
    """Units of this revision should have been planned by now."""

    entity: str
    order_id: str
    revision: int
    at: int


HandoverCommand = TakeFulfilment | TakeAllocation | RecordAnswer | JoinShipment | CheckPlan
