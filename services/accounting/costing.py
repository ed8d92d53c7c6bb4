"""A SKU's units at moving average: whole minor units, nothing lost and nothing made. Pure.

n of the units cost floor(value * n / units), so that the last unit takes what is left. Units that
go before they came are a debt at the last known cost; the receipt that fills it corrects that.
"""

import msgspec
from msgspec.structs import replace

from libs.contracts import accounting, common

FINE = 1_000_000


class Held(msgspec.Struct, frozen=True, array_like=True):
    """Units that came in and nobody can say what they cost; `value` is what stands for it.

    `left` of them are still here, in millionths of a unit: of units that go, held ones are as many
    as they are of those that are here.
    """

    units: int
    value: int
    kind: common.EntryKind
    code: str
    left: int


class Value(msgspec.Struct, frozen=True):
    """What the units are worth. `cost_value` of `cost_units`: the last known cost (0: none)."""

    units: int = 0
    value: int = 0
    cost_value: int = 0
    cost_units: int = 0
    seen: int = 0
    held: dict[str, Held] = {}

    @property
    def known(self) -> bool:
        """Whether any cost was ever known."""
        return self.cost_units > 0

    @property
    def uncosted(self) -> int:
        """Return the units, here or gone, whose cost nobody knows."""
        debt = 0 if self.known else max(-self.units, 0)
        return debt + sum(one.units for one in self.held.values())

    def last(self, units: int) -> int:
        """Return what so many units cost at the last known cost."""
        return self.cost_value * units // self.cost_units if self.known else 0


def issue(stock: Value, units: int) -> tuple[Value, int]:
    """Take units out; return their cost."""
    there = min(units, max(stock.units, 0))
    cost = stock.value * there // stock.units if there else 0
    cost += stock.last(units - there)
    return _kept(replace(stock, units=stock.units - units, value=stock.value - cost)), cost


def receive(stock: Value, units: int, total: int | None) -> tuple[Value, int, int]:
    """Take units in that cost this in all; return their value and the correction of a debt.

    Without a cost they stand at the last known one.
    """
    told = total is not None
    worth = total if total is not None else stock.last(units)
    fills, released = _debt(stock, units)
    correction = worth * fills // units - released
    after = replace(stock, units=stock.units + units, value=stock.value + worth - correction)
    if told and after.units <= 0:
        return replace(after, cost_value=worth, cost_units=units), worth, correction
    if told:
        return replace(after, cost_value=after.value, cost_units=after.units), worth, correction
    return _kept(after), worth, correction


def find(stock: Value, units: int) -> tuple[Value, int]:
    """Take units in that were found, at what they would have cost; return that."""
    fills, released = _debt(stock, units)
    worth = released + stock.last(units - fills)
    return _kept(replace(stock, units=stock.units + units, value=stock.value + worth)), worth


def tell(stock: Value, held: Held, total: int) -> tuple[Value, int, int]:
    """Say what held units cost in all; return what that adds, and how much of that is gone."""
    more = total - held.value
    here = max(more * held.left // (held.units * FINE), -max(stock.value, 0))
    after = replace(stock, value=stock.value + here)
    if not after.known:
        after = replace(after, cost_value=total, cost_units=held.units)
    return _kept(after), more, more - here


def _debt(stock: Value, units: int) -> tuple[int, int]:
    """Return how many units fill a debt, and what those stood at."""
    debt = max(-stock.units, 0)
    fills = min(units, debt)
    if not fills:
        return 0, 0
    return fills, -stock.value if fills == debt else -stock.value * fills // debt


def _kept(stock: Value) -> Value:
    """Keep the average as the last known cost, as long as there are units to have one."""
    if stock.known and stock.units > 0:
        return replace(stock, cost_value=stock.value, cost_units=stock.units)
    return stock


def evolve(stock: Value, event: accounting.AccountingEvent) -> Value:
    """Return the value behind an event; entries are a consequence and change nothing."""
    match event:
        case accounting.StockValued():
            return replace(
                stock, units=event.units, value=event.value, cost_value=event.cost_value,
                cost_units=event.cost_units, seen=event.source_version,
                held=_staying(stock, max(event.units, 0)),
            )  # fmt: skip
        case accounting.PostingHeld():
            held = Held(event.units, event.amount, event.kind, event.code, event.units * FINE)
            return replace(stock, held=stock.held | {event.source_event: held})
        case accounting.PostingSettled():
            left = {key: one for key, one in stock.held.items() if key != event.source_event}
            return replace(stock, held=left)
        case _:
            return stock


def _staying(stock: Value, units: int) -> dict[str, Held]:
    """Return the held ones with what is left of each when so many units are here."""
    before = max(stock.units, 0)
    if not stock.held or units > before == stock.units:
        return stock.held
    if units < before:
        left = {name: one.left * units // before for name, one in stock.held.items()}
    else:  # a debt is filled first
        left = {name: min(one.left, units * FINE) for name, one in stock.held.items()}
    return {name: replace(one, left=left[name]) for name, one in stock.held.items()}
