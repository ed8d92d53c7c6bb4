"""Brings a service's database to the present schema: numbered steps, under a lock, each once."""

from collections.abc import Sequence

from libs.store.pool import Connection, Pool, commit_function, sql
from libs.store.upgrading import run, upgrading
from libs.telemetry.logs import log

# Append only; what a step leads to is never changed once it has run anywhere. An index of a table
# that is there already is built CONCURRENTLY (`libs.store.upgrading`); older code goes on beside a
# newer schema, so columns are added with defaults and none is renamed, narrowed or dropped.
STEPS: Sequence[str] = (
    "schema.sql", "effects.sql", "applied.sql", "waiting.sql", "order.sql", "keeping.sql",
    "discarded.sql",
)  # fmt: skip

LOCK = 7077
_MIGRATIONS = "CREATE TABLE IF NOT EXISTS migrations (step integer PRIMARY KEY, name text NOT NULL)"
_DONE = "SELECT coalesce(max(step), 0) FROM migrations"
_STEP = "INSERT INTO migrations VALUES ($1, $2)"
_IDENTITY = "INSERT INTO identity VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
_LANES = "INSERT INTO lanes (lane) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING"


class StoreMismatch(Exception):  # noqa: N818
    """The database belongs to something else than what is being started; the message says what."""


async def migrate(pool: Pool, service: str, topic: str, partitions: int, registry: str) -> None:
    """Create or complete the tables, install the commit function, and check whose store this is.

    A store that newer code has upgraded is taken as it is. Raises StoreMismatch where the topic,
    its partitions or the schema registry are not those that the store was created with: events
    would be numbered or read wrongly.
    """
    async with upgrading(pool, LOCK, service) as connection:
        await connection.execute(_MIGRATIONS)
        done = await connection.fetchval(_DONE)
        for step, name in enumerate(STEPS, 1):
            if step > done:
                if done:
                    log.info("store-upgraded", service=service, what=name)
                await run(connection, sql(name), (_STEP, (step, name)))
        async with connection.transaction():
            await _install(connection)
            await _identify(connection, (service, topic, partitions, registry))


async def _identify(connection: Connection, wanted: tuple[str, str, int, str]) -> None:
    """Write down whose store this is where it is new, and compare. Raises StoreMismatch."""
    await connection.execute(_IDENTITY, *wanted)
    await connection.execute(_LANES, wanted[2])
    row = await connection.fetchrow("SELECT service, topic, partitions, registry FROM identity")
    if row is None or tuple(row) != wanted:
        raise StoreMismatch(
            f"The database holds the store {tuple(row) if row else None}, and {wanted} is "
            "being started. Point the service at its own database and registry, or start a "
            "new topic generation."
        )


async def _install(connection: Connection) -> None:
    """Create this release's commit function beside those of other releases, which go on."""
    name, text = commit_function()
    if not await connection.fetchval("SELECT 1 FROM pg_proc WHERE proname = $1", name):
        await connection.execute(text)


async def first_start(pool: Pool, consumer: str, now: int) -> int:
    """Return when this consumer first started (microseconds), noting it where it is now."""
    await pool.execute("INSERT INTO starts VALUES ($1, $2) ON CONFLICT DO NOTHING", consumer, now)
    return int(await pool.fetchval("SELECT at FROM starts WHERE consumer = $1", consumer))


async def identity(pool: Pool) -> tuple[str, str, int, str] | None:
    """Return whose store this is: service, topic, partitions, registry; None where it is empty."""
    row = await pool.fetchrow("SELECT service, topic, partitions, registry FROM identity")
    return None if row is None else (row[0], row[1], row[2], row[3])


async def pending(pool: Pool) -> int:
    """Return how many steps have not run yet."""
    if not await pool.fetchval("SELECT to_regclass('migrations') IS NOT NULL"):
        return len(STEPS)
    return max(0, len(STEPS) - int(await pool.fetchval(_DONE)))
