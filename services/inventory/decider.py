"""What may happen to the units of one SKU. Pure; a repeated command yields no event.

Facts from outside (receipts, counts, losses) are recorded, never refused; promises are made only
from free units, and who waits is served before anybody new.
"""

from collections.abc import Sequence
from typing import assert_never

from libs.contracts import inventory as events
from libs.contracts.common import AffectedOrder, Allocation
from libs.eventsourcing.decider import Decider, Refused
from services.inventory import commands
from services.inventory.stock import DAY, Level, Reservation, Stock, definition, evolve

DECIDE_WITHIN = 2 * DAY  # for units that a fact from outside took away
RULE = "holds-first-then-latest"


class Unfolding:
    """Events as they are decided, and the stock behind the last of them."""

    def __init__(self, stock: Stock, entity: str, sku: str, at: int) -> None:
        self.stock, self.entity, self.sku, self.at = stock, entity, sku, at
        self.events: list[events.InventoryEvent] = []

    def add(self, event: events.InventoryEvent) -> None:
        """Let an event have happened."""
        self.events.append(event)
        self.stock = evolve(self.stock, event)

    def take(self, units: int) -> tuple[Allocation, ...]:
        """Choose free units: one location that covers them all, else several in their order."""
        free = [(name, self.stock.levels[name].free) for name in self.stock.locations()]
        for name, here in free:
            if here >= units:
                return (Allocation(location=name, units=units),)
        chosen = []
        for name, here in free:
            if units and here:
                chosen.append(Allocation(location=name, units=min(here, units)))
                units -= min(here, units)
        return tuple(chosen)

    def serve(self) -> None:
        """Give free units to those who wait: by priority, then time of placing, then order id."""
        free = self.stock.free()
        if not free or not self.stock.queue:
            return
        known = self.stock.reservations
        line = sorted(self.stock.queue, key=lambda o: (known[o].priority, known[o].placed_at, o))
        for order in line:
            if not free:
                return
            entry = known[order]
            units = min(free, entry.waiting)
            self.reserve(order, entry, self.take(units), from_waiting_list=True)
            free -= units

    def reserve(
        self,
        order: str,
        entry: Reservation,
        taken: Sequence[Allocation],
        *,
        from_waiting_list: bool,
    ) -> None:
        """Let units be promised to an order; what it still lacks is what it wants less these."""
        units = sum(one.units for one in taken)
        reserved = entry.reserved + units
        self.add(
            events.StockReserved(
                entity=self.entity, occurred_at=self.at, sku=self.sku,
                reservation_id=f"{order}:{self.sku}", order_id=order, revision=entry.revision,
                wanted=entry.wanted, priority=entry.priority, placed_at=entry.placed_at,
                decide_by=entry.decide_by, allocations=tuple(taken), units=units,
                reserved=reserved, short=entry.wanted - reserved,
                reservation_class=entry.reservation_class, expires_at=entry.expires_at,
                from_waiting_list=from_waiting_list,
            )
        )  # fmt: skip

    def lose(self, location: str, cause: str) -> None:
        """Name the orders that lose units where more is promised than is there."""
        level = self.stock.levels[location]
        missing = level.reserved - max(0, level.on_hand)
        if missing <= 0:
            return
        hits: list[AffectedOrder] = []
        for order, entry in self._victims(location):
            here = dict(entry.units)[location]
            lost = min(here, missing - sum(hit.units for hit in hits))
            if lost > 0:
                hits.append(
                    AffectedOrder(
                        order_id=order, units=lost, reservation_class=entry.reservation_class
                    )
                )
        self.add(
            events.ShortfallDetected(
                entity=self.entity, occurred_at=self.at, sku=self.sku, location=location,
                units=missing, cause=cause, orders=tuple(hits), rule=RULE,
                decide_by=self.at + DECIDE_WITHIN,
            )
        )  # fmt: skip

    def _victims(self, location: str) -> list[tuple[str, Reservation]]:
        here = [
            (order, entry)
            for order, entry in self.stock.reservations.items()
            if any(name == location for name, _ in entry.units)
        ]
        here.sort(
            key=lambda o: (o[1].reservation_class == "hold", o[1].priority, o[1].placed_at, o[0]),
            reverse=True,
        )
        return here


