"""What a vault promises, proved alike for memory and PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from libs.contracts.common import Sealed
from libs.runtime.errors import ConfigurationError
from libs.security.vault.keyring import MAX_AGE, KeyringVault, KeyRow, KeyTable
from libs.security.vault.masterkey import MasterKey
from libs.security.vault.memory import MemoryKeys, MemoryVault
from libs.security.vault.postgres import PostgresKeys, PostgresVault
from libs.security.vault.sealing import Shredded, Unreadable, seal
from libs.security.vault.vault import DAY, Wanted, inbox_day, reseal
from libs.store.pool import Pool, close_pool, open_pool
from tests.contract.stores import rows_read

MASTER, OTHER = MasterKey(bytes(range(32))), MasterKey(bytes(32))
NOW = 1_780_000_000_000_000
NAMES = MemoryVault()
ANN: Wanted = (NAMES.subject("shop", "1"), "contact")
BOB: Wanted = (NAMES.guest("shop", "1001"), "contact")


@dataclass
class Keys:
    """One table of keys; every `vault()` is another process over it, with its own cache."""

    build: Callable[[MasterKey, int], KeyringVault]
    now: float = 0.0

    def vault(self, master: MasterKey = MASTER, capacity: int = 100) -> KeyringVault:
        made = self.build(master, capacity)
        made.clock = lambda: self.now
        return made


@pytest_asyncio.fixture(loop_scope="session")
async def vault_pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database)
    await PostgresVault(pool, MASTER).migrate()
    yield pool
    await close_pool(pool)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
def keys(request: pytest.FixtureRequest) -> Keys:
    table: KeyTable = MemoryKeys()
    if request.param == "postgres":
        table = PostgresKeys(request.getfixturevalue("vault_pool"))
    return Keys(lambda master, capacity: KeyringVault(table, master, capacity))


async def sealed_by(vault: KeyringVault, one: Wanted, text: bytes = b"plain") -> Sealed:
    return seal((await vault.keys_for([one]))[one], "name", text, os.urandom(12))


async def test_what_is_sealed_is_opened_by_another_process(keys: Keys) -> None:
    sealed = await sealed_by(keys.vault(), ANN)
    assert await keys.vault().open(sealed, "name") == b"plain"


async def test_a_subject_has_one_key_per_clearance_and_keeps_it(keys: Keys) -> None:
    wanted: list[Wanted] = [ANN, (ANN[0], "statutory"), BOB, ANN]
    first = await keys.vault().keys_for(wanted)
    assert len({key.key_id for key in first.values()}) == len(first) == 3
    again = await keys.vault().keys_for(wanted)
    assert {k: v.key_id for k, v in again.items()} == {k: v.key_id for k, v in first.items()}


async def test_processes_that_create_the_same_keys_at_once_get_the_same_ones(keys: Keys) -> None:
    wanted: list[Wanted] = [(NAMES.subject("shop", str(n)), "contact") for n in range(60)]
    orders = [wanted, wanted[::-1], wanted[30:] + wanted[:30], wanted[::2] + wanted[1::2]] * 3
    told = await asyncio.gather(*(keys.vault().keys_for(order) for order in orders))
    ids = [{one: found[one].key_id for one in wanted} for found in told]
    assert all(one == ids[0] for one in ids)
    probe = seal(told[0][wanted[0]], "name", b"x", bytes(12))
    assert all(
        found[wanted[0]].decrypt("name", probe.ciphertext, bytes(12)) == b"x" for found in told
    )


async def test_more_subjects_than_the_cache_holds_get_their_keys(keys: Keys) -> None:
    wanted: list[Wanted] = [(NAMES.subject("shop", str(n)), "contact") for n in range(20)]
    vault = keys.vault(capacity=3)
    found = await vault.keys_for(wanted)
    assert set(found) == set(wanted)
    assert len(vault._open) == 3
    sealed = [seal(found[one], "name", one[0].encode(), os.urandom(12)) for one in wanted]
    opened = await vault.open_many([(one, "name") for one in sealed])
    assert opened == [one[0].encode() for one in wanted]


@pytest.mark.parametrize("part", ["subject", "clearance", "field", "key_id", "nonce", "ciphertext"])
async def test_a_sealed_value_that_was_changed_is_unreadable(keys: Keys, part: str) -> None:
    vault = keys.vault()
    sealed = await sealed_by(vault, ANN)
    other = await sealed_by(vault, (ANN[0], "statutory"))
    bob = await sealed_by(vault, BOB)
    changed = {
        "subject": replace(sealed, subject=bob.subject),
        "clearance": replace(sealed, clearance="statutory"),
        "key_id": replace(sealed, key_id=other.key_id),
        "nonce": replace(sealed, nonce=bytes(12)),
        "ciphertext": replace(
            sealed, ciphertext=bytes([sealed.ciphertext[0] ^ 1]) + sealed.ciphertext[1:]
        ),
    }.get(part, sealed)
    for reader in (vault, keys.vault()):
        with pytest.raises(Unreadable) as told:
            await reader.open(changed, "address" if part == "field" else "name")
        assert told.value.code == "unreadable-sealed-value"


@pytest.mark.parametrize("nonce", [b"", b"x", bytes(11), bytes(200)])
async def test_a_nonce_of_another_length_is_unreadable(keys: Keys, nonce: bytes) -> None:
    vault = keys.vault()
    with pytest.raises(Unreadable):
        await vault.open(replace(await sealed_by(vault, ANN), nonce=nonce), "name")


async def test_a_key_that_the_vault_never_had_is_unreadable_not_erased(keys: Keys) -> None:
    sealed = replace(await sealed_by(keys.vault(), ANN), subject="sub_nobody")
    with pytest.raises(Unreadable):
        await keys.vault().open(sealed, "name")


async def test_another_master_key_opens_nothing(keys: Keys) -> None:
    sealed = await sealed_by(keys.vault(), ANN)
    other = keys.vault(OTHER)
    with pytest.raises(Unreadable):
        await other.open(sealed, "name")
    with pytest.raises(Unreadable):
        await other.keys_for([ANN])


async def test_what_is_shredded_is_gone_and_the_other_clearance_stays(keys: Keys) -> None:
    vault = keys.vault()
    contact, law = await sealed_by(vault, ANN), await sealed_by(vault, (ANN[0], "statutory"))
    assert await vault.shred(*ANN)
    assert not await vault.shred(*ANN)
    for reader in (vault, keys.vault()):
        with pytest.raises(Shredded) as told:
            await reader.open(contact, "name")
        assert told.value.code == "subject-erased"
        assert await reader.open(law, "name") == b"plain"


async def test_a_shredded_subject_gets_no_new_key_and_does_not_stop_the_others(keys: Keys) -> None:
    vault = keys.vault()
    await vault.keys_for([ANN])
    await vault.shred(*ANN)
    with pytest.raises(Shredded):
        await vault.keys_for([ANN, BOB])
    assert BOB in await vault.keys_for([BOB])


async def test_another_process_notices_a_shredding_within_a_minute(keys: Keys) -> None:
    here, there = keys.vault(), keys.vault()
    sealed = await sealed_by(here, ANN)
    assert await here.open(sealed, "name") == b"plain"
    await there.shred(*ANN)
    keys.now += MAX_AGE + 1
    with pytest.raises(Shredded):
        await here.open(sealed, "name")
    with pytest.raises(Shredded):
        await here.keys_for([ANN])


async def test_of_many_values_each_is_opened_or_has_its_error_in_place(keys: Keys) -> None:
    vault = keys.vault()
    ann, bob = await sealed_by(vault, ANN, b"a"), await sealed_by(vault, BOB, b"b")
    await vault.shred(*BOB)
    for reader in (vault, keys.vault()):
        told = await reader.open_many([(ann, "name"), (bob, "name"), (ann, "other")])
        assert told[0] == b"a"
        assert [type(one) for one in told[1:]] == [Shredded, Unreadable]
    assert await vault.open_many([]) == []


async def test_day_keys_live_thirty_days_after_their_day_and_no_longer(keys: Keys) -> None:
    vault = keys.vault()
    midnight = NOW - NOW % DAY
    sealed = await sealed_by(vault, (inbox_day("shop", midnight), "inbox"))
    customer = await sealed_by(vault, ANN)
    assert await vault.destroy_expired("shop", midnight + 31 * DAY - 1) == 0
    assert await vault.open(sealed, "name") == b"plain"
    assert await vault.destroy_expired("shop", midnight + 31 * DAY) == 1
    assert await vault.destroy_expired("shop", midnight + 31 * DAY) == 0
    with pytest.raises(Shredded):
        await vault.open(sealed, "name")
    assert await vault.open(customer, "name") == b"plain"


async def test_a_service_destroys_its_own_day_keys_only(keys: Keys) -> None:
    """Another one may have been down, and has not sealed again what it still needs."""
    vault = keys.vault()
    mine = await sealed_by(vault, (inbox_day("shop", NOW), "inbox"))
    other = await sealed_by(vault, (inbox_day("shop2", NOW), "inbox"))
    assert await vault.destroy_expired("shop", NOW + 40 * DAY) == 1
    assert await vault.open(other, "name") == b"plain"
    with pytest.raises(Shredded):
        await vault.open(mine, "name")


async def test_a_statutory_key_lives_to_its_latest_date_and_no_longer(keys: Keys) -> None:
    vault = keys.vault()
    law: Wanted = (ANN[0], "statutory")
    kept, other = await sealed_by(vault, law), await sealed_by(vault, (BOB[0], "statutory"))
    contact = await sealed_by(vault, ANN)
    assert await vault.retain(ANN[0], NOW + 1) == NOW + 1
    assert await vault.retain(ANN[0], NOW) == NOW + 1
    assert await keys.vault().retain(ANN[0], NOW + 3) == NOW + 3
    assert await vault.retain(NAMES.subject("shop", "nobody"), NOW) is None
    assert await vault.destroy_retained(NOW + 2) == 0
    assert await vault.open(kept, "name") == b"plain"
    assert await vault.destroy_retained(NOW + 3) == 1
    assert await vault.destroy_retained(NOW + 3) == 0
    with pytest.raises(Shredded):
        await vault.open(kept, "name")
    assert await vault.retain(ANN[0], NOW + 9) is None
    assert [await vault.open(one, "name") for one in (other, contact)] == [b"plain", b"plain"]


async def test_a_key_that_is_destroyed_before_it_was_made_is_never_made(keys: Keys) -> None:
    """An erasure may come before the first thing that would be sealed under the key."""
    vault = keys.vault()
    assert await vault.shred(*BOB) is False
    for one in (vault, keys.vault()):
        with pytest.raises(Shredded):
            await one.keys_for([BOB])
    assert await vault.shred(*BOB) is False
    assert await sealed_by(vault, (BOB[0], "statutory"))


async def test_a_resealed_value_outlives_its_day(keys: Keys) -> None:
    vault = keys.vault()
    sealed = await sealed_by(vault, (inbox_day("shop", NOW), "inbox"))
    assert await reseal(vault, sealed, "name", NOW) == sealed
    later = await reseal(vault, sealed, "name", NOW + 29 * DAY)
    assert later.subject == inbox_day("shop", NOW + 29 * DAY)
    await vault.destroy_expired("shop", NOW + 32 * DAY)
    assert await vault.open(later, "name") == b"plain"
    with pytest.raises(Shredded):
        await reseal(vault, sealed, "name", NOW + 32 * DAY)


async def test_only_values_of_the_inbox_are_resealed(keys: Keys) -> None:
    vault = keys.vault()
    with pytest.raises(ValueError, match="day key"):
        await reseal(vault, await sealed_by(vault, ANN), "name", NOW)


async def test_a_shredding_that_overtakes_a_read_leaves_nothing_cached() -> None:
    class Slow(MemoryKeys):
        async def add(self, rows, kek_id):  # type: ignore[no-untyped-def]
            stored = await super().add(rows, kek_id)
            read.set()
            await go_on.wait()
            return stored

    read, go_on = asyncio.Event(), asyncio.Event()
    vault = MemoryVault(Slow())
    asking = asyncio.create_task(vault.keys_for([ANN]))
    await read.wait()
    await vault.shred(*ANN)
    go_on.set()
    sealed = seal((await asking)[ANN], "name", b"x", bytes(12))
    with pytest.raises(Shredded):
        await vault.open(sealed, "name")


class Counted(PostgresKeys):
    """A table that counts the questions to its pool."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.questions = 0
        self.pool, self._real = cast("Pool", self), pool

    async def fetch(self, query: str, *given: object) -> list[asyncpg.Record]:
        self.questions += 1
        return await self._real.fetch(query, *given)


