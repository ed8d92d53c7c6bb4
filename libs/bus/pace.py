"""How often a loop takes a batch: a small one costs about as much as a large one."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple


class Tempo(NamedTuple):
    """A loop rests so many times as long as its batch took, so many seconds at the longest.

    It does not rest behind a batch of `enough` records: more at once would cost no less for each.
    """

    times: float
    most: float
    enough: int


PROMPT = Tempo(1, 0.05, 250)  # somebody waits for what it does
CALM = Tempo(9, 0.25, 1000)  # nobody does: it works a tenth of its time, and takes much at once


def _now() -> float:
    return asyncio.get_running_loop().time()


class Pace:
    """Rests after a batch, the longer the longer the batch took.

    A loop that is seldom asked answers at once. One that is always asked works a part of its time
    and takes what has gathered meanwhile; the busier the machine, the larger its batches. Where
    much has gathered already it does not rest.
    """

    def __init__(self, tempo: Tempo = PROMPT, clock: Callable[[], float] = _now) -> None:
        self.tempo, self.clock = tempo, clock
        self._next = self._began = 0.0

    def early(self) -> float:
        """Return the seconds until the next batch may be taken."""
        return max(0.0, self._next - self.clock())

    async def rest(self) -> None:
        """Wait until the next batch may be taken."""
        if early := self.early():
            await asyncio.sleep(early)

    def began(self) -> None:
        """Say that a batch is there."""
        self._began = self.clock()

    def ended(self, records: int = 0) -> None:
        """Say that it is done, and how large it was."""
        now = self.clock()
        rest = min(self.tempo.most, self.tempo.times * (now - self._began))
        self._next = now if records >= self.tempo.enough else now + rest
