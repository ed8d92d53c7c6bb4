"""The work list of effects, on every store: claimed by one, in doubt when its lease ends."""

import asyncio

import msgspec

from libs.eventsourcing.inputs import FromEffect, Input
from libs.store.store import Call, Store
from tests.contract import toy
from tests.contract.toy import CONSUMER, NOON, TOPIC, Put
from tests.contract.turns import done

KINDS = ["toy.call"]
LEASE = 30_000_000


async def claim(store: Store, at: int = NOON, limit: int = 10) -> list[Call]:
    return list(await store.claim_effects(KINDS, at, at + LEASE, limit))


def ended(call: Call, state: str, next_at: int = 0, *, doubt: bool = False) -> Input:
    given = toy.answered(call.id, call.token, call.stream, Put("x"))
    origin = FromEffect(call.id, call.token, state, next_at, doubt, "code")
    return msgspec.structs.replace(given, origin=origin, work=())


async def test_an_effect_is_claimed_with_what_it_was_planned_with(store: Store) -> None:
    planned = toy.call("1", "shelf-a", Put("effect:e"))
    trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    turn = await done(store, msgspec.structs.replace(planned, trace=trace))
    (call,) = await claim(store)
    assert call == Call("e", "toy.call", "shelf-a", b"{}", 1, 1, 0, NOON, turn.events[0].id,
                        planned.correlation, trace)  # fmt: skip
    assert await claim(store) == []


async def test_a_timer_carries_the_story_that_it_belongs_to(store: Store) -> None:
    planned = toy.call("1", "shelf-a", Put("timer:t"))
    turn = await done(store, msgspec.structs.replace(planned, trace="t"))
    (timer,) = await store.due(NOON + 60, 10)
    assert (timer.cause, timer.correlation, timer.trace) == (
        turn.events[0].id, planned.correlation, "t",
    )  # fmt: skip


async def test_kinds_that_nobody_performs_here_are_left_alone(store: Store) -> None:
    await done(store, toy.call("1", "shelf-a", Put("effect:other.e")))
    assert await claim(store) == []


async def test_what_two_claim_at_once_each_gets_by_itself(store: Store) -> None:
    await done(store, *(toy.call(str(n), "shelf-a", Put(f"effect:{n}")) for n in range(40)))
    taken = await asyncio.gather(*(claim(store, limit=7) for _ in range(8)))
    names = [call.id for calls in taken for call in calls]
    assert len(names) == len(set(names))
    rest = [call.id for call in await claim(store, limit=100)]
    assert sorted(names + rest) == sorted(str(n) for n in range(40))


async def test_when_the_lease_ends_it_is_claimed_as_one_in_doubt(store: Store) -> None:
    await done(store, toy.call("1", "shelf-a", Put("effect:e")))
    await claim(store)
    assert await claim(store, NOON + LEASE - 1) == []
    (again,) = await claim(store, NOON + LEASE)
    assert (again.attempt, again.token, again.doubt_since) == (2, 2, NOON)
    (third,) = await claim(store, NOON + 2 * LEASE)
    assert (third.attempt, third.doubt_since) == (3, NOON)


async def test_one_that_waits_is_claimed_at_its_time_with_or_without_a_doubt(store: Store) -> None:
    await done(store, toy.call("1", "shelf-a", Put("effect:e")))
    (call,) = await claim(store)
    await done(store, ended(call, "planned", NOON + 50))
    assert await claim(store, NOON + 49) == []
    (call,) = await claim(store, NOON + 50)
    assert (call.attempt, call.doubt_since) == (2, 0)
    await done(store, ended(call, "unknown", NOON + 90, doubt=True))
    assert await claim(store, NOON + 89) == []
    (call,) = await claim(store, NOON + 90)
    assert (call.attempt, call.doubt_since) == (3, NOON + 50)


async def test_what_has_ended_is_never_claimed_again(store: Store) -> None:
    states = ["confirmed", "rejected", "reconciled", "queued"]
    await done(store, *(toy.call(s, "shelf-a", Put(f"effect:{s}")) for s in states))
    for call in await claim(store):
        await done(store, ended(call, call.id))
    assert await claim(store, NOON + 10 * LEASE) == []


async def test_what_was_there_before_the_service_is_written_down_and_not_done(
    store: Store,
) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    old = toy.fact(0, ("shelf-a", Put("effect:old")))
    new = toy.fact(1, ("shelf-a", Put("effect:new")))
    turn = await done(store, msgspec.structs.replace(old, history=True), new)
    assert [effect.suppressed for effect in turn.effects] == [True, False]
    assert [call.id for call in await claim(store)] == ["new"]
    assert await toy.documents(store, "shelf-a") == ["effect:old", "effect:new"]


async def test_history_that_was_parked_stays_history(store: Store) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    bad = toy.fact(0, ("shelf-a", Put("decide-raises")))
    await done(store, msgspec.structs.replace(bad, history=True))
    (parked,) = await store.parked(None, None, 10)
    assert parked.history
