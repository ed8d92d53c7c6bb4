"""The pulse of a loop: when it last went round. A watchdog feels it."""

import asyncio
import contextlib
import math
from collections.abc import Iterator
from types import TracebackType
from typing import Self


class Pulse:
    """`at` is when a loop last began a round (the event loop's clock); for ever, while none runs.

    A loop runs inside of it: `with self.pulse: …`, and says `beat` in each round, also when idle.
    """

    def __init__(self) -> None:
        self.at = math.inf

    def beat(self) -> float:
        """Note that a round begins; return when."""
        self.at = asyncio.get_running_loop().time()
        return self.at

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Wait for another loop, which has a pulse of its own."""
        self.at = math.inf
        try:
            yield
        finally:
            self.beat()

    def __enter__(self) -> Self:
        self.beat()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.at = math.inf
