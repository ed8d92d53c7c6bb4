"""One process leads; one that is not fit for all of the work leads only while it is alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from libs.runtime.leader import Rank, leading
from libs.store.pool import Pool, close_pool, open_pool
from tests.support import eventually

pytestmark = pytest.mark.stack


@pytest_asyncio.fixture(loop_scope="session")
async def opened(database: str) -> AsyncIterator[Pool]:
    made = await open_pool(database)
    yield made
    await close_pool(made)


class Member:
    """One that leads or not; what it does ends once `may_end` is set."""

    def __init__(self, rank: Rank) -> None:
        self.rank, self.leads = rank, False
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def work(self) -> None:
        self.leads = True
        try:
            await asyncio.Event().wait()
        finally:
            self.leads = False
            await self.may_end.wait()


def lead(*members: Member) -> list[bool]:
    return [member.leads for member in members]


@contextlib.asynccontextmanager
async def running(opened: Pool, member: Member) -> AsyncIterator[Member]:
    task = asyncio.create_task(leading(opened, "leader", [member.work], lambda: member.rank))
    try:
        yield member
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_of_two_leads_and_the_other_follows_it(opened: Pool) -> None:
    async with contextlib.AsyncExitStack() as later:
        async with running(opened, Member(Rank.FIT)) as first:
            await eventually(lambda: first.leads)
            second = await later.enter_async_context(running(opened, Member(Rank.FIT)))
            await asyncio.sleep(1.5)
            assert lead(first, second) == [True, False]
        await eventually(lambda: second.leads)


async def test_who_is_fit_takes_over_from_who_is_not_and_gives_back_when_it_goes(
    opened: Pool,
) -> None:
    async with running(opened, Member(Rank.BEHIND)) as older:
        await eventually(lambda: older.leads)
        async with running(opened, Member(Rank.BEHIND)) as newer:
            await asyncio.sleep(1.5)
            assert lead(older, newer) == [True, False]
            newer.rank = Rank.FIT  # its read models are there
            await eventually(lambda: lead(older, newer) == [False, True])
        await eventually(lambda: older.leads)


async def test_who_is_no_longer_fit_leaves_to_who_waits(opened: Pool) -> None:
    async with running(opened, Member(Rank.FIT)) as older:
        await eventually(lambda: older.leads)
        async with running(opened, Member(Rank.FIT)) as newer:
            older.rank = Rank.OUTDATED  # it has met what it does not know
            await eventually(lambda: lead(older, newer) == [False, True])


async def test_who_is_outdated_leaves_to_who_is_still_behind(opened: Pool) -> None:
    async with running(opened, Member(Rank.FIT)) as older:
        await eventually(lambda: older.leads)
        async with running(opened, Member(Rank.BEHIND)) as newer:
            await asyncio.sleep(1.5)
            assert lead(older, newer) == [True, False]
            older.rank = Rank.OUTDATED  # all that it would do from now on is to park
            await eventually(lambda: lead(older, newer) == [False, True])
        await eventually(lambda: older.leads)


HOLD = """FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND d.datname = current_database()"""


async def cut_off(opened: Pool) -> None:
    """Lose the leader's connection, as when its database is shut down."""
    await opened.execute(f"SELECT pg_terminate_backend(l.pid) {HOLD}")

    async def lost() -> bool:
        return bool(await opened.fetchval(f"SELECT count(*) = 0 {HOLD}"))

    await eventually(lost)


def started(opened: Pool, member: Member) -> "asyncio.Task[None]":
    return asyncio.create_task(leading(opened, "leader", [member.work]))


async def test_who_is_stopped_once_its_connection_is_lost_ends(opened: Pool) -> None:
    member = Member(Rank.FIT)
    task = started(opened, member)
    await eventually(lambda: member.leads)
    await cut_off(opened)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()


async def test_who_is_stopped_while_its_work_ends_ends(opened: Pool) -> None:
    member = Member(Rank.FIT)
    member.may_end.clear()
    task = started(opened, member)
    await eventually(lambda: member.leads)
    await cut_off(opened)
    await eventually(lambda: not member.leads)
    task.cancel()
    member.may_end.set()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()


class Away:
    """A database to which no connection is had, until it is back."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.asked, self.back = pool, 0, False

    def acquire(self) -> Any:
        self.asked += 1
        if not self.back:
            raise ConnectionRefusedError
        return self.pool.acquire()


async def test_who_would_lead_says_once_that_the_database_is_away_and_leads_once_it_is_back(
    opened: Pool,
) -> None:
    member, away = Member(Rank.FIT), Away(opened)
    pool: Any = away
    with capture_logs() as lines:
        task = started(pool, member)
        await eventually(lambda: away.asked > 4)
        assert [line["event"] for line in lines] == ["leadership-lost"]
        away.back = True
        await eventually(lambda: member.leads, 5)
        await eventually(lambda: lines[-1]["event"] == "leadership-goes-on")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(lines) == 2
