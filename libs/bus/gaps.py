"""Partitions with a missing number, and when to look for it again from their beginning."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from libs.bus.records import Place

FIRST, LAST = 1.0, 60.0  # seconds between looks


def _now() -> float:
    return asyncio.get_running_loop().time()


class _Wait(NamedTuple):
    due: float
    pause: float
    back: int | None = None  # a look is under way until this offset is read again


class Gaps:
    """Gaps of one consumer; each is looked for the more rarely the longer it lasts.

    A look goes on until it is back where it began, however long that takes: what fills a gap is
    sent once more, and so stands at the end.
    """

    def __init__(self, clock: Callable[[], float] = _now) -> None:
        self.clock = clock
        self._waits: dict[Place, _Wait] = {}

    def gap(self, place: Place) -> bool:
        """Note a gap; True if it is new."""
        new = place not in self._waits
        if new:
            self._waits[place] = _Wait(self.clock() + FIRST, FIRST)
        return new

    def filled(self, place: Place) -> None:
        """Forget a gap."""
        self._waits.pop(place, None)

    def due(self, at: Mapping[Place, int]) -> list[Place]:
        """Return the partitions that are to be read again now, of those that are read at `at`."""
        now, places = self.clock(), []
        for place, (due, pause, back) in tuple(self._waits.items()):
            here = at.get(place)
            if here is None:
                continue
            if back is not None:
                if here >= back:
                    self._waits[place] = _Wait(now + pause, pause)
            elif due <= now:
                self._waits[place] = _Wait(now, min(pause * 2, LAST), here)
                places.append(place)
        return places
