"""Units of an order's lines: what is wanted, what left, what they take of our stock. Pure."""

from collections.abc import Iterable, Mapping

from immutables import Map

from libs.contracts import common
from services.orders.progress import OUT, PACKED, UNDER_WAY, Parcel
from services.orders.state import OrderState


def remaining(state: OrderState) -> Map[str, int]:
    """Return the units that are still wanted by line, lines with none left out."""
    left = {name: line.remaining for name, line in state.lines.items()}
    return Map({name: units for name, units in left.items() if units})


def shortages(state: OrderState) -> tuple[common.Demand, ...]:
    """Return the units that inventory lacks, by SKU."""
    return tuple(
        common.Demand(sku=sku, units=need.short)
        for sku, need in sorted(state.needs.items())
        if need.units and need.short
    )


def demand(state: OrderState) -> dict[str, int]:
    """Return the units that the order needs in all, by SKU, summed over lines and kits.

    What has left of a line beyond what it wants counts too: it is no other line's, also where
    others hand it over by now.
    """
    gone, back = shipped(state), spent(state)
    wanted = {
        n: o.remaining + o.resent + back.get(n, 0) if o.goods else 0 for n, o in state.lines.items()
    }
    return by_sku(state, {n: max(units, gone.get(n, 0)) for n, units in wanted.items()})


def by_sku(state: OrderState, units: Mapping[str, int]) -> dict[str, int]:
    """Return what these units of lines take from our stock."""
    needed: dict[str, int] = {}
    for name, count in units.items():
        line = state.lines.get(name)
        if line is not None and count:
            for part in line.components:
                needed[part.sku] = needed.get(part.sku, 0) + count * part.units
    return {sku: wanted for sku, wanted in sorted(needed.items()) if wanted}


def packed(state: OrderState) -> dict[str, int]:
    """Return the units by line that are in parcels, planned or later."""
    return _sum(one for one in state.parcels.values() if one.status in PACKED)


def inside(state: OrderState) -> dict[str, int]:
    """Return the units by line that are in parcels, or may be in one that we do not know yet."""
    found = packed(state)
    for name, units in state.engaged.items():
        found[name] = max(units, found.get(name, 0))
    return found


def shipped(state: OrderState) -> dict[str, int]:
    """Return the units by line that have left."""
    return _sum(one for one in state.parcels.values() if one.status in OUT)


def spent(state: OrderState) -> dict[str, int]:
    """Return the units by line that have left, and stand for none that is still wanted."""
    gone = shipped(state)
    found = {n: min(line.taken_back, gone.get(n, 0)) for n, line in state.lines.items()}
    return {name: units for name, units in found.items() if units}


def leaving(state: OrderState) -> dict[str, int]:
    """Return the units by line that have left, or that nobody can keep back any more."""
    return _sum(one for one in state.parcels.values() if one.status in OUT or one.late)


def delivered(state: OrderState) -> dict[str, int]:
    """Return the units by line that have arrived."""
    return _sum(one for one in state.parcels.values() if one.status == "delivered")


def under_way(state: OrderState) -> dict[str, int]:
    """Return the units by line that are in a parcel that may still arrive."""
    return _sum(one for one in state.parcels.values() if one.status in UNDER_WAY)


def _sum(parcels: Iterable[Parcel]) -> dict[str, int]:
    found: dict[str, int] = {}
    for parcel in parcels:
        for name, units in parcel.lines.items():
            found[name] = found.get(name, 0) + units
    return found


def too_late(state: OrderState) -> dict[str, int]:
    """Return the units by line that leave and that nobody wants any more."""
    left = {name: line.remaining + line.resent for name, line in state.lines.items()}
    back = spent(state)
    over = {
        name: max(units - left.get(name, 0), back.get(name, 0))
        for name, units in leaving(state).items()
    }
    return {name: units for name, units in sorted(over.items()) if units > 0}


def twice(state: OrderState) -> dict[str, int]:
    """Return the units by line that arrived although they were refunded or sent once more."""
    late, found = too_late(state), dict[str, int]()
    for name, units in sorted(delivered(state).items()):
        line = state.lines.get(name)
        if line is not None:
            owed = max(0, line.remaining - line.refunded) + late.get(name, 0)
            found[name] = min(units - owed, line.resent + line.refunded)
    return {name: units for name, units in found.items() if units > 0}


def value(state: OrderState, units: Mapping[str, int]) -> int:
    """Return the money that these units stand for: the total for all of them, else their share."""
    if dict(units) == {n: line.quantity for n, line in state.lines.items() if line.quantity}:
        return state.total
    worth = ((state.lines[name], count) for name, count in units.items())
    return sum(line.value * count // line.quantity for line, count in worth if line.quantity)
