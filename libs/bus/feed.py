"""Membership in a consumer group. It only proposes who reads what; positions decide."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from libs.bus.client import let_go
from libs.bus.fittest import Fittest
from libs.bus.hub import Hub
from libs.bus.pace import PROMPT, Tempo
from libs.bus.reading import Reading
from libs.bus.records import Place, Records
from libs.telemetry.logs import log

Claim = Callable[[Sequence[Place]], Awaitable[Mapping[Place, int]]]

SESSION = 10_000  # milliseconds without a heartbeat after which partitions go to others
REPORT = 5.0  # seconds between commits to Kafka, for lag tools only
RECLAIM = 1.0  # seconds before a fenced partition is claimed again
STALL = 30.0  # seconds without a record after which the ends are looked at
EMPTY = 120.0  # seconds without a partition after which the group is joined anew (aiokafka#1187)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, feed: "Feed") -> None:
        self.feed = feed

    def on_partitions_revoked(self, revoked: object) -> None:  # noqa: ARG002 - aiokafka names it
        self.feed.forget()

    def on_partitions_assigned(self, assigned: object) -> None:  # noqa: ARG002 - aiokafka names it
        self.feed.forget()


class Feed:
    """Records of the partitions that the group assigned and that `claim` has made ours.

    `topics` maps topics to their services. `claim` takes partitions and returns the offset to read
    each from. What is not claimed yet is not read: it comes afterwards. `fitness` is what this
    member can do with the records: while others can do more, they are given the partitions.
    """

    def __init__(
        self,
        hub: Hub,
        group: str,
        topics: Mapping[str, str],
        claim: Claim,
        member: str | None = None,
        tempo: Tempo = PROMPT,
        fitness: Callable[[], int] = lambda: 1,
    ) -> None:
        self.fitness, self._announced = fitness, Fittest(0)
        self.hub, self.group, self.topics, self.member = hub, group, topics, member
        self.tempo = tempo
        self.last_progress = 0.0
        self.restarts = 0
        self._claim_rows = claim
        self._reading = Reading(hub, topics)
        self._later: dict[Place, float] = {}
        self._generation = 0
        self._reached: dict[Place, int] = {}
        self._reported: dict[Place, int] = {}
        # Of each partition's records in hand: when the first was written, the offset of the last.
        self._in_hand: dict[Place, tuple[float, int]] = {}
        self._next_report = 0.0
        self._looked = 0.0
        self._report: asyncio.Task[None] | None = None
        self._consumer: AIOKafkaConsumer | None = None

    @property
    def held(self) -> frozenset[Place]:
        """Return the partitions that are claimed."""
        return frozenset(self._reading.at)

    @property
    def at(self) -> Mapping[Place, int]:
        """Return the offset that is read next, of each partition that is claimed."""
        return self._reading.at

    @property
    def assigned(self) -> bool:
        """Return whether the group leaves anything to this member, claimed or not."""
        return self._consumer is not None and bool(self._consumer.assignment())

    async def start(self) -> None:
        """Join the group."""
        self.hub.follow(self.topics, self.tempo)
        self._announced = Fittest(self.fitness())
        # The second is spoken with members that do not know the first yet.
        assignors = (self._announced, RoundRobinPartitionAssignor)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.hub.bootstrap, group_id=self.group,
            group_instance_id=self.member, enable_auto_commit=False, auto_offset_reset="none",
            fetch_max_wait_ms=1000, metadata_max_age_ms=5000, max_poll_interval_ms=120_000,
            session_timeout_ms=SESSION, partition_assignment_strategy=assignors,
        )  # fmt: skip
        consumer.subscribe(topics=list(self.topics), listener=_Listener(self))
        self.forget()
        self.last_progress = self._looked = _now()
        self._consumer = (
            consumer  # known before it is started, so that it is stopped whatever happens
        )
        try:
            await consumer.start()
        except Exception:
            self._consumer = None  # the next look at it begins another one
            await let_go(consumer)
            raise

    async def stop(self) -> None:
        """Leave the group; gives up waiting after a few seconds."""
        consumer, self._consumer = self._consumer, None
        self.forget()
        if self._report is not None:
            self._report.cancel()
            await asyncio.gather(self._report, return_exceptions=True)
            self._report = None
        if consumer is not None:
            await let_go(consumer)

    async def restart(self) -> None:
        """Begin again from the positions."""
        self.restarts += 1
        await self.stop()
        await self.start()

    def forget(self) -> None:
        """Hold nothing any more; what is still assigned is claimed again."""
        self._generation += 1
        self._reading.end(self._reading.at)
        self._later.clear()
        self._in_hand.clear()

    def release(self, places: Iterable[Place], seconds: float = RECLAIM) -> None:
        """Give up partitions, and claim them again a little later if they are still assigned."""
        until = _now() + seconds
        given_up = tuple(places)
        self._reading.end(given_up)
        for place in given_up:
            self._in_hand.pop(place, None)
            self._later[place] = until

    def seek(self, place: Place, offset: int) -> None:
        """Read a partition from another offset."""
        self._reading.seek(place, offset)

    def pause(self, place: Place) -> None:
        """Read a partition no further until it is claimed anew."""
        self._reading.pause(place)

    def reached(self, place: Place, next_offset: int) -> None:
        """Note how far a partition is applied."""
        self._reached[place] = next_offset
        if place in self._in_hand and next_offset > self._in_hand[place][1]:
            del self._in_hand[place]
        self.last_progress = _now()

    @property
    def apart(self) -> frozenset[Place]:
        """Return the partitions that this member reads by itself."""
        return self._reading.apart

    @property
    def applied(self) -> Mapping[Place, int]:
        """Return the offset behind what is applied, of each partition held."""
        return {place: self._reached.get(place, 0) for place in self._reading.at}

    @property
    def written(self) -> float | None:
        """Return when the oldest record in hand was written (seconds since the epoch)."""
        return min((when for when, _ in self._in_hand.values()), default=None)

    @property
    def idle(self) -> float:
        """Return for how many seconds nothing was applied."""
        return _now() - self.last_progress

    async def get(self, limit: int, seconds: float = 0.5) -> dict[Place, Records]:
        """Return what has arrived, by partition; nothing after so many seconds."""
        await self.watch()
        consumer = self._consumer
        assert consumer is not None, "the feed is not started"
        await self._claim(consumer)
        self._report_offsets(consumer)
        found = await self._reading.get(consumer, limit, seconds)
        for place, records in found.items():
            first = self._in_hand.get(place, (records[0].timestamp / 1000, 0))[0]
            self._in_hand[place] = (first, records[-1].offset)
        return found

    async def _claim(self, consumer: AIOKafkaConsumer) -> None:
        now, generation = _now(), self._generation
        assigned = {(part.topic, part.partition) for part in consumer.assignment()}
        new = sorted(p for p in assigned - self._reading.at.keys() if self._later.get(p, 0) <= now)
        if not new:
            return
        offsets = await self._claim_rows(new)
        if generation != self._generation:
            return
        for place, offset in offsets.items():
            part = TopicPartition(*place)
            if part in consumer.assignment():
                self._reading.begin(consumer, place, offset)
                self._reached[place] = offset
                self._later.pop(place, None)

    def _report_offsets(self, consumer: AIOKafkaConsumer) -> None:
        now = _now()
        if now < self._next_report or (self._report is not None and not self._report.done()):
            return
        self._next_report = now + REPORT
        due = {p: self._reached[p] for p in self.held if p in self._reached}
        due = {p: offset for p, offset in due.items() if self._reported.get(p) != offset}
        if due:
            self._report = asyncio.create_task(self._commit(consumer, due))

    async def _commit(self, consumer: AIOKafkaConsumer, due: Mapping[Place, int]) -> None:
        offsets = {TopicPartition(*p): OffsetAndMetadata(offset, "") for p, offset in due.items()}
        try:
            await asyncio.wait_for(consumer.commit(offsets), REPORT)
        except Exception as error:
            log.debug("offsets-not-reported", consumer=self.group, cause=type(error).__name__)
        else:
            self._reported.update(due)

    async def watch(self) -> None:
        """Begin again where this member's fitness has changed, or nothing comes for too long.

        That is: records wait and none comes, or there is no partition for very long,
        and not because others can do more.
        """
        now = _now()
        if self._consumer is None:
            await self.start()
        elif self.fitness() != self._announced.fitness:
            await self.restart()
        elif now - max(self.last_progress, self._looked) > STALL:
            self._looked = now
            parts = [TopicPartition(*place) for place in self._reading.read]
            if parts:
                ends = await asyncio.wait_for(self._consumer.end_offsets(parts), 10)
                at = self._reading.at
                if any(end > at.get((p.topic, p.partition), end) for p, end in ends.items()):
                    log.warning("consumer-stalled", consumer=self.group)
                    self.hub.doubt()
                    await self.restart()
            elif now - self.last_progress > EMPTY and not self._announced.spared:
                await self.restart()


def _now() -> float:
    return asyncio.get_running_loop().time()
