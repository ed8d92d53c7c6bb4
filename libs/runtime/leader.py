"""Leadership by a session-level advisory lock: it saves work, safety never depends on it.

A process leads only as long as no other one can do more of the work: while a system is upgraded,
the newer release leads as soon as it can.
"""

import asyncio
import zlib
from collections.abc import Callable, Coroutine, Sequence
from enum import IntEnum
from typing import Any

from libs.store.pool import Connection, Pool, session
from libs.telemetry.logs import log
from libs.telemetry.outage import Outage

RETRY = 1.0  # seconds
_LEAD = "SELECT pg_try_advisory_lock($1)"
# Which rank a process has, others see by a lock that it holds.
_TAKE = "SELECT pg_try_advisory_lock_shared($1)"
_GIVE_BACK = "SELECT pg_advisory_unlock_shared($1)"
_OTHERS = """
    SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid::bigint = ANY ($1::bigint[])
        AND l.granted AND d.datname = current_database() AND l.pid <> pg_backend_pid()"""

Work = Callable[[], Coroutine[Any, Any, None]]


class Rank(IntEnum):
    """How much of the work a process can do."""

    OUTDATED = 0  # not what a newer release has gone ahead with
    BEHIND = 1  # not what needs rows that are still being rebuilt
    FIT = 2


class Candidate:
    """One process's wish to lead, on a connection of its own."""

    def __init__(
        self, connection: Connection, name: str, rank: Callable[[], Rank], outage: Outage
    ) -> None:
        self.connection, self.rank, self.outage = connection, rank, outage
        self._lead = zlib.crc32(name.encode())
        self._locks = {one: zlib.crc32(f"{name} {one.name}".encode()) for one in Rank}
        self._known: Rank | None = None

    async def may(self) -> bool:
        """Say whether nobody has a higher rank; the connection is tried at every call."""
        rank = self.rank()
        if rank is not self._known:
            await self.connection.fetchval(_TAKE, self._locks[rank])
            if self._known is not None:
                await self.connection.fetchval(_GIVE_BACK, self._locks[self._known])
            self._known = rank
        if rank is Rank.FIT:
            await self.connection.fetchval("SELECT 1")
            return True
        higher = [lock for one, lock in self._locks.items() if one > rank]
        return bool(await self.connection.fetchval(_OTHERS, higher) == 0)

    async def elected(self) -> None:
        """Return when this process leads."""
        while True:
            if await self.may() and await self.connection.fetchval(_LEAD, self._lead):
                return
            self.outage.went_well()
            await asyncio.sleep(RETRY)


async def _together(works: Sequence[Work]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work())


async def leading(
    pool: Pool, name: str, works: Sequence[Work], rank: Callable[[], Rank] = lambda: Rank.FIT,
    service: str = "",
) -> None:  # fmt: skip
    """Run the works while this process holds the lock of that name in this database.

    The connection is watched: when it is lost, so is the lock, and they end and wait again.
    """
    outage = Outage("leadership-lost", "leadership-goes-on", what=name, service=service)
    while True:
        try:
            async with session(pool, idle_in_transaction_session_timeout=0) as connection:
                candidate = Candidate(connection, name, rank, outage)
                await candidate.elected()
                await _lead(candidate, works)
        except Exception as error:
            me = asyncio.current_task()
            if me is not None and me.cancelling():  # we are stopped, and giving back failed besides
                raise asyncio.CancelledError from error
            await asyncio.sleep(outage.failed(error))


async def _lead(candidate: Candidate, works: Sequence[Work]) -> None:
    task = asyncio.create_task(_together(works))
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=RETRY)
            if not await candidate.may():
                log.info("leadership-left", reason="another process can do more of the work")
                return
            candidate.outage.went_well()
        await task
    finally:
        task.cancel()
        # However it ends; but a cancellation of ours that comes meanwhile is not taken for its.
        await asyncio.gather(task, return_exceptions=True)
