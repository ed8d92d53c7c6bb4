"""Which table is live: a generation of each read model, behind a view of the projection's name."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from libs.bus.records import Place
from libs.eventsourcing.inputs import Position
from libs.eventsourcing.projection import Projection
from libs.replay.table import Table, table_name
from libs.store.pool import LONG, Connection, Pool
from libs.store.upgrading import HELD
from libs.telemetry.logs import log

# `revision` counts the transactions that wrote rows; whoever writes holds the row of this table.
_REGISTRY = """
    CREATE TABLE IF NOT EXISTS read_models (
        name       text PRIMARY KEY,
        version    integer NOT NULL,
        generation integer NOT NULL,
        table_name text NOT NULL,
        consumer   text NOT NULL,
        revision   bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50)"""
_REGISTER = """
    INSERT INTO read_models (name, version, generation, table_name, consumer)
    VALUES ($1, $2, $3, $4, $4) ON CONFLICT (name) DO UPDATE SET version = excluded.version,
        generation = excluded.generation, table_name = excluded.table_name,
        consumer = excluded.consumer, revision = read_models.revision + 1"""
_PASSED = """
    SELECT next_offset > $4 FROM positions WHERE consumer = $1 AND topic = $2 AND partition = $3"""
_PATIENT = "SELECT set_config('lock_timeout', $1, true)"
_INSTALL = """
    INSERT INTO positions (consumer, topic, partition, next_offset, last_pseq, last_id, epoch)
    SELECT $1, u.t, u.p, u.o, u.s, nullif(u.i, '')::uuid, u.e
    FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
        AS u(t, p, o, s, i, e) ORDER BY u.t, u.p"""


PATIENCE = 60_000  # milliseconds that readers of a table are waited for that is to be dropped


class Model(msgspec.Struct, frozen=True):
    """A row of the registry: which generation of a read model is live."""

    name: str
    version: int
    generation: int
    table: str


async def models(connection: Connection | Pool) -> Mapping[str, Model]:
    """Return the registry by projection name."""
    rows = await connection.fetch("SELECT name, version, generation, table_name FROM read_models")
    return {row[0]: Model(*row) for row in rows}


async def prepare(pool: Pool, projections: Sequence[Projection[Any]]) -> None:
    """Create the registry and the tables of projections that have none."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(7078)")
        await connection.execute(_REGISTRY)
        live = await models(connection)
        for projection in projections:
            if projection.name not in live:
                table = Table(projection, table_name(projection.name, 1))
                await create(connection, table)
                for statement in table.index_ddl():
                    await connection.execute(statement)
                await make_live(connection, table, 1, ())


async def passed(pool: Pool, table: str, place: Place, offset: int) -> bool:
    """Return whether somebody has applied the record at this offset to a table's rows."""
    return bool(await pool.fetchval(_PASSED, table, *place, offset))


async def create(connection: Connection, table: Table[Any]) -> None:
    """Create a table without its indexes, in place of what a rebuild that died left behind."""
    await connection.execute(f"DROP TABLE IF EXISTS {table.name}")
    await connection.execute("DELETE FROM positions WHERE consumer = $1", table.name)
    await connection.execute(table.ddl())


async def sweep(connection: Connection, model: Model) -> None:
    """Drop the tables of other generations; what somebody reads for long is left to the next."""
    rows = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> $1"
        " AND tablename ~ ('^rm_' || $2 || '_[0-9]+$')",
        model.table, model.name,
    )  # fmt: skip
    for row in rows:
        try:
            async with connection.transaction():
                await connection.execute(_PATIENT, str(PATIENCE))
                await connection.execute(f"DROP TABLE IF EXISTS {row[0]}", timeout=LONG)
        except HELD:
            log.warning("table-left", what=row[0], reason="somebody reads it for long")


async def make_live(
    connection: Connection, table: Table[Any], generation: int, positions: Sequence[Position]
) -> None:
    """Point view and registry at a table that is filled up to these positions."""
    projection = table.projection
    view = f'VIEW "{projection.name}" AS SELECT * FROM {table.name}'
    try:
        async with connection.transaction():
            await connection.execute(f"CREATE OR REPLACE {view}")
    except asyncpg.InvalidTableDefinitionError:  # the columns are others
        await connection.execute(f'DROP VIEW "{projection.name}"')
        await connection.execute(f"CREATE {view}")
    await connection.execute(
        "DELETE FROM positions WHERE consumer IN"
        " (SELECT consumer FROM read_models WHERE name = $1 UNION SELECT $2)",
        projection.name, table.name,
    )  # fmt: skip
    await connection.execute(_REGISTER, projection.name, projection.version, generation, table.name)
    if positions:
        rows = [
            (p.topic, p.partition, p.next_offset, p.last_pseq, p.last_id, p.epoch)
            for p in positions
        ]
        await connection.execute(_INSTALL, table.name, *map(list, zip(*rows, strict=True)))
