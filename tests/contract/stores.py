"""Fixtures: a store on an empty database, and whichever store a test is run for."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.store.event_store import PostgresStore
from libs.store.memory import MemoryStore
from libs.store.migrations import migrate
from libs.store.pool import close_pool, open_pool
from libs.store.store import Store
from libs.values.lanes import PARTITIONS


@pytest_asyncio.fixture(loop_scope="session")
async def postgres(database: str) -> AsyncIterator[PostgresStore]:
    pool = await open_pool(database, size=20)
    await migrate(pool, "toy", "toy.events", PARTITIONS, "lock")
    yield PostgresStore(pool)
    await close_pool(pool)


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    made: PostgresStore = request.getfixturevalue("postgres")
    return made
