"""The toy service on real servers."""

from collections.abc import AsyncIterator

import pytest_asyncio

from libs.stack.stack import Servers
from tests.integration.bus.toy import Toy, toy_service


@pytest_asyncio.fixture(loop_scope="session")
async def toy(servers: Servers, database: str, topic_prefix: str) -> AsyncIterator[Toy]:
    async with toy_service(database, servers.kafka, topic_prefix) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def applied(toy: Toy) -> Toy:
    """The toy with a table for what consumers apply."""
    await toy.pool.execute("CREATE TABLE applied (lane integer, pseq bigint, stream text)")
    return toy
