"""Where each partition of a member is read next, and from where: the process's hub, or the broker.

The hub has what came last. What it keeps no more is read by the member itself, until that has
caught up.
"""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from libs.bus.hub import Hub
from libs.bus.records import Place, Records, add_passed, arrivals

LOOK = 5.0  # seconds between looks at what the group has to say
GLANCE = 0.05  # seconds that one waits for the broker while the hub may have news


class Reading:
    """The partitions that are read, each with the offset that comes next (`at`).

    Single-tasked. The consumer is the member's own; it is paused wherever the hub has the records.
    """

    def __init__(self, hub: Hub, topics: Mapping[str, str]) -> None:
        self.hub, self.topics = hub, topics
        self.at: dict[Place, int] = {}
        self._apart: dict[Place, int] = {}  # read from the broker, which is at this offset
        self._still: set[Place] = set()  # not read at all
        self._look = 0.0

    @property
    def read(self) -> Iterable[Place]:
        """Return the partitions that are not paused."""
        return self.at.keys() - self._still

    @property
    def apart(self) -> frozenset[Place]:
        """Return the partitions that the hub is of no use for."""
        return frozenset(self._apart)

    def begin(self, consumer: AIOKafkaConsumer, place: Place, offset: int) -> None:
        """Read a partition that is assigned from here on."""
        part = TopicPartition(*place)
        consumer.pause(part)
        consumer.seek(part, offset)  # it would ask for the group's offset otherwise
        self.at[place] = offset

    def end(self, places: Iterable[Place]) -> None:
        """Read these partitions no more."""
        for place in tuple(places):
            self.at.pop(place, None)
            self._apart.pop(place, None)
            self._still.discard(place)

    def seek(self, place: Place, offset: int) -> None:
        """Read a partition from another offset."""
        if place in self.at:
            self.at[place] = offset

    def pause(self, place: Place) -> None:
        """Read a partition no further until it begins anew."""
        self._still.add(place)

    async def get(
        self, consumer: AIOKafkaConsumer, limit: int, seconds: float
    ) -> dict[Place, Records]:
        """Return what has arrived, by partition; nothing after so many seconds."""
        found = self._kept(consumer, limit)
        now = asyncio.get_running_loop().time()
        if self._apart or now >= self._look:
            self._look = now + LOOK
            room = max(1, limit - sum(map(len, found.values())))
            patience = GLANCE if self._apart and not found else 0.0
            found |= await self._fetched(consumer, room, patience)
        elif not found:
            await self.hub.news(self.topics, seconds)
            found = self._kept(consumer, limit)
        found = {place: records for place, records in found.items() if place in self.at}
        for place, records in found.items():
            self.at[place] = records[-1].offset + 1
            if place in self._apart:
                self._apart[place] = self.at[place]
        return found

    def _kept(self, consumer: AIOKafkaConsumer, limit: int) -> dict[Place, Records]:
        """Return what the hub has; who had something comes last the next time."""
        found: dict[Place, Records] = {}
        assigned = consumer.assignment()
        for place, offset in tuple(self.at.items()):
            part = TopicPartition(*place)
            if part not in assigned:
                continue
            records = () if place in self._still else self.hub.take(place, offset, limit)
            if records is None:
                self._follow(consumer, place, offset)
                continue
            if self._apart.pop(place, None) is not None:
                consumer.pause(part)
            if records:
                found[place] = records
                limit -= len(records)
                self.at[place] = self.at.pop(place)
                if limit <= 0:
                    break
        return found

    def _follow(self, consumer: AIOKafkaConsumer, place: Place, offset: int) -> None:
        """Have the broker asked for a partition from here on."""
        if self._apart.get(place) != offset:
            part = TopicPartition(*place)
            consumer.seek(part, offset)
            consumer.resume(part)
            self._apart[place] = offset

    async def _fetched(
        self, consumer: AIOKafkaConsumer, limit: int, seconds: float
    ) -> dict[Place, Records]:
        """Return what the broker has of the partitions that are read apart."""
        try:
            fetched = await consumer.getmany(timeout_ms=int(seconds * 1000), max_records=limit)
        except NoOffsetForPartitionError:
            await asyncio.sleep(0.01)  # until the seek has taken hold
            return {}
        except OffsetOutOfRangeError as error:
            # A topic that was made anew or trimmed: the numbers tell what is missing.
            parts = [part for part in error.args[0] if part in consumer.assignment()]
            begins = await consumer.beginning_offsets(parts)
            for part, begin in begins.items():
                self.seek((part.topic, part.partition), begin)
            return {}
        found = arrivals(self.topics, fetched)
        for place, at in tuple(self._apart.items()):
            if self.at.get(place) == at:  # else it is to be read from elsewhere
                await add_passed(consumer, self.topics[place[0]], place, found, at)
        return {place: records for place, records in found.items() if place in self._apart}
