"""Rebuilds a read model beside the live one, proves the copy equal, and puts it in its place.

Is handed topics and the read database only: no outside effect can come of it.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from libs.bus.tail import Tail, lone_reader
from libs.codec.framing import EventCodec
from libs.eventsourcing.projection import Projection
from libs.replay.filling import IN_MEMORY, Filling, Progress, RebuildFailed
from libs.replay.models import Model, create, make_live, models, prepare, sweep
from libs.replay.shares import Workers, share_out
from libs.replay.table import Table, table_name
from libs.replay.verifying import Comparison, compare
from libs.store.pool import LONG, UNBOUNDED, Connection, Pool, session
from libs.store.upgrading import HELD, Waiting, alone, brief
from libs.telemetry.logs import log

WAITS = "swap-waits"
ATTEMPTS = 50  # to be ahead of the live rows when both stand still for a moment
_POSITIONS = """
    SELECT topic, partition, last_pseq FROM positions WHERE consumer = $1
    ORDER BY topic, partition"""


class Rebuilt(msgspec.Struct, frozen=True):
    """What a rebuild did. `compared` is None where it was not asked to verify."""

    projection: str
    records: int
    rows: int
    seconds: float
    rate: float
    swapped: bool
    compared: Comparison | None = None


async def rebuild(
    pool: Pool,
    bootstrap: str,
    topics: Mapping[str, str],
    projection: Projection[Any],
    codec: EventCodec,
    *,
    verify: bool = False,
    swap: bool = False,
    from_nothing: bool = False,
    progress: Callable[[Progress], None] | None = None,
    in_memory: int = IN_MEMORY,
    workers: Workers | None = None,
) -> Rebuilt:
    """Fill a new table from the first offsets while the live one goes on.

    `topics` maps topics to services. With `verify` the copy is compared at exactly the live rows'
    positions and swapped only where equal; `from_nothing` drops the live rows first; `workers`
    read a long log together. Raises RebuildFailed, also where rows of another version would have
    to be compared; the live table is then what it was.
    """
    wanted = _Wanted(
        bootstrap, topics, projection, codec, verify, swap, progress, in_memory, workers
    )  # fmt: skip
    async with session(pool, **UNBOUNDED) as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _lock(projection)):
            raise RebuildFailed(f"{projection.name} is being rebuilt already.")
        await prepare(pool, [projection])
        if from_nothing:
            await _drop(connection, projection)
        elif verify:
            await _comparable(connection, projection)
        return await _rebuilt(pool, connection, wanted)


async def renew(
    pool: Pool,
    bootstrap: str,
    topics: Mapping[str, str],
    projection: Projection[Any],
    codec: EventCodec,
    progress: Callable[[Progress], None] | None = None,
) -> bool:
    """Rebuild rows that an older version of the projection has filled, while they are read.

    Another process that does so is waited for; where it has died, this one takes over. Returns
    False where the rows are of this version, or of a newer one, by then. Raises RebuildFailed.
    """
    wanted = _Wanted(bootstrap, topics, projection, codec, False, True, progress, IN_MEMORY)
    async with session(pool, **UNBOUNDED) as connection:
        await alone(connection, _lock(projection), f"{projection.name} is being rebuilt")
        if (await models(connection))[projection.name].version >= projection.version:
            return False
        log.warning("projection-rebuilt", projection=projection.name, version=projection.version)
        await _rebuilt(pool, connection, wanted)
        return True


async def _comparable(connection: Connection, projection: Projection[Any]) -> None:
    version = (await models(connection))[projection.name].version
    if version != projection.version:
        raise RebuildFailed(
            f"The rows of {projection.name} are of version {version}, and {projection.version} is "
            "this release's: there is nothing to compare. An upgrade replaces older rows by "
            f"itself; `lonja rebuild {projection.name}` replaces any."
        )


class _Wanted(NamedTuple):
    bootstrap: str
    topics: Mapping[str, str]
    projection: Projection[Any]
    codec: EventCodec
    verify: bool
    swap: bool
    progress: Callable[[Progress], None] | None
    in_memory: int
    workers: Workers | None = None


def _lock(projection: Projection[Any]) -> int:
    """Return the number of the right to rebuild this projection."""
    return zlib.crc32(f"rebuild {projection.name}".encode())


async def _rebuilt(pool: Pool, connection: Connection, wanted: _Wanted) -> Rebuilt:
    """Fill a copy and do with it what is wanted; leave no other table behind."""
    projection, began = wanted.projection, asyncio.get_running_loop().time()
    model = (await models(connection))[projection.name]
    copy = Table(projection, table_name(projection.name, model.generation + 1), LONG)
    async with connection.transaction():
        await create(connection, copy)
    read = {topic: s for topic, s in wanted.topics.items() if s in projection.topics}
    try:
        async with lone_reader(wanted.bootstrap) as consumer:
            tail = Tail(consumer, read)
            await tail.start()
            filling = Filling(tail, copy, wanted.codec, wanted.progress, wanted.in_memory)
            if wanted.workers is not None:
                numbers = await _numbers(connection, model) if wanted.verify else None
                await share_out(wanted.workers, filling, wanted.bootstrap, numbers)
            swapped, compared = await _used(pool, connection, model, filling, wanted)
        rows = await connection.fetchval(f"SELECT count(*) FROM {copy.name}", timeout=LONG)
    finally:
        if not connection.is_closed():
            await sweep(connection, (await models(connection))[projection.name])
    seconds = asyncio.get_running_loop().time() - began
    return Rebuilt(projection.name, filling.records, rows, seconds, filling.records / seconds,
                   swapped, compared)  # fmt: skip


async def _used(
    pool: Pool, connection: Connection, model: Model, filling: Filling, wanted: _Wanted
) -> tuple[bool, Comparison | None]:
    """Fill the copy, and compare it, put it in its place, or neither."""
    compared = await _verify(pool, connection, model, filling) if wanted.verify else None
    if wanted.swap and (compared is None or compared.equal):
        await _swap(connection, model, filling)
        return True, compared
    if compared is None:
        await filling.to_ends(connection)
        await filling.flush(connection)
    return False, compared


async def _drop(connection: Connection, projection: Projection[Any]) -> None:
    """Put an empty table in the live one's place."""
    waits = Waiting(WAITS, projection.name)
    while True:
        try:
            async with brief(connection):
                model = await _locked(connection, projection.name)
                empty = Table(projection, table_name(projection.name, model.generation + 1))
                await create(connection, empty)
                for statement in empty.index_ddl():
                    await connection.execute(statement)
                await make_live(connection, empty, model.generation + 1, ())
        except HELD:
            await waits.go_on()
        else:
            return


