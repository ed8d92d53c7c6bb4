"""Fixtures over real servers: one broker and one PostgreSQL for the whole run."""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest
import pytest_asyncio

from libs.stack.stack import Servers, database_dsn, running_stack
from tests.examples import THOROUGH

# `make check` draws new examples each time; a release is no matter of luck.
hypothesis.settings.register_profile("release", derandomize=True)
if THOROUGH:
    hypothesis.settings.load_profile("release")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take longest is begun first, so that no worker is left with it at the end."""
    items.sort(key=_longest, reverse=True)


def _longest(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark is not None else 0.0


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A short path that PostgreSQL's own user may pass, whatever other test runs do.

    pytest makes the folder of all its temporary ones private again at the start of each run.
    """
    folder = Path(tempfile.mkdtemp(prefix="lonja-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder for one test."""
    with own_folder() as folder:
        yield folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers() -> AsyncIterator[Servers]:
    """Embedded servers in a temporary folder, or those of LONJA_KAFKA and LONJA_POSTGRES."""
    with own_folder() as folder:
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
