"""The vault's keys in memory, for tests and the simulator."""

from collections.abc import Sequence

import msgspec

from libs.contracts.common import Clearance
from libs.security.vault.keyring import KeyringVault, KeyRow
from libs.security.vault.masterkey import MasterKey
from libs.security.vault.vault import Wanted


class MemoryKeys:
    """The table of keys; two vaults may share one."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], KeyRow] = {}
        self.retained: dict[str, int] = {}

    async def add(self, rows: Sequence[KeyRow], kek_id: str) -> Sequence[KeyRow]:
        del kek_id
        return [self.rows.setdefault((row.subject, row.clearance), row) for row in rows]

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[KeyRow]:
        return [self.rows[one] for one in wanted if one in self.rows]

    async def shred(self, subject: str, clearance: Clearance) -> bool:
        none = KeyRow(subject, clearance, "", None)
        row = self.rows.setdefault((subject, clearance), none)
        if row.wrapped is None:
            return False
        self.rows[subject, clearance] = msgspec.structs.replace(row, wrapped=None)
        return True

    async def retain(self, subject: str, until: int) -> int | None:
        row = self.rows.get((subject, "statutory"))
        if row is None or row.wrapped is None:
            return None
        self.retained[subject] = max(until, self.retained.get(subject, until))
        return self.retained[subject]

    async def shred_retained(self, now: int) -> int:
        due = [subject for subject, until in self.retained.items() if until <= now]
        return sum([await self.shred(subject, "statutory") for subject in due])

    async def shred_days_before(self, subject: str) -> int:
        days = [
            s
            for s, clearance in self.rows
            if clearance == "inbox" and s.startswith(subject[:-10]) and s < subject
        ]
        return sum([await self.shred(day, "inbox") for day in days])


class MemoryVault(KeyringVault):
    """A vault that lives as long as the object."""

    def __init__(self, keys: MemoryKeys | None = None, master: MasterKey | None = None) -> None:
        super().__init__(keys or MemoryKeys(), master or MasterKey(bytes(32)))
