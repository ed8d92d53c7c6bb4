"""Reading topics without a group: ends, and whole partitions from an offset. Moves no position."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.bus.client import let_go
from libs.bus.records import Place, Records, arrivals
from libs.values.lanes import PARTITIONS

AT_ONCE = 200  # records: with all that becomes of them they fit a processor's cache, 5,000 do not


@contextlib.asynccontextmanager
async def lone_reader(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer that belongs to no group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_max_wait_ms=50, max_partition_fetch_bytes=4 * 1024 * 1024,
    )  # fmt: skip
    try:
        await consumer.start()
        yield consumer
    finally:
        await let_go(consumer)


def parts_of(
    topics: Iterable[str], lanes: Iterable[int] = range(PARTITIONS)
) -> list[TopicPartition]:
    """Return these lanes (all by default) of these topics."""
    return [TopicPartition(topic, n) for topic in topics for n in lanes]


async def end_offsets(bootstrap: str, topics: Sequence[str]) -> Mapping[Place, int]:
    """Return the end of every partition of these topics."""
    async with lone_reader(bootstrap) as consumer:
        ends = await consumer.end_offsets(parts_of(topics))
    return {(part.topic, part.partition): end for part, end in ends.items()}


class Tail:
    """Reads topics, or some lanes of them, from an offset (the first by default), for a rebuild.

    `topics` maps them to their services.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topics: Mapping[str, str],
        lanes: Iterable[int] = range(PARTITIONS),
    ) -> None:
        self.consumer, self.topics = consumer, topics
        self.parts = parts_of(topics, lanes)
        self._at: dict[Place, int] = {}

    async def start(self) -> None:
        """Stand at the first record of every partition."""
        self.consumer.assign(self.parts)
        begins = await self.consumer.beginning_offsets(self.parts)
        for part, begin in begins.items():
            self.seek((part.topic, part.partition), begin)

    async def ends(self) -> Mapping[Place, int]:
        """Return the present end of every partition."""
        ends = await self.consumer.end_offsets(self.parts)
        return {(part.topic, part.partition): end for part, end in ends.items()}

    async def get(self, places: Sequence[Place], limit: int = AT_ONCE) -> Mapping[Place, Records]:
        """Return what has arrived of these partitions."""
        parts = [TopicPartition(*place) for place in places]
        fetched = await self.consumer.getmany(*parts, timeout_ms=500, max_records=limit)
        for part in parts:
            self._at[part.topic, part.partition] = await self.consumer.position(part)
        return arrivals(self.topics, fetched)

    def at(self, place: Place) -> int:
        """Return the offset that is read next."""
        return self._at[place]

    def seek(self, place: Place, offset: int) -> None:
        """Read a partition from another offset."""
        self._at[place] = offset
        self.consumer.seek(TopicPartition(*place), offset)
