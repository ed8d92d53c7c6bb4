"""Where a running system's databases and topics are, for verbs that read them. Changes nothing."""

import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from libs.cli.errors import Stop
from libs.codec.framing import EventCodec
from libs.codec.registry import Registry
from libs.contracts import kernel
from libs.runtime.ports import Service
from libs.runtime.settings import Settings
from libs.stack import kafka, postgres
from libs.stack.stack import Servers, attach
from libs.store.pool import Pool, close_pool, database_dsn, open_pool
from services.console.composition import SERVICES
from services.console.http import Http
from services.console.places import running_services

SOON = 8.0  # seconds


def servers_of(data: Path) -> Servers:
    """Return the servers that are given, or those of this checkout's running system.

    Raises Stop(not-running).
    """
    kafka, postgres = os.environ.get("LONJA_KAFKA"), os.environ.get("LONJA_POSTGRES")
    if kafka and postgres:
        return Servers(kafka, postgres, "given", "LONJA_KAFKA and LONJA_POSTGRES are set")
    found = attach(data)
    if found is None:
        raise _not_running(data)
    return found


def _not_running(data: Path) -> Stop:
    text = f"nothing runs on {data.resolve()}: `lonja up` starts it, --data names another folder"
    return Stop("not-running", text)


async def answering(data: Path) -> Servers:
    """Return the servers, which answer. Raises Stop with the one that does not."""
    servers = servers_of(data)
    if not await kafka.answers(servers.kafka):
        text = f"Kafka at {servers.kafka} does not answer; `lonja doctor` looks further"
        raise Stop("kafka-not-reachable", text)
    if not await postgres.answers(servers.postgres):
        text = "PostgreSQL does not answer; `lonja doctor` looks further"
        raise Stop("postgres-not-reachable", text)
    return servers


def url_of(data: Path, given: str | None = None) -> str:
    """Return the address of the running services. Raises Stop(not-running), Stop(usage)."""
    url = given or os.environ.get("LONJA_URL") or running_services(data)
    if url is None:
        raise _not_running(data)
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise Stop("usage", f"the services' address is http://HOST:PORT, not {url}", 2)
    return url.rstrip("/")


def client(data: Path, given: str | None = None) -> Http:
    """Return a client of the running services for a person who waits: it gives up soon.

    LONJA_TOKEN is its token, where the services ask for one. Raises Stop(not-running).
    """
    return Http(url_of(data, given), os.environ.get("LONJA_TOKEN"), patience=SOON)


def dsn_of(servers: Servers, settings: Settings, service: str) -> str:
    """Return the address of a service's database."""
    return database_dsn(servers.postgres, f"{settings.database_prefix}{service}")


@contextlib.asynccontextmanager
async def database(servers: Servers, settings: Settings, service: str) -> AsyncIterator[Pool]:
    """Open a service's database."""
    pool = await open_pool(dsn_of(servers, settings, service), size=4, timeouts=False)
    try:
        yield pool
    finally:
        await close_pool(pool)


def codec_of(service: Service) -> EventCodec:
    """Return the codec that reads everything a service reads, and its own."""
    contracts = service.contracts + service.reads + kernel.CONTRACTS
    return EventCodec(contracts, Registry.from_lock())


def service_named(name: str) -> Service:
    """Return a service. Raises Stop(unknown-service)."""
    if name not in SERVICES:
        raise Stop("unknown-service", f"there is no service {name}: {', '.join(SERVICES)}", 2)
    return SERVICES[name]
