"""What inventory shows: a SKU's stock, what each order has of it, and why. Rebuilt by replay."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import inventory as events
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection

OURS = ("inventory",)


class Place(msgspec.Struct, frozen=True):
    """Units at one location."""

    on_hand: int = 0
    reserved: int = 0
    reservable: bool = True


class StockRow(msgspec.Struct, frozen=True):
    """One SKU. Available = what is free at our locations.

    `promised_without_stock` is 0 at every moment, or a promise of the system is broken.
    """

    sku: str
    description: str = ""
    barcode: str | None = None
    components: tuple[tuple[str, int], ...] = ()
    places: dict[str, Place] = {}
    on_hand: int = 0
    reserved: int = 0
    available: int = 0
    received: int = 0
    shipped: int = 0
    written_off: int = 0
    shortfalls: int = 0
    promised_without_stock: int = 0


class ReservationRow(msgspec.Struct, frozen=True):
    """What one order has of one SKU, and what it lacks.

    `held` are those of its units that a hold has; `shipped` have left; `sold_short` counts units
    that the channel sold and that were not there when the order came.
    """

    order_id: str
    sku: str
    revision: int = 0
    reserved: int = 0
    short: int = 0
    reservation_class: str = "unknown"
    expires_at: int | None = None
    position: int | None = None
    since: int = 0
    held: int = 0
    sold_short: int = 0
    shipped: int = 0


class EntryRow(msgspec.Struct, frozen=True):
    """One change of a SKU's units and what is behind it."""

    sku: str
    version: int
    kind: str
    units: int
    location: str
    order_id: str
    document: str
    reason: str
    by: str
    at: int


def _stock_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    sku = getattr(envelope.event, "sku", None)
    return [] if sku is None else [(sku,)]


def _moved(
    row: StockRow, place: str, units: int, reserved: int, reservable: bool | None
) -> StockRow:
    old = row.places.get(place, Place())
    new = Place(
        old.on_hand + units, old.reserved + reserved,
        old.reservable if reservable is None else reservable,
    )  # fmt: skip
    return replace(row, places={**row.places, place: new})


def _stock(row: StockRow | None, key: Key, envelope: Envelope[Any]) -> StockRow:
    row = row or StockRow(str(key[0]))
    event = envelope.event
    match event:
        case events.StockReserved():
            for one in event.allocations:
                row = _moved(row, one.location, 0, one.units, None)
        case events.StockReleased() | events.StockHoldExpired():
            for one in event.allocations:
                row = _moved(row, one.location, 0, -one.units, None)
        case events.StockReceived():
            row = _moved(row, event.location, event.quantity, 0, event.reservable)
            row = replace(row, received=row.received + event.quantity)
        case events.StockAdjusted():
            row = _moved(row, event.location, event.quantity, 0, event.reservable)
            row = replace(row, written_off=row.written_off + max(0, -event.quantity))
        case events.StockCounted():
            row = _moved(row, event.location, event.difference, 0, event.reservable)
        case events.StockMoved():
            row = _moved(row, event.location_from, -event.quantity, 0, None)
            row = _moved(row, event.location_to, event.quantity, 0, event.reservable)
        case events.StockShipped():
            row = _moved(row, event.location, -event.quantity, 0, None)
            row = replace(row, shipped=row.shipped + event.quantity)
            for one in event.allocations:
                row = _moved(row, one.location, 0, -one.units, None)
        case events.ShortfallDetected():
            row = replace(row, shortfalls=row.shortfalls + event.units)
            for hit in event.orders:
                row = _moved(row, event.location, 0, -hit.units, None)
        case events.StockReallocated():
            for one in event.taken:
                row = _moved(row, one.location, 0, -one.units, None)
            for one in event.given:
                row = _moved(row, one.location, 0, one.units, None)
        case events.ItemDefined():
            parts = tuple((part.sku, part.units) for part in event.components)
            row = replace(
                row, description=event.description, barcode=event.barcode, components=parts
            )
        case _:
            return row
    return _summed(row)


def _summed(row: StockRow) -> StockRow:
    places = row.places.values()
    return replace(
        row,
        on_hand=sum(p.on_hand for p in places),
        reserved=sum(p.reserved for p in places),
        available=sum(max(0, p.on_hand - p.reserved) for p in places if p.reservable),
        promised_without_stock=sum(max(0, p.reserved - max(0, p.on_hand)) for p in places),
    )