def decide(command: commands.InventoryCommand, stock: Stock) -> list[events.InventoryEvent]:
    """Return what happens; nothing where the command was done before."""
    out = Unfolding(stock, command.entity, command.sku, command.at)
    match command:
        case commands.RequireUnits():
            _require(command, out)
        case commands.ExpireHold():
            _expire(command, out)
        case commands.DefineItem():
            _define(command, out)
        case _:
            if command.document not in stock.documents:
                _fact(command, out)
    return out.events


def _require(command: commands.RequireUnits, out: Unfolding) -> None:
    old = out.stock.reservations.get(command.order_id)
    if old is not None and command.revision <= old.revision:
        return
    if command.units < 0:
        raise Refused("quantity-not-possible", "An order needs 0 units or more.")
    if (old is None or not old.wanted) and not command.units:
        return
    have, waiting = (old.reserved, old.waiting) if old else (0, 0)
    entry = Reservation(
        command.revision, command.units, command.reservation_class, command.expires_at,
        command.priority, command.placed_at, command.decide_by, old.units if old else (), waiting,
    )  # fmt: skip
    if command.units < have + waiting:
        _release(command, entry, have, out)
    elif command.units > have + waiting:
        _promise(command, entry, have, out)
    else:
        _change(entry, command.order_id, out)


def _release(command: commands.RequireUnits, entry: Reservation, have: int, out: Unfolding) -> None:
    """Give up waiting units first, then promised ones; then serve who waits."""
    surplus = have + entry.waiting - command.units
    unwaited = min(surplus, entry.waiting)
    back, left = list[Allocation](), surplus - unwaited
    for location, units in reversed(entry.units):
        if left:
            back.append(Allocation(location=location, units=min(units, left)))
            left -= min(units, left)
    freed = surplus - unwaited
    out.add(
        events.StockReleased(
            entity=out.entity, occurred_at=out.at, sku=out.sku,
            reservation_id=f"{command.order_id}:{out.sku}", order_id=command.order_id,
            revision=command.revision, allocations=tuple(back), units=freed, waiting=unwaited,
            reserved=have - freed, short=entry.waiting - unwaited,
            reason="not-needed" if command.units else "order-ended",
        )
    )  # fmt: skip
    old = out.stock.reservations[command.order_id]
    if command.units and (old.reservation_class, old.expires_at, old.priority) != (
        command.reservation_class, command.expires_at, command.priority,
    ):  # fmt: skip
        _change(entry, command.order_id, out)
    out.serve()


def _promise(command: commands.RequireUnits, entry: Reservation, have: int, out: Unfolding) -> None:
    """Promise what is free unless others wait for it; what is missing joins the waiting list."""
    wanted = command.units - have
    old = out.stock.reservations.get(command.order_id)
    if old is not None and old.wanted and _terms(old) != _terms(entry):
        _change(entry, command.order_id, out)
    others = len(out.stock.queue) - (command.order_id in out.stock.queue)
    taken = () if others else out.take(min(wanted, out.stock.free()))
    got = sum(one.units for one in taken)
    if got:
        out.reserve(command.order_id, entry, taken, from_waiting_list=False)
    if got < wanted:
        out.add(
            events.StockShort(
                entity=out.entity, occurred_at=out.at, sku=out.sku,
                reservation_id=f"{command.order_id}:{out.sku}", order_id=command.order_id,
                revision=command.revision, wanted=command.units, priority=command.priority,
                placed_at=command.placed_at, decide_by=command.decide_by, reserved=have + got,
                short=wanted - got, reservation_class=command.reservation_class,
                expires_at=command.expires_at, position=others + 1,
            )
        )  # fmt: skip


def _terms(entry: Reservation) -> tuple[str, int | None, int]:
    return entry.reservation_class, entry.expires_at, entry.priority


