"""A rebuild beside whoever uses the rows: long readers, backups, another release's rows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from libs.replay.filling import RebuildFailed
from libs.replay.live import Live
from libs.replay.models import models
from libs.replay.rebuild import rebuild
from libs.replay.renewing import Renewing
from libs.store import pool
from tests.integration.bus.toy import CODEC, Toy, counted, running
from tests.integration.replay.test_projector import SEEN, caught_up, projecting, rows_of
from tests.integration.replay.test_upgraded import WIDER, filled, generation
from tests.support import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

FAILED = "projection-not-rebuilt"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"


@contextlib.asynccontextmanager
async def reading(dsn: str, table: str) -> AsyncIterator[None]:
    """Somebody who reads, and does not end: a backup, a person at a terminal."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.fetchval(f"SELECT count(*) FROM {table}")
            yield
    finally:
        await connection.close()


async def test_a_copy_that_waits_for_a_reader_keeps_nobody_else_waiting(
    toy: Toy, database: str
) -> None:
    async with running(toy.relay()), projecting(toy, SEEN) as projector:
        await toy.commit(counted(100))
        await caught_up(toy, SEEN, projector)
        async with reading(database, "seen"):
            task = asyncio.create_task(
                rebuild(toy.pool, toy.kafka, toy.topics, SEEN, CODEC, swap=True)
            )
            for _ in range(3):
                await eventually(lambda: toy.pool.fetchval(WAITING), 30)
                assert await rows_of(toy, SEEN).get("t1", 1) is not None
                await toy.commit(counted(20))
                await caught_up(toy, SEEN)
            assert not task.done()
        assert (await task).swapped
        await caught_up(toy, SEEN)
        assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 160


async def test_tables_that_somebody_reads_for_long_are_left_to_the_next_rebuild(
    toy: Toy, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.replay.models.PATIENCE", 100)
    async with running(toy.relay()), projecting(toy, SEEN):
        await toy.commit(counted(100))
        await caught_up(toy, SEEN)
        async with reading(database, "rm_seen_1"):
            for _ in range(2):
                assert (
                    await rebuild(toy.pool, toy.kafka, toy.topics, SEEN, CODEC, swap=True)
                ).swapped
            assert await tables(toy) == ["rm_seen_1", "rm_seen_3"]
        await rebuild(toy.pool, toy.kafka, toy.topics, SEEN, CODEC, from_nothing=True, swap=True)
        assert await tables(toy) == ["rm_seen_5"]
        await caught_up(toy, SEEN)


async def test_rows_are_dropped_when_who_reads_them_has_ended(toy: Toy, database: str) -> None:
    async with running(toy.relay()), projecting(toy, SEEN):
        await toy.commit(counted(100))
        await caught_up(toy, SEEN)
        async with reading(database, "seen"):
            task = asyncio.create_task(
                rebuild(toy.pool, toy.kafka, toy.topics, SEEN, CODEC, from_nothing=True, swap=True)
            )
            await eventually(lambda: toy.pool.fetchval(WAITING), 30)
            assert await rows_of(toy, SEEN).get("t1", 1) is not None
            assert not task.done()
        assert (await task).rows == 100


async def tables(toy: Toy) -> list[str]:
    rows = await toy.pool.fetch(
        "SELECT tablename FROM pg_tables WHERE tablename LIKE 'rm\\_%' ORDER BY 1"
    )
    return [row[0] for row in rows]


async def test_a_broker_that_is_away_halts_no_rows_that_an_upgrade_replaces(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.replay.renewing.AGAIN", 0.1)
    async with running(toy.relay()):
        await filled(toy)
    live = {"seen": Live(WIDER, (await models(toy.pool))["seen"])}
    renewing = Renewing(toy.pool, "127.0.0.1:9", toy.topics, CODEC, live, lambda: None)
    with capture_logs() as lines:
        task = asyncio.create_task(renewing.run())
        await eventually(lambda: len([x for x in lines if x["event"] == FAILED]) > 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert live["seen"].halted is None


async def test_rows_may_be_compared_for_longer_than_any_other_statement(
    toy: Toy, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(toy.relay()):
        async with projecting(toy, SEEN):
            await toy.commit(counted(100))
            await caught_up(toy, SEEN)
        await toy.pool.execute("ALTER TABLE rm_seen_1 RENAME TO slow_seen")
        await toy.pool.execute(
            "CREATE VIEW rm_seen_1 AS SELECT * FROM slow_seen WHERE pg_sleep(0.02) IS NOT NULL"
        )
        monkeypatch.setattr(pool, "ANSWER", 0.5)
        impatient = await pool.open_pool(database)
        done = await rebuild(impatient, toy.kafka, toy.topics, SEEN, CODEC, verify=True)
        await pool.close_pool(impatient)
    assert done.compared is not None
    assert done.compared.equal


async def test_rows_of_another_version_are_not_compared_but_replaced(toy: Toy) -> None:
    async with running(toy.relay()):
        await filled(toy)
        for swap in (False, True):
            with pytest.raises(RebuildFailed, match="version 1, and 2 is"):
                await rebuild(toy.pool, toy.kafka, toy.topics, WIDER, CODEC, verify=True, swap=swap)
        assert await generation(toy) == (1, 1)
        assert (await rebuild(toy.pool, toy.kafka, toy.topics, WIDER, CODEC, swap=True)).swapped
        assert await generation(toy) == (2, 2)
