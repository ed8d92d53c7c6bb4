"""Who loses when a fact from outside leaves fewer units at a location than are promised. Pure.

Holds lose before commitments and the latest before the earliest, wherever their units are: what is
free elsewhere, or what a loser has there, takes the place of a better claim's units.
"""

from collections.abc import Mapping

from libs.contracts import inventory as events
from libs.contracts.common import AffectedOrder, Allocation
from services.inventory.stock import DAY, Stock
from services.inventory.unfolding import Unfolding

DECIDE_WITHIN = 2 * DAY
RULE = "holds-first-then-latest"


def lose(out: Unfolding, location: str, cause: str) -> None:
    """Move promises away from the location while there is room; name who loses the rest."""
    level = out.stock.levels[location]
    missing = level.reserved - max(0, level.on_hand)
    if missing <= 0:
        return
    claims = _claims(out.stock, location)
    lost = _lost(claims, missing - min(missing, out.stock.free()))
    for order, units in lost.items():
        if (more := units - _units(out.stock, order, location)) > 0:
            _change_places(out, order, location, more)
    level = out.stock.levels[location]
    away = level.reserved - max(0, level.on_hand) - sum(lost.values())
    for order in reversed(claims):
        if units := min(away, _units(out.stock, order, location) - lost.get(order, 0)):
            there = out.take(units)
            out.move(order, (Allocation(location=location, units=units),), there)
            away -= units
    if lost:
        out.add(
            events.ShortfallDetected(
                entity=out.entity, occurred_at=out.at, sku=out.sku, location=location,
                units=sum(lost.values()), cause=cause, orders=_affected(out.stock, lost),
                rule=RULE, decide_by=out.at + DECIDE_WITHIN,
            )
        )  # fmt: skip


def _claims(stock: Stock, location: str) -> dict[str, int]:
    """Return units by order, at the location or where one may take another's; losers first."""
    known = stock.reservations
    places = {name for name, level in stock.levels.items() if level.reservable} | {location}
    units = {
        order: sum(units for name, units in entry.units if name in places)
        for order, entry in known.items()
        if entry.units
    }
    line = sorted(
        (order for order in units if units[order]),
        key=lambda o: (
            known[o].reservation_class == "hold", known[o].priority, known[o].placed_at, o,
        ),
        reverse=True,
    )  # fmt: skip
    return {order: units[order] for order in line}


def _lost(claims: Mapping[str, int], units: int) -> dict[str, int]:
    lost: dict[str, int] = {}
    for order, claimed in claims.items():
        if not units:
            break
        lost[order] = min(claimed, units)
        units -= lost[order]
    return lost


def _units(stock: Stock, order: str, location: str) -> int:
    return dict(stock.reservations[order].units).get(location, 0)


def _change_places(out: Unfolding, order: str, location: str, units: int) -> None:
    """Let an order that loses have its units where they are missing; its own become free."""
    taken, left = list[Allocation](), units
    for name, here in out.stock.reservations[order].units:
        if name != location and out.stock.levels[name].reservable and left:
            taken.append(Allocation(location=name, units=min(here, left)))
            left -= min(here, left)
    out.move(order, tuple(taken), (Allocation(location=location, units=units),))


def _affected(stock: Stock, lost: Mapping[str, int]) -> tuple[AffectedOrder, ...]:
    known = stock.reservations
    return tuple(
        AffectedOrder(order_id=order, units=units, reservation_class=known[order].reservation_class)
        for order, units in lost.items()
    )
