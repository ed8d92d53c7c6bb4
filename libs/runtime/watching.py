"""The watchdog: notices loops that stand still, and ends the service where one of them has work.

Ending is the whole cure: whoever runs the process starts it again, and every crash is survived.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from libs.telemetry.logs import log
from libs.telemetry.pulse import Pulse

EVERY = 5.0  # seconds between looks
STILL = 30.0  # seconds without a beat after which a loop is not ready
HUNG = 90.0  # and after which the service ends, if something waits for that loop

Behind = Callable[[], Awaitable[Mapping[str, int]]]  # loop -> what waits for it


class Watchdog:
    """Watches the loops of one service, those that run in this process.

    A loop that `behind` does not name is one that beats even when idle: still, it is hung.
    """

    def __init__(
        self, service: str, pulses: Mapping[str, Pulse], behind: Behind, now: Callable[[], float]
    ) -> None:
        self.service, self.pulses, self.behind, self.now = service, pulses, behind, now
        self.began = now()

    def still(self, seconds: float = STILL) -> Mapping[str, float]:
        """Return the loops that have not beaten for so long, with for how long."""
        now = self.now()
        silent = {name: now - max(pulse.at, self.began) for name, pulse in self.pulses.items()}
        return {name: age for name, age in silent.items() if age > seconds}

    async def run(self) -> None:
        """Run until a loop hangs that has work, then return."""
        while True:
            if await self.hung():
                return
            await asyncio.sleep(EVERY)

    async def hung(self) -> bool:
        """Tell whether a loop hangs that has work."""
        silent = self.still(HUNG)
        waiting = await self.behind() if silent else {}
        for name, age in silent.items():
            if waiting.get(name, 1):
                log.critical("loop-hangs", service=self.service, what=name, seconds=round(age))
                return True
        return False
