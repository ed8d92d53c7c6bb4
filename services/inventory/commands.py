"""What inventory can be asked, each command to the stream of one SKU."""

import msgspec

from libs.contracts.common import Component, ReservationClass


class RequireUnits(msgspec.Struct, frozen=True, tag=True):
    """An order needs so many units in all, from this revision on; 0 gives back what it has."""

    entity: str
    sku: str
    order_id: str
    units: int
    revision: int
    reservation_class: ReservationClass
    expires_at: int | None
    priority: int
    placed_at: int
    decide_by: int
    at: int


class ExpireHold(msgspec.Struct, frozen=True, tag=True):
    """A hold's time has come."""

    entity: str
    sku: str
    order_id: str
    expires_at: int
    at: int


class DefineItem(msgspec.Struct, frozen=True, tag=True):
    """This is the item's text, barcode and, for a kit, its parts."""

    entity: str
    sku: str
    description: str
    barcode: str | None
    components: tuple[Component, ...]
    by: str
    at: int


class ReceiveStock(msgspec.Struct, frozen=True, tag=True):
    """Units came in."""

    entity: str
    sku: str
    location: str
    reservable: bool
    quantity: int
    unit_cost: str | None
    currency: str | None
    document: str
    by: str
    at: int


class AdjustStock(msgspec.Struct, frozen=True, tag=True):
    """Units were found (positive) or written off (negative)."""

    entity: str
    sku: str
    location: str
    reservable: bool
    quantity: int
    reason: str
    document: str
    note: str
    by: str
    at: int


class CountStock(msgspec.Struct, frozen=True, tag=True):
    """A count says what is on hand at a location."""

    entity: str
    sku: str
    location: str
    reservable: bool
    counted: int
    document: str
    by: str
    at: int


class MoveStock(msgspec.Struct, frozen=True, tag=True):
    """Units changed location."""

    entity: str
    sku: str
    location_from: str
    location_to: str
    reservable: bool
    quantity: int
    document: str
    by: str
    at: int


class ShipUnits(msgspec.Struct, frozen=True, tag=True):
    """Units of an order left a location with a parcel; `at` is when the parcel was handed over."""

    entity: str
    sku: str
    location: str
    order_id: str
    shipment_id: str
    quantity: int
    at: int

    @property
    def document(self) -> str:
        """Return the name by which a repeat is known: a parcel leaves once."""
        return f"{self.shipment_id}/{self.order_id}"


InventoryCommand = (
    RequireUnits
    | ExpireHold
    | DefineItem
    | ReceiveStock
    | AdjustStock
    | CountStock
    | MoveStock
    | ShipUnits
)
