"""Stock movements of the retail file, and the opening stock that leaves 3 % of the units short."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from statistics import median

from msgspec import Struct

from services.sandbox.retail.classify import Treatment, write_off_reason
from services.sandbox.retail.content import Content
from services.sandbox.retail.reconcile import half_up
from services.sandbox.retail.rows import Row

SHORT_PER_MILLE = 30


class Adjustment(Struct, frozen=True):
    """A signed change of a SKU's units; `key` is the same in every run, `position` the plan's."""

    key: str
    row: int
    at: int
    sku: str
    units: int
    reason: str
    note: str


class Opening(Struct, frozen=True):
    """A SKU's first receipt; the unit cost is synthetic: half of the SKU's median price."""

    sku: str
    title: str
    units: int
    withheld: int
    unit_cost_minor: int


def adjustments(classified: Iterable[tuple[Row, Treatment]]) -> tuple[Adjustment, ...]:
    """Rows 16, 18 and 19 of the table, by time."""
    found = []
    for row, treatment in classified:
        match treatment:
            case Treatment.WRITE_OFF:
                reason, units = write_off_reason(row.description), row.quantity
            case Treatment.FREE_ISSUE:
                reason, units = "free issue", -row.quantity
            case Treatment.FOUND:
                reason, units = "found", row.quantity
            case _:
                continue
        key = f"retail-{row.invoice}-{row.line}"
        note = "" if reason == "free issue" else row.description
        found.append(Adjustment(key, row.line, row.at, row.sku, units, reason, note))
    return tuple(sorted(found, key=lambda one: (one.at, one.row)))


def ordered_units(contents: Iterable[Content]) -> Counter[str]:
    """Units per SKU; lines that take no stock are left out."""
    units: Counter[str] = Counter()
    for content in contents:
        for line in content.lines:
            if line.sku is not None:
                units[line.sku] += line.quantity
    return units


def opening(
    rows: Iterable[Row], contents: Sequence[Content], moves: Iterable[Adjustment], seed: int
) -> tuple[Opening, ...]:
    """Units ordered and written off in the run, less what is withheld until 3 % are short.

    Nothing is withheld from a SKU of which units are found later, so the shortage is exact.
    """
    ordered = ordered_units(contents)
    out: Counter[str] = Counter()
    found: set[str] = set()
    for move in moves:
        if move.units < 0:
            out[move.sku] -= move.units
        else:
            found.add(move.sku)
    withheld = _withhold({sku: n for sku, n in ordered.items() if sku not in found}, ordered, seed)
    titles, costs = _titles(contents), _costs(rows)
    return tuple(
        Opening(
            sku=sku,
            title=titles.get(sku, sku),
            units=ordered[sku] + out[sku] - withheld[sku],
            withheld=withheld[sku],
            unit_cost_minor=costs.get(sku, 0),
        )
        for sku in sorted({*ordered, *out, *found})
    )


def _withhold(candidates: Mapping[str, int], ordered: Mapping[str, int], seed: int) -> Counter[str]:
    random = Random(f"{seed}:withheld")  # noqa: S311 - a seeded plan, nothing secret
    target = round(sum(ordered.values()) * SHORT_PER_MILLE / 1000)
    withheld: Counter[str] = Counter()
    drawn = random.sample(sorted(candidates), len(candidates))
    for sku in drawn:
        left = target - withheld.total()
        if not left:
            break
        withheld[sku] = min(left, random.randint(1, candidates[sku]))
    for sku in drawn:  # where a short run has too few SKUs, more of each
        withheld[sku] += min(target - withheld.total(), candidates[sku] - withheld[sku])
    return +withheld


def _titles(contents: Iterable[Content]) -> dict[str, str]:
    return {line.sku: line.title for one in contents for line in one.lines if line.sku is not None}


def _costs(rows: Iterable[Row]) -> dict[str, int]:
    prices: dict[str, list[int]] = {}
    for row in rows:
        pence = half_up(row.amount / row.quantity) if row.quantity > 0 else 0
        if pence > 0:
            prices.setdefault(row.sku, []).append(pence)
    return {sku: int(median(found)) // 2 for sku, found in prices.items()}
