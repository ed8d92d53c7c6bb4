"""The vault over any table of keys: PostgreSQL's or memory's, with a bounded cache of open keys."""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from libs.contracts.common import Clearance, Sealed
from libs.security.vault.masterkey import MasterKey
from libs.security.vault.sealing import Key, Shredded, Unreadable, VaultError
from libs.security.vault.vault import DAY, RETENTION, Kind, Wanted, blind, inbox_day, opaque

MAX_AGE = 60.0  # seconds after which another process's shredding is noticed


class KeyRow(msgspec.Struct, frozen=True):
    """A stored key; `wrapped` is None once it is shredded."""

    subject: str
    clearance: Clearance
    key_id: str
    wrapped: bytes | None


class KeyTable(Protocol):
    """Where wrapped keys are kept. Rows are never removed, and a key never changes."""

    async def add(self, rows: Sequence[KeyRow], kek_id: str) -> Sequence[KeyRow]:
        """Store those that are missing, and return what is stored for all of them."""
        ...

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[KeyRow]:
        """Return those that are stored."""
        ...

    async def shred(self, subject: str, clearance: Clearance) -> bool:
        """Empty a key's row, or leave an empty one, so that no key is ever made; False for that."""
        ...

    async def retain(self, subject: str, until: int) -> int | None:
        """Keep the later of both dates with the statutory key; None where there is none."""
        ...

    async def shred_retained(self, now: int) -> int:
        """Empty the statutory keys whose date has come."""
        ...

    async def shred_days_before(self, subject: str) -> int:
        """Empty the inbox keys of this subject's service whose day is earlier."""
        ...


class KeyringVault:
    """Creates, caches and opens; the table decides which key a subject has."""

    def __init__(
        self,
        table: KeyTable,
        master: MasterKey,
        capacity: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.table, self.master, self.capacity, self.clock = table, master, capacity, clock
        self._open: OrderedDict[Wanted, tuple[float, Key]] = OrderedDict()
        self._shreds = 0

    async def keys_for(self, wanted: Sequence[Wanted]) -> Mapping[tuple[str, str], Key]:
        """Return the keys of these subjects, creating missing ones in one question."""
        found: dict[tuple[str, str], Key] = {}
        missing: list[Wanted] = []
        for one in sorted(set(wanted)):
            key = self._cached(one)
            if key is None:
                missing.append(one)
            else:
                found[one] = key
        if not missing:
            return found
        fresh = [self._fresh(*one) for one in missing]
        shreds = self._shreds
        told = self._unwrapped(await self.table.add(fresh, self.master.kek_id), shreds)
        for one in missing:
            found[one] = _key(told[one])
        return found

    async def open(self, sealed: Sealed, field: str) -> bytes:
        """Open a value. The key is asked for where it is not cached."""
        told = (await self.open_many([(sealed, field)]))[0]
        if isinstance(told, VaultError):
            raise told
        return told

    async def open_many(self, items: Sequence[tuple[Sealed, str]]) -> Sequence[bytes | VaultError]:
        """Open values, with one question for all keys that are not cached."""
        told: dict[Wanted, Key | VaultError] = {}
        missing: set[Wanted] = set()
        for sealed, _ in items:
            one = sealed.subject, sealed.clearance
            key = self._cached(one)
            if key is None:
                missing.add(one)
            else:
                told[one] = key
        if missing:
            shreds = self._shreds
            told |= self._unwrapped(await self.table.find(sorted(missing)), shreds)
        return [_opened(told.get((s.subject, s.clearance)), s, field) for s, field in items]

    async def shred(self, subject: str, clearance: Clearance) -> bool:
        """Destroy a key."""
        try:
            return await self.table.shred(subject, clearance)
        finally:  # also when the answer was lost
            self._forget([(subject, clearance)])

    async def retain(self, subject: str, until: int) -> int | None:
        """Set a date for the statutory key."""
        return await self.table.retain(subject, until)

    async def destroy_retained(self, now: int) -> int:
        """Destroy the statutory keys whose date has come."""
        try:
            return await self.table.shred_retained(now)
        finally:
            self._forget([one for one in self._open if one[1] == "statutory"])

    async def destroy_expired(self, service: str, now: int, days: int = RETENTION) -> int:
        """Destroy the day keys whose last body is older than `days`."""
        try:
            return await self.table.shred_days_before(inbox_day(service, now - days * DAY))
        finally:
            self._forget([one for one in self._open if one[1] == "inbox"])

    def subject(self, account: str, customer: str) -> str:
        """Name a buyer."""
        return opaque(self.master.index_key, "customer", account, customer)

    def guest(self, account: str, external_order_id: str) -> str:
        """Name a guest."""
        return opaque(self.master.index_key, "guest", account, external_order_id)

    def blind_index(self, kind: Kind, value: str) -> str | None:
        """Return the blind index of a value."""
        return blind(self.master.index_key, kind, value)

    def _fresh(self, subject: str, clearance: Clearance) -> KeyRow:
        key_id = "key_" + os.urandom(12).hex()
        return KeyRow(subject, clearance, key_id, self.master.wrap(key_id, os.urandom(32)))

    def _cached(self, one: Wanted) -> Key | None:
        held = self._open.get(one)
        if held is None or self.clock() - held[0] > MAX_AGE:
            return None
        self._open.move_to_end(one)
        return held[1]

    def _forget(self, gone: Sequence[Wanted]) -> None:
        """Drop keys; what was read before this, but arrives after it, is not cached either."""
        self._shreds += 1
        for one in gone:
            self._open.pop(one, None)

    def _unwrapped(self, rows: Sequence[KeyRow], shreds: int) -> dict[Wanted, Key | VaultError]:
        return {(row.subject, row.clearance): self._keep(row, shreds) for row in rows}

    def _keep(self, row: KeyRow, shreds: int) -> Key | VaultError:
        one = row.subject, row.clearance
        if row.wrapped is None:
            self._open.pop(one, None)
            return Shredded(f"The key of {row.subject} ({row.clearance}) was destroyed for good.")
        try:
            secret = self.master.unwrap(row.key_id, row.wrapped)
        except Unreadable as error:
            return error
        key = Key(row.subject, row.clearance, row.key_id, secret)
        if shreds == self._shreds:
            self._open[one] = self.clock(), key
            self._open.move_to_end(one)
            while len(self._open) > self.capacity:
                self._open.popitem(last=False)
        return key


def _key(told: Key | VaultError) -> Key:
    if isinstance(told, VaultError):
        raise told
    return told


def _opened(told: Key | VaultError | None, sealed: Sealed, field: str) -> bytes | VaultError:
    if isinstance(told, VaultError):
        return told
    if told is None or told.key_id != sealed.key_id:
        return Unreadable(f"The vault has no key {sealed.key_id} for {sealed.subject}.")
    try:
        return told.decrypt(field, sealed.ciphertext, sealed.nonce)
    except Unreadable as error:
        return error
