"""The shell around a turn: two instances, lost replies, zombies, commits that cannot be."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from libs.eventsourcing.decided import Reply
from libs.eventsourcing.inputs import Input
from libs.runtime.turns import FENCED
from libs.store.event_store import PostgresStore
from libs.store.store import Store
from tests.contract import toy
from tests.contract.instances import LosesReplies, Runs, looping
from tests.contract.toy import CONSUMER, TOPIC, Put, Take


async def claim(store: Store, *partitions: int) -> None:
    for partition in partitions:
        await store.claim(CONSUMER, TOPIC, partition)


async def test_two_instances_that_create_a_stream_at_once_decide_one_after_the_other(
    store: Store,
) -> None:
    one, two = Runs(store), Runs(store)
    ends = await asyncio.gather(
        one.run(toy.call("1", "shelf-a", Put("once"))),
        two.run(toy.call("2", "shelf-a", Put("once"))),
    )
    assert await toy.documents(store, "shelf-a") == ["once"]
    replies = [reply for end in ends for reply in end.by_id.values() if isinstance(reply, Reply)]
    assert sorted(len(reply.events) for reply in replies) == [0, 1]
    assert {reply.version for reply in replies} == {1}


async def test_instances_that_write_one_stream_at_once_lose_nothing(store: Store) -> None:
    runs = [Runs(store) for _ in range(4)]
    await asyncio.gather(
        *(
            run.run(toy.call(f"{r}/{n}", "shelf-a", Put(f"{r}/{n}")))
            for n in range(5)
            for r, run in enumerate(runs)
        )
    )
    documents = await toy.documents(store, "shelf-a")
    assert sorted(documents) == sorted(f"{r}/{n}" for r in range(4) for n in range(5))
    assert [e.version for e in await store.history("shelf-a", 0, 100)] == list(range(1, 21))


async def test_an_instance_never_says_no_from_an_old_memory(store: Store) -> None:
    one, two = Runs(store), Runs(store)
    await one.run(toy.call("1", "shelf-a", Put("few", 1)))
    await two.run(toy.call("2", "shelf-a", Put("many", 10)))
    end = await one.run(toy.call("3", "shelf-a", Take("t", 5)))
    reply = end.by_id["command/3"]
    assert isinstance(reply, Reply)
    assert reply.refused is None, "one remembers a shelf with 1 unit"
    assert await toy.documents(store, "shelf-a") == ["few", "many", "t"]


async def prepared(store: Store) -> tuple[Input, ...]:
    """One input of each kind, ready to be taken."""
    await claim(store, 0, 1)
    await Runs(store).run(
        toy.call("0", "shelf-t", Put("timer:t")), toy.call("00", "shelf-t", Put("effect:e"))
    )
    await toy.call_out(store, "e", 1)
    await store.accept([toy.delivery("one")])
    ((seq, _),) = await store.received([], 1)
    return (
        toy.fact(0, ("shelf-a", Put("fact"))),
        toy.fact(0, ("shelf-a", Put("other")), partition=1, source="upstream/two"),
        toy.call("k", "shelf-a", Put("call")),
        toy.delivered(seq, "shelf-a", Put("delivered")),
        toy.timed("t", "shelf-a", Put("timed")),
        toy.answered("e", 1, "shelf-a", Put("answered")),
    )


ALL = ["fact", "other", "call", "delivered", "timed", "answered"]


@pytest.mark.parametrize(
    "losses",
    [("after",), ("before",), ("before", "after"), ("after", "before"), ("before", "before", None)],
)
@pytest.mark.parametrize("error", [ConnectionError, asyncpg.InternalClientError])
async def test_a_commit_whose_reply_is_lost_takes_effect_once(
    store: Store, losses: tuple[Any, ...], error: type[Exception]
) -> None:
    inputs = await prepared(store)
    end = await Runs(LosesReplies(store, *losses, error=error)).run(*inputs)
    assert set(end.by_id) == {given.id for given in inputs}
    reply = end.by_id["command/k"]
    assert isinstance(reply, Reply)
    assert (reply.refused, reply.version) == (None, 3)
    assert await toy.documents(store, "shelf-a") == ALL
    assert [e for i, e in end.by_id.items() if i != "command/k"] == [None] * 5
    again = await Runs(store).run(*inputs[2:])
    assert set(again.by_id) == {given.id for given in inputs[2:]}
    assert again.by_id["command/k"] == reply
    assert await toy.documents(store, "shelf-a") == ALL


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.InvalidPasswordError,
        asyncpg.InvalidCatalogNameError,
    ],
)
async def test_inputs_that_meet_a_server_in_a_failover_are_taken_later_and_not_parked(
    store: Store, error: type[Exception]
) -> None:
    inputs = await prepared(store)
    end = await Runs(LosesReplies(store, "before", "before", error=error)).run(*inputs)
    reply = end.by_id["command/k"]
    assert isinstance(reply, Reply)
    assert (reply.refused, reply.version) == (None, 3)
    assert await toy.documents(store, "shelf-a") == ALL
    assert await store.parked(None, None, 10) == []


async def demoted(store: PostgresStore) -> None:
    """Let those who are connected find a standby at the other end."""
    async with AsyncExitStack() as exits:
        for _ in range(3):
            connection = await exits.enter_async_context(store.pool.acquire())
            await connection.execute("SET default_transaction_read_only = on")


async def test_connections_to_a_server_that_has_become_a_standby_are_made_anew(
    postgres: PostgresStore,
) -> None:
    await demoted(postgres)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await postgres.accept([toy.delivery("one")])
    assert await postgres.accept([toy.delivery("one")]) == [None]
    await demoted(postgres)
    await Runs(postgres).run(toy.call("k", "shelf-a", Put("call")))
    assert await toy.documents(postgres, "shelf-a") == ["call"]


async def test_a_zombie_commits_nothing_and_other_partitions_go_on(store: Store) -> None:
    inputs = await prepared(store)
    await claim(store, 0)  # by somebody else
    end = await Runs(store).run(*inputs)
    assert end.by_id[inputs[0].id] == FENCED
    assert [end.by_id[given.id] for given in (*inputs[1:2], *inputs[3:])] == [None] * 4
    assert await toy.documents(store, "shelf-a") == ALL[1:]
    claimed = await store.claim(CONSUMER, TOPIC, 0)
    assert (claimed.epoch, claimed.next_offset) == (3, 0)


async def test_a_claim_and_the_commits_of_the_old_owner_at_once_apply_each_fact_once(
    store: Store,
) -> None:
    """The new owner starts where the old one ended, whichever comes first."""
    for round_ in range(10):
        old = await store.claim(CONSUMER, TOPIC, round_)
        late = toy.fact(0, (f"shelf-{round_}", Put("fact")), partition=round_, epoch=old.epoch)
        end, new = await asyncio.gather(Runs(store).run(late), store.claim(CONSUMER, TOPIC, round_))
        mine = toy.fact(0, (f"shelf-{round_}", Put("fact")), partition=round_, epoch=new.epoch)
        if new.next_offset == 0:
            assert end.by_id[late.id] == FENCED
            await Runs(store).run(mine)
        assert [e.version for e in await store.history(f"shelf-{round_}", 0, 10)] == [1]


async def test_two_instances_that_take_the_same_row_and_timer_apply_them_once(store: Store) -> None:
    inputs = (await prepared(store))[3:5]
    ends = await asyncio.gather(*(Runs(store).run(*inputs) for _ in range(4)))
    assert [list(end.by_id.values()) for end in ends] == [[None, None]] * 4
    assert await toy.documents(store, "shelf-a") == ["delivered", "timed"]


async def test_what_waits_at_a_loop_that_ends_is_told(store: Store) -> None:
    committing = asyncio.Event()

    class Never(LosesReplies):
        async def commit(self, _: Any) -> Any:
            committing.set()
            await asyncio.Event().wait()

    async with looping(Runs(Never(store))) as loop:
        waiting = [
            asyncio.create_task(loop.settle([toy.call(str(n), "shelf-a", Put("a"))]))
            for n in range(3)
        ]
        await committing.wait()
        behind = asyncio.create_task(loop.settle([toy.call("9", "shelf-a", Put("a"))]))
        await asyncio.sleep(0)
    ends = await asyncio.gather(*waiting, behind, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 4
