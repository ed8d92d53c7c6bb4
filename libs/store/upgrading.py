"""Changes a schema that is in use: one process at a time, and nobody's writes are held up.

A script is run in pieces. `CREATE INDEX CONCURRENTLY` stands alone and is repeatable: what a start
that died left unfinished is dropped and built again. What lies between is a transaction. All but
the last piece may be run again after a crash.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg

from libs.store.pool import LONG, Connection, Pool, session
from libs.telemetry.logs import log

PAUSE = 0.5  # seconds between attempts at a lock
TOLD = 10.0  # seconds between lines that say what is waited for
Statement = tuple[str, Sequence[Any]]  # and its parameters

# The builder waits for all transactions that are older than its index, which may be long ones.
_UNHURRIED: Mapping[str, str | int] = {
    "statement_timeout": 0, "lock_timeout": 0, "idle_in_transaction_session_timeout": 0,
}  # fmt: skip
# Whoever waits for a table's lock has all later ones wait behind it: not for longer than this.
_BRIEF = "SET LOCAL lock_timeout = '500ms'"
_ALONE = re.compile(r"^(CREATE INDEX CONCURRENTLY \w+ [^;]+;)", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)
_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
HELD = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


@contextlib.asynccontextmanager
async def upgrading(pool: Pool, lock: int, what: str) -> AsyncIterator[Connection]:
    """Hold a connection without time limits, while no other process upgrades under that lock."""
    async with session(pool, **_UNHURRIED) as connection:
        await alone(connection, lock, what)
        yield connection


async def alone(connection: Connection, lock: int, what: str) -> None:
    """Take a lock of this connection's session when nobody holds it; ends with who holds it.

    It is asked for again and again: a statement that waits for it would be a transaction that
    whoever builds an index waits for.
    """
    waits = Waiting("upgrade-waits", what)
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock):
        await waits.go_on()


async def run(connection: Connection, script: str, *more: Statement) -> None:
    """Run a script's pieces in their order; `more` goes into the transaction at its end."""
    between = ""
    for piece in _ALONE.split(_COMMENT.sub("", script)):
        if not _ALONE.match(piece):
            between = piece.strip()
            continue
        if between:
            await _together(connection, between, ())
        await _index(connection, piece)
    await _together(connection, between, more)


async def _index(connection: Connection, statement: str) -> None:
    """Build an index while its table is written to; one that is whole already stays."""
    name, began = statement.split()[3], time.monotonic()
    waits = Waiting("upgrade-waits", name)
    while not (whole := await connection.fetchval(_VALID, name)):
        if whole is not None:
            log.warning("index-unfinished", what=name)
            await connection.execute(f"DROP INDEX CONCURRENTLY {name}", timeout=LONG)
        try:
            await connection.execute(statement, timeout=LONG)
        except HELD:  # by somebody who waits for this upgrade
            await waits.go_on()
    if (seconds := time.monotonic() - began) > 1:
        log.info("index-built", what=name, seconds=round(seconds, 1))


@contextlib.asynccontextmanager
async def brief(connection: Connection) -> AsyncIterator[None]:
    """Hold a transaction in which no lock is waited for long. What ends it then is in HELD."""
    async with connection.transaction():
        await connection.execute(_BRIEF)
        yield


async def _together(connection: Connection, script: str, more: Sequence[Statement]) -> None:
    """Run statements in one transaction, again where a table is held by somebody for too long."""
    waits = Waiting("upgrade-waits", "tables are in use")
    while True:
        try:
            async with brief(connection):
                if script:
                    await connection.execute(script, timeout=LONG)
                for statement, values in more:
                    await connection.execute(statement, *values)
        except HELD:
            await waits.go_on()
        else:
            return


class Waiting:
    """Waits a little, and says now and then for how long it has."""

    def __init__(self, event: str, what: str) -> None:
        self.event, self.what = event, what
        self.began = self.told = time.monotonic()

    async def go_on(self) -> None:
        now = time.monotonic()
        if now - self.told > TOLD:
            self.told = now
            log.info(self.event, what=self.what, seconds=round(now - self.began))
        await asyncio.sleep(PAUSE)
