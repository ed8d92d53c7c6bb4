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
    """One SKU. Available = what is free at our locations; `holds` and `queue` are units by order.

    `sold_short` counts units that were sold and not there when the order came;
    `promised_without_stock` is 0 at every moment, or a promise of the system is broken.
    """

    sku: str
    description: str = ""
    barcode: str | None = None
    components: tuple[tuple[str, int], ...] = ()
    places: dict[str, Place] = {}
    on_hand: int = 0
    reserved: int = 0
    held: int = 0
    waiting: int = 0
    available: int = 0
    received: int = 0
    written_off: int = 0
    sold_short: int = 0
    shortfalls: int = 0
    promised_without_stock: int = 0
    holds: dict[str, int] = {}
    queue: dict[str, int] = {}


class ReservationRow(msgspec.Struct, frozen=True):
    """What one order has of one SKU, and what it lacks."""

    order_id: str
    sku: str
    revision: int
    reserved: int
    short: int
    reservation_class: str
    expires_at: int | None
    position: int | None
    since: int


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


def _order(row: StockRow, order: str, kind: str, reserved: int, short: int) -> StockRow:
    holds = {k: v for k, v in row.holds.items() if k != order}
    queue = {k: v for k, v in row.queue.items() if k != order}
    if kind == "hold" and reserved:
        holds[order] = reserved
    if short:
        queue[order] = short
    return replace(row, holds=holds, queue=queue)


def _stock(row: StockRow | None, key: Key, envelope: Envelope[Any]) -> StockRow:
    row = row or StockRow(str(key[0]))
    event = envelope.event
    match event:
        case events.StockReserved():
            for one in event.allocations:
                row = _moved(row, one.location, 0, one.units, None)
            # What is missing of a new promise is told by the StockShort that follows it.
            told = event.short if event.from_waiting_list else row.queue.get(event.order_id, 0)
            short = min(event.short, told)
            row = _order(row, event.order_id, event.reservation_class, event.reserved, short)
        case events.StockShort():
            if event.reservation_class == "commitment":
                new = event.short - row.queue.get(event.order_id, 0)
                row = replace(row, sold_short=row.sold_short + max(0, new))
            row = _order(row, event.order_id, event.reservation_class, event.reserved, event.short)
        case events.StockReservationChanged():
            row = _order(row, event.order_id, event.reservation_class, event.reserved, event.short)
        case events.StockReleased() | events.StockHoldExpired():
            for one in event.allocations:
                row = _moved(row, one.location, 0, -one.units, None)
            kind = "hold" if event.order_id in row.holds else "commitment"
            row = _order(row, event.order_id, kind, event.reserved, event.short)
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
        case events.ShortfallDetected():
            row = replace(row, shortfalls=row.shortfalls + event.units)
            for hit in event.orders:
                row = _moved(row, event.location, 0, -hit.units, None)
                queue = {**row.queue, hit.order_id: row.queue.get(hit.order_id, 0) + hit.units}
                held = row.holds.get(hit.order_id, 0) - hit.units
                holds = {k: v for k, v in row.holds.items() if k != hit.order_id}
                row = replace(
                    row, queue=queue, holds=holds | ({hit.order_id: held} if held > 0 else {})
                )
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
        held=sum(row.holds.values()),
        waiting=sum(row.queue.values()),
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
    order, sku = str(key[0]), str(key[1])
    match event:
        case events.StockReserved() | events.StockReservationChanged() | events.StockShort():
            position = event.position if isinstance(event, events.StockShort) else None
            return ReservationRow(
                order, sku, event.revision, event.reserved, event.short, event.reservation_class,
                event.expires_at, position, envelope.at,
            )  # fmt: skip
        case events.StockReleased() | events.StockHoldExpired():
            kind = row.reservation_class if row else "unknown"
            return ReservationRow(
                order,
                sku,
                event.revision,
                event.reserved,
                event.short,
                kind,
                None,
                None,
                envelope.at,
            )
        case events.ShortfallDetected():
            lost = sum(hit.units for hit in event.orders if hit.order_id == order)
            return row and replace(row, reserved=row.reserved - lost, short=row.short + lost)
        case _:
            return row


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
        getattr(event, "order_id", ""), getattr(event, "document", ""),
        getattr(event, "reason", "") or getattr(event, "cause", ""), getattr(event, "by", ""),
        envelope.at,
    )  # fmt: skip


STOCK = Projection("stock", 1, StockRow, ("sku",), OURS, _stock_keys, _stock)
RESERVATIONS = Projection(
    "reservations", 1, ReservationRow, ("order_id", "sku"), OURS, _reservation_keys, _reservation,
    indexes=(("sku",),), undigested=("since",),
)  # fmt: skip
ENTRIES = Projection(
    "stock_entries", 1, EntryRow, ("sku", "version"), OURS, _entry_keys, _entry,
    indexes=(("order_id",),), undigested=("at",),
)  # fmt: skip