def _reservation_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    event = envelope.event
    if isinstance(event, events.ShortfallDetected):
        return [(hit.order_id, event.sku) for hit in event.orders]
    order = getattr(event, "order_id", None)
    return [] if order is None or not hasattr(event, "sku") else [(order, event.sku)]


def _reservation(
    row: ReservationRow | None, key: Key, envelope: Envelope[Any]
) -> ReservationRow | None:
    event = envelope.event
    old = row or ReservationRow(str(key[0]), str(key[1]))
    match event:
        case events.StockReserved() | events.StockReservationChanged() | events.StockShort():
            return _termed(old, event, envelope.at)
        case events.StockReleased() | events.StockHoldExpired():
            row = replace(
                old, revision=event.revision, reserved=event.reserved, short=event.short,
                expires_at=None, position=None, since=envelope.at,
            )  # fmt: skip
        case events.StockShipped():
            row = replace(
                old, reserved=event.reserved, short=event.short, since=envelope.at,
                revision=event.revision, shipped=old.shipped + event.quantity,
                position=old.position if event.short else None,
            )  # fmt: skip
        case events.ShortfallDetected():
            lost = sum(hit.units for hit in event.orders if hit.order_id == old.order_id)
            row = replace(old, reserved=old.reserved - lost, short=old.short + lost)
        case _:
            return row
    return replace(row, held=row.reserved if row.reservation_class == "hold" else 0)


def _termed(
    old: ReservationRow,
    event: events.StockReserved | events.StockReservationChanged | events.StockShort,
    at: int,
) -> ReservationRow:
    """What is missing of a new promise is told by the StockShort that follows it, and only then."""
    kind, sold = event.reservation_class, old.sold_short
    short, position = min(event.short, old.short), None
    if isinstance(event, events.StockShort):
        short, position = event.short, event.position
    if kind == "commitment":
        sold += max(0, short - (old.short if old.reservation_class == kind else 0))
    return replace(
        old, revision=event.revision, reserved=event.reserved, short=short,
        reservation_class=kind, expires_at=event.expires_at, position=position, since=at,
        held=event.reserved if kind == "hold" else 0, sold_short=sold,
    )  # fmt: skip


def _entry_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    sku = getattr(envelope.event, "sku", None)
    skipped = isinstance(envelope.event, events.ItemDefined | events.StockReservationChanged)
    return [] if sku is None or skipped else [(sku, envelope.version)]


def _entry(row: EntryRow | None, key: Key, envelope: Envelope[Any]) -> EntryRow | None:
    event, sku = envelope.event, str(key[0])
    units, location = 0, getattr(event, "location", "")
    match event:
        case events.StockReserved():
            units = event.units
        case events.StockShort():
            units = event.short
        case events.StockReleased() | events.StockHoldExpired():
            units = -event.units
        case events.StockReceived() | events.StockAdjusted():
            units = event.quantity
        case events.StockCounted():
            units = event.difference
        case events.StockMoved():
            units, location = event.quantity, f"{event.location_from} to {event.location_to}"
        case events.StockShipped():
            units = -event.quantity
        case events.ShortfallDetected():
            units = -event.units
        case events.StockReallocated():
            units = sum(one.units for one in event.given)
        case _:
            return row
    if not location:
        location = ", ".join(a.location for a in getattr(event, "allocations", ()))
    return EntryRow(
        sku, envelope.version, type(event).__name__, units, location,
        getattr(event, "order_id", ""),
        getattr(event, "document", "") or getattr(event, "shipment_id", ""),
        getattr(event, "reason", "") or getattr(event, "cause", ""), getattr(event, "by", ""),
        envelope.at,
    )  # fmt: skip


STOCK = Projection(
    "stock", 3, StockRow, ("sku",), OURS, _stock_keys, _stock, by_stream=True,
)  # fmt: skip
RESERVATIONS = Projection(
    "reservations", 3, ReservationRow, ("order_id", "sku"), OURS, _reservation_keys, _reservation,
    indexes=(("sku",),), undigested=("since",), by_stream=True,
)  # fmt: skip
ENTRIES = Projection(
    "stock_entries", 2, EntryRow, ("sku", "version"), OURS, _entry_keys, _entry,
    indexes=(("order_id",),), undigested=("at",), appends=True, by_stream=True,
)  # fmt: skip
