"""Retention: what is kept is sealed again in time, what is over is dropped, old keys are destroyed.

In this order, so that nothing that is still needed loses its key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from libs.runtime.settings import Limits
from libs.runtime.timers import TIMERS
from libs.security.vault.sealing import VaultError, decode_sealed
from libs.security.vault.vault import DAY, Vault, reseal
from libs.store.retention import Retention
from libs.telemetry.logs import log
from libs.telemetry.pulse import Pulse

EVERY = 3600.0  # seconds
Page = Callable[[int, int], Awaitable[Sequence[tuple[int, bytes, str]]]]
Keep = Callable[[int, bytes], Awaitable[None]]
Drop = Callable[[int], Awaitable[int]]


class Housekeeping:
    """Keeps one service's retention. Its pulse beats while it sweeps, and rests in between."""

    def __init__(
        self,
        service: str,
        rows: Retention,
        vault: Vault,
        limits: Limits,
        clock: Callable[[], int],
    ) -> None:
        self.service, self.rows, self.vault = service, rows, vault
        self.limits, self.clock = limits, clock
        self.pulse = Pulse()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                with self.pulse:
                    await self.sweep()
            except Exception as error:
                log.error("housekeeping-failed", cause=type(error).__name__)
            await asyncio.sleep(EVERY)

    async def sweep(self) -> None:
        """Do all of it once; repeating it changes nothing."""
        now, days = self.clock(), self.limits.inbox_days

        async def parked(before: int, after: int) -> Sequence[tuple[int, bytes, str]]:
            return await self.rows.parked(before, after, TIMERS)

        # A third of the retention is left to notice that this does not run.
        old = now - days * DAY * 2 // 3
        lost = await self._reseal(self.rows.unresolved, self.rows.keep_body, old, now)
        lost += await self._reseal(parked, self.rows.keep_parked, old, now)
        if lost:
            log.error("sealed-input-unreadable", count=lost)
        bodies = await self._all(self.rows.drop_bodies, now - days * DAY)
        rows = await self._all(self.rows.drop_rows, now - self.limits.keys_days * DAY)
        keys = await self.vault.destroy_expired(self.service, now, days)
        ended = await self.vault.destroy_retained(now)
        if bodies or rows or keys or ended:
            what = f"{keys} day keys, {ended} statutory keys destroyed"
            log.info("retention-kept", rows=rows, count=bodies, what=what)

    async def _all(self, drop: Drop, before: int) -> int:
        """Drop a page after the other; how many rows."""
        total = 0
        while found := await drop(before):
            self.pulse.beat()
            total += found
        return total

    async def _reseal(self, page: Page, keep: Keep, before: int, now: int) -> int:
        """Seal again what is not finished; how many could not be opened."""
        after = lost = 0
        while found := await page(before, after):
            self.pulse.beat()
            for seq, data, field in found:
                after = seq
                try:
                    fresh = await reseal(self.vault, decode_sealed(data), field, now)
                except (VaultError, ValueError):
                    lost += 1
                    continue
                await keep(seq, msgspec.msgpack.encode(fresh))
        return lost
