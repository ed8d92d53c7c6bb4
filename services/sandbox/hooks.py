"""Delivers a provider's own webhooks: at least once, some late, doubled or out of order, retried.

It knows no provider: a hook is bytes, a path and the headers that a signer gives it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from services.sandbox.chance import share


class Client(Protocol):
    """Sends one POST; raises OSError or TimeoutError, else gives the status."""

    async def post(self, path: str, headers: dict[str, str], body: bytes) -> int: ...


class Pace(Struct, frozen=True, forbid_unknown_fields=True):
    """When webhooks go out, in real seconds; shares from 0 to 1.

    Each is sent after up to `spread` seconds, so that neighbours change places; `late` ones after
    up to `late_seconds`. A retry waits from `retry_floor`, doubled each time, to `retry_cap`.
    """

    spread: float = 0.05
    late: float = 0.03
    late_seconds: float = 2.0
    doubled: float = 0.04
    retry_floor: float = 0.1
    retry_cap: float = 5.0
    in_flight: int = 16
    timeout: float = 5.0


class Hook(Struct, frozen=True):
    """One webhook. Each copy and each retry carries the same `id`."""

    id: str
    path: str
    body: bytes


def delays(pace: Pace, seed: int, hook: str) -> tuple[float, ...]:
    """After how many seconds each copy of a hook is sent first."""
    late = share(seed, "late", hook) < pace.late
    longest = pace.late_seconds if late else pace.spread
    first = longest * share(seed, "delay", hook)
    if share(seed, "doubled", hook) < pace.doubled:
        return (first, first + pace.late_seconds * share(seed, "second", hook))
    return (first,)


class Hooks:
    """What is to be delivered. `done` is told of each copy that was acknowledged."""

    def __init__(
        self,
        pace: Pace,
        seed: int,
        sign: Callable[[Hook], dict[str, str]],
        done: Callable[[Hook, int, int], None],
    ) -> None:
        self._pace, self._seed = pace, seed
        self._sign, self._done = sign, done
        self._pending: dict[tuple[str, int], Hook] = {}
        self._group: asyncio.TaskGroup | None = None
        self._client: Client | None = None
        self._slots = asyncio.Semaphore(pace.in_flight)
        self.planned = self.sent = self.failed = self.acked = 0

    @property
    def pending(self) -> int:
        return len(self._pending)

    def add(self, hook: Hook, acked: Iterable[int] = ()) -> None:
        """Deliver a hook, but for the copies that were acknowledged before a restart."""
        known = set(acked)
        for copy, delay in enumerate(delays(self._pace, self._seed, hook.id)):
            self.planned += 1
            if copy in known:
                self.acked += 1
                continue
            self._pending[hook.id, copy] = hook
            if self._group is not None:
                self._group.create_task(self._deliver(hook, copy, delay))

    async def run(self, client: Client) -> None:
        """Deliver until cancelled."""
        self._client = client
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for (_, copy), hook in tuple(self._pending.items()):
                    wait = delays(self._pace, self._seed, hook.id)[copy]
                    group.create_task(self._deliver(hook, copy, wait))
                await asyncio.Event().wait()
        finally:
            self._group = None

    async def _deliver(self, hook: Hook, copy: int, delay: float) -> None:
        wait = delay
        backoff = self._pace.retry_floor
        while True:
            await asyncio.sleep(wait)
            async with self._slots:
                status = await self._attempt(hook)
            if 200 <= status < 300:
                break
            self.failed += 1
            wait, backoff = backoff, min(backoff * 2, self._pace.retry_cap)
        del self._pending[hook.id, copy]
        self.acked += 1
        self._done(hook, copy, status)

    async def _attempt(self, hook: Hook) -> int:
        assert self._client is not None
        self.sent += 1
        try:
            return await self._client.post(hook.path, self._sign(hook), hook.body)
        except (OSError, TimeoutError):
            return 0

    def report(self) -> dict[str, int]:
        return {
            "planned": self.planned,
            "sent": self.sent,
            "failed": self.failed,
            "acked": self.acked,
            "pending": self.pending,
        }
