"""What a store promises of its inbox, timers, effects and parked work, for memory and PostgreSQL."""

import asyncio
from typing import Any

import msgspec
import pytest

from libs.store.memory import MemoryStore
from libs.store.store import Repeated, Store
from tests.contract import toy
from tests.contract.instances import Runs
from tests.contract.toy import NOON, Put
from tests.contract.turns import done, turn_of


async def test_an_inbox_row_is_taken_once(store: Store) -> None:
    await store.accept([toy.delivery("one"), toy.delivery("two")])
    rows = await store.received([], 10)
    assert [d.key for _, d in rows] == ["one", "two"]
    seq = rows[0][0]
    turn = await done(store, toy.delivered(seq, "shelf-a", Put("a")))
    with pytest.raises(Repeated):
        await store.commit(await turn_of(store, toy.delivered(seq, "shelf-b", Put("b"))))
    assert await store.heads(["shelf-b"]) == {}
    assert [d.key for _, d in await store.received([], 10)] == ["two"]
    assert (await store.settled(turn)).inbox == {seq}


async def test_received_leaves_out_what_is_busy_and_keeps_to_its_limit(store: Store) -> None:
    await store.accept([toy.delivery(str(n)) for n in range(5)])
    rows = await store.received([], 2)
    assert [d.key for _, d in rows] == ["0", "1"]
    busy = [seq for seq, _ in rows]
    assert [d.key for _, d in await store.received(busy, 2)] == ["2", "3"]
    assert rows[0][1] == toy.delivery("0")


async def test_a_delivery_is_new_once_however_many_arrive_at_once(store: Store) -> None:
    ends = await asyncio.gather(*(store.accept([toy.delivery("k")] * 2) for _ in range(5)))
    assert [known for answers in ends for known in answers].count(None) == 1
    later = [
        msgspec.structs.replace(toy.delivery(key), received_at=NOON + 60) for key in ("k", "l", "l")
    ]
    assert await store.accept(later) == [NOON, None, NOON + 60]
    assert len(await store.received([], 10)) == 2
    counted = (
        [entry.deliveries for entry in store.inbox]
        if isinstance(store, MemoryStore)
        else [r[0] for r in await store.pool.fetch("SELECT deliveries FROM inbox ORDER BY seq")]  # type: ignore[attr-defined]
    )
    assert counted == [11, 2]


async def test_a_timer_is_planned_once_due_in_order_and_done_once(store: Store) -> None:
    await done(store, toy.call("1", "shelf-a", Put("timer:late")))
    await done(store, toy.call("2", "shelf-b", Put("timer:early")))
    await done(store, toy.call("3", "shelf-c", Put("timer:late")))
    assert await store.due(NOON + 59, 10) == []
    due = await store.due(NOON + 60, 10)
    assert [(t.id, t.stream) for t in due] == [("early", "shelf-b"), ("late", "shelf-a")]
    assert len(await store.due(NOON + 60, 1)) == 1
    turn = await done(store, toy.timed("late", "shelf-a", Put("timed/late")))
    with pytest.raises(Repeated):
        await store.commit(await turn_of(store, toy.timed("late", "shelf-z", Put("again"))))
    assert [t.id for t in await store.due(NOON + 60, 10)] == ["early"]
    assert (await store.settled(turn)).timers == {"late"}
    assert await store.heads(["shelf-z"]) == {}


async def test_an_effect_whose_lease_has_gone_to_another_is_repeated(store: Store) -> None:
    await done(store, toy.call("1", "shelf-a", Put("effect:e")))
    await toy.call_out(store, "e", 2)
    old = await turn_of(store, toy.answered("e", 1, "shelf-a", Put("old")))
    with pytest.raises(Repeated):
        await store.commit(old)
    assert (await store.settled(old)).effects == {("e", 1)}
    mine = await turn_of(store, toy.answered("e", 2, "shelf-a", Put("mine")))
    assert (await store.settled(mine)).effects == frozenset()
    await store.commit(mine)
    assert (await store.settled(mine)).effects == {("e", 2)}
    with pytest.raises(Repeated):
        await store.commit(await turn_of(store, toy.answered("e", 2, "shelf-a", Put("twice"))))
    assert await toy.documents(store, "shelf-a") == ["effect:e", "mine"]


