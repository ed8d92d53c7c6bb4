"""Reads each topic once for all who follow it in this process, and keeps the last records of each.

Decides nothing: a follower says from which offset it goes on, and is handed what is behind it. One
that needs older records than are kept reads them itself.
"""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from operator import attrgetter

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaTimeoutError, OffsetOutOfRangeError

from libs.bus.client import let_go
from libs.bus.pace import CALM, Pace, Tempo
from libs.bus.records import Arrived, Place, Records, add_passed, arrivals
from libs.bus.tail import parts_of
from libs.telemetry.outage import Outage
from libs.telemetry.pulse import Pulse

KEPT = 1000  # records of a partition
KEPT_BYTES = 512 * 1024  # of their values
AT_ONCE = 2000  # records that are read before others have their turn
LOOK = 5.0  # seconds between looks at what was passed over
# A request to the broker names every partition and costs as much as many records: it rests longer.
PROMPT_READER, CALM_READER = Tempo(4, 0.05, 250), Tempo(50, 0.1, 1000)
_OFFSET = attrgetter("offset")


class Window:
    """The last records of a partition: all there are from `start` up to, not including, `end`."""

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self._records: list[Arrived] = []
        self._bytes = 0

    def add(self, records: Records) -> None:
        """Put the next records behind the others, and let the oldest go."""
        self._records += records
        self._bytes += sum(len(record.value) for record in records)
        self.end = records[-1].offset + 1
        gone = 0
        while len(self._records) - gone > KEPT or self._bytes > KEPT_BYTES:
            self._bytes -= len(self._records[gone].value)
            gone += 1
        if gone:
            self.start = self._records[gone - 1].offset + 1
            del self._records[:gone]

    def from_(self, offset: int, limit: int) -> Records | None:
        """Return so many records from an offset on; None where it lies outside."""
        if offset == self.end:
            return ()
        if not self.start <= offset < self.end:
            return None
        first = bisect_left(self._records, offset, key=_OFFSET)
        return self._records[first : first + limit]


class Hub:
    """One reader of a process. `follow` topics, then `take` from an offset and wait for `news`."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._services: dict[str, str] = {}  # of each topic
        self._windows: dict[Place, Window] = {}
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._changed = asyncio.Event()
        self._pace, self._look = Pace(CALM_READER), 0.0
        self.pulse = Pulse()
        self._outage = Outage("hub-restarted", "hub-goes-on", level=logging.WARNING)
        self._reading: asyncio.Task[None] | None = None

    def follow(self, topics: Mapping[str, str], tempo: Tempo = CALM) -> None:
        """Read these topics from their present ends on; `topics` maps them to their services.

        Where nobody follows promptly, the reader gathers for longer.
        """
        if tempo.most < CALM.most:
            self._pace.tempo = PROMPT_READER
        new = topics.keys() - self._services.keys()
        if new or self._reading is None:
            self._services.update(topics)
            self._waiting |= {topic: set() for topic in new}
            self._changed.set()
        if self._reading is None:
            self._reading = asyncio.create_task(self._run(), name="hub")

    async def close(self) -> None:
        """Read no more."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def doubt(self) -> None:
        """Begin anew: somebody has seen records that have not come."""
        self._windows.clear()
        self._changed.set()

    def take(self, place: Place, offset: int, limit: int) -> Records | None:
        """Return what is kept from an offset on; None where the caller has to read for itself."""
        window = self._windows.get(place)
        return window.from_(offset, limit) if window is not None else None

    async def news(self, topics: Iterable[str], seconds: float) -> None:
        """Return when something of these topics has come, or after so many seconds."""
        come: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = [self._waiting[topic] for topic in topics]
        for others in waiting:
            others.add(come)
        try:
            await asyncio.wait([come], timeout=seconds)
        finally:
            for others in waiting:
                others.discard(come)

    async def _run(self) -> None:
        with self.pulse:
            await self._go_on()

    async def _go_on(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self.bootstrap, enable_auto_commit=False,
                auto_offset_reset="none", fetch_max_wait_ms=1000, metadata_max_age_ms=5000,
            )  # fmt: skip
            try:
                await consumer.start()
                self._changed.set()
                while True:
                    await self._step(consumer)
                    self._outage.went_well()
            except Exception as error:
                self._windows.clear()
                await asyncio.sleep(self._outage.failed(error))
            finally:
                await let_go(consumer)

    async def _step(self, consumer: AIOKafkaConsumer) -> None:
        self.pulse.beat()
        if self._changed.is_set():
            self._changed.clear()
            await self._assign(consumer)
        await self._pace.rest()
        try:
            fetched = await consumer.getmany(timeout_ms=500, max_records=AT_ONCE)
        except OffsetOutOfRangeError:  # a topic that was made anew: its followers see to it
            self.doubt()
            return
        found = arrivals(self._services, fetched)
        await self._passed(consumer, found)
        if not found:
            return
        self._pace.began()
        for place, records in found.items():
            if place in self._windows:
                self._windows[place].add(records)
        for topic in {topic for topic, _ in found}:
            for come in self._waiting[topic]:
                if not come.done():
                    come.set_result(None)
        self._pace.ended()

    async def _passed(self, consumer: AIOKafkaConsumer, found: dict[Place, list[Arrived]]) -> None:
        """Add what the consumer has passed over, now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._look:
            return
        self._look = now + LOOK
        for place, window in tuple(self._windows.items()):
            await add_passed(consumer, self._services[place[0]], place, found, window.end)

    async def _assign(self, consumer: AIOKafkaConsumer) -> None:
        """Read all that is followed: what is known from where it is, the rest from its end."""
        parts = parts_of(self._services)
        if not parts:
            return
        consumer.assign(parts)  # forgets where it was, and has the client learn its new topics
        new = []
        for part in parts:
            window = self._windows.get((part.topic, part.partition))
            if window is None:
                new.append(part)
            else:
                consumer.seek(part, window.end)
        if new and not await consumer.seek_to_end(*new):
            raise KafkaTimeoutError
        for part in new:
            self._windows[part.topic, part.partition] = Window(await consumer.position(part))
