"""How far a service's consumers are behind, in records and in seconds. Changes nothing."""

import time
from collections.abc import Mapping

import msgspec

from libs.bus.consumer import Source
from libs.bus.ends import Ends
from libs.bus.feed import Feed, Place
from libs.replay.projector import Projector
from libs.telemetry import metrics


class Lag(msgspec.Struct, frozen=True):
    """One consumer: records before it, the age of the oldest in seconds, and what holds it up."""

    consumer: str
    records: int
    seconds: float
    stopped: str = ""


class Lagging:
    """Measures the consumers of one service in this process, against the ends in the broker."""

    def __init__(
        self, service: str, ends: Ends, source: Source | None, projector: Projector | None
    ) -> None:
        self.service, self.ends = service, ends
        self.source, self.projector = source, projector
        self._since: dict[str, float] = {}  # when a consumer with nothing in hand was seen behind

    async def read(self) -> list[Lag]:
        """Return a line for the reactor and for each projection, and show it in the gauges."""
        lines = []
        if self.source is not None:
            source = self.source
            feed, ends = source.feed, await self.ends.of(source.topics)
            stopped = ", ".join(sorted(set(source.problems.values())))
            records = _behind(ends, feed.applied)
            lines.append(self._line("reactor", feed, records, stopped, None))
            metrics.CONSUMER_STOPPED.labels(f"{self.service}.reactor").set(len(source.problems))
        if self.projector is not None:
            feed, topics = self.projector.feed, self.projector.topics
            ends = await self.ends.of(topics)
            for name, live in self.projector.live.items():
                read = {p: n for p, n in ends.items() if topics[p[0]] in live.topics}
                records = _behind(read, {p: c.next_offset for p, c in live.cursors.items()})
                halted = live.halted_on if live.halted else None
                lines.append(self._line(name, feed, records, live.problem or "", halted))
                metrics.HALTED.labels(name).set(live.halted is not None)
                metrics.CONSUMER_STOPPED.labels(f"{self.service}.{name}").set(len(live.gaps))
        for line in lines:
            metrics.CONSUMER_LAG.labels(line.consumer).set(line.records)
            metrics.CONSUMER_LAG_SECONDS.labels(line.consumer).set(line.seconds)
        return lines

    async def waiting(self) -> Mapping[str, int]:
        """Return how many records wait for each loop; those of halted projections wait for none."""
        lines = {line.consumer: line for line in await self.read()}
        reactor = lines.pop(f"{self.service}.reactor", None)
        found = {"projector": sum(one.records for one in lines.values() if not one.stopped)}
        return found | ({"reactor": reactor.records} if reactor is not None else {})

    def _line(self, name: str, feed: Feed, records: int, stopped: str, halted: float | None) -> Lag:
        """Say how old the oldest record is.

        It is in hand, or is what the projection halted on; where it is not even read, the age is
        at least the time since somebody saw that it waits while nothing was applied.
        """
        consumer, now = f"{self.service}.{name}", time.time()
        if not records:
            self._since.pop(consumer, None)
            return Lag(consumer, 0, 0.0, stopped)
        oldest = halted if halted is not None else feed.written
        if oldest is None:
            seen = self._since.setdefault(consumer, now)
            oldest = max(seen, now - feed.idle)
        return Lag(consumer, records, round(max(0.0, now - oldest), 3), stopped)


def _behind(ends: Mapping[Place, int], applied: Mapping[Place, int]) -> int:
    return sum(max(0, end - applied[place]) for place, end in ends.items() if place in applied)
