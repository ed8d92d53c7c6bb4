"""How often a loop takes a batch: a small one costs about as much as a large one."""

import asyncio
from collections.abc import Callable

MOST = 0.05  # seconds


def _now() -> float:
    return asyncio.get_running_loop().time()


class Pace:
    """Rests after a batch as long as the batch took, `most` seconds at the longest.

    A loop that is seldom asked answers at once. One that is always asked works half of its time
    and takes what has gathered meanwhile; the busier the machine, the larger its batches.
    """

    def __init__(self, most: float = MOST, clock: Callable[[], float] = _now) -> None:
        self.most, self.clock = most, clock
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

    def ended(self, *, more: bool = False) -> None:
        """Say that it is done; where more is known to be there, the next one may be taken now."""
        now = self.clock()
        self._next = now if more else now + min(self.most, now - self._began)
