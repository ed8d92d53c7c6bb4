"""A store is upgraded while it is in use: writes go on, a crash is taken up, releases run together."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from libs.store import migrations, pool
from libs.store.event_store import PostgresStore
from libs.store.migrations import STEPS, StoreMismatch, migrate, pending
from libs.store.pool import Pool, close_pool, open_pool, sql
from libs.values.lanes import PARTITIONS
from tests.contract import toy
from tests.contract.instances import Runs
from tests.contract.toy import NOON, Put
from tests.support import eventually

pytestmark = pytest.mark.stack
BUILDING = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND state = 'active' AND datname = current_database()"
INDEXES = """
    SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relname LIKE 'inbox%' OR relname LIKE 'effects%' OR relname LIKE 'timers%'
        OR relname LIKE 'commands%'"""
INSERT = """
    INSERT INTO inbox (provider, account, key, topic, received_at, body, trace)
    VALUES ('p', 'a', $1, 't', $2, '', '')"""


async def up(opened: Pool) -> None:
    await migrate(opened, "toy", "toy.events", PARTITIONS, "lock")


async def before(opened: Pool, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring a store to what it was before a step."""
    with monkeypatch.context() as then:
        then.setattr(migrations, "STEPS", STEPS[: STEPS.index(step)])
        await up(opened)


@pytest_asyncio.fixture(loop_scope="session")
async def opened(database: str) -> AsyncIterator[Pool]:
    made = await open_pool(database)
    yield made
    await close_pool(made)


@contextlib.asynccontextmanager
async def writing(database: str) -> AsyncIterator[None]:
    """A writer that is not done yet: whoever builds an index waits for it."""
    connection = await asyncpg.connect(database)
    writer = connection.transaction()
    await writer.start()
    await connection.execute(INSERT, "unfinished", NOON)
    try:
        yield
    finally:
        await writer.rollback()
        await connection.close()


async def builder(opened: Pool) -> int:
    found: int = await eventually(lambda: opened.fetchval(BUILDING))
    return found


async def whole(opened: Pool) -> dict[str, bool]:
    return {row[0]: row[1] for row in await opened.fetch(INDEXES)}