async def _verify(pool: Pool, connection: Connection, model: Model, filling: Filling) -> Comparison:
    """Fill the copy to exactly where a snapshot of the live rows stands, and compare."""
    await filling.to_numbers(connection, await _numbers(connection, model))
    live = Table(filling.table.projection, model.table, LONG)
    async with (
        session(pool, **UNBOUNDED) as snapshot,
        snapshot.transaction(isolation="repeatable_read", readonly=True),
    ):
        await filling.to_numbers(connection, await _numbers(snapshot, model))
        await filling.flush(connection)
        async with connection.transaction():
            return await compare(snapshot, live, connection, filling.table)


async def _swap(connection: Connection, model: Model, filling: Filling) -> None:
    """Catch up with the live rows, and take their place while nobody writes.

    Who reads them for long is waited for, but keeps nobody else waiting.
    """
    await filling.to_ends(connection)
    await filling.flush(connection)
    for statement in filling.table.index_ddl():
        await connection.execute(statement, timeout=LONG)
    waits, behind = Waiting(WAITS, model.name), 0
    while behind < ATTEMPTS:
        await filling.to_ends(connection)
        await filling.flush(connection)
        try:
            async with brief(connection):
                if await _taken(connection, model, filling):
                    return
            behind += 1
        except HELD:
            await waits.go_on()
    raise RebuildFailed(f"The copy of {model.name} does not catch up with the live rows.")


async def _taken(connection: Connection, model: Model, filling: Filling) -> bool:
    """Take the live rows' place; False where they are ahead."""
    if (await _locked(connection, model.name)).generation != model.generation:
        raise RebuildFailed(f"{model.name} was replaced by another rebuild.")
    numbers, cursors = await _numbers(connection, model), filling.cursors
    if any(p in cursors and cursors[p].last_pseq < n for p, n in numbers.items()):
        return False
    await make_live(connection, filling.table, model.generation + 1, filling.positions())
    return True


async def _locked(connection: Connection, name: str) -> Model:
    await connection.execute("SELECT 1 FROM read_models WHERE name = $1 FOR UPDATE", name)
    return (await models(connection))[name]


async def _numbers(connection: Connection, model: Model) -> dict[tuple[str, int], int]:
    rows = await connection.fetch(_POSITIONS, model.table)
    return {(topic, partition): number for topic, partition, number in rows}
