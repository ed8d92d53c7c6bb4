"""What may happen to the units of one SKU. Pure; a repeated command yields no event.

Facts from outside (receipts, counts, losses) are recorded, never refused; promises are made only
from free units, and who waits is served before anybody new.
"""

from typing import assert_never

from libs.contracts import inventory as events
from libs.contracts.common import Allocation
from libs.eventsourcing.decider import Decider, Refused
from services.inventory import commands
from services.inventory.losing import lose
from services.inventory.shipping import ship
from services.inventory.stock import Level, Reservation, Stock, definition, evolve
from services.inventory.unfolding import Unfolding
from services.inventory.waiting import size


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
        case commands.ShipUnits():
            if command.document not in stock.documents:
                ship(command, out)
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
    have, waiting, gone = (old.reserved, old.waiting, old.shipped) if old else (0, 0, 0)
    entry = Reservation(
        command.revision, max(0, command.units - gone), command.reservation_class,
        command.expires_at, command.priority, command.placed_at, command.decide_by,
        old.units if old else (), waiting, gone, old.shipped_at if old else 0,
    )  # fmt: skip
    if entry.wanted < have + waiting:
        _release(command, entry, have, out)
    elif entry.wanted > have + waiting:
        _promise(command, entry, have, out)
    else:
        _change(entry, command.order_id, out)


def _release(command: commands.RequireUnits, entry: Reservation, have: int, out: Unfolding) -> None:
    """Give up waiting units first, then promised ones; then serve who waits."""
    surplus = have + entry.waiting - entry.wanted
    unwaited = min(surplus, entry.waiting)
    back, left = list[Allocation](), surplus - unwaited
    for location, units in reversed(entry.units):
        if left:
            back.append(Allocation(location=location, units=min(units, left)))
            left -= min(units, left)
    freed = surplus - unwaited
    old = out.stock.reservations[command.order_id]
    out.add(
        events.StockReleased(
            entity=out.entity, occurred_at=out.at, sku=out.sku,
            reservation_id=f"{command.order_id}:{out.sku}", order_id=command.order_id,
            revision=command.revision, allocations=tuple(back), units=freed, waiting=unwaited,
            reserved=have - freed, short=entry.waiting - unwaited,
            reason="not-needed" if command.units else "order-ended",
        )
    )  # fmt: skip
    if entry.wanted and (old.reservation_class, old.expires_at, old.priority) != (
        command.reservation_class, command.expires_at, command.priority,
    ):  # fmt: skip
        _change(entry, command.order_id, out)
    out.serve()


def _promise(command: commands.RequireUnits, entry: Reservation, have: int, out: Unfolding) -> None:
    """Promise what is free unless others wait for it; what is missing joins the waiting list."""
    wanted = entry.wanted - have
    others = size(out.stock.queue) - (1 if entry.waiting else 0)
    taken = () if others else out.take(min(wanted, out.stock.free()))
    got = sum(one.units for one in taken)
    if got:
        out.reserve(command.order_id, entry, taken, from_waiting_list=False)
    if got < wanted:
        out.add(
            events.StockShort(
                entity=out.entity, occurred_at=out.at, sku=out.sku,
                reservation_id=f"{command.order_id}:{out.sku}", order_id=command.order_id,
                revision=command.revision, wanted=entry.wanted, priority=command.priority,
                placed_at=command.placed_at, decide_by=command.decide_by, reserved=have + got,
                short=wanted - got, reservation_class=command.reservation_class,
                expires_at=command.expires_at, position=others + 1,
            )
        )  # fmt: skip


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
    known = out.stock.reservations.values()
    if command.components and not out.stock.components and any(one.wanted for one in known):
        text = "Orders wait for units of the item itself: receive what is put together, or cancel."
        raise Refused("kit-has-orders", text)
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
            lose(out, command.location, command.reason)
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
            lose(out, command.location, "count")
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
            lose(out, command.location_from, "moved")
        case _:
            assert_never(command)
    out.serve()


STOCK = Decider(
    category="stock", commands=commands.InventoryCommand, state=Stock, initial=Stock(),
    decide=decide, evolve=evolve, version=4,
)  # fmt: skip
