"""Read models of two releases side by side: rebuilt once, fed by whoever can, never set back."""

import asyncio
import zlib
from dataclasses import replace
from typing import Any

import asyncpg
import msgspec
import pytest

from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.replay.projector import Projector
from libs.replay.rows import OtherVersion
from tests.integration.bus.toy import Toy, counted, running
from tests.integration.replay.test_projector import (
    SEEN,
    TOTALS,
    caught_up,
    each_key,
    projecting,
    rows_of,
)
from tests.support import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


class Wider(msgspec.Struct, frozen=True):
    thing: str
    version: int
    amount: int
    stream: str


def wide(row: Wider | None, key: Key, envelope: Envelope[Any]) -> Wider | None:
    assert row is None, "an event was applied twice"
    return Wider(str(key[0]), int(key[1]), envelope.event.amount, envelope.stream)


WIDER = Projection("seen", 2, Wider, ("thing", "version"), ("toy",), each_key, wide)


async def generation(toy: Toy, name: str = "seen") -> tuple[int, int]:
    row = await toy.pool.fetchrow(
        "SELECT version, generation FROM read_models WHERE name = $1", name
    )
    assert row is not None
    return row["version"], row["generation"]


async def filled(toy: Toy) -> None:
    """Leave read models of the older release behind."""
    async with projecting(toy, SEEN, TOTALS):
        await toy.commit(counted(100))
        await caught_up(toy, SEEN)
        await caught_up(toy, TOTALS)


async def test_a_projection_of_another_version_is_rebuilt_while_the_others_go_on(toy: Toy) -> None:
    async with running(toy.relay()):
        await filled(toy)
        async with projecting(toy, WIDER, TOTALS) as projector:
            with pytest.raises(OtherVersion):
                await rows_of(toy, WIDER).get("t1", 1)
            assert projector.halted() == {}
            await eventually(lambda: projector.fresh)
            assert await rows_of(toy, WIDER).get("t1", 1) == Wider("t1", 1, 1, "thing-t1")
            await toy.commit(counted(100))
            await caught_up(toy, WIDER, projector)
            assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 200


async def test_who_starts_while_another_process_rebuilds_waits_and_takes_over_if_that_dies(
    toy: Toy, database: str
) -> None:
    other = await asyncpg.connect(database)
    await other.execute("SELECT pg_advisory_lock($1)", zlib.crc32(b"rebuild seen"))
    async with running(toy.relay()):
        await filled(toy)
        async with projecting(toy, WIDER, TOTALS) as projector:
            await toy.commit(counted(100))
            await caught_up(toy, TOTALS, projector)  # the others are fed meanwhile
            assert await generation(toy) == (1, 1)
            await other.close()
            await eventually(lambda: projector.fresh)
            assert await generation(toy) == (2, 2)
            await caught_up(toy, WIDER, projector)
            assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 200


async def test_of_processes_that_start_at_once_one_rebuilds_and_all_go_on(toy: Toy) -> None:
    async with running(toy.relay()):
        await filled(toy)
        async with (
            projecting(toy, WIDER, TOTALS) as one,
            projecting(toy, WIDER, TOTALS) as two,
            projecting(toy, WIDER, TOTALS) as three,
        ):
            await eventually(lambda: one.fresh and two.fresh and three.fresh)
            assert await generation(toy) == (2, 2)
            await toy.commit(counted(200))
            await caught_up(toy, WIDER)
            await caught_up(toy, TOTALS)
            assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 300
            assert await toy.pool.fetchval("SELECT sum(total) FROM totals") == 300


def holds_all(projector: Projector) -> bool:
    return len(projector.feed.held) == 8


async def test_the_newer_release_feeds_all_beside_the_older_and_is_followed_by_it(
    toy: Toy,
) -> None:
    async with running(toy.relay()), projecting(toy, SEEN, TOTALS) as old:
        await toy.commit(counted(100))
        await caught_up(toy, SEEN)
        async with projecting(toy, WIDER, TOTALS) as new:
            await eventually(lambda: new.fresh)
            await eventually(lambda: holds_all(new))
            assert not old.feed.held
            await toy.commit(counted(100))
            await caught_up(toy, WIDER)
            await caught_up(toy, TOTALS)
            assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 200
            row = await rows_of(toy, SEEN, old).get("t1", 1)  # the older release reads what it can
            assert row is not None
            assert (row.thing, row.amount) == ("t1", 1)
            assert old.halted() == {}
            assert "version 2" in str(old.live["seen"].problem)
        await eventually(lambda: holds_all(old), 30)  # the newer one is gone again
        await toy.commit(counted(100))
        await caught_up(toy, TOTALS)
        assert await toy.pool.fetchval("SELECT sum(total) FROM totals") == 300


async def test_an_older_release_that_starts_again_sets_no_read_model_back(toy: Toy) -> None:
    async with running(toy.relay()):
        await filled(toy)
        async with projecting(toy, WIDER, TOTALS) as new:
            await eventually(lambda: new.fresh)
            async with projecting(toy, SEEN, TOTALS) as old:
                await toy.commit(counted(100))
                await caught_up(toy, WIDER)
                await caught_up(toy, TOTALS)
                assert await generation(toy) == (2, 2)
                assert old.halted() == {}
            await asyncio.sleep(0)
        assert await generation(toy) == (2, 2)
        assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 200


async def test_a_read_model_that_only_the_newer_release_has_is_fed_of_all_partitions(
    toy: Toy,
) -> None:
    async with running(toy.relay()), projecting(toy, TOTALS):
        await toy.commit(counted(100))
        await caught_up(toy, TOTALS)
        async with projecting(toy, TOTALS, SEEN):
            await caught_up(toy, SEEN)
            await toy.commit(counted(100))
            await caught_up(toy, SEEN)
            assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 200


async def test_a_release_that_has_dropped_a_read_model_feeds_the_one_that_it_has_changed(
    toy: Toy,
) -> None:
    dropped = replace(TOTALS, name="dropped")
    async with running(toy.relay()), projecting(toy, SEEN, TOTALS, dropped) as old:
        await toy.commit(counted(100))
        await caught_up(toy, SEEN)
        async with projecting(toy, WIDER, TOTALS) as new:
            await eventually(lambda: new.fresh)
            await toy.commit(counted(100))  # the older release sees what has become of its rows
            await eventually(lambda: old.live["seen"].other is not None)
            for _ in range(16):  # also when the older one has come back into the group
                await asyncio.sleep(0.5)
                await toy.commit(counted(50))
                await caught_up(toy, WIDER)
            assert holds_all(new)
            assert old.feed.restarts == 1


def falls(_: Wider | None, __: Key, ___: Envelope[Any]) -> Wider | None:
    raise RuntimeError("the newer fold has a bug")


async def test_a_rebuild_that_fails_is_told_until_one_has_succeeded(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.replay.renewing.AGAIN", 0.1)
    async with running(toy.relay()):
        await filled(toy)
        async with projecting(toy, replace(WIDER, evolve=falls), TOTALS) as projector:
            await eventually(projector.halted)
            assert projector.halted() == {"seen": "not-rebuilt: RuntimeError"}
            async with projecting(toy, WIDER):
                await eventually(lambda: not projector.halted())
