"""Erasure at its edge: the plan that is shown first, and the effect that destroys the keys.

Calls the vault and nothing else; decides nothing about which subjects are a person's.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from libs.effects.kinds import Adapter, Confirmed, EffectKind, Result
from libs.runtime.ports import Ports
from libs.security.vault.vault import Vault
from libs.store.store import Call
from services.crm_sync import commands
from services.crm_sync.process import RETAIN, SHRED, Retain, Shred

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FOR_EVER = 1 << 62  # microseconds: the vault forgets the same key as often as it is asked to


class Shredded(msgspec.Struct, frozen=True):
    """What the vault answered: until when the latest statutory key lives, if there is one."""

    retained_until: int | None


class Shredder:
    """Destroys the contact keys of subjects; doing it again changes nothing."""

    def __init__(self, vault: Vault, years: int) -> None:
        self._vault, self._years = vault, years

    async def perform(self, call: Call) -> Result:
        """Date the statutory keys first: a key that is kept without an end would be kept on."""
        wanted = msgspec.msgpack.decode(call.request, type=Shred)
        until = years_after(wanted.last_order_at or call.planned_at, self._years)
        dates = [await self._vault.retain(subject, until) for subject in wanted.subjects]
        for subject in wanted.subjects:
            await self._vault.shred(subject, "contact")
        return Confirmed(Shredded(max((date for date in dates if date is not None), default=None)))

    async def ask(self, call: Call) -> Result:
        """Do it again: that is how the vault is asked."""
        return await self.perform(call)


class Retainer:
    """Moves the date of an erased subject's statutory key; it only ever moves on."""

    def __init__(self, vault: Vault, years: int) -> None:
        self._vault, self._years = vault, years

    async def perform(self, call: Call) -> Result:
        """Set the date that an order gives."""
        wanted = msgspec.msgpack.decode(call.request, type=Retain)
        await self._vault.retain(wanted.subject, years_after(wanted.last_order_at, self._years))
        return Confirmed()

    async def ask(self, call: Call) -> Result:
        """Do it again."""
        return await self.perform(call)


def tell(call: Call, result: Result, at: int) -> Any | None:
    """Say what the vault did, once it is sure."""
    if not isinstance(result, Confirmed):
        return None
    wanted = msgspec.msgpack.decode(call.request, type=Shred)
    return commands.RecordErasure(
        wanted.entity, wanted.customer_id, wanted.subjects, result.answer.retained_until, at
    )


def _nobody(call: Call, result: Result, at: int) -> None:
    """Tell nobody: the date stands in the vault."""
    del call, result, at


def effects(ports: Ports) -> tuple[EffectKind, ...]:
    """Return what the vault is asked to do."""
    years = ports.settings.privacy.statutory_years
    kinds: tuple[tuple[str, Adapter, Callable[[Call, Result, int], Any | None]], ...] = (
        (SHRED, Shredder(ports.vault, years), tell),
        (RETAIN, Retainer(ports.vault, years), _nobody),
    )
    return tuple(
        EffectKind(
            name=name, adapter=adapter, tell=told, doubt="repeat", provider="vault",
            honoured=_FOR_EVER, attempts=1_000, timeout=60.0, per_second=50.0, burst=50,
        )
        for name, adapter, told in kinds
    )  # fmt: skip


def years_after(at: int, years: int) -> int:
    """Return the same day so many years later (microseconds); 29 February becomes 1 March."""
    moment = _EPOCH + timedelta(microseconds=at)
    try:
        later = moment.replace(year=moment.year + years)
    except ValueError:
        later = moment.replace(year=moment.year + years, month=3, day=1)
    return (later - _EPOCH) // _MICROSECOND
