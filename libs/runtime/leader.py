"""Leadership by a session-level advisory lock: it saves work, safety never depends on it."""

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from libs.store.pool import Pool, session
from libs.telemetry.logs import log

RETRY = 1.0  # seconds


Work = Callable[[], Coroutine[Any, Any, None]]


async def _together(works: Sequence[Work]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work())


async def leading(pool: Pool, name: str, works: Sequence[Work]) -> None:
    """Run the works while this process holds the lock of that name in this database.

    The connection is watched: when it is lost, so is the lock, and they end and wait again.
    """
    number = zlib.crc32(name.encode())
    while True:
        try:
            async with session(pool, idle_in_transaction_session_timeout=0) as connection:
                if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", number):
                    await asyncio.sleep(RETRY)
                    continue
                task = asyncio.create_task(_together(works))
                try:
                    while not task.done():
                        await asyncio.wait({task}, timeout=RETRY)
                        await connection.fetchval("SELECT 1")
                    await task
                finally:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await task
        except Exception as error:
            log.error("leadership-lost", what=name, cause=type(error).__name__)
            await asyncio.sleep(RETRY)
