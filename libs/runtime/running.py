"""One service, running: store, relay, turn loop, reactor, inbox, timers, projector, HTTP routes."""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from fastapi import APIRouter

from libs.bus.consumer import Source, end_offsets
from libs.bus.ends import Ends
from libs.bus.hub import Hub
from libs.bus.relay import Relay
from libs.bus.topics import ensure_topics, topic_of
from libs.codec.framing import EventCodec
from libs.codec.registry import Registry
from libs.contracts import kernel
from libs.effects.worker import EffectWorker
from libs.eventsourcing.decided import Turn
from libs.eventsourcing.mind import Mind
from libs.eventsourcing.projection import Projection
from libs.replay.projector import Projector
from libs.replay.rows import TableRows
from libs.runtime.commands import TurnCommands
from libs.runtime.gauging import Gauges
from libs.runtime.housekeeping import Housekeeping
from libs.runtime.inbox import InboxPump, StoreInbox
from libs.runtime.interpret import Interpreter
from libs.runtime.lagging import Lag, Lagging
from libs.runtime.leader import Rank, leading
from libs.runtime.leaving import PATIENCE, Leaving
from libs.runtime.ports import Ports, Service
from libs.runtime.reactor import Reactor
from libs.runtime.redrive import ParkedWork
from libs.runtime.settings import Settings
from libs.runtime.timers import TimerPump
from libs.runtime.turns import TurnLoop, TurnRunner
from libs.runtime.watching import Watchdog
from libs.security.vault.vault import Vault
from libs.stack.stack import Servers
from libs.store.event_store import PostgresStore
from libs.store.migrations import first_start, migrate
from libs.store.pool import Pool, close_pool, create_database, database_dsn, open_pool
from libs.store.retention import Retention
from libs.telemetry import metrics
from libs.telemetry.logs import log
from libs.telemetry.pulse import Pulse
from libs.telemetry.spans import OFF, Spans
from libs.telemetry.tracing import trace_id
from libs.values.lanes import PARTITIONS

DRAIN = 5.0  # seconds


class Pump(Protocol):
    """What runs in one process at a time."""

    pulse: Pulse

    async def run(self) -> None:
        """Run until cancelled."""
        ...