@pytest.mark.stack
async def test_two_hundred_new_subjects_are_one_question_and_cached_ones_none(
    vault_pool: Pool,
) -> None:
    table = Counted(vault_pool)
    vault = KeyringVault(table, MASTER)
    wanted: list[Wanted] = [(NAMES.subject("shop", str(n)), "contact") for n in range(200)]
    await vault.keys_for(wanted)
    assert table.questions == 1
    await vault.keys_for(wanted)
    assert table.questions == 1


@pytest.mark.stack
async def test_keys_that_time_ends_are_found_without_reading_the_others(database: str) -> None:
    pool = await open_pool(database, size=1)  # whose plans are of an empty table
    vault = PostgresVault(pool, MASTER)
    await vault.migrate()
    for _ in range(6):
        assert await vault.destroy_expired("shop", NOW) + await vault.destroy_retained(NOW) == 0
    await PostgresKeys(pool).add(
        [KeyRow(f"sub_{n}", "contact", f"key_{n}", b"x") for n in range(20_000)], "k"
    )
    await vault.keys_for([(inbox_day("shop", NOW), "inbox"), (ANN[0], "statutory")])
    await vault.retain(ANN[0], NOW)
    before = await rows_read(pool, "subject_keys")
    assert await vault.destroy_expired("shop", NOW + 40 * DAY) == 1
    assert await vault.destroy_retained(NOW + 40 * DAY) == 1
    after = await rows_read(pool, "subject_keys")
    assert after["subject_keys"] - before["subject_keys"] < 50
    await close_pool(pool)


