"""Fixtures: a store on an empty database, and whichever store a test is run for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from libs.store.event_store import PostgresStore
from libs.store.memory import MemoryStore
from libs.store.migrations import migrate
from libs.store.pool import Pool, close_pool, open_pool
from libs.store.store import Store
from libs.values.lanes import PARTITIONS


@asynccontextmanager
async def store_on(database: str, size: int) -> AsyncIterator[PostgresStore]:
    """A store with so many connections on an empty database."""
    pool = await open_pool(database, size=size)
    await migrate(pool, "toy", "toy.events", PARTITIONS, "lock")
    yield PostgresStore(pool)
    await close_pool(pool)


@pytest_asyncio.fixture(loop_scope="session")
async def postgres(database: str) -> AsyncIterator[PostgresStore]:
    async with store_on(database, size=20) as made:
        yield made


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    made: PostgresStore = request.getfixturevalue("postgres")
    return made


async def rows_read(pool: Pool, *tables: str) -> dict[str, int]:
    """How many rows and entries of indexes were read of each table so far."""
    await pool.execute("SELECT pg_stat_force_next_flush()")
    rows = await pool.fetch(
        "SELECT t.relname, t.seq_tup_read + coalesce(sum(i.idx_tup_read), 0)"
        " FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid)"
        " WHERE t.relname = ANY ($1) GROUP BY t.relname, t.seq_tup_read",
        tables,
    )
    return {row[0]: int(row[1]) for row in rows}
