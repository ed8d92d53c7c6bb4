"""An instance of a service: the product's own runner, pumps, reactor and commands, on memory."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from libs.bus.consumer import CLAIM, MOVE_ON, Source
from libs.bus.hub import Hub
from libs.codec.framing import EventCodec
from libs.contracts import kernel
from libs.effects.worker import EffectWorker
from libs.eventsourcing.decided import Turn
from libs.eventsourcing.inputs import Position
from libs.eventsourcing.mind import Mind
from libs.runtime.commands import TurnCommands
from libs.runtime.inbox import InboxPump, StoreInbox
from libs.runtime.interpret import Interpreter
from libs.runtime.ports import Ports, Service
from libs.runtime.reactor import Reactor
from libs.runtime.settings import Settings
from libs.runtime.timers import TimerPump
from libs.runtime.turns import TurnLoop, TurnRunner
from libs.security.vault.memory import MemoryVault
from libs.store.memory import OPEN, MemoryStore
from libs.values.lanes import PARTITIONS
from tests.simulation.broker import Broker, MemoryFeed, Place
from tests.simulation.bugs import Bug
from tests.simulation.gate import Gate, GatedStore
from tests.simulation.loop import VirtualLoop
from tests.simulation.outside import Outside
from tests.simulation.projector import LateRows, MemoryProjector, Tables
from tests.simulation.promises import Promises
from tests.simulation.relay import MemoryRelay
from tests.simulation.units import expect
from tests.simulation.wire import Wire


class MemoryPool:
    """Answers the two statements of the reactor's source."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    async def fetch(self, statement: str, *columns: Any) -> list[tuple[Any, ...]]:
        rows = zip(*columns, strict=True)
        if statement == CLAIM:
            return [msgspec.structs.astuple(self.store.claim_now(*row)) for row in rows]
        assert statement == MOVE_ON
        return [place for row in rows for place in self._passed(Position(*row))]

    def _passed(self, position: Position) -> list[Place]:
        name = (position.consumer, position.topic, position.partition)
        held = self.store.positions[name]
        if (held.epoch, held.applied) != (position.epoch, position.applied):
            return []
        self.store.positions[name] = position
        return [name[1:]]


@dataclass
class Durable:
    """What a crash leaves of a service, and how it is built."""

    service: Service
    store: MemoryStore
    tables: Tables
    mind: Mind
    codec: EventCodec
    interpreter: Interpreter

    @property
    def name(self) -> str:
        return self.service.name


def durable(service: Service, bug: Bug) -> Durable:
    own = EventCodec(service.contracts + kernel.CONTRACTS)
    every = EventCodec(service.contracts + service.reads + kernel.CONTRACTS, own.registry)
    mind = Mind(service.name, bug.deciders(service.deciders), own, bug.planning(service.plan))
    tables: Tables = {projection.name: {} for projection in service.projections}
    interpreter = Interpreter(service.name, every, service.reacts)
    return Durable(service, bug.store(), tables, mind, every, interpreter)


@dataclass
class Around:
    """What all instances share."""

    loop: VirtualLoop
    gate: Gate
    broker: Broker
    vault: MemoryVault
    settings: Settings
    promises: Promises
    rng: Random
    bug: Bug
    outside: Outside | None = None


