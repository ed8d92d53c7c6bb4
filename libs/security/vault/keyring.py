"""The vault over any table of keys: PostgreSQL's or memory's, with a bounded cache of open keys."""

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from libs.contracts.common import Clearance, Sealed
from libs.security.vault.masterkey import MasterKey
from libs.security.vault.sealing import Key, Shredded
from libs.security.vault.vault import Wanted, blind


class KeyRow(msgspec.Struct, frozen=True):
    """A stored key; `wrapped` is None once it is shredded."""

    subject: str
    clearance: Clearance
    key_id: str
    wrapped: bytes | None


class KeyTable(Protocol):
    """Where wrapped keys are kept."""

    async def add(self, rows: Sequence[KeyRow], kek_id: str) -> Sequence[KeyRow]:
        """Store those that are missing, and return what is stored for all of them."""
        ...

    async def find(self, subject: str, clearance: Clearance) -> KeyRow | None:
        """Return a stored key."""
        ...

    async def shred(self, subject: str, clearance: Clearance) -> bool:
        """Empty a key's row."""
        ...

    async def shred_days_before(self, subject: str) -> int:
        """Empty the inbox keys whose subject is smaller."""
        ...


class KeyringVault:
    """Creates, caches and opens; the table decides which key a subject has."""

    def __init__(self, table: KeyTable, master: MasterKey, capacity: int = 20_000) -> None:
        self.table, self.master, self.capacity = table, master, capacity
        self._open: OrderedDict[tuple[str, str], Key] = OrderedDict()

    async def keys_for(self, wanted: Sequence[Wanted]) -> Mapping[tuple[str, str], Key]:
        """Return the keys of these subjects, creating missing ones in one question."""
        missing = sorted({w for w in wanted if w not in self._open})
        if missing:
            fresh = []
            for subject, clearance in missing:
                key_id = "key_" + os.urandom(12).hex()
                wrapped = self.master.wrap(key_id, os.urandom(32))
                fresh.append(KeyRow(subject, clearance, key_id, wrapped))
            for row in await self.table.add(fresh, self.master.kek_id):
                self._keep(row)
        return {w: self._open[w] for w in wanted}

    async def open(self, sealed: Sealed, field: str) -> bytes:
        """Open a value. The key is asked for where it is not cached."""
        key = self._open.get((sealed.subject, sealed.clearance))
        if key is None or key.key_id != sealed.key_id:
            row = await self.table.find(sealed.subject, sealed.clearance)
            if row is None or row.key_id != sealed.key_id:
                raise Shredded("The key of a sealed value is not known any more.")
            key = self._keep(row)
        return key.decrypt(field, sealed.ciphertext, sealed.nonce)

    async def shred(self, subject: str, clearance: Clearance) -> bool:
        """Destroy a key."""
        self._open.pop((subject, clearance), None)
        return await self.table.shred(subject, clearance)

    async def destroy_inbox_keys(self, before: str) -> int:
        """Destroy the day keys of days before this one."""
        self._open.clear()
        return await self.table.shred_days_before(f"inbox:{before}")

    def blind_index(self, kind: str, value: str) -> str:
        """Return the blind index of a value."""
        return blind(self.master.index_key, kind, value)

    def _keep(self, row: KeyRow) -> Key:
        if row.wrapped is None:
            raise Shredded("The subject's key was destroyed, as was asked for.")
        key = Key(row.subject, row.clearance, row.key_id, self.master.unwrap(row.key_id, row.wrapped))
        self._open[row.subject, row.clearance] = key
        while len(self._open) > self.capacity:
            self._open.popitem(last=False)
        return key
