"""The relay: sends what the store has committed to the service's topic, in order. Decides nothing.

It may repeat records (consumers drop them by number), it never skips one.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from libs.bus.client import let_go, producer_for
from libs.bus.readback import HistoryMismatch, Known, TopicTrimmed, read_ends, resume_after
from libs.bus.recent import Outgoing, Recent
from libs.codec.framing import frame
from libs.codec.headers import EventHeaders, build_headers, links
from libs.codec.registry import Registry
from libs.eventsourcing.decided import NewEvent
from libs.store.pool import LOST, Pool
from libs.telemetry.logs import log
from libs.telemetry.outage import Outage
from libs.telemetry.pulse import Pulse
from libs.values.lanes import PARTITIONS

PAGE = 500  # events of a lane per batch
DEADLINE = 10.0  # seconds for every acknowledgement
POLL = 0.5  # seconds between looks at what others have committed
LOOK = 5.0  # seconds between looks at what somebody else has sent of lanes that are left
NOTE = 5.0  # seconds between notes of what was acknowledged
CONSUMER = "relay"  # under this name in `positions`: what was acknowledged, at least

_READ = """
    SELECT e.lane, e.pseq, e.id::text, e.stream_id, e.version, e.type, e.schema_version, e.data,
           e.recorded_at, e.cause::text, e.correlation::text, e.trace
    FROM unnest($1::integer[], $2::bigint[]) AS u(lane, sent) CROSS JOIN LATERAL (
        SELECT * FROM events WHERE lane = u.lane AND pseq > u.sent ORDER BY pseq LIMIT $3
    ) e ORDER BY e.lane, e.pseq"""
_KNOWN = """
    SELECT l.lane, l.head, e.id::text AS id, coalesce(p.last_pseq, 0) AS noted
    FROM lanes l JOIN unnest($1::integer[], $2::bigint[]) AS u(lane, pseq) USING (lane)
    LEFT JOIN events e ON e.lane = u.lane AND e.pseq = u.pseq
    LEFT JOIN positions p ON p.consumer = $3 AND p.topic = $4 AND p.partition = l.lane"""
_NOTE = """
    INSERT INTO positions AS p (consumer, topic, partition, last_pseq)
    SELECT $1, $2, u.lane, u.pseq FROM unnest($3::integer[], $4::bigint[]) AS u(lane, pseq)
    ORDER BY u.lane
    ON CONFLICT (consumer, topic, partition) DO UPDATE SET last_pseq = excluded.last_pseq
    WHERE p.last_pseq < excluded.last_pseq"""


class SetBack(Exception):  # noqa: N818
    """The store has fewer events than were sent: topic and store are to be compared anew."""


_DOUBT = (SetBack, KafkaError, asyncpg.PostgresError, *LOST)


class Relay:
    """One service's relay.

    `sent` is the highest acknowledged number by lane, `heads` the highest known to be committed.
    """

    def __init__(
        self, pool: Pool, bootstrap: str, topic: str, service: str, registry: Registry,
        make_producer: Callable[[str], AIOKafkaProducer] = producer_for,
    ) -> None:  # fmt: skip
        self.pool, self.bootstrap, self.topic, self.service = pool, bootstrap, topic, service
        self.registry, self.make_producer = registry, make_producer
        self.sent: dict[int, int] = {}
        self.acknowledged: dict[int, int] = {}  # kept through doubt, for gauges only
        self.heads: dict[int, int] = {}
        self.sent_total = 0
        self.last_progress = 0.0
        self.trimmed: frozenset[int] = frozenset()
        self.left: set[int] = set()  # lanes that go on with what only a newer release can send
        self._told: dict[int, int] = {}  # of the last event that was left, by lane
        self._recent = Recent()
        self._producer: AIOKafkaProducer | None = None
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._running = False
        self.pulse = Pulse()
        self._outage = Outage("relay-in-doubt", "relay-goes-on", service=service)
        self._next_note = self._next_poll = self._next_look = 0.0

    async def start(self) -> None:
        """Compare the topic's end with the store and find where to go on.

        Raises HistoryMismatch or TopicTrimmed: the service must not start.
        """
        found = await asyncio.wait_for(read_ends(self.bootstrap, self.topic, self.service), 60)
        numbers = [found[lane].pseq for lane in range(PARTITIONS)]
        rows = await self.pool.fetch(_KNOWN, list(range(PARTITIONS)), numbers, CONSUMER, self.topic)
        sent, trimmed = {}, set()
        for lane, head, event_id, noted in rows:
            known = Known(head, event_id, noted)
            sent[lane], gone = resume_after(self.topic, self.service, lane, found[lane], known)
            self.heads[lane] = max(head, self.heads.get(lane, 0))
            if gone:
                trimmed.add(lane)
                log.critical(
                    "topic-trimmed", topic=self.topic, partition=lane, offset=found[lane].begin
                )
        self.sent, self.trimmed, self.left = sent, frozenset(trimmed), set()
        self.acknowledged = dict(sent)

    def poke(self, heads: Mapping[int, int], events: Sequence[NewEvent] = ()) -> None:
        """Say what a commit of this process has added: the new head by lane, and the events."""
        self._recent.add(events, heads)
        for lane, head in heads.items():
            if head > self.heads.get(lane, 0):
                self.heads[lane] = head
        self._wake.set()

    @property
    def lag(self) -> Mapping[int, int]:
        """Return how many events of each lane are committed and not yet acknowledged."""
        return {lane: max(0, head - self.sent.get(lane, 0)) for lane, head in self.heads.items()}

    async def run(self) -> None:
        """Run until cancelled. Raises HistoryMismatch or TopicTrimmed where going on would harm."""
        self._running = True
        try:
            with self.pulse:
                await self._go_round()
        except (HistoryMismatch, TopicTrimmed) as error:
            log.critical("relay-refused", service=self.service, cause=type(error).__name__)
            raise
        finally:
            self._running = False
            self._moved.set()

    async def _go_round(self) -> None:
        while True:
            self.pulse.beat()
            try:
                if not self.sent:
                    await self.start()
                await self._round()
                self._outage.went_well()
            except _DOUBT as error:
                pause = self._outage.failed(error)
                await self._throw_away()
                await asyncio.sleep(pause)

    async def drain(self, seconds: float) -> bool:
        """Wait until all that is committed is acknowledged; False if that took too long.

        Also where a server is gone: that is no reason not to end.
        """
        with contextlib.suppress(*_DOUBT):
            async with asyncio.timeout(seconds):
                await self._read_heads()
                self._wake.set()
                while self._running and self._open():
                    self._moved.clear()
                    await self._moved.wait()
        return not any(self.lag.values())

    async def stop(self) -> None:
        """Let the producer go, and note what was acknowledged, if the database is there."""
        if self.sent:
            with contextlib.suppress(*_DOUBT):
                await self._note()
        await self._throw_away()

    async def resend(self, lane: int, after: int) -> int:
        """Send a lane's events behind a number once more, up to its head; return the head."""
        await self._read_heads()
        self.sent = {**self.heads, lane: after}
        while self.sent[lane] < self.heads[lane] and lane not in self.left:
            await self._send([lane])
        await self._throw_away()
        return self.heads[lane]

    async def _round(self) -> None:
        self._wake.clear()
        if due := self._open():
            await self._send(due)
            if _now() >= self._next_note:
                await self._note()
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._next_poll - _now())):
                    await self._wake.wait()
        if _now() >= self._next_poll:  # of a busy process, too: others commit as well
            await self._read_heads()
            await self._follow()
            self._next_poll = _now() + POLL

    def _open(self) -> list[int]:
        """Return the lanes in which this process has something to send."""
        return [lane for lane, behind in self.lag.items() if behind and lane not in self.left]

    async def _follow(self) -> None:
        """Go on behind what a newer release has sent of the lanes that were left to it."""
        if self.left and _now() >= self._next_look:
            self._next_look = _now() + LOOK
            await self.start()

    async def _read_heads(self) -> None:
        """Look what others have committed. Raises SetBack where less is there than was sent."""
        sent = dict(self.sent)
        for lane, head in await self.pool.fetch("SELECT lane, head FROM lanes"):
            if head < sent.get(lane, 0):
                raise SetBack
            self.heads[lane] = max(head, self.heads.get(lane, 0))

    async def _send(self, lanes: Sequence[int]) -> None:
        """Send a batch of each of these lanes; return when all of them are acknowledged."""
        by_lane = await self._due(lanes)
        async with asyncio.timeout(DEADLINE):
            producer = await self._ready()
            acknowledged = {}
            for lane, events in by_lane.items():
                batch, last = self._batch(producer, self.sent[lane], events)
                if last == self.sent[lane]:
                    continue
                future = await producer.send_batch(batch, self.topic, partition=lane)
                acknowledged[lane] = (last, future)
            await asyncio.gather(*(future for _, future in acknowledged.values()))
        for lane, (last, _) in acknowledged.items():
            self.sent_total += last - self.sent[lane]
            self.sent[lane] = self.acknowledged[lane] = last
            self._recent.forget(lane, last)
        self.last_progress = _now()
        self._moved.set()

    async def _due(self, lanes: Sequence[int]) -> dict[int, Sequence[Outgoing]]:
        """Return what follows in each lane: from memory, else from the store."""
        found = {lane: self._recent.behind(lane, self.sent[lane], PAGE) for lane in lanes}
        unknown = [lane for lane, events in found.items() if not events]
        if unknown:
            numbers = [self.sent[lane] for lane in unknown]
            pages: dict[int, list[Outgoing]] = {}
            for row in await self.pool.fetch(_READ, unknown, numbers, PAGE):
                pages.setdefault(row[0], []).append(Outgoing(*row))
            found |= pages
        return {lane: events for lane, events in found.items() if events}

    def _batch(
        self, producer: AIOKafkaProducer, sent: int, rows: Sequence[Outgoing]
    ) -> tuple[BatchBuilder, int]:
        batch = producer.create_batch()
        last = sent
        for event in rows:
            if event.pseq != last + 1:
                raise HistoryMismatch(
                    f"The store of {self.service} lacks event {last + 1} of lane {event.lane}: "
                    "restore the database's newest backup."
                )
            headers = EventHeaders(
                event.id, self.service, event.type, event.at, event.trace, event.pseq,
                event.version, links(event.cause, event.correlation),
            )  # fmt: skip
            number = self.registry.ids.get((event.type, event.schema_version))
            if number is None:
                self._leave(event)
                break
            added = batch.append(
                timestamp=event.at // 1000, key=event.stream.encode(),
                value=frame(number, event.data), headers=build_headers(headers),
            )  # fmt: skip
            if added is None:
                break
            last = event.pseq
        batch.close()
        return batch, last

    def _leave(self, event: Outgoing) -> None:
        """Leave a lane to whoever knows this event's schema."""
        self.left.add(event.lane)
        self._next_look = _now() + LOOK
        if self._told.get(event.lane) != event.pseq:
            self._told[event.lane] = event.pseq
            log.warning("relay-left", service=self.service, lane=event.lane, pseq=event.pseq)

    async def _ready(self) -> AIOKafkaProducer:
        if self._producer is None:
            # Known before it is started, to stop it.
            self._producer = self.make_producer(self.bootstrap)
            await self._producer.start()
        return self._producer

    async def _throw_away(self) -> None:
        """Drop the producer; topic and store are read back before anything is sent again."""
        producer, self._producer = self._producer, None
        self.sent, self._recent = {}, Recent()
        if producer is not None:
            await let_go(producer, 3)

    async def _note(self) -> None:
        self._next_note = _now() + NOTE
        lanes = [lane for lane, pseq in self.sent.items() if pseq]
        numbers = [self.sent[lane] for lane in lanes]
        await self.pool.execute(_NOTE, CONSUMER, self.topic, lanes, numbers)


def _now() -> float:
    return asyncio.get_running_loop().time()
