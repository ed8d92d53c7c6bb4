"""Timers: behind what was there before them, and once."""

import asyncio
from collections.abc import Mapping

from libs.eventsourcing.process import Timer
from libs.runtime.timers import TimerPump
from libs.store.store import Store
from tests.contract import toy
from tests.contract.instances import Runs, looping
from tests.contract.toy import CONSUMER, NOON, TOPIC, Put
from tests.support import eventually

Places = Mapping[tuple[str, int], int]
DUE = NOON + 60


class Topics:
    """What stands in the topics, and how far it is applied."""

    def __init__(self, ends: Places, applied: Places) -> None:
        self.end, self.now, self.asked = dict(ends), dict(applied), 0

    async def ends(self) -> Places:
        return dict(self.end)

    async def applied(self) -> Places:
        self.asked += 1
        return dict(self.now)


def pump(runs: Runs, loop: object, topics: Topics, at: int = DUE) -> TimerPump:
    return TimerPump(runs.mind, runs.store, loop, lambda: at, topics.ends, topics.applied)  # type: ignore[arg-type]


async def test_a_timer_waits_for_inputs_that_were_there_before_it_was_due(store: Store) -> None:
    """A payment that waited in the topic when its hold ended comes first."""
    await store.claim(CONSUMER, TOPIC, 0)
    runs = Runs(store)
    await runs.run(toy.call("1", "shelf-a", Put("timer:hold")))
    topics = Topics({(TOPIC, 0): 1, (TOPIC, 1): 0}, {})
    async with looping(runs) as loop:
        firing = asyncio.create_task(pump(runs, loop, topics).step())
        await eventually(lambda: topics.asked > 2)
        assert not firing.done()
        assert await toy.documents(store, "shelf-a") == ["timer:hold"]
        await loop.settle([toy.fact(0, ("shelf-a", Put("payment")))])
        topics.end[TOPIC, 0] = 9  # what comes later is not waited for
        topics.now[TOPIC, 0] = 1
        assert await firing is False
    assert await toy.documents(store, "shelf-a") == ["timer:hold", "payment", "timed/hold"]


async def test_a_timer_is_not_fired_while_the_inputs_before_it_are_not_applied(
    store: Store,
) -> None:
    runs = Runs(store)
    await runs.run(toy.call("1", "shelf-a", Put("timer:hold")))
    async with looping(runs) as loop:
        waiting = pump(runs, loop, Topics({(TOPIC, 0): 5}, {(TOPIC, 0): 4}))
        assert await waiting._reached({(TOPIC, 0): 5}, seconds=0.05) is False
        assert await waiting._reached({(TOPIC, 0): 4}, seconds=0.05) is True
    assert await toy.documents(store, "shelf-a") == ["timer:hold"]


async def test_a_timer_is_not_fired_before_its_time(store: Store) -> None:
    runs = Runs(store)
    await runs.run(toy.call("1", "shelf-a", Put("timer:hold")))
    async with looping(runs) as loop:
        assert await pump(runs, loop, Topics({}, {}), DUE - 1).step() is False
        assert await toy.documents(store, "shelf-a") == ["timer:hold"]
        await pump(runs, loop, Topics({}, {}), DUE).step()
    assert await toy.documents(store, "shelf-a") == ["timer:hold", "timed/hold"]


async def test_two_pumps_fire_a_timer_once(store: Store) -> None:
    one, two = Runs(store), Runs(store)
    await one.run(*(toy.call(str(n), f"shelf-{n % 3}", Put(f"timer:{n}")) for n in range(20)))
    async with looping(one) as first, looping(two) as second:
        await asyncio.gather(
            *(
                pump(runs, loop, Topics({}, {})).step()
                for runs, loop in ((one, first), (two, second)) * 3
            )
        )
    fired = [
        d
        for n in range(3)
        for d in await toy.documents(store, f"shelf-{n}")
        if d.startswith("timed")
    ]
    assert sorted(fired) == sorted(f"timed/{n}" for n in range(20))
    assert await store.due(DUE, 100) == []


async def test_a_timer_that_cannot_be_read_does_not_stop_the_others(store: Store) -> None:
    runs = Runs(store)
    await runs.run(toy.call("1", "shelf-a", Put("timer:good")))
    turn = toy.no_turn()
    turn.timers = [Timer("bad", DUE - 1, "gone-a", Put("x"))]
    await store.commit(turn)
    async with looping(runs) as loop:
        await pump(runs, loop, Topics({}, {})).step()
    assert await toy.documents(store, "shelf-a") == ["timer:good", "timed/good"]
    assert [p.code for p in await store.parked("intake-timers", None, 10)] == ["unknown-schema"]
    assert await store.due(DUE, 10) == []
