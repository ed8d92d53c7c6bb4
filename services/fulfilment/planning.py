"""Which units leave from where: a plan for what of an order is in no parcel yet. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from libs.contracts import fulfilment as events
from libs.contracts.common import FulfilmentLine
from services.fulfilment.handover import Handover, Row, quantities, units_of
from services.fulfilment.handover_commands import AT_ONCE

Free = dict[tuple[str, str], int]  # (SKU, location) -> units


class Group(NamedTuple):
    """Units that go together: one location, carried or not."""

    location: str
    requires_shipping: bool


class Planned(NamedTuple):
    """New parcels, and lines that no parcel can take, by the code of the reason."""

    parcels: dict[Group, list[Row]]
    left: dict[str, dict[str, int]]
    waits: bool = False


def wanted(taken: events.FulfilmentTaken) -> dict[str, int]:
    """Return the units of each line that are to be handed over in all."""
    found: dict[str, int] = {}
    for line in taken.lines:
        found[line.line_id] = found.get(line.line_id, 0) + line.quantity
    return found


def open_units(state: Handover) -> dict[str, int]:
    """Return the units of each line that no shipment has."""
    if state.taken is None:
        return {}
    held = quantities(row for share in state.shares.values() for row in share.held)
    lines = wanted(state.taken).items()
    return {line: n - held.get(line, 0) for line, n in lines if n > held.get(line, 0)}


def kept(state: Handover, *, asked: bool) -> Free:
    """Return what is free of what inventory keeps for the order: less than 0 was taken away.

    `asked` counts what shipments were last asked to have, else what they still have.
    """
    free: Free = {}
    for sku, stock in state.stock.items():
        for location, units in stock.units:
            free[sku, location] = units
    for share in state.shares.values():
        settled = frozenset(share.settled)  # of hundreds, in a large order
        for sku, units in units_of(share.target if asked else share.held).items():
            if sku not in settled:
                free[sku, share.location] = free.get((sku, share.location), 0) - units
    return free


def plan(state: Handover) -> Planned:
    """Plan what is in no shipment: at once what nobody carries, the rest when all of it is there.

    A line's unit goes whole: a kit's parts leave from one place.
    """
    taken = state.taken
    rest = open_units(state)
    if taken is None or not rest or taken.blocked is not None:
        return Planned({}, {})
    lines = [(line, rest[line.line_id]) for line in _once(taken.lines) if line.line_id in rest]
    parcels: dict[Group, list[Row]] = {}
    for line, units in lines:
        if not line.components:
            place = taken.default_location if line.requires_shipping else AT_ONCE
            _put(parcels, Group(place, line.requires_shipping), line, units)
    free = kept(state, asked=False)
    stocked = [(line, units) for line, units in lines if line.components]
    if not _enough(stocked, free):
        return Planned({g: r for g, r in parcels.items() if not g.requires_shipping}, {}, True)
    over = _place(stocked, free, parcels)
    left = {"kit-over-locations": over} if over else {}
    return _allowed(state, taken, parcels, left)


def _once(lines: Iterable[FulfilmentLine]) -> list[FulfilmentLine]:
    return list({line.line_id: line for line in lines}.values())


def _put(parcels: dict[Group, list[Row]], group: Group, line: FulfilmentLine, units: int) -> None:
    parts = tuple((part.sku, part.units) for part in line.components)
    parcels.setdefault(group, []).append(Row(line.line_id, units, parts))


def _enough(lines: Iterable[tuple[FulfilmentLine, int]], free: Free) -> bool:
    need: dict[str, int] = {}
    for line, units in lines:
        for sku, count in _parts(line).items():
            need[sku] = need.get(sku, 0) + count * units
    there: dict[str, int] = {}
    for (sku, _), units in free.items():
        there[sku] = there.get(sku, 0) + max(0, units)
    return all(there.get(sku, 0) >= units for sku, units in need.items())


def _parts(line: FulfilmentLine) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in line.components:
        found[part.sku] = found.get(part.sku, 0) + part.units
    return found


def _fits(parts: Mapping[str, int], free: Free, location: str) -> int:
    return min(max(0, free.get((sku, location), 0)) // units for sku, units in parts.items())


def _place(
    lines: list[tuple[FulfilmentLine, int]], free: Free, parcels: dict[Group, list[Row]]
) -> dict[str, int]:
    """Give units their place: kits with the fewest places first; what fits nowhere is returned."""
    locations = sorted({location for _, location in free})
    over: dict[str, int] = {}

    def choices(entry: tuple[FulfilmentLine, int]) -> tuple[bool, int, str]:
        parts = _parts(entry[0])
        places = sum(_fits(parts, free, location) > 0 for location in locations)
        return len(parts) == 1, places, entry[0].line_id

    for line, units in sorted(lines, key=choices):
        parts, rest = _parts(line), units
        for location in sorted(
            locations, key=lambda one: (-min(rest, _fits(parts, free, one)), one)
        ):
            fit = min(rest, _fits(parts, free, location))
            if fit:
                for sku, count in parts.items():
                    free[sku, location] -= count * fit
                _put(parcels, Group(location, line.requires_shipping), line, fit)
                rest -= fit
        if rest:
            over[line.line_id] = rest
    return over


def _allowed(
    state: Handover,
    taken: events.FulfilmentTaken,
    parcels: dict[Group, list[Row]],
    left: dict[str, dict[str, int]],
) -> Planned:
    """Take back what may not go as it was planned: an address out of reach, too many parcels."""
    refused = {one.location: one.code for one in taken.refused_locations}
    carried = {g.location for g in parcels if g.requires_shipping}
    carried |= {s.location for s in state.shares.values() if s.requires_shipping and not s.late}
    several = taken.one_parcel and (len(carried) > 1 or "kit-over-locations" in left)
    good: dict[Group, list[Row]] = {}
    for group, rows in parcels.items():
        code = refused.get(group.location, "several-locations" if several else "")
        if not group.requires_shipping or not code:
            good[group] = rows
            continue
        lines = left.setdefault(code, {})
        for line, units in quantities(rows).items():
            lines[line] = lines.get(line, 0) + units
    return Planned(good, left)
