"""The projector's ways on memory: the product's own parsing, screening and folding of read models."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from libs.bus.gaps import Gaps
from libs.codec.framing import EventCodec
from libs.eventsourcing.projection import Key, Projection
from libs.replay.folding import Parsed, fold
from libs.replay.live import Live, Work
from libs.replay.memory import MemoryRows
from libs.replay.models import Model
from libs.store.memory import MemoryStore
from tests.simulation.broker import Broker, MemoryFeed, Place
from tests.simulation.bugs import Bug
from tests.simulation.gate import Gate
from tests.simulation.loop import VirtualLoop

Tables = dict[str, dict[Key, Any]]


class Fenced(Exception):  # noqa: N818
    """A partition has a newer owner: nothing was written."""


def table_of(name: str) -> str:
    return f"rm_{name}_1"


class LateRows(MemoryRows[Any]):
    """The rows of one projection, which may lie behind what their service has recorded."""

    def __init__(self, service: str, name: str, store: MemoryStore, tables: Tables) -> None:
        super().__init__(lambda: tables[name])
        self.service, self.name, self.store = service, name, store

    async def caught_up(self, seconds: float = 1.0) -> bool:
        """Say whether they hold it all; nobody waits here."""
        del seconds
        consumer, topic = table_of(self.name), f"{self.service}.events"
        applied = {
            lane: position.last_pseq
            for (who, where, lane), position in self.store.positions.items()
            if (who, where) == (consumer, topic)
        }
        heads = enumerate(len(recorded) for recorded in self.store.lanes)
        return all(applied.get(lane, 0) >= head for lane, head in heads)


class MemoryProjector:
    """All read models of one service, in one instance."""

    def __init__(
        self, projections: Sequence[Projection[Any]], codec: EventCodec, store: MemoryStore,
        tables: Tables, broker: Broker, loop: VirtualLoop, gate: Gate, rng: Random, bug: Bug,
    ) -> None:  # fmt: skip
        self.codec, self.store, self.tables, self.gate, self.bug = codec, store, tables, gate, bug
        self.lives = [Live(p, Model(p.name, p.version, 1, table_of(p.name))) for p in projections]
        self.feed = MemoryFeed(broker, loop, rng, self._claim)
        self._gaps = Gaps()

    async def _claim(self, places: Sequence[Place]) -> Mapping[Place, int]:
        offsets: dict[Place, int] = {}
        for live in self.lives:
            for place in places:
                if place[0].removesuffix(".events") in live.table.projection.topics:
                    p = self.store.claim_now(live.table.name, *place)
                    live.claimed(place, p.epoch, p.next_offset, p.last_pseq, p.last_id)
                    offsets[place] = min(p.next_offset, offsets.get(place, p.next_offset))
        return offsets

    async def step(self, owner: object) -> None:
        """Apply what has arrived."""
        for place in self._gaps.due(self.feed.at):
            self.feed.seek(place, 0)
        arrived = await self.feed.get(500)
        parsed = {
            place: Parsed(found, self.codec.decode_shared) for place, found in arrived.items()
        }
        self._renumber(parsed)
        works = [live.screen(parsed) for live in self.lives if not live.halted]
        ready = [work for work in works if work is not None]
        if not ready:
            return
        try:
            await self.gate.pass_(owner, "project", lambda: self._write(ready))
        except Fenced:
            self.feed.release(self.feed.held)
        except ConnectionError:
            await self.feed.restart()
        else:
            for work in ready:
                self._done(work)

    def _renumber(self, parsed: Mapping[Place, Parsed]) -> None:
        """Take every record for a new one, where a bug wants it so."""
        if not self.bug.numbers_unread:
            return
        for place, run in parsed.items():
            last = next((x.cursors[place].last_pseq for x in self.lives if place in x.cursors), 0)
            run.marks = [
                mark._replace(pseq=last + n, id=f"{mark.id}/{last + n}")
                for n, mark in enumerate(run.marks, 1)
            ]

    def _write(self, works: Sequence[Work]) -> None:
        """One transaction: check the epochs, write the rows, move the positions."""
        held = self.store.positions
        for work in works:
            for place in work.cursors:
                if held[work.live.table.name, *place].epoch != work.epochs[place]:
                    raise Fenced
        for work in works:
            projection = work.live.table.projection
            rows = self.tables[projection.name]
            for key, row in fold(projection, work.pairs, rows).items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
            for place, cursor in work.cursors.items():
                name = (work.live.table.name, *place)
                held[name] = msgspec.structs.replace(
                    held[name], next_offset=cursor.next_offset, last_pseq=cursor.last_pseq,
                    last_id=cursor.last_id,
                )  # fmt: skip

    def _done(self, work: Work) -> None:
        live = work.live
        live.cursors.update(work.cursors)
        for place in work.filled:
            self._gaps.filled(place)
            self.feed.seek(place, work.cursors[place].next_offset)
        for place in work.gaps:
            self._gaps.gap(place)
        live.gaps = (live.gaps | work.gaps) - work.filled
