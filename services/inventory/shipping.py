"""What a parcel takes out of stock. Pure; it has left already, so it is recorded, never refused."""

from libs.contracts import inventory as events
from libs.contracts.common import Allocation
from services.inventory import commands
from services.inventory.losing import lose
from services.inventory.stock import Reservation
from services.inventory.unfolding import Unfolding


def ship(command: commands.ShipUnits, out: Unfolding) -> None:
    """Take the units off the location and off what the order was promised, wherever that was.

    More than was promised is a debt to the others there: the latest of them lose, by name.
    """
    entry = out.stock.reservations.get(command.order_id)
    taken = _promised(entry, command.location, command.quantity)
    mine = sum(one.units for one in taken)
    reserved = entry.reserved - mine if entry else 0
    owed = max(0, entry.wanted - command.quantity) if entry else 0
    out.add(
        events.StockShipped(
            entity=out.entity, occurred_at=out.at, sku=out.sku, location=command.location,
            quantity=command.quantity, order_id=command.order_id,
            shipment_id=command.shipment_id, from_reservation=mine, allocations=taken,
            reserved=reserved, short=owed - reserved, revision=entry.revision if entry else 0,
        )
    )  # fmt: skip
    lose(out, command.location, "shipped")
    out.serve()


def _promised(entry: Reservation | None, location: str, units: int) -> tuple[Allocation, ...]:
    """Choose which promised units the parcel takes: those of its location before any other."""
    if entry is None:
        return ()
    taken: list[Allocation] = []
    for name, here in sorted(entry.units, key=lambda one: (one[0] != location, one[0])):
        if units:
            taken.append(Allocation(location=name, units=min(here, units)))
            units -= min(here, units)
    return tuple(taken)
