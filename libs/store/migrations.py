"""Brings a service's database to the present schema: numbered steps, under a lock, each once."""

from collections.abc import Sequence

from libs.store.pool import LONG, Pool, sql, upgrade_alone
from libs.telemetry.logs import log

# Append only; a step that has run anywhere is never changed.
STEPS: Sequence[str] = (
    "schema.sql", "effects.sql", "applied.sql", "waiting.sql", "order.sql", "keeping.sql",
    "discarded.sql",
)  # fmt: skip


class StoreMismatch(Exception):  # noqa: N818
    """The database belongs to something else than what is being started; the message says what."""


async def migrate(pool: Pool, service: str, topic: str, partitions: int, registry: str) -> None:
    """Create or complete the tables, install the commit function, and check whose store this is.

    Raises StoreMismatch where the topic, its partitions or the schema registry are not those that
    the store was created with: events would be numbered or read wrongly.
    """
    async with pool.acquire() as connection, connection.transaction():
        await upgrade_alone(connection, 7077)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (step integer PRIMARY KEY, name text NOT NULL)"
        )
        done = await connection.fetchval("SELECT coalesce(max(step), 0) FROM migrations")
        for step, name in enumerate(STEPS, 1):
            if step > done:
                if done:
                    log.info("store-upgraded", service=service, what=name)
                await connection.execute(sql(name), timeout=LONG)
                await connection.execute("INSERT INTO migrations VALUES ($1, $2)", step, name)
        await connection.execute(sql("commit.sql"))
        await connection.execute(
            "INSERT INTO identity VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            service, topic, partitions, registry,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO lanes (lane) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING",
            partitions,
        )
        row = await connection.fetchrow("SELECT service, topic, partitions, registry FROM identity")
        wanted = (service, topic, partitions, registry)
        if row is None or tuple(row) != wanted:
            raise StoreMismatch(
                f"The database holds the store {tuple(row) if row else None}, and {wanted} is "
                "being started. Point the service at its own database and registry, or start a "
                "new topic generation."
            )


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
    return len(STEPS) - int(await pool.fetchval("SELECT coalesce(max(step), 0) FROM migrations"))
