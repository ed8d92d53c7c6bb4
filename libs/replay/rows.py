"""Reading a read model: rows by key, pages by value, and waiting until it holds a write."""

import asyncio
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from libs.eventsourcing.decider import Refused
from libs.eventsourcing.projection import Key, Projection
from libs.replay.table import Table
from libs.store.pool import Pool

R = TypeVar("R", bound=msgspec.Struct)
POLL = 0.02  # seconds, for what another process applies
_APPLIED = """
    SELECT p.topic, p.partition, p.last_pseq FROM read_models m
    JOIN positions p ON p.consumer = m.consumer WHERE m.name = $1"""


class Applied(Protocol):
    """What this process's projector knows of how far projections are."""

    def applied(self, projection: str) -> Mapping[tuple[str, int], int]:
        """Return the last number by service and lane."""
        ...

    async def moved(self, seconds: float) -> None:
        """Return after the next commit, or after so many seconds."""
        ...


class TableRows(Generic[R]):
    """The rows of one projection, through its view."""

    def __init__(self, pool: Pool, projection: Projection[R], projector: Applied | None) -> None:
        self.pool, self.projection, self.projector = pool, projection, projector
        self.table: Table[R] = Table(projection, f'"{projection.name}"')

    async def get(self, *key: str | int) -> R | None:
        """Return the row with this key."""
        rows = await self.find(limit=1, **dict(zip(self.projection.key, key, strict=True)))
        return rows[0] if rows else None

    async def find(
        self, *, after: Key | None = None, limit: int = 50, **equal: str | int | bool
    ) -> list[R]:
        """Return rows whose columns equal these values, in key order, behind the key `after`."""
        values: list[Any] = [*equal.values(), *(after or ()), limit]
        conditions = [f'"{column}" = ${n}' for n, column in enumerate(equal, 1)]
        unknown = equal.keys() - self.table.types.keys()
        if unknown:
            raise ValueError(f"{self.projection.name} has no column {sorted(unknown)}")
        if after is not None:
            first = len(equal) + 1
            marks = ", ".join(f"${n}" for n in range(first, first + len(after)))
            conditions.append(f"({self.table.keys}) > ({marks})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        records = await self.pool.fetch(
            f"SELECT {self.table.selected} FROM {self.table.name}{where}"
            f" ORDER BY {self.table.keys} LIMIT ${len(values)}", *values,
        )  # fmt: skip
        return [self.table.row(record) for record in records]

    async def wait(self, token: str, seconds: float = 5.0) -> bool:
        """Wait until the rows hold what the token names; False if that took too long.

        A token is "service:lane:number", several are joined by commas. What the projection does
        not read is not waited for. Raises Refused (`bad-token`).
        """
        wanted = {
            place: number
            for place, number in _places(token).items()
            if place[0] in self.projection.topics
        }
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            known = self.projector.applied(self.projection.name) if self.projector else {}
            if _holds(known, wanted) or _holds(await self._stored(wanted), wanted):
                return True
            if loop.time() > deadline:
                return False
            if self.projector is not None:
                await self.projector.moved(POLL)
            else:
                await asyncio.sleep(POLL)

    async def _stored(self, wanted: Mapping[tuple[str, int], int]) -> Mapping[tuple[str, int], int]:
        rows = await self.pool.fetch(_APPLIED, self.projection.name)
        found = {}
        for service, lane in wanted:
            name = f"{service}.events"
            for topic, partition, number in rows:
                # A topic is its service's with the installation's prefix.
                if partition == lane and topic.endswith(name):
                    found[service, lane] = number
        return found


def _holds(known: Mapping[tuple[str, int], int], wanted: Mapping[tuple[str, int], int]) -> bool:
    return all(known.get(place, 0) >= number for place, number in wanted.items())


def _places(token: str) -> dict[tuple[str, int], int]:
    places: dict[tuple[str, int], int] = {}
    try:
        for part in token.split(","):
            service, lane, number = part.split(":")
            places[service, int(lane)] = int(number)
    except ValueError:
        raise Refused("bad-token", "`after` takes the token of a write.") from None
    return places