def _change(entry: Reservation, order: str, out: Unfolding) -> None:
    held = out.stock.reservations[order]
    out.add(
        events.StockReservationChanged(
            entity=out.entity, occurred_at=out.at, sku=out.sku,
            reservation_id=f"{order}:{out.sku}", order_id=order, revision=entry.revision,
            wanted=entry.wanted, priority=entry.priority, placed_at=entry.placed_at,
            decide_by=entry.decide_by, reserved=held.reserved, short=entry.wanted - held.reserved,
            reservation_class=entry.reservation_class, expires_at=entry.expires_at,
        )
    )  # fmt: skip


def _expire(command: commands.ExpireHold, out: Unfolding) -> None:
    entry = out.stock.reservations.get(command.order_id)
    if entry is None or not entry.wanted or entry.reservation_class != "hold":
        return
    if entry.expires_at != command.expires_at or command.expires_at > command.at:
        return
    out.add(
        events.StockHoldExpired(
            entity=out.entity, occurred_at=out.at, sku=out.sku,
            reservation_id=f"{command.order_id}:{out.sku}", order_id=command.order_id,
            revision=entry.revision, reserved=0, short=0,
            allocations=tuple(Allocation(location=k, units=n) for k, n in entry.units),
            units=entry.reserved, waiting=entry.waiting,
        )
    )  # fmt: skip
    out.serve()


def _define(command: commands.DefineItem, out: Unfolding) -> None:
    if command.components and any(level.on_hand for level in out.stock.levels.values()):
        raise Refused("kit-has-stock", "An item with stock of its own cannot become a kit.")
    if any(part.sku == command.sku for part in command.components):
        raise Refused("kit-holds-itself", "A kit cannot be a part of itself.")
    if definition(command.description, command.barcode, command.components) == out.stock.definition:
        return
    out.add(
        events.ItemDefined(
            entity=out.entity, occurred_at=out.at, sku=out.sku, description=command.description,
            barcode=command.barcode, components=command.components, by=command.by,
        )
    )  # fmt: skip


Fact = commands.ReceiveStock | commands.AdjustStock | commands.CountStock | commands.MoveStock


def _fact(command: Fact, out: Unfolding) -> None:
    """Record what happened, then name who loses units, then serve who waits."""
    if out.stock.components:
        raise Refused("kit-has-no-stock", "A kit has no stock of its own: its parts have.")
    entity, at, sku = out.entity, out.at, out.sku
    match command:
        case commands.ReceiveStock():
            out.add(
                events.StockReceived(
                    entity=entity, occurred_at=at, sku=sku, location=command.location,
                    reservable=command.reservable, quantity=command.quantity,
                    unit_cost=command.unit_cost, currency=command.currency,
                    document=command.document, by=command.by,
                )
            )  # fmt: skip
        case commands.AdjustStock():
            found = command.quantity > 0
            out.add(
                events.StockAdjusted(
                    entity=entity, occurred_at=at, sku=sku, location=command.location,
                    reservable=command.reservable, quantity=command.quantity,
                    state_from="outside" if found else "available",
                    state_to="available" if found else "outside", reason=command.reason,
                    document=command.document, note=command.note, by=command.by,
                )
            )  # fmt: skip
            out.lose(command.location, command.reason)
        case commands.CountStock():
            level = out.stock.levels.get(command.location, Level())
            out.add(
                events.StockCounted(
                    entity=entity, occurred_at=at, sku=sku, location=command.location,
                    reservable=command.reservable, counted=command.counted,
                    difference=command.counted - level.on_hand, document=command.document,
                    by=command.by,
                )
            )  # fmt: skip
            out.lose(command.location, "count")
        case commands.MoveStock():
            if command.location_from == command.location_to:
                raise Refused("same-location", "Units move from one location to another.")
            out.add(
                events.StockMoved(
                    entity=entity, occurred_at=at, sku=sku, location_from=command.location_from,
                    location_to=command.location_to, reservable=command.reservable,
                    quantity=command.quantity, document=command.document, by=command.by,
                )
            )  # fmt: skip
            out.lose(command.location_from, "moved")
        case _:
            assert_never(command)
    out.serve()


STOCK = Decider(
    category="stock", commands=commands.InventoryCommand, state=Stock, initial=Stock(),
    decide=decide, evolve=evolve,
)  # fmt: skip
