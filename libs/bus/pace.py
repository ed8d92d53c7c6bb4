"""How often a loop takes a batch: a small one costs about as much as a large one."""

import asyncio

MOST = 0.01  # seconds


class Pace:
    """Rests after a batch as long as the batch took, `most` seconds at the longest.

    A loop that is seldom asked answers at once. One that is always asked works half of its time
    and takes what has gathered meanwhile; the busier the machine, the larger its batches.
    """

    def __init__(self, most: float = MOST) -> None:
        self.most = most
        self._next = self._began = 0.0

    async def rest(self) -> None:
        """Wait until the next batch may be taken."""
        early = self._next - _now()
        if early > 0:
            await asyncio.sleep(early)

    def began(self) -> None:
        """Say that a batch is there."""
        self._began = _now()

    def ended(self, *, more: bool = False) -> None:
        """Say that it is done; where more is known to be there, the next one may be taken now."""
        now = _now()
        self._next = now if more else now + min(self.most, now - self._began)


def _now() -> float:
    return asyncio.get_running_loop().time()
