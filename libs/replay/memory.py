"""Reading a read model that is in memory, as `TableRows` reads a table."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Generic, TypeVar

import msgspec

from libs.eventsourcing.projection import Key

R = TypeVar("R", bound=msgspec.Struct)


class MemoryRows(Generic[R]):
    """The rows of one projection; `table` returns them by key, as they are now."""

    def __init__(self, table: Callable[[], Mapping[Key, R]]) -> None:
        self._table = table

    async def get(self, *key: str | int) -> R | None:
        """Return the row with this key."""
        return self._table().get(key)

    async def find(
        self, *, after: Key | None = None, limit: int = 50, **equal: str | int | bool
    ) -> list[R]:
        """Return rows whose columns equal these values, in key order, behind the key `after`."""
        return [
            row
            for key, row in sorted(self._table().items())
            if (after is None or key > after)
            and all(getattr(row, name) == value for name, value in equal.items())
        ][:limit]

    async def totals(
        self, by: Sequence[str], of: Sequence[str] = (), **among: Sequence[str]
    ) -> dict[Key, tuple[int, ...]]:
        """Return the number of rows and the sums of columns, by the values of other columns."""
        totals: dict[Key, tuple[int, ...]] = {}
        names = tuple(map(attrgetter, by))
        for row in self._table().values():
            if all(getattr(row, name) in values for name, values in among.items()):
                key = tuple(name(row) for name in names)
                before = totals.get(key, (0,) * (1 + len(of)))
                more = (1, *(getattr(row, name) for name in of))
                totals[key] = tuple(map(sum, zip(before, more, strict=True)))
        return totals

    async def wait(self, token: str, seconds: float = 5.0) -> bool:
        """Return at once: what is here is what there is."""
        del seconds
        return bool(token)

    async def caught_up(self, seconds: float = 1.0) -> bool:
        """Return at once: what is here is what there is."""
        del seconds
        return True
