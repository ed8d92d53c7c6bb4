"""Kafka and PostgreSQL in containers, when asked for; it never falls back to anything else."""

import asyncio
import contextlib
import importlib
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

from libs.stack.errors import StackError

DEFAULT_HOST = "unix:///var/run/docker.sock"
KAFKA_SETTINGS = {
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "500",
    "KAFKA_LOG_RETENTION_MS": "-1",
}


def require_daemon() -> None:
    """Raises StackError(docker-not-available) unless a daemon, not just its client, answers."""
    try:
        docker = importlib.import_module("docker")  # optional, and without type stubs
    except ImportError as error:
        text = "the Docker libraries are missing; install the 'docker' extra"
        raise StackError("docker-not-installed", text) from error
    try:
        _knock(os.environ.get("DOCKER_HOST") or DEFAULT_HOST)
        client = docker.from_env(timeout=5)
        try:
            client.ping()
        finally:
            client.close()
    except Exception as error:
        text = f"no Docker daemon answers ({error}); start one, or leave out --stack docker"
        raise StackError("docker-not-available", text) from error


def _knock(host: str) -> None:
    # The library leaves its socket open where nobody answers, so a plain one goes first.
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(host.removeprefix("unix://"))


@contextlib.asynccontextmanager
async def kafka_container() -> AsyncIterator[str]:
    """A broker in a container; yields ``host:port``."""
    await asyncio.to_thread(require_daemon)
    from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415

    container = KafkaContainer().with_kraft()
    for key, value in KAFKA_SETTINGS.items():
        container = container.with_env(key, value)
    async with _started(container):
        yield str(container.get_bootstrap_server())


@contextlib.asynccontextmanager
async def postgres_container() -> AsyncIterator[str]:
    """A database in a container; yields the DSN of its maintenance database."""
    await asyncio.to_thread(require_daemon)
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415

    container = PostgresContainer("postgres:18", username="postgres", dbname="postgres")
    async with _started(container):
        yield str(container.get_connection_url(driver=None))


@contextlib.asynccontextmanager
async def _started(container: Any) -> AsyncIterator[None]:
    await asyncio.to_thread(container.start)
    try:
        yield
    finally:
        await asyncio.to_thread(container.stop)