async def test_of_two_results_of_one_effect_in_a_turn_the_newer_takes_effect(store: Store) -> None:
    runs = Runs(store)
    await runs.run(toy.call("1", "shelf-a", Put("effect:e")))
    await toy.call_out(store, "e", 2)
    await runs.run(
        toy.answered("e", 1, "shelf-a", Put("old")),
        toy.answered("e", 2, "shelf-a", Put("mine")),
        toy.call("2", "shelf-b", Put("another's")),
    )
    assert await toy.documents(store, "shelf-a") == ["effect:e", "mine"]
    assert await toy.documents(store, "shelf-b") == ["another's"]


async def test_what_is_not_there_counts_as_settled(store: Store) -> None:
    """Rows go when their retention ends; an input for one must not be tried for ever."""
    turn = await turn_of(
        store, toy.timed("gone", "shelf-a", Put("t")), toy.answered("gone", 1, "shelf-a", Put("e"))
    )
    with pytest.raises(Repeated):
        await store.commit(turn)
    settled = await store.settled(turn)
    assert settled.timers == {"gone"}
    assert settled.effects == {("gone", 1)}


async def test_what_is_parked_is_shown_in_order_with_its_bytes_and_notes(store: Store) -> None:
    await store.claim(toy.CONSUMER, toy.TOPIC, 0)
    await done(
        store,
        toy.fact(0, ("shelf-a", Put("decide-raises"))),
        toy.fact(1, ("shelf-a", Put("behind"))),
        toy.fact(2, ("shelf-a", Put("refused")), source="upstream/two"),
        toy.fact(3, ("shelf-b", Put("refused"))),
    )
    parked = await store.parked("shelf-a", None, 10)
    assert [(p.source, p.code) for p in parked] == [
        ("upstream/one", "fault"), ("upstream/one", "queued"), ("upstream/two", "no-room"),
    ]  # fmt: skip
    assert len(await store.parked(None, None, 10)) == 4
    assert len(await store.parked(None, "upstream/one", 2)) == 2
    assert parked[0].at == NOON
    assert parked[0].command == b"\x83\xa4type\xa3Put\xa8document\xaddecide-raises\xa8quantity\x01"
    heads = await store.heads(["shelf-a"])
    assert heads["shelf-a"].notes == {"upstream/one": 2, "upstream/two": 1}


async def test_a_parked_delivery_is_opened_again(store: Store) -> None:
    await store.accept([toy.delivery("one"), toy.delivery("two")])
    rows = await store.received([], 10)
    turn = toy.no_turn()
    turn.inbox = [(rows[0][0], "parked", "undecodable"), (rows[1][0], "done", None)]
    await store.commit(turn)
    assert await store.received([], 10) == []
    for key in ("one", "two", "none"):
        await store.reopen(f"inbox/p/a/{key}")
    assert await store.received([], 10) == [rows[0]]


async def test_a_parked_command_is_taken_up_once(store: Store) -> None:
    await store.claim(toy.CONSUMER, toy.TOPIC, 0)
    await done(
        store, toy.fact(0, ("shelf-a", Put("refused"))), toy.fact(1, ("shelf-a", Put("next")))
    )
    first = (await store.parked("shelf-a", None, 10))[0]
    turn: Any = toy.no_turn()
    turn.unparked = [first.id]
    assert (await store.settled(turn)).unparked == frozenset()
    await store.commit(turn)
    with pytest.raises(Repeated):
        await store.commit(turn)
    assert (await store.settled(turn)).unparked == {first.id}
