"""Processes of the payments service on one store in memory, in virtual time, killed at any point."""

import asyncio
import heapq
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from libs.codec.framing import EventCodec
from libs.contracts import kernel
from libs.effects.kinds import EffectKind
from libs.effects.worker import EffectWorker
from libs.eventsourcing.decided import Turn
from libs.eventsourcing.inputs import FromTopic, Input
from libs.eventsourcing.mind import Mind
from libs.runtime.commands import TurnCommands
from libs.runtime.timers import TimerPump
from libs.runtime.turns import FENCED, TurnLoop, TurnRunner
from libs.store.memory import OPEN, MemoryStore
from libs.store.store import Call, DueTimer
from services.payments.service import SERVICE
from tests.simulation.loop import VirtualLoop

NAME = ("payments.reactor", "facts", 0)
BATCH = 500
SECOND = 1_000_000  # microseconds


class DueStore(MemoryStore):
    """The store in memory, with heaps of what is due: it holds more than can be looked through."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[int, str]] = []
        self.soon: list[tuple[int, str]] = []

    def commit_now(self, turn: Turn) -> Mapping[int, int]:
        lanes = super().commit_now(turn)
        for name in (*(one.id for one in turn.effects), *(one.id for one in turn.effects_done)):
            if self.effects[name].state in OPEN:
                heapq.heappush(self.open, (self.effects[name].open_at(), name))
        for timer in turn.timers:
            heapq.heappush(self.soon, (timer.due, timer.id))
        return lanes

    def claim_effects_now(
        self, kinds: Sequence[str], now: int, lease_till: int, limit: int
    ) -> Sequence[Call]:
        calls: list[Call] = []
        while len(calls) < limit and self.next_effect() <= now:
            name = heapq.heappop(self.open)[1]
            one = self.effects[name]
            assert one.kind in kinds
            doubt = one.doubt_since
            one.taken(now, lease_till)
            heapq.heappush(self.open, (lease_till, name))
            calls.append(
                Call(name, one.kind, one.stream, one.request, one.attempt, one.token, doubt,
                     one.planned_at, one.cause, one.correlation, one.trace)
            )  # fmt: skip
        return calls

    def next_effect(self) -> int:
        """Return when the next effect may be taken; a mark that is out of date is dropped."""
        while self.open:
            at, name = self.open[0]
            if self.effects[name].state in OPEN and self.effects[name].open_at() == at:
                return at
            heapq.heappop(self.open)
        return 2**62

    def due_now(self, now: int, limit: int) -> Sequence[DueTimer]:
        rows: list[tuple[int, str]] = []
        while self.next_timer() <= now and len(rows) < limit:
            one = heapq.heappop(self.soon)
            if one[1] not in self.timers_done:
                rows.append(one)
        for one in rows:
            heapq.heappush(self.soon, one)
        return [self.timers[name] for _, name in rows]

    def next_timer(self) -> int:
        """Return when the next timer is due."""
        return self.soon[0][0] if self.soon else 2**62


class World:
    """What outlives a process: the store, the time, the facts that come, and chance."""

    def __init__(self, loop: VirtualLoop, rng: Random) -> None:
        self.loop, self.rng, self.store = loop, rng, DueStore()
        self.store.claim_now(*NAME)
        own = EventCodec(SERVICE.contracts + kernel.CONTRACTS)
        self.mind = Mind("payments", SERVICE.deciders, own, SERVICE.plan)
        self.facts: list[tuple[int, Input]] = []  # in the order in which they come, with the time
        self.kinds: Callable[[], Sequence[EffectKind]] = list
        self.kills = self.cut = 0

    def clock(self) -> int:
        return self.loop.now


class Line:
    """The store as a process reaches it: a way there and back, on which an answer can be lost."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.store, name)

    async def claim_effects(self, *given: Any) -> Sequence[Call]:
        claimed: Sequence[Call] = await self._pass(self.world.store.claim_effects_now, *given)
        return claimed

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        lanes: Mapping[int, int] = await self._pass(self.world.store.commit_now, turn)
        return lanes

    async def _pass(self, what: Callable[..., Any], *given: Any) -> Any:
        fate = self.world.rng.random()
        await asyncio.sleep(0.04)
        if fate < 0.002:
            self.world.cut += 1
            raise ConnectionResetError
        done = what(*given)
        await asyncio.sleep(0.04)
        if fate > 0.998:
            self.world.cut += 1
            raise ConnectionResetError
        return done


class Process:
    """One process: the product's own runner, worker and timers. All that is here dies with it."""

    def __init__(self, world: World) -> None:
        self.world, self.tasks = world, dict[str, asyncio.Task[Any]]()
        store: Any = Line(world)
        runner = TurnRunner(world.mind, store, world.clock, lambda _, __: None)
        self.turns = TurnLoop(runner, lambda _, __: None)
        self.worker = EffectWorker("payments", store, world.kinds(), self.turns, world.clock)
        self.timers = TimerPump(world.mind, store, self.turns, world.clock, _nothing, _nothing)
        self.commands = TurnCommands("payments", self.turns, store)
        self.looked = 0

    def begin(self, *, reacts: bool) -> bool:
        """Begin what there is to do; False where there is nothing."""
        store, now = self.world.store, self.world.loop.now
        begun = False
        if self.turns._waiting and self._free("turn"):
            begun = self._start("turn", self.turns._turn(self.turns._take()))
        if reacts and self._waiting() and self._free("react"):
            begun = self._start("react", self._react())
        if reacts and store.next_timer() <= now and self._free("timers"):
            begun = self._start("timers", self.timers.step())
        if store.next_effect() <= now and now >= self.looked and self._free("claim"):
            self.looked = now + SECOND
            begun = self._start("claim", self.worker.step())
        return begun

    def kill(self) -> None:
        for task in (*self.tasks.values(), *self.worker.running):
            task.cancel()

    def _free(self, what: str) -> bool:
        task = self.tasks.get(what)
        if task is None or not task.done():
            return task is None
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, ConnectionError), error
        return True

    def _start(self, what: str, work: Any) -> bool:
        self.tasks[what] = self.world.loop.create_task(work)
        return True

    def _done(self) -> int:
        return self.world.store.positions[NAME].applied

    def _waiting(self) -> bool:
        facts, done = self.world.facts, self._done()
        return done < len(facts) and facts[done][0] <= self.world.loop.now

    async def _react(self) -> None:
        """Take the next facts, as whoever owns the partition from now on."""
        world, first = self.world, self._done()
        position = world.store.claim_now(*NAME)
        inputs = []
        for number, (at, given) in enumerate(world.facts[first : first + BATCH], first + 1):
            if at > world.loop.now:
                break
            after = msgspec.structs.replace(position, next_offset=number, applied=number)
            inputs.append(msgspec.structs.replace(given, origin=FromTopic(after)))
        outcome = await self.turns.settle(inputs)
        assert all(outcome.by_id[given.id] in {None, FENCED} for given in inputs)


async def _nothing() -> Mapping[tuple[str, int], int]:
    return {}
