"""Virtual time: the provider's clock, which runs at a speed of its own and can be set forward."""

import time
from collections.abc import Callable
from typing import Any


class Clock:
    """Seconds since the epoch. It never goes back, and it goes on while the process is down."""

    def __init__(self, speed: float = 1.0, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._anchor = (wall(), wall(), speed)

    def now(self) -> float:
        virtual, since, speed = self._anchor
        return virtual + max(0.0, self._wall() - since) * speed

    @property
    def speed(self) -> float:
        return self._anchor[2]

    def change(self, advance: float = 0.0, speed: float | None = None) -> list[Any]:
        """The record of a clock set forward or to another speed; raises ValueError on a step back.

        Nothing changes until the record is applied.
        """
        asked = self.speed if speed is None else speed
        if advance < 0 or asked < 0:
            raise ValueError("the clock does not go back")
        return ["clock", self.now() + advance, self._wall(), asked]

    def apply(self, record: list[Any]) -> None:
        _, virtual, since, speed = record
        self._anchor = (float(virtual), float(since), float(speed))
