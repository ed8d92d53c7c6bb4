"""The projector: folds what the topics say into the live tables of a service's read models.

A bug in a fold, or a record of ours that cannot be decoded, halts that projection with an alarm;
skipping it would make a row wrong. A record that nobody of ours wrote is passed over.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from libs.bus.consumer import claim
from libs.bus.feed import RECLAIM, Feed
from libs.bus.gaps import Gaps
from libs.bus.hub import Hub
from libs.bus.pace import PROMPT, Pace, Tempo
from libs.bus.records import Place, Records
from libs.bus.topics import topic_of
from libs.codec.framing import EventCodec
from libs.eventsourcing.projection import Projection
from libs.replay.folding import Parsed
from libs.replay.live import Live, Work
from libs.replay.models import models, passed, prepare
from libs.replay.renewing import Renewing
from libs.replay.transaction import Stale, commit
from libs.store.pool import Connection, Pool, writing
from libs.telemetry.logs import log
from libs.telemetry.outage import Outage
from libs.telemetry.pulse import Pulse
from libs.telemetry.spans import OFF, Spans

BATCH = 2000  # records
SAVE = 1.0  # seconds until a position is written behind records that touched no row
LOOK = 2.0  # seconds between looks for another generation of what stands still
WHOLE = 1000  # projections, more than any service has
Moved = Callable[[str, Mapping[Place, int]], None]


class Projector:
    """All read models of one service: one group, one transaction per batch.

    `topics` maps topics to services. `foreign` counts records that nobody of ours wrote.
    """

    def __init__(
        self,
        pool: Pool,
        hub: Hub,
        topics: Mapping[str, str],
        projections: Sequence[Projection[Any]],
        codec: EventCodec,
        committed: Moved | None = None,
        tempo: Tempo = PROMPT,
        spans: Spans = OFF,
    ) -> None:
        self.pool, self.hub, self.topics, self.spans = pool, hub, topics, spans
        self.projections, self.codec = projections, codec
        self.committed = committed
        self.pulse = Pulse()
        self.foreign = 0
        self._pace, self._save, self._look = Pace(tempo), 0.0, 0.0
        self.live: dict[str, Live] = {}
        self.feed: Feed
        self._gaps = Gaps()
        self._moved = asyncio.Event()
        self._renewing = Renewing(pool, hub.bootstrap, topics, codec, self.live, self._look_now)

    async def start(self) -> None:
        """Create what is missing, and join the group. What is of an older version comes later."""
        await prepare(self.pool, self.projections)
        topic, service = next(iter(self.topics.items()))
        prefix = topic.removesuffix(topic_of("", service))
        database = await self.pool.fetchval("SELECT current_database()")
        group = f"{prefix}{database}.read"
        self._outage = Outage("projector-failed", "projector-goes-on", consumer=group)
        self.feed = Feed(
            self.hub, group, self.topics, self._claim,
            tempo=self._pace.tempo, fitness=self.fitness,
        )  # fmt: skip
        await self._reload()
        await self.feed.start()

    async def stop(self) -> None:
        """Leave the group."""
        if hasattr(self, "feed"):
            await self.feed.stop()

    async def run(self) -> None:
        """Run until cancelled."""
        renewing = asyncio.create_task(self._renewing.run())
        try:
            with self.pulse:
                while True:
                    try:
                        await self._steps()
                    except Exception as error:
                        await asyncio.sleep(self._outage.failed(error))
                        await self._again()
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _steps(self) -> None:
        """Step until somebody else has written; then find out who it was, and go on from there."""
        try:
            async with writing(self.pool), self.pool.acquire() as connection:
                while True:
                    await self.step(connection)
                    self._outage.went_well()
        except Stale as stale:
            if stale.generation:
                await self._reload()
            self.feed.release(self.feed.held, 0 if stale.generation else RECLAIM)

    def halted(self) -> Mapping[str, str]:
        """Return the projections that have halted or wait at a gap, with the reason.

        Not those that another release goes on with: that ends with the upgrade, not with this
        process.
        """
        problems = {
            name: live.halted or (None if live.other else live.problem)
            for name, live in self.live.items()
        }
        return {name: problem for name, problem in problems.items() if problem}

    def fitness(self) -> int:
        """Return how many projections this process can go on with; more, if that is all it has.

        A release may have fewer than the one before it.
        """
        able = sum(live.other is None for live in self.live.values())
        return able + WHOLE * (able == len(self.live))

    @property
    def fresh(self) -> bool:
        """Return whether no rows are of an older version than this process reads them as."""
        return not any(live.older for live in self.live.values())

    def applied(self, projection: str) -> Mapping[Place, int]:
        """Return the last number that a projection holds, by topic and partition, where held."""
        live = self.live.get(projection)
        if live is None:
            return {}
        return {p: c.last_pseq for p, c in live.cursors.items() if p in self.feed.held}

    async def moved(self, seconds: float) -> None:
        """Return after the next commit, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()

    async def step(self, connection: Connection) -> int:
        """Apply what has arrived; returns the number of records."""
        await self._begin_again(self.pulse.beat())
        if all(live.still for live in self.live.values()):
            await self.feed.watch()
            await asyncio.sleep(1)
            return 0
        for place in self._gaps.due(self.feed.at):
            self.feed.seek(place, 0)
        await self._pace.rest()
        arrived = await self.feed.get(BATCH)
        count = sum(map(len, arrived.values()))
        if arrived:
            self._pace.began()
            await self._apply(connection, arrived)
            self._pace.ended(count)
        elif any(live.unsaved for live in self.live.values()):
            await self._apply(connection, {})
        return count

    def _look_now(self) -> None:
        self._look = 0.0

    async def _begin_again(self, now: float) -> None:
        """Take up what stands still where others have gone on.

        A rebuild has put another table in its place; or a newer release, which is gone since, has
        applied what is not known here. Where it still runs, nothing is assigned to this process.
        """
        halted = [live for live in self.live.values() if live.still]
        if not halted or now < self._look:
            return
        self._look = now + LOOK
        anew = [
            live.name for live in halted if self.feed.assigned
            and live.unread and await passed(self.pool, live.table.name, *live.unread)
        ]  # fmt: skip
        await self._reload(anew)
        if any(self.live[live.name] is not live for live in halted):
            self.feed.release(self.feed.held, 0)

    async def _apply(self, connection: Connection, arrived: Mapping[Place, Records]) -> None:
        began = self.spans.now()
        parsed = {
            place: Parsed(found, self.codec.decode_shared) for place, found in arrived.items()
        }
        self.foreign += sum(mark.pseq == 0 for run in parsed.values() for mark in run.marks)
        for live in self.live.values():
            live.unsaved = {p: c for p, c in live.unsaved.items() if p in self.feed.held}
        works = [live.screen(parsed) for live in self.live.values() if not live.still]
        ready = [work for work in works if work is not None]
        await self._write(connection, ready)
        for work in ready:
            self._done(work)
            self.spans.applied(work.live.name, work.pairs, began)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _write(self, connection: Connection, works: list[Work]) -> None:
        """Commit a batch, or keep its positions for the next one where no row is touched."""
        now = asyncio.get_running_loop().time()
        if now < self._save and not any(work.pairs for work in works):
            for work in works:
                work.live.unsaved = work.cursors
            return
        await commit(connection, works)
        self._save = now + SAVE
        for work in works:
            work.live.unsaved = {}

    def _done(self, work: Work) -> None:
        live = work.live
        live.cursors.update(work.cursors)
        for place, cursor in work.cursors.items():
            self.feed.reached(place, cursor.next_offset)
        for place in work.filled:
            self._gaps.filled(place)
            self.feed.seek(place, work.cursors[place].next_offset)
        for place in work.gaps:
            if self._gaps.gap(place):
                log.critical("gap", projection=live.name, topic=place[0], partition=place[1],
                             pseq=live.cursors[place].last_pseq)  # fmt: skip
        live.gaps = (live.gaps | work.gaps) - work.filled
        if self.committed is not None:
            self.committed(live.name, {p: c.last_pseq for p, c in work.cursors.items()})

    async def _claim(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Become the owner of these partitions for every projection that reads them."""
        wanted = [
            (live.table.name, *place)
            for live in self.live.values()
            for place in places
            if not live.still and self.topics[place[0]] in live.table.projection.topics
        ]
        if not wanted:
            return {}
        offsets: dict[Place, int] = {}
        owners = {live.table.name: live for live in self.live.values()}
        for p in await claim(self.pool, wanted):
            place = (p.topic, p.partition)
            owners[p.consumer].claimed(place, p.epoch, p.next_offset, p.last_pseq, p.last_id)
            offsets[place] = min(p.next_offset, offsets.get(place, p.next_offset))
        return offsets

    async def _reload(self, anew: Sequence[str] = ()) -> None:
        """Find out which tables are live; what has halted begins again in a new generation."""
        found = await models(self.pool)
        for projection in self.projections:
            model, live = found[projection.name], self.live.get(projection.name)
            if live is None or live.generation != model.generation or projection.name in anew:
                live = self.live[projection.name] = Live(projection, model)
                if live.other:
                    log.warning("projection-left", projection=live.name, reason=live.other)

    async def _again(self) -> None:
        for live in self.live.values():
            live.forget()
        with contextlib.suppress(Exception):
            await self._reload()
            await self.feed.restart()