class RunningService:
    """A service and everything around it, in one process."""

    def __init__(
        self,
        service: Service,
        servers: Servers,
        settings: Settings,
        vault: Vault,
        clock: Callable[[], int],
        ends: Ends,
        hub: Hub,
        spans: Spans = OFF,
    ) -> None:
        self.service = service.configured(settings) if service.configured else service
        self.servers, self.settings = servers, settings
        self.vault, self.clock, self.ends, self.hub = vault, clock, ends, hub
        self.spans = spans
        self.name = service.name
        self.topic = topic_of(settings.topic_prefix, service.name)
        self.router: APIRouter | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.pool: Pool
        self.loop: TurnLoop
        self.relay: Relay
        self.reactor: Reactor | None = None
        self.projector: Projector | None = None
        self.effects: EffectWorker | None = None
        self.parked: ParkedWork
        self.store: PostgresStore
        self.gauges: Gauges
        self.lagging: Lagging
        self.pulses: dict[str, Pulse] = {}
        self.leaving = Leaving(PATIENCE)
        self.watchdog: Watchdog

    async def prepare(self) -> None:
        """Create what is missing: database, tables, topic."""
        name = f"{self.settings.database_prefix}{self.name}"
        await create_database(self.servers.postgres, name)
        self.pool = await open_pool(database_dsn(self.servers.postgres, name), size=8)
        registry = Registry.from_lock()
        await migrate(self.pool, self.name, self.topic, PARTITIONS, registry.identity)
        read = {name for p in self.service.projections for name in p.topics}
        read |= self.service.reacts.keys() | {self.name}
        prefix = self.settings.topic_prefix
        await ensure_topics(self.servers.kafka, sorted(topic_of(prefix, name) for name in read))

    async def start(self) -> None:
        """Assemble and start; the relay's check of store against topic comes first."""
        service, registry = self.service, Registry.from_lock()
        own = EventCodec(service.contracts + kernel.CONTRACTS, registry)
        every = EventCodec(service.contracts + service.reads + kernel.CONTRACTS, registry)
        self.store = store = PostgresStore(self.pool)
        mind = Mind(self.name, service.deciders, own, service.plan)
        self.relay = Relay(self.pool, self.servers.kafka, self.topic, self.name, registry)
        await self.relay.start()
        runner = TurnRunner(mind, store, self.clock, self._committed, self.leaving)
        self.loop = TurnLoop(runner, self._observed)
        started = await first_start(self.pool, f"{self.name}.reactor", self.clock())
        acts_from = started if service.acts == "from now" else 0
        inbox = StoreInbox(self.name, store, self.vault, self.clock)
        interpreter = Interpreter(self.name, every, service.reacts, acts_from)
        self.parked = ParkedWork(mind, store, self.loop, interpreter, self.vault)
        rows = await self._project(every)
        commands = TurnCommands(self.name, self.loop, store, self.spans)
        ports = Ports(self.settings, self.clock, self.vault, commands, inbox, rows)
        self._go("turns", self.loop.run())
        self._go("relay", self.relay.run())
        if service.reacts:
            await self._react(interpreter, inbox)
        pump = None
        if service.intake is not None:
            pump = InboxPump(
                self.name, store, inbox, self.vault, service.intake(ports), self.loop, self.spans
            )
        timers = TimerPump(mind, store, self.loop, self.clock, self._ends, self._applied, acts_from)
        if service.effects is not None:
            self.effects = EffectWorker(
                self.name, store, service.effects(ports), self.loop, self.clock, self.spans
            )
        self._lead({"inbox": pump, "timers": timers, "effects": self.effects})
        self._watch()
        if service.routes is not None:
            self.router = service.routes(ports)

    async def _react(self, interpreter: Interpreter, inbox: StoreInbox) -> None:
        topics = {topic_of(self.settings.topic_prefix, n): n for n in self.service.reacts}
        source = Source(
            self.pool, self.hub, f"{self.name}.reactor", topics, idle=interpreter.idle,
            tempo=self.service.reacting, fitness=lambda: int(not self.leaving.outdated),
        )  # fmt: skip

        async def seal(field: str, raw: bytes) -> bytes:
            return await inbox.sealed(field, raw, self.clock())

        self.reactor = Reactor(source, interpreter, self.loop, seal)
        await source.start()
        self._go("reactor", self.reactor.run())

    def _lead(self, pumps: Mapping[str, Pump | None]) -> None:
        """Run what one process at a time does, whenever this one leads."""
        house = Housekeeping(
            self.name, Retention(self.pool), self.vault, self.settings.limits, self.clock
        )
        works = {name: work for name, work in pumps.items() if work} | {"housekeeping": house}
        self.pulses |= {name: work.pulse for name, work in works.items()}
        runs = [work.run for work in works.values()]
        self._go("leader", leading(self.pool, "leader", runs, self._rank, service=self.name))

    def _rank(self) -> Rank:
        """Say how much of the work this process can do."""
        if self.leaving.outdated:
            return Rank.OUTDATED
        return Rank.FIT if self.projector is None or self.projector.fresh else Rank.BEHIND

    def _watch(self) -> None:
        """Measure and watch what runs."""
        self.gauges = Gauges(self.name, self.pool, self.service.measures, self.relay)
        reading = self.reactor.source if self.reactor is not None else None
        self.lagging = Lagging(self.name, self.ends, reading, self.projector)
        self.pulses |= {
            "turns": self.loop.pulse, "relay": self.relay.pulse, "hub": self.hub.pulse,
        }  # fmt: skip
        if self.reactor is not None:
            self.pulses["reactor"] = self.reactor.pulse
        if self.projector is not None:
            self.pulses["projector"] = self.projector.pulse
        now = asyncio.get_running_loop().time
        self.watchdog = Watchdog(self.name, self.pulses, self._waiting, now)
        self._go("watchdog", self.watchdog.run())

    async def _waiting(self) -> Mapping[str, int]:
        """Return how much waits for each loop that may be still for long; all others beat."""
        found = await self.lagging.waiting()
        return {**found, "relay": sum(self.relay.lag.values()), "hub": sum(found.values())}

    async def _project(self, codec: EventCodec) -> Callable[[Projection[Any]], TableRows[Any]]:
        topics = {
            topic_of(self.settings.topic_prefix, name): name
            for projection in self.service.projections
            for name in projection.topics
        }
        if self.service.projections:
            self.projector = Projector(
                self.pool, self.hub, topics, self.service.projections, codec,
                tempo=self.service.projecting, spans=self.spans,
            )  # fmt: skip
            await self.projector.start()
            self._go("projector", self.projector.run())
        by_service = {service: topic for topic, service in topics.items()}
        return lambda projection: TableRows(
            self.pool, projection, by_service, self.projector, self.name
        )

    def _go(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work, name=f"{self.name}.{what}"))

    def _committed(self, turn: Turn, lanes: Mapping[int, int]) -> None:
        self.spans.recorded(turn)
        self.relay.poke(lanes, turn.events)
        if turn.effects and self.effects is not None:
            self.effects.poke()
        for kind, count in Tally(event.type for event in turn.events).items():
            metrics.EVENTS.labels(self.name, kind).inc(count)
        for state, count in Tally(done.state for done in turn.effects_done).items():
            metrics.EFFECT_ATTEMPTS.labels(self.name, state).inc(count)
        for parked in turn.parked:
            log.warning("command-parked", service=self.name, stream=parked.stream,
                        source=parked.source, code=parked.code,
                        trace=trace_id(parked.trace))  # fmt: skip

    def _observed(self, inputs: int, seconds: float) -> None:
        metrics.TURN_INPUTS.labels(self.name).observe(inputs)
        metrics.TURN_SECONDS.labels(self.name).observe(seconds)

    async def _ends(self) -> Mapping[tuple[str, int], int]:
        topics = [topic_of(self.settings.topic_prefix, name) for name in self.service.reacts]
        return await end_offsets(self.servers.kafka, topics)

    async def _applied(self) -> Mapping[tuple[str, int], int]:
        rows = await self.pool.fetch(
            "SELECT topic, partition, next_offset FROM positions WHERE consumer = $1",
            f"{self.name}.reactor",
        )
        found = {(row[0], row[1]): row[2] for row in rows}
        if self.reactor is not None:  # what it has only passed over is written a little later
            here = self.reactor.source.feed.applied
            found |= {place: max(at, found.get(place, 0)) for place, at in here.items()}
        return found

    async def refresh_metrics(self) -> None:
        """Bring this service's gauges up to date."""
        await asyncio.gather(self.gauges.refresh(self.clock()), self.lagging.read())

    async def lag(self) -> list[Lag]:
        """Return, for the relay and each consumer, how many records it is behind, how long."""
        _, lines = await asyncio.gather(self.gauges.refresh(self.clock()), self.lagging.read())
        stopped = "topic trimmed" if self.relay.trimmed else ""
        relay = Lag(f"{self.name}.relay", self.gauges.lag, self.gauges.lag_seconds, stopped)
        return [relay, *lines]

    def unready(self) -> Mapping[str, str]:
        """Return what is not ready, by name, with the reason."""
        reasons = {t.get_name(): "has ended" for t in self.tasks if t.done()}
        for name, age in self.watchdog.still().items():
            reasons[f"{self.name}.{name}"] = f"stands still for {age:.0f} s"
        if self.projector is not None:
            reasons |= {f"{self.name}.{k}": v for k, v in self.projector.halted().items()}
        return reasons

    async def stop(self) -> None:
        """Let calls and the relay come to an end for a moment, then end every loop."""
        if self.effects is not None:
            await self.effects.drain(DRAIN)
        if hasattr(self, "relay"):
            await self.relay.drain(DRAIN)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.effects is not None:
            await self.effects.close()
        if self.reactor is not None:
            await self.reactor.source.stop()
        if self.projector is not None:
            await self.projector.stop()
        if hasattr(self, "relay"):
            await self.relay.stop()
        await close_pool(self.pool)