@pytest.mark.stack
async def test_a_contact_key_that_an_older_release_made_behind_an_erasure_goes_at_the_start(
    vault_pool: Pool,
) -> None:
    vault = PostgresVault(vault_pool, MASTER)
    living = await sealed_by(vault, BOB)
    await vault.keys_for([ANN, (ANN[0], "statutory"), (BOB[0], "statutory")])
    await vault.retain(ANN[0], NOW)
    await vault.migrate()
    fresh = PostgresVault(vault_pool, MASTER)
    with pytest.raises(Shredded):
        await fresh.keys_for([ANN])
    assert await fresh.keys_for([(ANN[0], "statutory")])
    assert await fresh.open(living, "name") == b"plain"


@pytest.mark.stack
async def test_the_table_locks_in_one_order_whatever_order_it_is_asked_in(vault_pool: Pool) -> None:
    table = PostgresKeys(vault_pool)
    for turn in range(5):
        rows = [KeyRow(f"sub_{turn}_{n}", "contact", f"key_{turn}_{n}", b"x") for n in range(1000)]
        mirrored = [replace(row, key_id=row.key_id + "b") for row in reversed(rows)]
        told = await asyncio.gather(*(table.add(asked, "k") for asked in (rows, mirrored)))
        found = [{row.subject: row.key_id for row in stored} for stored in told]
        assert found[0] == found[1]
        assert len(found[0]) == 1000