@pytest.mark.parametrize("step", ["waiting.sql", "order.sql", "keeping.sql"])
async def test_writes_go_on_while_an_upgrade_builds_an_index(
    opened: Pool, database: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await before(opened, step, monkeypatch)
    store = PostgresStore(opened)
    async with writing(database):
        await opened.execute("BEGIN; COMMIT")
        held = await asyncpg.connect(database)
        for table in ("effects", "timers", "commands"):
            await held.execute(f"BEGIN; LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        upgrade = asyncio.create_task(up(opened))
        await builder(opened)
        async with asyncio.timeout(3):
            assert await store.accept([toy.delivery("meanwhile")]) == [None]
            await opened.execute(
                "INSERT INTO effects (id, kind, stream, request, planned_at)"
                " VALUES ('e', 'toy.call', 'shelf-a', '', 1)"
            )
            await opened.execute(
                "INSERT INTO timers (id, due, stream, command) VALUES ('t', 1, 'shelf-a', '')"
            )
            await opened.execute("INSERT INTO commands VALUES ('c', '', '', 1)")
        assert not upgrade.done()
        await held.close()
    await upgrade
    assert await pending(opened) == 0
    assert set((await whole(opened)).values()) == {True}


async def test_an_index_that_a_crash_left_unfinished_is_built_by_the_next_start(
    opened: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await before(opened, "keeping.sql", monkeypatch)
    async with writing(database):
        upgrade = asyncio.create_task(up(opened))
        pid = await builder(opened)
        await opened.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await upgrade
        assert (await whole(opened))["inbox_bodies"] is False
        assert await pending(opened) == 2
    await up(opened)
    assert await pending(opened) == 0
    assert set((await whole(opened)).values()) == {True}


async def test_indexes_that_take_another_ones_place_are_put_there_once(
    opened: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await before(opened, "order.sql", monkeypatch)
    first, *_ = (piece for piece in sql("order.sql").split(";") if "CREATE INDEX" in piece)
    await opened.execute(first)  # and then that process died
    await up(opened)
    assert "effects_open_in_order" not in await whole(opened)
    columns = await opened.fetchval(
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'effects_open'"
    )
    assert "(kind, next_at, id)" in columns


async def test_two_processes_that_start_at_once_upgrade_a_store_once(
    opened: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await before(opened, "waiting.sql", monkeypatch)
    second = await open_pool(database)
    async with writing(database):
        both = [asyncio.create_task(up(one)) for one in (opened, second)]
        await builder(opened)
        await asyncio.sleep(1.5)  # longer than the server takes to see a deadlock
        assert not any(task.done() for task in both)
    await asyncio.gather(*both)
    assert await pending(opened) == 0
    await close_pool(second)


async def test_who_waits_for_the_upgrade_in_a_transaction_does_not_end_it(
    opened: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As releases did before indexes were built beside their tables' use: the server ends one."""
    await before(opened, "keeping.sql", monkeypatch)
    older = await asyncpg.connect(database)
    async with writing(database):
        upgrade = asyncio.create_task(up(opened))
        await builder(opened)
        waits = asyncio.create_task(older.execute("SELECT pg_advisory_xact_lock(7077)"))
        await asyncio.sleep(0.2)
    await asyncio.gather(upgrade, waits, return_exceptions=True)
    await upgrade
    assert await pending(opened) == 0
    assert set((await whole(opened)).values()) == {True}
    await older.close()


async def test_a_change_of_a_table_waits_for_its_users_and_nobody_waits_behind_it(
    opened: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await before(opened, "applied.sql", monkeypatch)
    reader = await asyncpg.connect(database)
    await reader.execute("BEGIN; SELECT count(*) FROM positions")
    upgrade = asyncio.create_task(up(opened))
    loop = asyncio.get_running_loop()
    longest, end = 0.0, loop.time() + 3
    while loop.time() < end:
        began = loop.time()
        await opened.execute("UPDATE positions SET next_offset = 1 WHERE consumer = 'x'")
        longest = max(longest, loop.time() - began)
    assert not upgrade.done()
    assert longest < 1.5
    await reader.close()
    await upgrade


async def test_an_older_release_that_starts_again_changes_nothing_of_a_newer_one(
    opened: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(name: str) -> str:
        text = sql(name)
        return text.replace("'fenced'", "'not mine'") if name == "commit.sql" else text

    older_pool = await open_pool(database)
    with monkeypatch.context() as then:
        pool.commit_function.cache_clear()
        then.setattr(pool, "sql", older)
        then.setattr(migrations, "STEPS", STEPS[:-1])
        await up(older_pool)
        old = Runs(PostgresStore(older_pool))
    pool.commit_function.cache_clear()
    await up(opened)
    new = Runs(PostgresStore(opened))
    body = "SELECT prosrc FROM pg_proc WHERE proname = $1"
    mine = await opened.fetchval(body, pool.commit_function()[0])
    with monkeypatch.context() as then:
        pool.commit_function.cache_clear()
        then.setattr(pool, "sql", older)
        then.setattr(migrations, "STEPS", STEPS[:-1])
        await up(older_pool)
        assert await pending(older_pool) == 0
    pool.commit_function.cache_clear()
    assert await opened.fetchval(body, pool.commit_function()[0]) == mine
    assert "'not mine'" not in mine
    for n, runs in enumerate((old, new, old, new)):
        await runs.run(toy.call(str(n), "shelf-a", Put(f"once-{n}")))
    assert await toy.documents(new.store, "shelf-a") == [f"once-{n}" for n in range(4)]
    await close_pool(older_pool)


async def test_a_store_of_another_service_is_refused_and_left_as_it_is(opened: Pool) -> None:
    await up(opened)
    for _ in range(2):
        with pytest.raises(StoreMismatch, match="toy"):
            await migrate(opened, "other", "other.events", PARTITIONS, "lock")
    assert await opened.fetchval("SELECT string_agg(service, ' ') FROM identity") == "toy"


@pytest.mark.parametrize("step", STEPS[1:])
def test_no_step_builds_an_index_that_keeps_writers_waiting(step: str) -> None:
    assert not re.search(r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)", sql(step))
