"""Fixtures over real servers: one broker and one PostgreSQL for the whole run."""

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from libs.stack.stack import Servers, database_dsn, running_stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Embedded servers in a temporary folder, or those of LONJA_KAFKA and LONJA_POSTGRES."""
    folder: Path = tmp_path_factory.mktemp("stack")
    async with running_stack(folder, environ=os.environ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def database(servers: Servers) -> AsyncIterator[str]:
    """The DSN of a fresh, empty database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    connection = await asyncpg.connect(servers.postgres)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield database_dsn(servers.postgres, name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test's topics have; it ends in a dot."""
    return f"test-{uuid.uuid4().hex[:12]}."
