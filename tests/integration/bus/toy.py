"""A toy service: counted events, a store filled by hand, and what is needed to relay and read them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from libs.bus.hub import Hub
from libs.bus.relay import Relay
from libs.bus.topics import ensure_topics, topic_of
from libs.codec.contract import Contract
from libs.codec.framing import EventCodec, frame
from libs.codec.headers import EventHeaders, build_headers, links, parse_headers
from libs.codec.registry import Registry
from libs.eventsourcing.decided import NewEvent
from libs.store.migrations import migrate
from libs.store.pool import Pool, close_pool, open_pool
from libs.values.ids import derive
from libs.values.lanes import PARTITIONS, lane_of
from tests.support import eventually

SERVICE = "toy"


class Counted(msgspec.Struct, frozen=True):
    """So many of a thing were counted."""

    thing: str
    amount: int


def _decode(data: bytes) -> Counted:
    return msgspec.msgpack.decode(data, type=Counted)


COUNTED: Contract[Counted] = Contract(
    "toy.Counted", Counted, 1, msgspec.msgpack.encode, _decode, {1: _decode}
)
REGISTRY = Registry({("toy.Counted", 1): 7}, {7: ("toy.Counted", 1)}, "toy")
CODEC = EventCodec((COUNTED,), REGISTRY)
NOBODY = "00000000-0000-0000-0000-000000000000"


class Toy:
    """The toy service's store and topic."""

    def __init__(self, pool: Pool, kafka: str, prefix: str) -> None:
        self.pool, self.kafka, self.prefix = pool, kafka, prefix
        self.topic = topic_of(prefix, SERVICE)
        self.topics = {self.topic: SERVICE}
        self.versions: dict[str, int] = {}
        self.hub = Hub(kafka)

    def relay(self, **changes: Any) -> Relay:
        return Relay(self.pool, self.kafka, self.topic, SERVICE, REGISTRY, **changes)

    async def commit(self, events: Sequence[Counted]) -> dict[int, int]:
        """Append events as a turn does: lanes last, numbers gapless; the new heads."""
        heads: dict[int, int] = {}
        async with self.pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch("SELECT lane, head FROM lanes ORDER BY lane FOR UPDATE")
            numbers = dict(map(tuple, rows))
            records = []
            for event in events:
                stream = f"thing-{event.thing}"
                lane = lane_of(stream)
                version = self.versions[stream] = self.versions.get(stream, 0) + 1
                numbers[lane] += 1
                heads[lane] = numbers[lane]
                name, schema, data = CODEC.encode(event)
                records.append((lane, numbers[lane], event_id(lane, numbers[lane]), stream, version, name,
                                schema, data, 1_700_000_000_000_000, NOBODY, NOBODY, ""))  # fmt: skip
            await connection.copy_records_to_table("events", records=records)
            for lane, head in heads.items():
                await connection.execute("UPDATE lanes SET head = $2 WHERE lane = $1", lane, head)
        return heads

    async def appended(self, before: Mapping[int, int]) -> list[NewEvent]:
        """The events behind these heads, as a turn hands them over."""
        rows = await self.pool.fetch(
            "SELECT pseq, lane, id::text, stream_id, version, type, schema_version, data,"
            " recorded_at, cause::text, correlation::text, trace FROM events ORDER BY lane, pseq"
        )
        return [NewEvent(*row[1:]) for row in map(tuple, rows) if row[0] > before.get(row[1], 0)]

    async def heads(self) -> dict[int, int]:
        rows = await self.pool.fetch("SELECT lane, head FROM lanes WHERE head > 0")
        return dict(map(tuple, rows))

    async def published(self) -> dict[int, list[int]]:
        """The numbers in each partition of the topic, in order; 0 for what is not ours."""
        found: dict[int, list[int]] = {}
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, enable_auto_commit=False)
        async with consumer:
            parts = [TopicPartition(self.topic, lane) for lane in range(PARTITIONS)]
            consumer.assign(parts)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(parts)
            for part, end in ends.items():
                while await consumer.position(part) < end:
                    for record in (await consumer.getmany(part, timeout_ms=500)).get(part, []):
                        headers = parse_headers(record.headers)
                        found.setdefault(part.partition, []).append(headers.pseq if headers else 0)
        return found

    async def write(
        self,
        lane: int,
        pseq: int,
        *,
        ours: bool = True,
        other: bool = False,
        data: bytes | None = None,
    ) -> None:
        """Write one record by hand: one of ours again, one with another id, or a foreign one."""
        row = await self.pool.fetchrow(
            "SELECT * FROM events WHERE lane = $1 AND pseq = $2", lane, pseq
        )
        stream = row["stream_id"] if row else f"thing-{pseq}"
        value = frame(7, row["data"] if row and data is None else data or b"")
        name = event_id(lane, pseq) if not other else derive("other", str(lane), str(pseq))
        version = row["version"] if row else 1
        headers = build_headers(
            EventHeaders(name, SERVICE, "toy.Counted", 0, "", pseq, version, links(NOBODY, NOBODY))
        )
        async with AIOKafkaProducer(bootstrap_servers=self.kafka) as producer:
            await producer.send_and_wait(
                self.topic, value, stream.encode(), partition=lane, headers=headers if ours else []
            )


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Waits until the condition holds."""

    def ask() -> Any:
        return condition()

    await eventually(ask, seconds)


def event_id(lane: int, pseq: int) -> str:
    return derive("toy", str(lane), str(pseq))


def counted(count: int, things: int = 20) -> list[Counted]:
    return [Counted(f"t{n % things}", 1) for n in range(count)]


def lane_with_things() -> int:
    """A lane that has events."""
    return lane_of("thing-t0")


@contextlib.asynccontextmanager
async def toy_service(dsn: str, kafka: str, prefix: str) -> AsyncIterator[Toy]:
    pool = await open_pool(dsn, size=10)
    try:
        toy = Toy(pool, kafka, prefix)
        await migrate(pool, SERVICE, toy.topic, PARTITIONS, "toy")
        await ensure_topics(kafka, [toy.topic])
        yield toy
        await toy.hub.close()
    finally:
        await close_pool(pool)


@contextlib.asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[Relay]:
    """A relay at work; whatever ends it is raised."""
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        ended = await asyncio.gather(task, return_exceptions=True)
        await relay.stop()
        if isinstance(ended[0], Exception):
            raise ended[0]
