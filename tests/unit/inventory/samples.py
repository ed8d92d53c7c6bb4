"""Commands for one SKU, short to write, and what they come to."""

from functools import reduce
from typing import Any

from services.inventory import commands
from services.inventory.decider import STOCK
from services.inventory.stock import Stock

NOW = 1_700_000_000_000_000
HOUR = 3_600_000_000
MUG = "MUG"


def receive(
    units: int, location: str = "main", document: str = "r1", *, ours: bool = True
) -> commands.ReceiveStock:
    return commands.ReceiveStock(
        "main", MUG, location, ours, units, "2.50", "GBP", document, "buyer", NOW
    )


def adjust(units: int, location: str = "main", document: str = "a1") -> commands.AdjustStock:
    reason = "found" if units > 0 else "damage"
    return commands.AdjustStock("main", MUG, location, True, units, reason, document, "", "", NOW)


def count(counted: int, location: str = "main", document: str = "c1") -> commands.CountStock:
    return commands.CountStock("main", MUG, location, True, counted, document, "", NOW)


def move(units: int, source: str, target: str, document: str = "m1") -> commands.MoveStock:
    return commands.MoveStock("main", MUG, source, target, True, units, document, "", NOW)


def need(
    order: str, units: int, revision: int = 1, *, hold: int | None = None, priority: int = 5,
    placed: int = 0,
) -> commands.RequireUnits:  # fmt: skip
    """With `hold`, until so many hours from now; else a commitment."""
    return commands.RequireUnits(
        "main", MUG, order, units, revision, "commitment" if hold is None else "hold",
        None if hold is None else NOW + hold * HOUR, priority, NOW + placed, NOW + 48 * HOUR, NOW,
    )  # fmt: skip


def ship(
    order: str, units: int, location: str = "main", shipment: str = "s1"
) -> commands.ShipUnits:
    return commands.ShipUnits("main", MUG, location, order, shipment, units, NOW)


def expire(order: str, hours: int, at: int | None = None) -> commands.ExpireHold:
    due = NOW + hours * HOUR
    return commands.ExpireHold("main", MUG, order, due, due if at is None else NOW + at * HOUR)


def after(*given: commands.InventoryCommand) -> Stock:
    """Return the stock behind these commands."""
    return reduce(lambda stock, command: then(stock, command)[0], given, Stock())


def then(stock: Stock, command: commands.InventoryCommand) -> tuple[Stock, list[Any]]:
    """Return the stock behind a command, and what happened."""
    events = list(STOCK.decide(command, stock))
    return reduce(STOCK.evolve, events, stock), events


def told(stock: Stock, command: commands.InventoryCommand) -> list[str]:
    """Return what happens as "kind order units"."""
    return [_short(event) for event in then(stock, command)[1]]


def _short(event: Any) -> str:
    kind = type(event).__name__.removeprefix("Stock")
    order = getattr(event, "order_id", "")
    if hits := getattr(event, "orders", ()):
        order = ",".join(f"{hit.order_id}-{hit.units}" for hit in hits)
    if given := getattr(event, "given", ()):
        return f"{kind} {order} {_places(event.taken)}>{_places(given)}"
    units = getattr(event, "short" if kind == "Short" else "units", getattr(event, "quantity", ""))
    return " ".join(str(part) for part in (kind, order, units) if part != "")


def _places(taken: Any) -> str:
    return "+".join(f"{one.location}:{one.units}" for one in taken)


def has(stock: Stock, order: str) -> tuple[dict[str, int], int]:
    """Return an order's units by location, and how many it waits for."""
    entry = stock.reservations[order]
    return dict(entry.units), entry.waiting