@dataclass(eq=False)
class Instance:
    """A process of a service; all that is here is gone when it crashes."""

    name: str
    durable: Durable
    around: Around
    tasks: dict[str, "asyncio.Task[Any]"] = field(default_factory=dict)
    paused: int = 0  # steps that it stands still

    def __post_init__(self) -> None:
        home, around = self.durable, self.around
        raw = GatedStore(home.store, around.gate, self, self._committed)
        store: Any = around.bug.shell(raw)
        self.runner = TurnRunner(home.mind, store, self.clock, lambda _, __: None)
        self.turns = TurnLoop(self.runner, lambda _, __: None)
        self.inbox = StoreInbox(self.name, store, around.vault, self.clock)
        self.commands: Any = around.bug.calls(TurnCommands(home.name, self.turns, store), raw)

        def rows(projection: Any) -> LateRows:
            return LateRows(home.name, projection.name, home.store, home.tables)

        ports = Ports(around.settings, self.clock, around.vault, self.commands, self.inbox, rows)
        self.pump: InboxPump | None = None
        if home.service.intake is not None:
            intake = home.service.intake(ports)
            self.pump = InboxPump(home.name, store, self.inbox, around.vault, intake, self.turns)
        self.worker = self._worker(store, ports)
        self._react()
        self.projector = MemoryProjector(
            home.service.projections, home.codec, home.store, home.tables, around.broker,
            around.loop, around.gate, around.rng, around.bug,
        )  # fmt: skip
        self.relay = MemoryRelay(
            home.name, home.store, around.broker, around.gate, around.rng,
            home.codec.registry, around.promises, around.bug.relay_too_late,
        )  # fmt: skip
        self.timers = TimerPump(home.mind, store, self.turns, self.clock, self._ends, self._applied)

    def _worker(self, store: Any, ports: Ports) -> EffectWorker | None:
        home, around = self.durable, self.around
        if around.outside is None or home.service.effects is None:
            return None
        wire = around.outside.wire(Wire(around.gate, self, around.loop, around.rng))
        kinds = around.bug.kinds(around.outside.kinds(home.service, ports, wire))
        return EffectWorker(home.name, store, kinds, self.turns, self.clock)

    def _react(self) -> None:
        home, around = self.durable, self.around
        self.reactor: Reactor | None = None
        self.reads: MemoryFeed | None = None
        if home.service.reacts:
            topics = {f"{name}.events": name for name in home.service.reacts}
            pool: Any = MemoryPool(home.store)
            source = Source(
                pool, Hub(""), f"{home.name}.reactor", topics, idle=home.interpreter.idle
            )
            self.reads = MemoryFeed(around.broker, around.loop, around.rng, source._claim)
            source.feed = self.reads  # type: ignore[assignment]
            self.reactor = Reactor(source, home.interpreter, self.turns, _unsealed)

    def clock(self) -> int:
        return self.around.loop.now

    def _committed(self, turn: Turn) -> None:
        home = self.durable
        self.around.promises.committed(home.name, home.store, turn)
        if self.around.outside is not None:
            self.around.outside.saw(turn)

    async def _ends(self) -> Mapping[Place, int]:
        if self.around.bug.timers_early:
            return {}
        return {
            place: self.around.broker.end(place)
            for name in self.durable.service.reacts
            for place in ((f"{name}.events", n) for n in range(PARTITIONS))
        }

    async def _applied(self) -> Mapping[Place, int]:
        consumer = f"{self.durable.name}.reactor"
        held = self.durable.store.positions
        found = {key[1:]: p.next_offset for key, p in held.items() if key[0] == consumer}
        here = self.reads.applied if self.reads else {}
        return found | {place: max(at, found.get(place, 0)) for place, at in here.items()}

    def start(self, what: str, work: Coroutine[Any, Any, Any]) -> None:
        self.tasks[what] = self.around.loop.create_task(work)

    def busy(self, what: str) -> bool:
        task = self.tasks.get(what)
        if task is None or not task.done():
            return task is not None
        if not task.cancelled() and (error := task.exception()) is not None:
            expected = isinstance(error, ConnectionError | TimeoutError)
            expect("P7", expected, f"{self.name} failed at {what}: {error!r}")
        del self.tasks[what]
        return False

    async def take_turn(self) -> None:
        await self.turns._turn(self.turns._take())

    def begin(self, what: str, *, leads: bool) -> bool:
        """Begin one piece of work where there is some; False where there is none."""
        if self.busy(what):
            return False
        home = self.durable
        match what:
            case "turn" if self.turns._waiting:
                self.start(what, self.take_turn())
            case "inbox" if self.pump and leads and self._received(self.pump):
                self.start(what, self.pump.step())
            case "react" if self._readable():
                self.start(what, self.react())
            case "timers" if leads and home.store.due_now(self.clock(), 1):
                self.start(what, self.timers.step())
            case "effects" if self.worker and self._callable():
                self.start(what, self._call())
            case "project" if self.projector.feed.waiting():
                self.start(what, self.projector.step(self))
            case "relay" if self.relay.lag():
                self.start(what, self.relay.step(self, self.clock))
            case _:
                return False
        return True

    def _readable(self) -> bool:
        """Say whether records wait, or positions that may be written now."""
        if self.reactor is None or self.reads is None:
            return False
        return self.reads.waiting() or self.reactor.source.due(self.around.loop.time())

    def _callable(self) -> bool:
        """Say whether an effect may be tried now."""
        now = self.clock()
        return any(
            one.state in OPEN and one.open_at() <= now
            for one in self.durable.store.effects.values()
        )

    def _received(self, pump: InboxPump) -> bool:
        """Say whether a delivery may be taken now."""
        return bool(self.durable.store.received_now(pump.resting(), 1))

    def next_delivery(self) -> list[int]:
        """Return when those deliveries may be taken that this instance has left for later."""
        open_now = {seq for seq, _ in self.durable.store.received_now([], 2**31)}
        later = self.pump.later.items() if self.pump else ()
        return [due for seq, due in later if seq in open_now]

    async def _call(self) -> None:
        assert self.worker is not None
        await self.worker.step()

    def under_way(self) -> bool:
        """Say whether something that was begun has not come to its end."""
        tasks = [*self.tasks.values(), *(self.worker.running if self.worker else ())]
        return any(not task.done() for task in tasks)

    async def react(self) -> None:
        """One step, and after a failure what the reactor's own loop does."""
        assert self.reactor is not None
        try:
            await self.reactor.step()
        except (ConnectionError, TimeoutError):
            await self.reactor.source.restart()

    def stop(self) -> None:
        for task in (*self.tasks.values(), *(self.worker.running if self.worker else ())):
            task.cancel()


async def _unsealed(_: str, raw: bytes) -> bytes:
    return raw
