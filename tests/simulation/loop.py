"""An event loop whose time is the simulation's: nothing waits, everything runs in one fixed order."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any


class VirtualLoop:
    """Runs callbacks in the order in which they became ready; `now` is in microseconds."""

    def __init__(self, now: int) -> None:
        self.now = self.began = now
        self.troubles: list[str] = []
        self._ready: deque[asyncio.Handle] = deque()
        self._later: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._as_loop: Any = self  # it has those parts of a loop that are used here

    def time(self) -> float:
        return (self.now - self.began) / 1_000_000

    def run_ready(self) -> None:
        """Run until nothing is ready."""
        asyncio._set_running_loop(self._as_loop)
        try:
            while self._ready:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(None)

    def advance(self, to: int) -> None:
        """Let the time be this, and run what has become due, in order."""
        while (due := self.next_due()) is not None and due <= to:
            self.now = max(self.now, due)
            self._ready.append(heapq.heappop(self._later)[2])
            self.run_ready()
        self.now = max(self.now, to)

    def next_due(self) -> int | None:
        """Return when the next sleeper wakes."""
        while self._later and self._later[0][2].cancelled():
            heapq.heappop(self._later)
        return self.began + int(self._later[0][0] * 1_000_000) + 1 if self._later else None

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self._as_loop, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:  # fmt: skip
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:  # fmt: skip
        handle = asyncio.TimerHandle(when, callback, args, self._as_loop, context)
        self._count += 1
        heapq.heappush(self._later, (when, self._count, handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self._as_loop)

    def create_task(self, coro: Coroutine[Any, Any, Any], **kwargs: Any) -> "asyncio.Task[Any]":
        return asyncio.Task(coro, loop=self._as_loop, **kwargs)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.troubles.append(repr(context.get("exception") or context.get("message")))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled sleeper is passed over when its time comes."""
