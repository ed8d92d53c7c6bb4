"""A look at what waits costs what it takes, not what is there: also by a plan of the first day."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.replay.table import Table
from libs.runtime.housekeeping import Housekeeping
from libs.runtime.settings import Limits
from libs.security.vault.memory import MemoryVault
from libs.security.vault.vault import DAY
from libs.store import retention
from libs.store.event_store import PostgresStore
from services.inventory.read_model import RESERVATIONS, ReservationRow
from tests.contract.stores import rows_read, store_on
from tests.contract.toy import NOON

pytestmark = pytest.mark.stack
ROWS: Table[ReservationRow] = Table(RESERVATIONS, "rm_reservations_1")
TABLES = ("effects", "timers", "inbox", "commands", ROWS.name)
WAITING, LOOKS, TAKEN = 20_000, 5, 3
FILL = (
    """INSERT INTO effects (id, kind, stream, request, planned_at, next_at)
    SELECT 'e' || n, 'shop.report', 's', '', n, n FROM generate_series(1, $1) AS n""",
    """INSERT INTO timers (id, due, stream, command)
    SELECT 't' || n, n, 's', '' FROM generate_series(1, $1) AS n""",
    """INSERT INTO inbox (provider, account, key, topic, received_at, body, trace)
    SELECT 'p', 'a', 'k' || n, 't', n, '', '' FROM generate_series(1, $1) AS n""",
)


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(database: str) -> AsyncIterator[PostgresStore]:
    """A store with one connection, whose plans are kept."""
    async with store_on(database, size=1) as made:
        yield made


async def look(store: PostgresStore, now: int) -> tuple[int, int]:
    assert not await store.claim_effects(["other.report"], now, now + 1, TAKEN)
    calls = await store.claim_effects(["else", "shop.report"], now, now + 1, TAKEN)
    assert len(await store.received([], TAKEN)) in {0, TAKEN}
    return len(calls), len(await store.due(now, TAKEN))


# When all is due, and when nearly all is for later.
@pytest.mark.parametrize(("now", "found"), [(WAITING, (TAKEN, TAKEN)), (1, (1, 1))])
async def test_a_look_reads_what_it_takes_however_much_waits(
    narrow: PostgresStore, now: int, found: tuple[int, int]
) -> None:
    for _ in range(LOOKS):
        assert await look(narrow, now) == (0, 0)
    for statement in FILL:
        await narrow.pool.execute(statement, WAITING)
    before = await rows_read(narrow.pool, *TABLES)
    assert await look(narrow, now) == found
    for _ in range(LOOKS - 1):
        await look(narrow, now)
    after = await rows_read(narrow.pool, *TABLES)
    # An effect is read once to be taken and once to be marked; those in flight are passed over.
    most = LOOKS * (LOOKS + 2) * TAKEN
    assert {name: n for name in after if (n := after[name] - before[name]) > most} == {}


async def test_a_row_is_read_by_its_key_though_another_index_fits_in_part(
    narrow: PostgresStore,
) -> None:
    keys = [(f"o{n}", "MUG") for n in range(TAKEN)]
    async with narrow.pool.acquire() as connection:
        for statement in (ROWS.ddl(), *ROWS.index_ddl()):
            await connection.execute(statement)
        for _ in range(LOOKS):
            assert await ROWS.load(connection, keys) == {}
        await ROWS.copy(connection, (ReservationRow(f"o{n}", "MUG") for n in range(WAITING)))
    before = await rows_read(narrow.pool, *TABLES)
    async with narrow.pool.acquire() as connection:
        for _ in range(LOOKS):
            assert len(await ROWS.load(connection, keys)) == TAKEN
    after = await rows_read(narrow.pool, *TABLES)
    assert after[ROWS.name] - before[ROWS.name] <= LOOKS * TAKEN


# Finished rows of this age in days: deliveries with a body and without, and all else that is kept.
OVER = (
    """INSERT INTO inbox (provider, account, key, topic, received_at, body, trace, state)
    SELECT 'p', 'a', $1::bigint || 'k' || n, 't', $1, CASE n % 2 WHEN 0 THEN ''::bytea END, '', 'done'
    FROM generate_series(1, $2) AS n""",
    """INSERT INTO commands SELECT $1::bigint || 'c' || n, '', '', $1 FROM generate_series(1, $2) AS n""",
    """INSERT INTO timers (id, due, stream, command, done_at)
    SELECT $1::bigint || 't' || n, 1, 's', '', $1 FROM generate_series(1, $2) AS n""",
    """INSERT INTO effects (id, kind, stream, request, planned_at, state)
    SELECT $1::bigint || 'e' || n, 'k', 's', '', $1, 'confirmed' FROM generate_series(1, $2) AS n""",
)


async def fill(store: PostgresStore, age: int, count: int) -> None:
    for statement in OVER:
        await store.pool.execute(statement, NOON - age * DAY, count)


async def test_a_sweep_reads_what_is_due_however_much_is_kept(
    narrow: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", TAKEN)
    rows = retention.Retention(narrow.pool)
    house = Housekeeping("toy", rows, MemoryVault(), Limits(), lambda: NOON)
    for _ in range(LOOKS):
        await house.sweep()
    await fill(narrow, 1, WAITING)
    await fill(narrow, 91, due := 4 * TAKEN)
    await narrow.pool.execute("INSERT INTO inbox (provider, account, key, topic, received_at, body,"
                              " trace, state) SELECT 'p', 'a', 'w' || n, 't', 1, NULL, '', 'parked'"
                              " FROM generate_series(1, $1) AS n", TAKEN)  # fmt: skip
    before = await rows_read(narrow.pool, *TABLES)
    await house.sweep()
    after = await rows_read(narrow.pool, *TABLES)
    # Each is found and gone, also from the index; what is open and old is passed over in every page.
    most = 10 * due
    assert {name: n for name in after if (n := after[name] - before[name]) > most} == {}
    left = {
        table: await narrow.pool.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("commands", "timers", "effects", "inbox")
    }
    kept = dict.fromkeys(("commands", "timers", "effects"), WAITING)
    assert left == {**kept, "inbox": WAITING + TAKEN}
