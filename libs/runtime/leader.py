"""Leadership by a session-level advisory lock: it saves work, safety never depends on it.

A process that is not fit for all of the work leads only as long as no other one is: while a system
is upgraded, the newer release leads as soon as it can.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from libs.store.pool import Connection, Pool, session
from libs.telemetry.logs import log

RETRY = 1.0  # seconds
_LEAD = "SELECT pg_try_advisory_lock($1)"
_FIT = "SELECT pg_try_advisory_lock_shared($1)"  # held by whoever is fit
_UNFIT = "SELECT pg_advisory_unlock_shared($1)"
_OTHERS = """
    SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid::bigint = $1 AND l.granted
        AND d.datname = current_database() AND l.pid <> pg_backend_pid()"""

Work = Callable[[], Coroutine[Any, Any, None]]


class Candidate:
    """One process's wish to lead, on a connection of its own."""

    def __init__(self, connection: Connection, name: str, fit: Callable[[], bool]) -> None:
        self.connection, self.fit = connection, fit
        self._lead = zlib.crc32(name.encode())
        self._fit = zlib.crc32(f"{name} fit".encode())
        self._known_as_fit = False

    async def may(self) -> bool:
        """Say whether nobody is fitter; the connection is tried at every call."""
        fit = self.fit()
        if fit != self._known_as_fit:
            await self.connection.fetchval(_FIT if fit else _UNFIT, self._fit)
            self._known_as_fit = fit
        if fit:
            await self.connection.fetchval("SELECT 1")
            return True
        return bool(await self.connection.fetchval(_OTHERS, self._fit) == 0)

    async def elected(self) -> None:
        """Return when this process leads."""
        while True:
            if await self.may() and await self.connection.fetchval(_LEAD, self._lead):
                return
            await asyncio.sleep(RETRY)


async def _together(works: Sequence[Work]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work())


async def leading(
    pool: Pool, name: str, works: Sequence[Work], fit: Callable[[], bool] = lambda: True
) -> None:
    """Run the works while this process holds the lock of that name in this database.

    The connection is watched: when it is lost, so is the lock, and they end and wait again.
    """
    while True:
        try:
            async with session(pool, idle_in_transaction_session_timeout=0) as connection:
                candidate = Candidate(connection, name, fit)
                await candidate.elected()
                await _lead(candidate, works)
        except Exception as error:
            log.error("leadership-lost", what=name, cause=type(error).__name__)
            await asyncio.sleep(RETRY)


async def _lead(candidate: Candidate, works: Sequence[Work]) -> None:
    task = asyncio.create_task(_together(works))
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=RETRY)
            if not await candidate.may():
                log.info("leadership-left", reason="another process can do more of the work")
                return
        await task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
