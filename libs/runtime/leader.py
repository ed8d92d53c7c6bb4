"""Leadership by a session-level advisory lock: it saves work, safety never depends on it."""

import asyncio
import contextlib
import zlib
from collections.abc import Awaitable, Callable

from libs.store.pool import Pool
from libs.telemetry.logs import log

RETRY = 1.0  # seconds


async def leading(pool: Pool, name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run the work while this process holds the lock of that name in this database.

    The connection is watched: when it is lost, so is the lock, and the work ends and waits again.
    """
    number = zlib.crc32(name.encode())
    while True:
        try:
            async with pool.acquire() as connection:
                await connection.execute("SET idle_in_transaction_session_timeout = 0")
                if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", number):
                    await asyncio.sleep(RETRY)
                    continue
                task = asyncio.ensure_future(work())
                try:
                    while not task.done():
                        await asyncio.wait({task}, timeout=RETRY)
                        await connection.fetchval("SELECT 1")
                    await task
                finally:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await task
                    with contextlib.suppress(Exception):
                        await connection.fetchval("SELECT pg_advisory_unlock($1)", number)
        except Exception as error:
            log.error("leadership-lost", what=name, cause=type(error).__name__)
            await asyncio.sleep(RETRY)
