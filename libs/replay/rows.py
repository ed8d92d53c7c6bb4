"""Reading a read model: rows by key, pages by value, and waiting until it holds a write."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import asyncpg
import msgspec

from libs.eventsourcing.decider import Refused
from libs.eventsourcing.projection import Key, Projection
from libs.replay.table import Table
from libs.store.pool import Pool

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")
LIVE = "SELECT version FROM read_models WHERE name = $1"
POLL = 0.02  # seconds, for what another process applies
_HEADS = "SELECT lane, head FROM lanes WHERE head > 0"
_APPLIED = """
    SELECT p.topic, p.partition, p.last_pseq FROM read_models m
    JOIN positions p ON p.consumer = m.consumer WHERE m.name = $1"""


class OtherVersion(Refused):  # an answer, not a fault
    """Rows that are there in a shape that this release cannot read; soon they are not."""

    def __init__(self, name: str) -> None:
        super().__init__("read-model-rebuilt", f"{name} is being rebuilt by an upgrade: try again.")


class Applied(Protocol):
    """What this process's projector knows of how far projections are."""

    def applied(self, projection: str) -> Mapping[tuple[str, int], int]:
        """Return the last number by topic and partition."""
        ...

    async def moved(self, seconds: float) -> None:
        """Return after the next commit, or after so many seconds."""
        ...


class TableRows(Generic[R]):
    """The rows of one projection, through its view.

    `topics` maps services to their topics, `own` is the service whose database this is; with
    this process's projector, waiting ends sooner.
    Rows of another version are read as long as they fit, else reading raises OtherVersion.
    """

    def __init__(
        self,
        pool: Pool,
        projection: Projection[R],
        topics: Mapping[str, str],
        projector: Applied | None = None,
        own: str = "",
    ) -> None:
        self.pool, self.projection, self.own = pool, projection, own
        self.topics, self.projector = topics, projector
        self.table: Table[R] = Table(projection, f'"{projection.name}"')

    async def get(self, *key: str | int) -> R | None:
        """Return the row with this key."""
        if len(key) != len(self.projection.key):
            raise ValueError(f"{self.projection.name} has the key {self.projection.key}")
        marks = ", ".join(f"${n}" for n in range(1, len(key) + 1))
        rows = await self._select(f"WHERE ({self.table.keys}) = ({marks})", key)
        return rows[0] if rows else None

    async def find(
        self, *, after: Key | None = None, limit: int = 50, **equal: str | int | bool
    ) -> list[R]:
        """Return rows whose columns equal these values, in key order, behind the key `after`."""
        values: list[Any] = [*equal.values(), *(after or ()), limit]
        conditions = [f'"{column}" = ${n}' for n, column in enumerate(equal, 1)]
        self._known(equal)
        if after is not None:
            first = len(equal) + 1
            marks = ", ".join(f"${n}" for n in range(first, first + len(after)))
            conditions.append(f"({self.table.keys}) > ({marks})")
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return await self._select(
            f"{where} ORDER BY {self.table.keys} LIMIT ${len(values)}", values
        )

    async def totals(
        self, by: Sequence[str], of: Sequence[str] = (), **among: Sequence[str]
    ) -> dict[Key, tuple[int, ...]]:
        """Return the number of rows and the sums of columns, by the values of other columns.

        Rows whose columns are not `among` these values are left out.
        """
        self._known((*by, *of, *among))
        keys = ", ".join(f'"{column}"' for column in by)
        sums = "".join(f', sum("{column}")::bigint' for column in of)
        wanted = " AND ".join(
            f'"{column}" = ANY (${n}::text[])' for n, column in enumerate(among, 1)
        )
        where = f"WHERE {wanted}" if among else ""
        query = f"SELECT {keys}, count(*){sums} FROM {self.table.name} {where} GROUP BY {keys}"
        rows = await self._read(query, [list(values) for values in among.values()], tuple)
        return {row[: len(by)]: row[len(by) :] for row in rows}

    def _known(self, columns: Iterable[str]) -> None:
        unknown = set(columns) - self.table.types.keys()
        if unknown:
            raise ValueError(f"{self.projection.name} has no column {sorted(unknown)}")

    async def _select(self, clause: str, values: Sequence[Any]) -> list[R]:
        query = f"SELECT {self.table.selected} FROM {self.table.name} {clause}"
        return await self._read(query, values, self.table.row)

    async def _read(
        self, query: str, values: Sequence[Any], made: Callable[[asyncpg.Record], T]
    ) -> list[T]:
        try:
            return [made(record) for record in await self._fetch(query, values)]
        except Exception as error:
            if await self.pool.fetchval(LIVE, self.projection.name) == self.projection.version:
                raise
            raise OtherVersion(self.projection.name) from error

    async def _fetch(self, query: str, values: Sequence[Any]) -> Sequence[asyncpg.Record]:
        try:
            return await self.pool.fetch(query, *values)
        except (asyncpg.UndefinedTableError, asyncpg.InternalServerError):
            # Another generation took this one's place between the query's parsing and its locks.
            return await self.pool.fetch(query, *values)

    async def wait(self, token: str, seconds: float = 5.0) -> bool:
        """Wait until the rows hold what the token names; False if that took too long.

        A token is "service:lane:number", several are joined by commas. What the projection does
        not read is not waited for. Raises Refused (`bad-token`).
        """
        wanted = {
            (self.topics[service], lane): number
            for (service, lane), number in _places(token).items()
            if service in self.projection.topics
        }
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            known = self.projector.applied(self.projection.name) if self.projector else {}
            if _holds(known, wanted) or _holds(await self._stored(), wanted):
                return True
            if loop.time() > deadline:
                return False
            if self.projector is not None:
                await self.projector.moved(POLL)
            else:
                await asyncio.sleep(POLL)

    async def caught_up(self, seconds: float = 1.0) -> bool:
        """Wait until the rows hold all that their own service has recorded by now, or as `wait`."""
        heads = await self.pool.fetch(_HEADS)
        return not heads or await self.wait(
            ",".join(f"{self.own}:{lane}:{head}" for lane, head in heads), seconds
        )

    async def _stored(self) -> Mapping[tuple[str, int], int]:
        rows = await self.pool.fetch(_APPLIED, self.projection.name)
        return {(topic, partition): number for topic, partition, number in rows}


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
