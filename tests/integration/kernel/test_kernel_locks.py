"""One order of locks: what touches several deliveries at once never waits in a circle."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from libs.eventsourcing.decided import Parked, Turn
from libs.store.event_store import PostgresStore
from libs.store.retention import Retention
from tests.contract import toy
from tests.contract.toy import NOON
from tests.support import eventually

KEYS = ("z", "m", "a")  # in the order in which they came, which is not that of their names
LATER = NOON + 1000
Act = Callable[[PostgresStore], Coroutine[Any, Any, None]]
FINISH = Turn(NOON, inbox=[(seq, "done", None) for seq in (1, 2, 3)])
PARK = Turn(NOON, inbox=[(seq, "parked", "odd") for seq in (1, 2, 3)])


def parked(number: int, key: str) -> Parked:
    nobody = "00000000-0000-0000-0000-000000000000"
    return Parked(
        f"p-{number}", "intake-inbox/a", f"delivery/{number}", f"inbox/p/a/{key}", 0, "odd", "",
        "", NOON, None, b"", nobody, nobody, "",
    )  # fmt: skip


async def commit(store: PostgresStore) -> None:
    await store.commit(FINISH)


async def ask(store: PostgresStore) -> None:
    await store.settled(FINISH)


async def give_up(store: PostgresStore) -> None:
    await store.commit(Turn(NOON, unparked=["p-1", "p-2", "p-3"]))


async def give_up_and_finish(store: PostgresStore) -> None:
    await store.commit(Turn(NOON, inbox=[(1, "done", None)], unparked=["p-2", "p-3"]))


async def drop_bodies(store: PostgresStore) -> None:
    await Retention(store.pool).drop_bodies(LATER)


async def drop_rows(store: PostgresStore) -> None:
    await Retention(store.pool).drop_rows(LATER)


async def crossing(store: PostgresStore, act: Act) -> None:
    """Let an act and the same deliveries' copies meet: both have begun when the middle is free."""
    copies = [toy.delivery(key) for key in KEYS]
    begun: list[asyncio.Task[Any]] = []
    async with store.pool.acquire() as other, other.transaction():
        await other.execute("SELECT 1 FROM inbox WHERE key = 'm' FOR UPDATE")
        for each in (act(store), store.accept(copies)):
            begun.append(asyncio.create_task(each))
            await eventually(lambda: stand_still(store, begun))
    await asyncio.gather(*begun)


async def stand_still(store: PostgresStore, begun: list["asyncio.Task[Any]"]) -> bool:
    waiting = await store.pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
    )
    return int(waiting) == sum(not task.done() for task in begun)


@pytest.mark.parametrize(
    ("before", "act"),
    [
        ((), commit), ((), ask), ((PARK,), give_up), ((PARK,), give_up_and_finish),
        ((FINISH,), drop_bodies), ((FINISH,), drop_rows),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
async def test_copies_of_deliveries_cross_with_whatever_is_done_to_them(
    postgres: PostgresStore, before: tuple[Turn, ...], act: Act
) -> None:
    for number, key in enumerate(KEYS):
        came = msgspec.structs.replace(toy.delivery(key), received_at=NOON + number)
        assert await postgres.accept([came]) == [None]
    for turn in before:
        await postgres.commit(turn)
    if PARK in before:
        aside = [parked(number, key) for number, key in enumerate(KEYS, 1)]
        await postgres.commit(Turn(NOON, parked=aside))
    if act is give_up_and_finish:
        await postgres.reopen("inbox/p/a/z")
    if act is drop_rows:
        await postgres.pool.execute("UPDATE inbox SET body = NULL")
    await crossing(postgres, act)
