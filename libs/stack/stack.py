"""Finds or starts the broker and the database of one checkout; it never adopts a stranger's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from libs.stack import docker, kafka, postgres
from libs.stack.errors import StackError
from libs.stack.jars import classpath
from libs.stack.lease import lease, live_note, write_note
from libs.stack.processes import Child

Kind = Literal["given", "embedded", "docker"]


class Servers(msgspec.Struct, frozen=True):
    """Where the servers are: ``host:port``, the DSN of the maintenance database, and why these."""

    kafka: str
    postgres: str
    kind: Kind
    why: str


@contextlib.asynccontextmanager
async def running_stack(
    data: Path,
    *,
    stack: str | None = None,
    environ: Mapping[str, str],
    started: list[Child] | None = None,
) -> AsyncIterator[Servers]:
    """Yields servers that answer, and stops on exit what it started itself.

    LONJA_KAFKA and LONJA_POSTGRES, each by itself, are used as they are; what is not given runs
    embedded with its data in ``data``, or in containers with ``stack="docker"``. LONJA_KAFKA_PORT
    fixes the embedded broker's port. Raises StackError.

    ``started`` takes in the processes of embedded servers, for whoever wants to know if one ends.
    """
    async with contextlib.AsyncExitStack() as exits:
        kind: Kind = "docker" if stack == "docker" else "embedded"
        if environ.get("LONJA_KAFKA") and environ.get("LONJA_POSTGRES"):
            kind = "given"
        elif kind == "docker":
            await asyncio.to_thread(docker.require_daemon)
        lock = None if kind == "given" else await exits.enter_async_context(lease(data))
        children = [] if started is None else started
        exits.push_async_callback(_stop, children)
        outcomes = await asyncio.gather(
            _kafka(data, kind, environ, exits, children, lock),
            _postgres(data, kind, environ, exits, children, lock),
            return_exceptions=True,  # what the other one started is stopped above, not lost
        )
        broker, database = (_address(outcome) for outcome in outcomes)
        servers = Servers(broker, database, kind, _why(kind, environ))
        if lock is not None:
            write_note(data, msgspec.to_builtins(servers))
        yield servers


def attach(data: Path) -> Servers | None:
    """The servers that a living process of this checkout runs, or None."""
    note = live_note(data)
    return msgspec.convert(note["servers"], Servers) if note else None


def database_dsn(dsn: str, name: str) -> str:
    """The DSN of another database on the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


def _address(outcome: str | BaseException) -> str:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _why(kind: Kind, environ: Mapping[str, str]) -> str:
    parts = [f"{name} is set" for name in ("LONJA_KAFKA", "LONJA_POSTGRES") if environ.get(name)]
    if kind == "docker":
        parts.append("in containers, as asked for")
    elif kind == "embedded":
        parts.append("embedded" if environ.get("LONJA_POSTGRES") else postgres.reason())
    return ", ".join(parts)


async def _stop(children: list[Child]) -> None:
    # All orders first: they hold even when the waiting below is cancelled.
    for child in children:
        child.order_stop()
    await asyncio.gather(*(child.wait() for child in children))


async def _kafka(
    data: Path,
    kind: Kind,
    environ: Mapping[str, str],
    exits: contextlib.AsyncExitStack,
    children: list[Child],
    lock: int | None,
) -> str:
    if given := environ.get("LONJA_KAFKA"):
        if not await kafka.answers(given):
            text = f"no Kafka answers at LONJA_KAFKA={given}; start it, or unset the variable"
            raise StackError("kafka-not-reachable", text)
        return given
    if kind == "docker":
        return await exits.enter_async_context(docker.kafka_container())
    port = _port(environ.get("LONJA_KAFKA_PORT") or "0")
    jars = await asyncio.to_thread(classpath, data, environ)
    folder, logs = data / "kafka", data / "logs"
    child, address = await kafka.start_kafka(folder, jars, logs=logs, port=port, lock=lock)
    children.append(child)
    return address


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise StackError("bad-port", f"LONJA_KAFKA_PORT={text} is no port: a number up to 65535 is")
    return int(text)


async def _postgres(
    data: Path,
    kind: Kind,
    environ: Mapping[str, str],
    exits: contextlib.AsyncExitStack,
    children: list[Child],
    lock: int | None,
) -> str:
    if given := environ.get("LONJA_POSTGRES"):
        if not await postgres.answers(given):
            where = urlsplit(given).netloc.rpartition("@")[2]  # never the password
            where = where or "postgresql://USER:PASSWORD@HOST/postgres is expected"
            text = f"no PostgreSQL answers at LONJA_POSTGRES ({where}); start it, or unset it"
            raise StackError("postgres-not-reachable", text)
        return given
    if kind == "docker":
        return await exits.enter_async_context(docker.postgres_container())
    child, dsn = await postgres.start_postgres(data / "postgres", logs=data / "logs", lock=lock)
    children.append(child)
    return dsn
