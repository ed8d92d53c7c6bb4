"""A long log is read by several processes, each its own lanes: the copy is the same, none is left."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.replay.filling import Progress, RebuildFailed
from libs.replay.rebuild import Rebuilt, rebuild
from libs.replay.shares import Workers
from tests.integration.bus.toy import CODEC, Toy, counted, lane_with_things, running
from tests.integration.replay.test_projector import caught_up, projecting, published
from tests.support import eventually, words_of

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.stack


class Thing(msgspec.Struct, frozen=True):
    thing: str
    total: int = 0


def keys(envelope: Envelope[Any]) -> Sequence[Key]:
    return ((envelope.event.thing,),)


def add(row: Thing | None, key: Key, envelope: Envelope[Any]) -> Thing:
    if envelope.event.amount < 0:
        raise ValueError("less than nothing")
    return Thing(str(key[0]), (row.total if row else 0) + envelope.event.amount)


THINGS: Projection[Thing] = Projection(
    "things", 1, Thing, ("thing",), ("toy",), keys, add, by_stream=True
)


async def shared(toy: Toy, database: str, **how: Any) -> Rebuilt:
    workers = Workers(database, 3, worth=1)
    return await rebuild(
        toy.pool, toy.kafka, toy.topics, THINGS, CODEC, workers=workers, **how
    )  # fmt: skip


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [one for one in found if "libs.replay.shares" in " ".join(words_of(one))]


@pytest.mark.parametrize("in_memory", [3, 100_000])
async def test_a_copy_that_several_fill_is_equal_and_takes_the_live_ones_place(
    toy: Toy, database: str, in_memory: int
) -> None:
    relay, stop = toy.relay(), asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            relay.poke(await toy.commit(counted(50)))
            await asyncio.sleep(0)

    async with running(relay), projecting(toy, THINGS) as projector:
        loading = asyncio.create_task(load())
        await eventually(lambda: relay.sent_total > 2000, 30)
        told: list[Progress] = []
        done = await shared(
            toy, database, verify=True, swap=True, in_memory=in_memory, progress=told.append
        )
        assert done.compared is not None
        assert (done.compared.equal, done.swapped, done.rows) == (True, True, 20)
        assert told[-1].records == done.records > 2000
        stop.set()
        await loading
        await caught_up(toy, THINGS, projector)
        events = await toy.pool.fetchval("SELECT count(*) FROM events")
        assert await toy.pool.fetchval("SELECT sum(total) FROM things") == events
    assert children() == []


async def test_rows_that_were_changed_by_hand_are_named_by_several_too(
    toy: Toy, database: str
) -> None:
    async with running(toy.relay()), projecting(toy, THINGS):
        await toy.commit(counted(100))
        await caught_up(toy, THINGS)
        await toy.pool.execute("UPDATE things SET total = 7 WHERE thing = 't3'")
        done = await shared(toy, database, verify=True, swap=True)
        assert done.compared is not None
        assert (done.compared.differing, done.swapped) == ((("t3",),), False)


@pytest.mark.parametrize("data", [b"\xc1", msgspec.msgpack.encode(["t1", -1])])
async def test_what_one_of_them_cannot_read_or_fold_fails_the_copy_alone(
    toy: Toy, database: str, data: bytes
) -> None:
    async with running(toy.relay()), projecting(toy, THINGS):
        await toy.commit(counted(100))
        await caught_up(toy, THINGS)
    lane = lane_with_things()
    await toy.write(lane, (await toy.heads())[lane] + 1, data=data)
    with pytest.raises(RebuildFailed):
        await shared(toy, database, swap=True)
    assert children() == []
    tables = await toy.pool.fetch("SELECT tablename FROM pg_tables WHERE tablename LIKE 'rm\\_%'")
    assert [row[0] for row in tables] == ["rm_things_1"]
    assert await toy.pool.fetchval("SELECT sum(total) FROM things") == 100


async def test_one_that_is_killed_fails_the_copy_and_takes_the_others_with_it(
    toy: Toy, database: str
) -> None:
    async with running(toy.relay()):
        await toy.commit(counted(100))
        await eventually(lambda: published(toy, 100))
    async with projecting(toy, THINGS):
        await caught_up(toy, THINGS)
    rebuilding = asyncio.create_task(shared(toy, database, swap=True))
    await eventually(lambda: len(children()) == 3)
    children()[0].kill()
    with pytest.raises(RebuildFailed, match="ended"):
        await rebuilding
    assert children() == []
    assert (await shared(toy, database, swap=True)).rows == 20


async def unanswered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing to whoever has connected, until it is gone."""
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def parent_of_three(toy: Toy, database: str) -> Any:
    """A process that rebuilds, at the head of a group of its own, and what keeps its children."""
    async with running(toy.relay()):
        await toy.commit(counted(100))
        await eventually(lambda: published(toy, 100))
    mute = await asyncio.start_server(unanswered, "127.0.0.1", 0)
    port = mute.sockets[0].getsockname()[1]
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.replay.rebuilding", database, toy.kafka, toy.topic,
        f"postgresql://nobody@127.0.0.1:{port}/nothing", cwd=ROOT, start_new_session=True,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await eventually(lambda: len(children()) == 3)
    return mute, parent


async def test_who_interrupts_the_group_at_once_hears_of_the_parent_alone(
    toy: Toy, database: str
) -> None:
    mute, parent = await parent_of_three(toy, database)
    assert parent.pid not in {os.getpgid(one.pid) for one in children()}
    os.killpg(parent.pid, signal.SIGINT)  # as Ctrl-C does, also while they begin
    _, said = await parent.communicate()
    await eventually(lambda: children() == [], 5)
    assert said.decode().count("KeyboardInterrupt\n") == 1, said.decode()
    mute.close()


async def test_processes_end_with_the_one_that_was_killed(toy: Toy, database: str) -> None:
    mute, parent = await parent_of_three(toy, database)
    left = children()
    parent.kill()
    await parent.communicate()
    await eventually(lambda: not any(one.is_running() for one in left), 5)
    mute.close()


async def test_a_rebuild_that_is_called_off_leaves_no_process(toy: Toy, database: str) -> None:
    async with running(toy.relay()):
        await toy.commit(counted(100))
        await eventually(lambda: published(toy, 100))
    rebuilding = asyncio.create_task(shared(toy, database, swap=True))
    await eventually(lambda: len(children()) == 3)
    rebuilding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rebuilding
    assert children() == []
