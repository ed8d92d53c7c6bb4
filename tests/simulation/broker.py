"""The log in memory: topics with partitions, and a reader that somebody else assigns them to."""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from random import Random

import msgspec

from libs.bus.records import Arrived, arrived
from libs.values.lanes import PARTITIONS
from tests.simulation.loop import VirtualLoop

Place = tuple[str, int]
Written = tuple[bytes, bytes, list[tuple[str, bytes]]]  # key, value, headers
RECLAIM = 1_000_000  # microseconds before a fenced partition is claimed again


class Message(msgspec.Struct, frozen=True, gc=False):
    """A record as a consumer gets it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp: int = 0  # milliseconds, as a broker keeps it


class Broker:
    """Partitions of every topic, each record understood once; `times` say when each came (µs)."""

    def __init__(self, topics: Iterable[str]) -> None:
        places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        self.partitions: dict[Place, list[Arrived]] = {place: [] for place in places}
        self.written = 0
        self.times: dict[Place, list[int]] = {place: [] for place in places}

    def append(self, place: Place, batch: Sequence[Written], at: int) -> None:
        """Add key, value and headers of each record."""
        log, service = self.partitions[place], place[0].removesuffix(".events")
        log.extend(
            [
                arrived(service, Message(*place, offset, key, value, headers, at // 1000))
                for offset, (key, value, headers) in enumerate(batch, len(log))
            ]
        )
        self.times[place].extend([at] * len(batch))
        self.written += len(batch)

    def end(self, place: Place, by: int | None = None) -> int:
        """Return the end offset, now or as it was at a time."""
        times = self.times[place]
        return len(times) if by is None else bisect_right(times, by)


class MemoryFeed:
    """Stands for the membership in a consumer group: the world assigns, `claim` makes ours.

    Whoever is assigned no longer may not know it yet.
    """

    def __init__(
        self,
        broker: Broker,
        loop: VirtualLoop,
        rng: Random,
        claim: Callable[[Sequence[Place]], Awaitable[Mapping[Place, int]]],
    ) -> None:
        self.broker, self.loop, self.rng, self._claim = broker, loop, rng, claim
        self.assigned: dict[Place, None] = {}
        self._offsets: dict[Place, int] = {}
        self._later: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._reached: dict[Place, int] = {}
        self._read_up_to = -1  # of all that was ever written

    @property
    def held(self) -> tuple[Place, ...]:
        return tuple(self._offsets)

    @property
    def at(self) -> Mapping[Place, int]:
        return self._offsets

    def assign(self, places: Iterable[Place]) -> None:
        """Be told who reads what; all that is held has to be claimed anew."""
        self.assigned = dict.fromkeys(places)
        self._offsets.clear()
        self._later.clear()
        self._paused.clear()
        self._reached.clear()
        self._read_up_to = -1

    def release(self, places: Iterable[Place], seconds: float = 1.0) -> None:
        for place in tuple(places):
            self._offsets.pop(place, None)
            self._later[place] = self.loop.now + int(seconds * 1_000_000)
            self._read_up_to = -1

    def seek(self, place: Place, offset: int) -> None:
        if place in self._offsets:
            self._offsets[place] = offset
            self._read_up_to = -1

    def pause(self, place: Place) -> None:
        self._paused.add(place)

    def reached(self, place: Place, next_offset: int) -> None:
        self._reached[place] = next_offset

    @property
    def applied(self) -> Mapping[Place, int]:
        return {place: self._reached.get(place, 0) for place in self._offsets}

    async def restart(self) -> None:
        self.assign(self.assigned)

    def unclaimed(self) -> list[Place]:
        """Return what may be claimed now."""
        now = self.loop.now
        return [
            place
            for place in self.assigned
            if place not in self._offsets and self._later.get(place, 0) <= now
        ]

    def _unread(self) -> list[Place]:
        partitions, offsets = self.broker.partitions, self._offsets
        return [
            place
            for place in self.assigned
            if len(partitions[place]) > offsets.get(place, 0) and place not in self._paused
        ]

    def waiting(self) -> bool:
        """Say whether there is something to read of what is assigned."""
        if self._read_up_to == self.broker.written:
            return False  # nothing came since all was read
        unread, now = self._unread(), self.loop.now
        if not unread:
            self._read_up_to = self.broker.written
        return any(self._later.get(place, 0) <= now for place in unread)

    def behind(self) -> bool:
        """Say whether there is something to read, now or after a while."""
        return bool(self._unread())

    async def get(self, limit: int, seconds: float = 0.5) -> dict[Place, list[Arrived]]:
        """Return what has arrived: of each partition as much as chance wants."""
        del seconds
        new = self.unclaimed()
        if new:
            claimed = await self._claim(new)
            self._offsets |= claimed
            self._reached |= claimed
        found: dict[Place, list[Arrived]] = {}
        for place in self._offsets:
            log, at = self.broker.partitions[place], self._offsets[place]
            if at < len(log) and place not in self._paused:
                found[place] = log[at : at + self.rng.randint(1, min(limit, 12))]
                self._offsets[place] = at + len(found[place])
        return found