@pytest.mark.stack
async def test_a_vault_of_another_master_key_refuses_to_start(vault_pool: Pool) -> None:
    await asyncio.gather(*(PostgresVault(vault_pool, MASTER).migrate() for _ in range(4)))
    await PostgresVault(vault_pool, OTHER).migrate()  # nothing is wrapped yet
    await PostgresVault(vault_pool, MASTER).keys_for([ANN])
    await PostgresVault(vault_pool, MASTER).migrate()
    with pytest.raises(ConfigurationError, match="master key"):
        await PostgresVault(vault_pool, OTHER).migrate()


@pytest.mark.stack
async def test_the_database_holds_no_key_in_plain_form_and_none_after_shredding(
    vault_pool: Pool,
) -> None:
    vault = PostgresVault(vault_pool, MASTER)
    await vault.keys_for([ANN])
    row = await vault_pool.fetchrow("SELECT wrapped, key_id FROM subject_keys")
    assert row is not None
    secret = MASTER.unwrap(row["key_id"], row["wrapped"])
    assert len(secret) == 32
    assert secret not in row["wrapped"]
    await vault.shred(*ANN)
    row = await vault_pool.fetchrow("SELECT wrapped, shredded_at FROM subject_keys")
    assert row is not None
    assert row["wrapped"] is None
    assert row["shredded_at"] is not None
