"""A copy filled by several processes at once: each reads lanes of its own and writes their rows.

Only for projections whose rows are of one stream each (`by_stream`): no row is in two lanes then.
"""

import asyncio
import contextlib
import os
import pickle
import sys
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from libs.bus.records import Place
from libs.bus.screening import Cursor
from libs.bus.tail import Tail, lone_reader
from libs.codec.framing import EventCodec
from libs.eventsourcing.projection import Projection
from libs.replay.filling import Filling, Progress, RebuildFailed
from libs.replay.table import Table
from libs.runtime.memory import settle
from libs.store.pool import LONG, LOST, UNBOUNDED
from libs.values.lanes import PARTITIONS

WORTH = 50_000  # records: fewer are read before a second process is there
MOST = 4  # processes: beyond that the broker and the database are what one waits for


class Workers(msgspec.Struct, frozen=True):
    """How many processes may fill a copy in the database at `dsn`, if it has `worth` records."""

    dsn: str
    processes: int
    worth: int = WORTH


class Share(msgspec.Struct, frozen=True):
    """What one process fills: these lanes, up to these numbers (None: to their ends)."""

    lanes: Sequence[int]
    numbers: Mapping[Place, int] | None
    dsn: str
    bootstrap: str
    topics: Mapping[str, str]
    projection: Projection[Any]
    table: str
    codec: EventCodec
    in_memory: int


class Filled(msgspec.Struct, frozen=True):
    """Where a share stands once its rows are written."""

    cursors: Mapping[Place, Cursor]
    records: int


def workers_at(dsn: str) -> Workers:
    """Return what this machine can do for a database: a process for each of its processors."""
    known = hasattr(os, "sched_getaffinity")  # on Linux: those that a container was given
    mine = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return Workers(dsn, min(mine, MOST))


async def share_out(
    workers: Workers, filling: Filling, bootstrap: str, numbers: Mapping[Place, int] | None
) -> None:
    """Fill a copy as far as these numbers (None: to the ends), if it can be shared and is worth it.

    `filling`, which has read nothing yet, goes on from there. Raises RebuildFailed, or
    ConnectionError where a process has lost a server. No process is left.
    """
    projection, count = filling.table.projection, workers.processes
    if not projection.by_stream or count < 2 or await filling.length() < workers.worth:
        return
    shares = [
        Share(range(first, PARTITIONS, count), numbers, workers.dsn, bootstrap, filling.tail.topics,
              projection, filling.table.name, filling.codec, filling.in_memory // count)
        for first in range(count)
    ]  # fmt: skip
    for filled in await _filled(shares, filling.progress):
        filling.adopt(filled.cursors, filled.records)


async def _filled(
    shares: Sequence[Share], progress: Callable[[Progress], None] | None
) -> Sequence[Filled]:
    told: dict[int, Progress] = {}

    async def follow(number: int, share: Share) -> Filled:
        async with _working(share) as pipe:
            while True:
                said = await _said(pipe)
                match said:
                    case Filled():
                        return said
                    case Progress():
                        told[number] = said
                        if progress is not None:
                            progress(_together(told.values()))
                    case _:
                        raise said

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow(n, share)) for n, share in enumerate(shares)]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _together(told: Collection[Progress]) -> Progress:
    records, total = sum(one.records for one in told), sum(one.total for one in told)
    rate = sum(one.rate for one in told)
    name = next(iter(told)).projection
    return Progress(name, records, total, rate, (total - records) / rate if rate else 0.0)


@contextlib.asynccontextmanager
async def _working(share: Share) -> AsyncIterator[asyncio.StreamReader]:
    """Have a process work, and hear what it says; it is gone when this ends."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"from {__name__} import main; main()", env=environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        process_group=0,  # a Ctrl-C is for the parent, which says what follows
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(pickle.dumps(share))  # and it stays open: its end is the end of ours
        yield process.stdout
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _said(pipe: asyncio.StreamReader) -> Filled | Progress | Exception:
    try:
        size = int.from_bytes(await pipe.readexactly(4), "big")
        data = await pipe.readexactly(size)
    except asyncio.IncompleteReadError:
        raise RebuildFailed("A process that filled the copy has ended.") from None
    said: Filled | Progress | Exception = pickle.loads(data)  # noqa: S301 - our own process
    return said


def main() -> None:
    """Fill the share that comes by standard input, as a process that ends with its parent."""
    share: Share = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settle()
    try:
        _say(asyncio.run(_fill(share, _say)))
    except RebuildFailed as failed:
        _say(failed)
    except LOST as error:
        _say(ConnectionError(type(error).__name__))
    except Exception as error:
        _say(RebuildFailed(f"{share.projection.name}: {type(error).__name__}."))


def _say(what: Filled | Progress | Exception) -> None:
    data = pickle.dumps(what)
    sys.stdout.buffer.write(len(data).to_bytes(4, "big") + data)
    sys.stdout.buffer.flush()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


async def _fill(share: Share, progress: Callable[[Progress], None]) -> Filled:
    bounds = {name: str(value) for name, value in UNBOUNDED.items()}
    connection = await asyncpg.connect(share.dsn, server_settings=bounds)
    try:
        async with lone_reader(share.bootstrap) as consumer:
            tail = Tail(consumer, share.topics, share.lanes)
            await tail.start()
            table = Table(share.projection, share.table, LONG)
            filling = Filling(tail, table, share.codec, progress, share.in_memory)
            if share.numbers is None:
                await filling.to_ends(connection)
            else:
                await filling.to_numbers(connection, share.numbers)
            await filling.flush(connection)
    finally:
        await connection.close()
    return Filled(filling.cursors, filling.records)
