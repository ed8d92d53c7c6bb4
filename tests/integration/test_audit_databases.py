"""What the audit finds in databases: keys that should be gone, events that nobody was told of."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.security.vault.masterkey import MasterKey
from libs.security.vault.postgres import PostgresVault
from libs.security.vault.vault import DAY, inbox_day
from libs.store.migrations import migrate
from libs.store.pool import Pool, close_pool, open_pool
from services.console.audit.databases import MINUTE, look
from services.console.audit.privacy import PrivacyCheck, keys
from tests.unit.console.auditing import NOW, Story

pytestmark = pytest.mark.stack
ANN, BOB = "sub_ann", "sub_bob"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database)
    yield opened
    await close_pool(opened)


async def test_keys_that_should_be_gone_or_have_no_end_are_found(database: str, pool: Pool) -> None:
    vault = PostgresVault(pool, MasterKey(bytes(32)))
    await vault.migrate()
    both = [(ANN, "contact"), (ANN, "statutory"), (BOB, "contact"), (BOB, "statutory")]
    await vault.keys_for([*both, (inbox_day("shop", NOW - 32 * DAY), "inbox")])  # type: ignore[list-item]
    check = PrivacyCheck(NOW)

    async def found() -> list[tuple[str, str]]:
        findings, _ = await keys(database, check, NOW, 30)
        return sorted((one.code, one.subject) for one in findings)

    assert await found() == []
    check.see(Story().tell("crm_sync", "ErasureCompleted", "e", subjects=[ANN]).records[0])
    await pool.execute("UPDATE subject_keys SET created_at = 'epoch'")
    assert await found() == [("erased-and-readable", ANN), ("kept-without-end", ANN)]
    await vault.retain(ANN, NOW + DAY)
    await vault.shred(ANN, "contact")
    assert await found() == []
    await vault.retain(BOB, NOW - DAY - 1)
    await vault.shred(BOB, "contact")
    check.see(Story().tell("crm_sync", "ErasureCompleted", "e", NOW, subjects=[BOB]).records[0])
    assert await found() == []  # it is hardly a moment since
    check.erased[BOB] = NOW - 2 * DAY
    old = inbox_day("shop", NOW - 33 * DAY)
    await vault.keys_for([(old, "inbox")])
    assert await found() == [("kept-beyond-its-date", old), ("kept-beyond-its-date", BOB)]
    await vault.destroy_retained(NOW)
    await vault.destroy_expired("shop", NOW)
    assert await found() == []
    assert (await keys(database, check, NOW, 30))[1] == {"statutory keys": 1}


async def test_an_event_that_is_in_the_store_alone_is_found_after_a_while(
    database: str, pool: Pool
) -> None:
    await migrate(pool, "orders", "orders.events", 8, "lock")
    await pool.execute("UPDATE lanes SET head = 2 WHERE lane = 3")
    for pseq, at in ((1, NOW - 6 * MINUTE), (2, NOW)):
        await pool.execute(
            "INSERT INTO events VALUES (3, $1, $2, $3, 1, 'OrderPlaced', 1, '', $4, $2, $2, '')",
            pseq, uuid.uuid4(), f"order-{pseq}", at,
        )  # fmt: skip

    async def found(sent: int) -> list[tuple[str, str]]:
        findings, _ = await look(
            "orders", database, NOW, lambda _effect, _cause: True, NOW - MINUTE, {3: sent}
        )
        return [(one.code, one.subject) for one in findings]

    assert await found(0) == [("not-published", "orders/3")]
    assert await found(1) == []
    assert await found(2) == []
    assert await found(3) == [("topic-ahead-of-store", "orders/3")]
