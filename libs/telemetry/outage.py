"""What a loop says of something that fails for it again and again, and how long it lets that be.

Decides nothing of what the loop does: only when a line is worth reading, and when to try again.
"""

import logging
import random
import time
from collections.abc import Callable

from libs.telemetry.logs import log

SOON, LATE = 0.2, 3.0  # seconds until it is tried again: at first, and when it has failed often
TOLD, SELDOM = 60.0, 900.0  # seconds between lines: after the first, and when it lasts
STEADY = 5.0  # seconds without a failure after which it goes on

_random = random.SystemRandom().random


class Outage:
    """Says once that something fails, seldom that it still does, and once that it goes on.

    `event` and `goes_on` name the lines; `said` is in each of them. A loop whose rounds may go
    well by doing nothing goes on when they went well for `steady` seconds.
    """

    def __init__(
        self, event: str, goes_on: str, *, level: int = logging.ERROR, steady: float = STEADY,
        clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = _random,
        **said: str,
    ) -> None:  # fmt: skip
        self.event, self.goes_on, self.said = event, goes_on, said
        self.level, self.steady, self.clock, self.chance = level, steady, clock, chance
        self._began = self._last = self._next = 0.0
        self._distance = TOLD
        self._count = 0

    def failed(self, error: BaseException) -> float:
        """Note a failure; return the seconds until it is worth trying again."""
        now = self._last = self.clock()
        if not self._count:
            self._began, self._next, self._distance = now, now, TOLD
        self._count += 1
        if now >= self._next:
            self._next, self._distance = now + self._distance, min(SELDOM, 2 * self._distance)
            self._say(self.level, self.event, cause=type(error).__name__)
        most = min(LATE, SOON * 2.0 ** min(self._count - 1, 10))
        return most * (1 + self.chance()) / 2

    def went_well(self) -> None:
        """Note that a round went well: what failed before goes on."""
        if self._count and self.clock() - self._last >= self.steady:
            self._say(logging.INFO, self.goes_on)
            self._count = 0

    def _say(self, level: int, event: str, **said: str) -> None:
        lasts = round(self.clock() - self._began)
        log.log(level, event, **self.said, **said, count=self._count, seconds=lasts)
