"""The vault's keys in a PostgreSQL database of their own."""

from collections.abc import Sequence
from pathlib import Path

from libs.contracts.common import Clearance
from libs.runtime.errors import ConfigurationError
from libs.security.vault.keyring import KeyringVault, KeyRow
from libs.security.vault.masterkey import MasterKey
from libs.security.vault.vault import Wanted
from libs.store.pool import Pool
from libs.store.upgrading import run, upgrading

LOCK = 7076
_ADD = """
    INSERT INTO subject_keys (subject, clearance, key_id, wrapped, kek_id)
    SELECT u.subject, u.clearance, u.key_id, u.wrapped, $5
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
        AS u(subject, clearance, key_id, wrapped)
    ORDER BY u.subject, u.clearance ON CONFLICT (subject, clearance) DO NOTHING
    RETURNING subject, clearance, key_id, wrapped"""
_FIND = """
    SELECT k.subject, k.clearance, k.key_id, k.wrapped
    FROM unnest($1::text[], $2::text[]) AS u(subject, clearance)
    JOIN subject_keys k USING (subject, clearance)"""
# A row without a key is left where there was none, and goes first: a key made meanwhile goes, too.
_NO_KEY = """
    INSERT INTO subject_keys (subject, clearance, key_id, kek_id, shredded_at)
    VALUES ($1::text, $2::text, 'none_' || $1::text || '_' || $2::text, '', now())
    ON CONFLICT (subject, clearance) DO NOTHING"""
_SHRED = """
    UPDATE subject_keys SET wrapped = NULL, shredded_at = now()
    WHERE subject = $1 AND clearance = $2 AND wrapped IS NOT NULL"""
_SHRED_DAYS = """
    UPDATE subject_keys SET wrapped = NULL, shredded_at = now()
    WHERE clearance = 'inbox' AND wrapped IS NOT NULL
        AND starts_with(subject, $2) AND subject < $1 COLLATE "C"
"""
# Microseconds are turned into a time by whole numbers: a float would lose some of them.
_RETAIN = """
    UPDATE subject_keys SET retained_until = greatest(
        retained_until, 'epoch'::timestamptz + $2::bigint * interval '1 microsecond')
    WHERE subject = $1 AND clearance = 'statutory' AND wrapped IS NOT NULL
    RETURNING (extract(epoch FROM retained_until) * 1000000)::bigint"""
_SHRED_RETAINED = """
    UPDATE subject_keys SET wrapped = NULL, shredded_at = now()
    WHERE clearance = 'statutory' AND wrapped IS NOT NULL
        AND retained_until <= 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'"""
_OTHER_MASTER = """
    SELECT kek_id FROM (SELECT kek_id FROM subject_keys WHERE wrapped IS NOT NULL LIMIT 1) k
    WHERE kek_id <> $1"""


class PostgresKeys:
    """The table of keys."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def add(self, rows: Sequence[KeyRow], kek_id: str) -> Sequence[KeyRow]:
        subjects, clearances = [r.subject for r in rows], [r.clearance for r in rows]
        stored = await self.pool.fetch(
            _ADD, subjects, clearances, [r.key_id for r in rows], [r.wrapped for r in rows], kek_id
        )
        if len(stored) < len(rows):
            stored = await self.pool.fetch(_FIND, subjects, clearances)
        return [KeyRow(*row) for row in stored]

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[KeyRow]:
        subjects, clearances = [one[0] for one in wanted], [one[1] for one in wanted]
        return [KeyRow(*row) for row in await self.pool.fetch(_FIND, subjects, clearances)]

    async def shred(self, subject: str, clearance: Clearance) -> bool:
        await self.pool.execute(_NO_KEY, subject, clearance)
        return str(await self.pool.execute(_SHRED, subject, clearance)) == "UPDATE 1"

    async def retain(self, subject: str, until: int) -> int | None:
        found: int | None = await self.pool.fetchval(_RETAIN, subject, until)
        return found

    async def shred_retained(self, now: int) -> int:
        status = str(await self.pool.execute(_SHRED_RETAINED, now))
        return int(status.rpartition(" ")[2])

    async def shred_days_before(self, subject: str) -> int:
        service = subject[: -len("YYYY-MM-DD")]
        status = str(await self.pool.execute(_SHRED_DAYS, subject, service))
        return int(status.rpartition(" ")[2])


class PostgresVault(KeyringVault):
    """The vault as services run it."""

    def __init__(self, pool: Pool, master: MasterKey) -> None:
        super().__init__(PostgresKeys(pool), master)
        self.pool = pool

    async def migrate(self) -> None:
        """Create the table. Raises ConfigurationError where another master key wrapped its keys."""
        async with upgrading(self.pool, LOCK, "vault") as connection:
            await run(connection, (Path(__file__).parent / "schema.sql").read_text())
            other = await connection.fetchval(_OTHER_MASTER, self.master.kek_id)
        if other is not None:
            raise ConfigurationError(
                f"The vault's keys were wrapped by master key {other}, not {self.master.kek_id}:"
                " give that one by LONJA_VAULT_KEY or LONJA_VAULT_KEY_FILE."
            )
