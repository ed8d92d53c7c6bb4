"""Connections to PostgreSQL: databases, pools with timeouts, and which errors pass by."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

if TYPE_CHECKING:  # generic for the type checker only
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

# Server-side bounds on what a paused process can hold. Plans are made while tables are small and
# kept while they grow: none of them may read a table from one end to the other, or gather all that
# is open (a bitmap does) to sort it and take three.
BOUNDS = {
    "statement_timeout": "5000",
    "lock_timeout": "3000",
    "idle_in_transaction_session_timeout": "5000",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
}

# For who goes through a whole table while nobody waits.
UNBOUNDED: Mapping[str, str | int] = {
    "statement_timeout": 0,
    "lock_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
    "jit": "off",
    "enable_seqscan": "on",
    "enable_bitmapscan": "on",
    "plan_cache_mode": "auto",
}

ANSWER = 30.0  # seconds that a statement is waited for
LONG = 3600.0  # and one that goes through a whole table, while nobody waits for it

# Repeating the turn from its reads may succeed.
PASSING = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.InsufficientResourcesError,  # a full disk is not the input's fault
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or a server whose keeper saw its disk fill up
    # At the door: while a password is changed, a failover or a restore is under way.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
# Whether the commit took place is not known: ask before doing anything again.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver met the server's end where it expected an answer
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    ConnectionError,
    TimeoutError,
    OSError,
)


def database_dsn(dsn: str, name: str) -> str:
    """Return the address of another database on the same server."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(path="/" + quote(name)))


async def create_database(dsn: str, name: str) -> bool:
    """Create the database where it is missing; True if it was. `dsn` is a maintenance database."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            return False
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            return False
        return True
    finally:
        await connection.close()


async def open_pool(dsn: str, *, size: int = 6, timeouts: bool = True) -> Pool:
    """Open a pool; every connection carries the server-side timeouts unless told otherwise.

    A connection is given back as it is: who changes its settings takes it by `session`.
    """
    settings = BOUNDS if timeouts else {"jit": "off"}
    pool: Pool = await asyncpg.create_pool(
        dsn, min_size=1, max_size=size, server_settings=settings, command_timeout=ANSWER,
        reset=_as_is,
    )  # fmt: skip
    return pool


async def _as_is(_: object) -> None:
    """Save the round trip of the default, which undoes what only `session` does."""


@contextlib.asynccontextmanager
async def session(pool: Pool, **settings: str | int) -> AsyncIterator[Connection]:
    """Hold a connection with settings and advisory locks of its own; both end with it."""
    async with pool.acquire() as connection:
        try:
            for name, value in settings.items():
                await connection.execute("SELECT set_config($1, $2, false)", name, str(value))
            yield connection
        finally:
            try:
                await connection.execute("SELECT pg_advisory_unlock_all(); RESET ALL")
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                # A lost one is the pool's again and refuses calls: that must not hide why we end.
                with contextlib.suppress(asyncpg.InterfaceError):
                    connection.terminate()


@contextlib.asynccontextmanager
async def writing(pool: Pool) -> AsyncIterator[None]:
    """Have connections made anew where one leads to a server that may only be read.

    After a failover those to the old server may live on; the address names the new one by then.
    """
    try:
        yield
    except asyncpg.ReadOnlySQLTransactionError:
        await pool.expire_connections()
        raise


async def close_pool(pool: Pool) -> None:
    """Close a pool; after 5 s by force (`close` can hang on a pending cancel, asyncpg#1356)."""
    try:
        await asyncio.wait_for(pool.close(), 5)
    except (TimeoutError, asyncpg.InterfaceError):
        pool.terminate()


def sql(name: str) -> str:
    """Return the text of a .sql file of this folder."""
    return (Path(__file__).parent / name).read_text()


@cache
def commit_function() -> tuple[str, str]:
    """Return the name of this release's commit function, which says what is in it, and its text.

    Releases run side by side while a system is upgraded, each with its own.
    """
    text = sql("commit.sql")
    name = f"commit_turn_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return name, text.replace("commit_turn", name)
