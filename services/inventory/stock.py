"""What must be remembered of one SKU to decide, and how its history makes that. Pure.

Units are at locations; a reservation has units by location and may wait for more.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts import inventory as events
from libs.contracts.common import Allocation, Component, ReservationClass
from services.inventory import waiting
from services.inventory.waiting import Queue

DAY = 86_400_000_000  # microseconds
REMEMBERED = 90 * DAY  # documents: longer than anybody repeats one
MANY = 256  # at so many more ended reservations or documents, old ones are forgotten


class Level(msgspec.Struct, frozen=True):
    """Units of the SKU at one location."""

    on_hand: int = 0
    reserved: int = 0
    reservable: bool = True

    @property
    def free(self) -> int:
        """Return what may be promised."""
        return max(0, self.on_hand - self.reserved) if self.reservable else 0


class Reservation(msgspec.Struct, frozen=True):
    """What one order has and waits for; `wanted` is that sum, 0 where nothing is owed any more.

    `shipped` are units that have left for the order, the last at `shipped_at`: an order says what
    it needs in all, these included.
    """

    revision: int
    wanted: int
    reservation_class: ReservationClass
    expires_at: int | None
    priority: int
    placed_at: int
    decide_by: int
    units: tuple[tuple[str, int], ...] = ()
    waiting: int = 0
    shipped: int = 0
    shipped_at: int = 0

    @property
    def reserved(self) -> int:
        """Return the units that it has, over all locations."""
        return sum(units for _, units in self.units)

    @property
    def known_until(self) -> int:
        """Return until when one that has ended is remembered: what was shipped counts for long."""
        return max(self.decide_by, self.shipped_at + REMEMBERED if self.shipped else 0)


class Stock(msgspec.Struct, frozen=True):
    """One SKU. `queue`: who waits, the next first; `ended`: orders kept to know them again."""

    definition: str = ""
    components: tuple[Component, ...] = ()
    levels: Map[str, Level] = Map()
    reservations: Map[str, Reservation] = Map()
    queue: Queue = ()
    ended: Map[str, int] = Map()
    documents: Map[str, int] = Map()

    def locations(self) -> list[str]:
        """Return the locations in the order that units are taken from: by name."""
        return sorted(self.levels)

    def free(self) -> int:
        """Return what may be promised over all locations."""
        return sum(level.free for level in self.levels.values())


def definition(description: str, barcode: str | None, components: Iterable[Component]) -> str:
    """Return the text by which a repeated definition of an item is known again."""
    parts = ";".join(f"{part.sku}:{part.units}" for part in components)
    return f"{description}|{barcode or ''}|{parts}"


def _level(stock: Stock, location: str, units: int, reservable: bool) -> Stock:
    old = stock.levels.get(location, Level())
    level = replace(old, on_hand=old.on_hand + units, reservable=reservable)
    return replace(stock, levels=stock.levels.set(location, level))


def _document(stock: Stock, document: str, at: int) -> Stock:
    known = stock.documents.set(document, at)
    if len(known) % MANY == 0:
        known = Map({name: seen for name, seen in known.items() if seen > at - REMEMBERED})
    return replace(stock, documents=known)


def _reserve(
    stock: Stock, order: str, entry: Reservation, taken: Iterable[Allocation], sign: int
) -> Stock:
    """Move units between a reservation and the free stock."""
    levels = stock.levels
    units = dict(entry.units)
    for one in taken:
        level = levels.get(one.location, Level())
        levels = levels.set(
            one.location, replace(level, reserved=level.reserved + sign * one.units)
        )
        units[one.location] = units.get(one.location, 0) + sign * one.units
    entry = replace(entry, units=tuple((k, n) for k, n in sorted(units.items()) if n))
    return _keep(replace(stock, levels=levels), order, entry)


def _keep(stock: Stock, order: str, entry: Reservation) -> Stock:
    old, ended = stock.reservations.get(order), stock.ended
    if not entry.wanted:
        ended = ended.set(order, entry.known_until)
    elif order in ended:
        ended = ended.delete(order)
    return replace(
        stock, reservations=stock.reservations.set(order, entry), ended=ended,
        queue=_queue(stock.queue, order, old, entry),
    )  # fmt: skip


def _queue(queue: Queue, order: str, old: Reservation | None, new: Reservation) -> Queue:
    """Return the queue with an order where its terms now put it, if it waits."""
    was = (old.priority, old.placed_at, order) if old is not None and old.waiting else None
    now = (new.priority, new.placed_at, order) if new.waiting else None
    if was == now:
        return queue
    if was is not None:
        queue = waiting.left(queue, was)
    return queue if now is None else waiting.joined(queue, now)


def _forget(stock: Stock, at: int) -> Stock:
    """Forget reservations that have ended and whose deadline has passed."""
    if not stock.ended or len(stock.ended) % MANY:
        return stock
    old = [order for order, deadline in stock.ended.items() if deadline < at]
    reservations, ended = stock.reservations, stock.ended
    for order in old:
        reservations, ended = reservations.delete(order), ended.delete(order)
    return replace(stock, reservations=reservations, ended=ended)


def _entry(
    stock: Stock, event: events.StockReserved | events.StockShort | events.StockReservationChanged
) -> Reservation:
    old = stock.reservations.get(event.order_id)
    return Reservation(
        event.revision, event.wanted, event.reservation_class, event.expires_at, event.priority,
        event.placed_at, event.decide_by, old.units if old else (), event.short,
        old.shipped if old else 0, old.shipped_at if old else 0,
    )  # fmt: skip


def _shipped(stock: Stock, event: events.StockShipped) -> Stock:
    """Take units off a location and off their order, also where nothing was promised to it."""
    level = stock.levels.get(event.location, Level())
    stock = _level(stock, event.location, -event.quantity, level.reservable)
    at = event.occurred_at
    entry = stock.reservations.get(event.order_id)
    if entry is None:
        entry = Reservation(event.revision, 0, "commitment", None, 0, at, at)
    entry = replace(
        entry, waiting=event.short, wanted=event.reserved + event.short,
        shipped=entry.shipped + event.quantity, shipped_at=max(entry.shipped_at, at),
    )  # fmt: skip
    stock = _reserve(stock, event.order_id, entry, event.allocations, -1)
    return _forget(_document(stock, f"{event.shipment_id}/{event.order_id}", at), at)


def evolve(stock: Stock, event: events.InventoryEvent) -> Stock:
    """Return the stock behind an event."""
    match event:
        case events.StockReserved():
            entry = _entry(stock, event)
            return _reserve(stock, event.order_id, entry, event.allocations, 1)
        case events.StockShort() | events.StockReservationChanged():
            return _keep(stock, event.order_id, _entry(stock, event))
        case events.StockReleased():
            entry = stock.reservations[event.order_id]
            entry = replace(
                entry, revision=event.revision, waiting=event.short,
                wanted=event.reserved + event.short,
            )  # fmt: skip
            stock = _reserve(stock, event.order_id, entry, event.allocations, -1)
            return _forget(stock, event.occurred_at)
        case events.StockHoldExpired():
            entry = replace(stock.reservations[event.order_id], waiting=0, wanted=0)
            return _reserve(stock, event.order_id, entry, event.allocations, -1)
        case events.StockReceived():
            stock = _level(stock, event.location, event.quantity, event.reservable)
            return _document(stock, event.document, event.occurred_at)
        case events.StockAdjusted():
            stock = _level(stock, event.location, event.quantity, event.reservable)
            return _document(stock, event.document, event.occurred_at)
        case events.StockCounted():
            stock = _level(stock, event.location, event.difference, event.reservable)
            return _document(stock, event.document, event.occurred_at)
        case events.StockMoved():
            old = stock.levels.get(event.location_from, Level())
            stock = _level(stock, event.location_from, -event.quantity, old.reservable)
            stock = _level(stock, event.location_to, event.quantity, event.reservable)
            return _document(stock, event.document, event.occurred_at)
        case events.ShortfallDetected():
            for hit in event.orders:
                entry = stock.reservations[hit.order_id]
                entry = replace(entry, waiting=entry.waiting + hit.units)
                lost = Allocation(location=event.location, units=hit.units)
                stock = _reserve(stock, hit.order_id, entry, [lost], -1)
            return stock
        case events.StockReallocated():
            entry = stock.reservations[event.order_id]
            stock = _reserve(stock, event.order_id, entry, event.taken, -1)
            entry = stock.reservations[event.order_id]
            return _reserve(stock, event.order_id, entry, event.given, 1)
        case events.StockShipped():
            return _shipped(stock, event)
        case events.ItemDefined():
            text = definition(event.description, event.barcode, event.components)
            return replace(stock, components=event.components, definition=text)
        case _:
            assert_never(event)
