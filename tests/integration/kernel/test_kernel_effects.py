"""The worker of effects: one result per effect, whatever the outside and the commit do."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs

from libs.effects.kinds import Absent, Confirmed, EffectKind, NotYet, Rejected, Result, Unknown
from libs.effects.worker import EffectWorker
from libs.runtime.turns import TurnLoop
from libs.store.store import Call, Store
from tests.contract import toy
from tests.contract.instances import LosesReplies, Runs, looping
from tests.contract.toy import NOON, Put
from tests.support import eventually

HOUR = 3_600_000_000


class Outside:
    """Answers by a plan, result after result; counts what it was asked."""

    def __init__(self, *plan: Result | Exception | Literal["never"]) -> None:
        self.plan, self.performed, self.asked = list(plan), list[Call](), list[Call]()

    async def perform(self, call: Call) -> Result:
        self.performed.append(call)
        return await self._next()

    async def ask(self, call: Call) -> Result:
        self.asked.append(call)
        return await self._next()

    async def _next(self) -> Result:
        told = self.plan.pop(0) if self.plan else Confirmed()
        if told == "never":
            await asyncio.Event().wait()
        if isinstance(told, Exception):
            raise told
        assert not isinstance(told, str)
        return told


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


def told(call: Call, result: Result, at: int) -> Put:
    del at
    return Put(f"{type(result).__name__.lower()}/{call.id}")


def worker(
    store: Store, loop: TurnLoop, outside: Outside, clock: Clock,
    doubt: Literal["repeat", "ask", "queue"] = "repeat",
    tell: Callable[[Call, Result, int], Any] = told, **changes: Any,
) -> EffectWorker:  # fmt: skip
    settings = {"honoured": 24 * HOUR, "timeout": 0.2, "burst": 100, **changes}
    kind = EffectKind("toy.call", outside, tell, doubt, "toy", **settings)
    return EffectWorker("toy", store, [kind], loop, clock)


async def settled(made: EffectWorker, clock: Clock, attempts: int = 12) -> None:
    """Let the worker try until nothing is open, with time passing in leaps."""
    for _ in range(attempts):
        await made.step()
        await eventually(lambda: not made.running)
        clock.now += HOUR


async def planned(store: Store, *names: str) -> Runs:
    runs = Runs(store)
    await runs.run(*(toy.call(name, "shelf-a", Put(f"effect:{name}")) for name in names))
    return runs


@pytest.mark.parametrize(
    ("doubt", "plan", "performed", "asked", "story"),
    [
        ("repeat", [Confirmed()], 1, 0, ["confirmed/e"]),
        ("repeat", [Rejected("declined")], 1, 0, ["rejected/e"]),
        ("repeat", ["never", Confirmed()], 2, 0, ["unknown/e", "confirmed/e"]),
        ("repeat", [OSError("reset"), Unknown("500"), Confirmed()], 3, 0,
         ["unknown/e", "confirmed/e"]),
        ("repeat", [NotYet("throttled"), NotYet("unreachable"), Confirmed()], 3, 0,
         ["confirmed/e"]),
        ("ask", [Unknown("500"), Confirmed()], 1, 1, ["unknown/e", "confirmed/e"]),
        ("ask", [Unknown("500"), Absent(), Confirmed()], 2, 1, ["unknown/e", "confirmed/e"]),
        ("ask", [Unknown("500"), OSError("reset"), Rejected("void")], 1, 2,
         ["unknown/e", "rejected/e"]),
        ("queue", ["never"], 1, 0, ["unknown/e"]),
        ("queue", [NotYet("throttled"), Confirmed()], 2, 0, ["confirmed/e"]),
    ],
)  # fmt: skip
async def test_an_effect_ends_as_its_kind_says(
    store: Store, doubt: Any, plan: list[Any], performed: int, asked: int, story: list[str]
) -> None:
    runs, outside, clock = await planned(store, "e"), Outside(*plan), Clock()
    async with looping(runs) as loop:
        await settled(worker(store, loop, outside, clock, doubt), clock)
    assert (len(outside.performed), len(outside.asked)) == (performed, asked)
    assert (await toy.documents(store, "shelf-a"))[1:] == story
    assert {call.id for call in outside.performed + outside.asked} == {"e"}


async def test_a_key_that_is_no_longer_honoured_is_not_sent_again(store: Store) -> None:
    runs, outside, clock = await planned(store, "e"), Outside(Unknown("500"), Confirmed()), Clock()
    async with looping(runs) as loop:
        await settled(worker(store, loop, outside, clock, honoured=HOUR // 2), clock)
    assert (len(outside.performed), len(outside.asked)) == (1, 1)


async def test_attempts_end_in_the_queue_of_a_person(store: Store) -> None:
    runs, clock = await planned(store, "e"), Clock()
    outside = Outside(*[NotYet("unreachable")] * 20)
    async with looping(runs) as loop:
        await settled(worker(store, loop, outside, clock, attempts=3), clock)
    assert len(outside.performed) == 3
    assert (await toy.documents(store, "shelf-a"))[1:] == ["unknown/e"]
    assert await store.claim_effects(["toy.call"], clock.now + HOUR, clock.now + HOUR, 9) == []


async def test_what_an_outside_does_not_let_be_done_is_in_the_log_and_goes_on_by_itself(
    store: Store,
) -> None:
    """A key that was revoked and is mended: why it stood is said, at first it is not worth it."""
    runs, clock = await planned(store, "e"), Clock()
    outside = Outside(*[NotYet("provider-refuses-key")] * 8, Confirmed())
    with capture_logs() as lines:
        async with looping(runs) as loop:
            await settled(worker(store, loop, outside, clock), clock)
    held = [line for line in lines if line["event"] == "effect-not-done"]
    assert [(one["attempt"], one["state"], one["code"]) for one in held] == [
        (attempt, "planned", "provider-refuses-key") for attempt in (6, 7, 8)
    ]
    assert (await toy.documents(store, "shelf-a"))[1:] == ["confirmed/e"]


async def test_who_is_told_of_a_last_attempt_hears_that_nobody_tries_any_more(store: Store) -> None:
    runs, clock, codes = await planned(store, "e"), Clock(), list[str]()

    def tell(call: Call, result: Result, at: int) -> Put:
        assert isinstance(result, Unknown)
        codes.append(result.code)
        return told(call, result, at)

    outside = Outside(*[Unknown("500")] * 20)
    async with looping(runs) as loop:
        await settled(worker(store, loop, outside, clock, tell=tell, attempts=3), clock)
    assert codes == ["500", "in-doubt"]


@pytest.mark.parametrize("loss", ["before", "after"])
async def test_a_result_whose_commit_reply_is_lost_is_told_once(store: Store, loss: str) -> None:
    await planned(store, "e")
    runs, outside, clock = Runs(LosesReplies(store, loss)), Outside(), Clock()
    async with looping(runs) as loop:
        await settled(worker(store, loop, outside, clock), clock)
    assert len(outside.performed) == 1
    assert (await toy.documents(store, "shelf-a"))[1:] == ["confirmed/e"]


async def test_a_result_behind_the_end_of_its_lease_changes_nothing(store: Store) -> None:
    """Whoever claimed it next tells what came of it."""
    runs, clock = await planned(store, "e"), Clock()
    gate = asyncio.Event()

    class Slow(Outside):
        async def perform(self, call: Call) -> Result:
            self.performed.append(call)
            if call.attempt == 1:
                await gate.wait()
                return Rejected("too late")
            return Confirmed()

    outside = Slow()
    async with looping(runs) as loop:
        made = worker(store, loop, outside, clock, timeout=30)
        await made.step()
        await eventually(lambda: outside.performed)
        clock.now += HOUR
        await made.step()
        await eventually(lambda: len(made.running) == 1)
        gate.set()
        await eventually(lambda: not made.running)
    assert len(outside.performed) == 2
    assert (await toy.documents(store, "shelf-a"))[1:] == ["confirmed/e"]


async def test_a_result_that_is_not_understood_is_asked_for_again(store: Store) -> None:
    runs, outside, clock = await planned(store, "e"), Outside(), Clock()
    faults = [RuntimeError("no idea")]

    def puzzled(call: Call, result: Result, at: int) -> Put:
        if faults:
            raise faults.pop()
        return told(call, result, at)

    async with looping(runs) as loop:
        await settled(worker(store, loop, outside, clock, tell=puzzled), clock)
    assert len(outside.performed) == 2
    assert (await toy.documents(store, "shelf-a"))[1:] == ["confirmed/e"]


async def test_a_budget_bounds_the_calls_of_a_provider(store: Store) -> None:
    runs, outside, clock = await planned(store, *map(str, range(20))), Outside(), Clock()
    async with looping(runs) as loop:
        made = worker(store, loop, outside, clock, burst=5, per_second=0.001)
        assert await made.step() == 5
        assert await made.step() == 0
        await eventually(lambda: not made.running)
    assert len(outside.performed) == 5


@pytest.mark.parametrize(("several", "begun"), [(False, 1), (True, 2)])
async def test_one_of_several_outsides_that_throttles_pauses_no_other(
    store: Store, several: bool, begun: int
) -> None:
    outside, clock = Outside(NotYet("throttled", HOUR)), Clock()
    runs = await planned(store, "one", "other")
    async with looping(runs) as loop:
        made = worker(store, loop, outside, clock, burst=1, per_second=1000, several=several)
        await made.step()
        await eventually(lambda: not made.running)
        await made.step()
        await eventually(lambda: not made.running)
    assert len(outside.performed) == begun


async def test_two_workers_do_each_effect_once(store: Store) -> None:
    names = [str(n) for n in range(30)]
    one, outside, clock = await planned(store, *names), Outside(), Clock()
    two = Runs(store)
    async with looping(one) as first, looping(two) as second:
        workers = [worker(store, loop, outside, clock) for loop in (first, second)]
        await asyncio.gather(*(made.step() for made in workers * 3))
        await eventually(lambda: not any(made.running for made in workers))
    assert sorted(call.id for call in outside.performed) == sorted(names)
    stories = (await toy.documents(store, "shelf-a"))[30:]
    assert sorted(stories) == sorted(f"confirmed/{name}" for name in names)


async def test_nothing_is_begun_behind_a_drain(store: Store) -> None:
    outside, names = Outside(), [str(n) for n in range(40)]
    runs = await planned(store, *names)
    async with looping(runs) as loop:
        made = worker(store, loop, outside, Clock(), burst=10, per_second=1000)
        running = asyncio.create_task(made.run())
        await eventually(lambda: outside.performed)
        await made.drain(10)
        called = len(outside.performed)
        await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert len(outside.performed) == called
        assert not made.running
