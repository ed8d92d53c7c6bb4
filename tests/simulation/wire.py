"""The line to the outside: requests through the gate, to sandboxes that live in the simulation.

What stands still until a request's deadline is done, or lost, just before it: a server does nothing
for a caller who has hung up.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from libs.effects.http import NoAnswer
from tests.simulation.gate import Gate
from tests.simulation.loop import VirtualLoop
from tests.simulation.units import Broken

SECOND = 1_000_000
HANGS_UP = 14 * SECOND  # before the shortest time that an adapter gives a call


class Books:
    """A sandbox's books in memory: nothing is written, and it begins with nothing."""

    def write(self, *record: Any) -> None:
        """The provider applies each record itself."""

    def records(self) -> tuple[Any, ...]:
        return ()


class Clock:
    """The simulation's time as a sandbox reads it, in seconds."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.now / SECOND


class Wire:
    """One instance's way out; `faulty` says whether servers may still have a bad moment."""

    def __init__(self, gate: Gate, owner: Any, loop: VirtualLoop, rng: Random) -> None:
        self.gate, self.owner, self.loop, self.rng = gate, owner, loop, rng
        self.faulty: Callable[[], bool] = lambda: False
        self.faults: list[str] = []

    async def ask(self, what: str, act: Callable[[str], Any]) -> Any:
        """Have something done under a fault ("", "error", "error_after", "limited").

        Raises NoAnswer.
        """

        def done() -> Any:
            try:
                return act(self._fault())
            except Broken:
                raise
            except Exception as error:  # a fault of the simulation must not look like a 5xx
                self.faults.append(f"{what}: {type(error).__name__}: {error}")
                raise

        try:
            return await self.gate.send(
                self.owner, f"call {what}", done, deadline=self.loop.now + HANGS_UP
            )
        except ConnectionError as error:
            raise NoAnswer("ServerDisconnectedError") from error

    def _fault(self) -> str:
        chance = self.rng.random()
        if chance > 0.3 or not self.faulty():
            return ""
        faults = (("error", 0.1), ("error_after", 0.22), ("limited", 0.3))
        return next((name for name, up_to in faults if chance <= up_to), "")
