"""Partitions with a missing number, and when to look for it again from their beginning."""

import asyncio
from collections.abc import Iterable

from libs.bus.records import Place

FIRST, LAST = 1.0, 60.0  # seconds between looks


class Gaps:
    """Gaps of one consumer; each is looked for the more rarely the longer it lasts."""

    def __init__(self) -> None:
        self._waits: dict[Place, tuple[float, float]] = {}

    def gap(self, place: Place) -> bool:
        """Note a gap; True if it is new."""
        new = place not in self._waits
        if new:
            self._waits[place] = (asyncio.get_running_loop().time() + FIRST, FIRST)
        return new

    def filled(self, place: Place) -> None:
        """Forget a gap."""
        self._waits.pop(place, None)

    def due(self, held: Iterable[Place]) -> list[Place]:
        """Return the partitions held that are to be read again now."""
        now, mine = asyncio.get_running_loop().time(), set(held)
        places = [place for place, (at, _) in self._waits.items() if at <= now and place in mine]
        for place in places:
            pause = min(self._waits[place][1] * 2, LAST)
            self._waits[place] = (now + pause, pause)
        return places
