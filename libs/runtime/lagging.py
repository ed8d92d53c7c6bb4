"""How far a service's consumers are behind, in records and in seconds. Changes nothing."""

import time
from collections.abc import Mapping

import msgspec

from libs.bus.consumer import Source
from libs.bus.ends import Ends
from libs.bus.feed import Feed
from libs.bus.records import Place
from libs.replay.live import Live
from libs.replay.projector import Projector
from libs.telemetry import metrics

SILENT = "the broker does not answer"


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
        self._last: dict[str, Lag] = {}
        self._since: dict[str, float] = {}  # when a consumer with nothing in hand was seen behind

    async def read(self) -> list[Lag]:
        """Return a line for the reactor and for each projection, and show it in the gauges.

        Where the broker does not say where its topics end, lines and gauges stay as they were.
        """
        lines = []
        if self.source is not None:
            stopped = ", ".join(sorted(set(self.source.problems.values())))
            ends = await self.ends.of(self.source.topics)
            behind = _behind(ends, self.source.feed.applied)
            lines.append(self._line("reactor", self.source.feed, behind, stopped, None))
            problems = len(self.source.problems)
            metrics.CONSUMER_STOPPED.labels(f"{self.service}.reactor").set(problems)
        if self.projector is not None:
            ends = await self.ends.of(self.projector.topics)
            for name, live in self.projector.live.items():
                lines.append(self._projection(name, live, ends))
                # What another release could go on with is halted where none has come for it.
                alone = live.other is not None and not live.older and self.projector.feed.held
                metrics.HALTED.labels(name).set(live.halted is not None or bool(alone))
                metrics.CONSUMER_STOPPED.labels(f"{self.service}.{name}").set(len(live.gaps))
        for line in lines:
            metrics.CONSUMER_LAG.labels(line.consumer).set(line.records)
            metrics.CONSUMER_LAG_SECONDS.labels(line.consumer).set(line.seconds)
        return lines

    def _projection(self, name: str, live: Live, ends: Mapping[Place, int]) -> Lag:
        assert self.projector is not None
        feed, topics = self.projector.feed, self.projector.topics
        read = {place: end for place, end in ends.items() if topics[place[0]] in live.topics}
        applied = {
            place: cursor.next_offset
            for place, cursor in live.cursors.items()
            if live.halted or place in feed.held  # another process applies the others
        }
        halted = live.halted_on if live.halted else None
        return self._line(name, feed, _behind(read, applied), live.problem or "", halted)

    async def waiting(self) -> Mapping[str, int]:
        """Return how many records wait for each loop; those of halted projections wait for none."""
        lines = {line.consumer: line for line in await self.read()}
        reactor = lines.pop(f"{self.service}.reactor", None)
        found = {"projector": sum(one.records for one in lines.values() if not one.stopped)}
        return found | ({"reactor": reactor.records} if reactor is not None else {})

    def _line(
        self, name: str, feed: Feed, records: int | None, stopped: str, halted: float | None
    ) -> Lag:
        consumer = f"{self.service}.{name}"
        if records is None:
            last = self._last.get(consumer, Lag(consumer, 0, 0.0))
            return msgspec.structs.replace(last, stopped=stopped or SILENT)
        self._last[consumer] = line = self._aged(consumer, feed, records, stopped, halted)
        return line

    def _aged(
        self, consumer: str, feed: Feed, records: int, stopped: str, halted: float | None
    ) -> Lag:
        """Say how old the oldest record is.

        It is in hand, or is what the projection halted on; where it is not even read, the age is
        at least the time since somebody saw that it waits while nothing was applied.
        """
        now = time.time()
        if not records:
            self._since.pop(consumer, None)
            return Lag(consumer, 0, 0.0, stopped)
        oldest = halted if halted is not None else feed.written
        if oldest is None:
            seen = self._since.setdefault(consumer, now)
            oldest = max(seen, now - feed.idle)
        return Lag(consumer, records, round(max(0.0, now - oldest), 3), stopped)


def _behind(ends: Mapping[Place, int], applied: Mapping[Place, int]) -> int | None:
    """Return the records that are not applied; None where no end is known."""
    if not ends:
        return None
    return sum(max(0, end - applied[place]) for place, end in ends.items() if place in applied)
