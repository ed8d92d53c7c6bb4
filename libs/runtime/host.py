"""Services running in this process, each with its loops, behind one HTTP app.

The same composition serves one service alone or all together.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from fastapi import FastAPI

from libs.bus.ends import Ends
from libs.bus.hub import Hub
from libs.runtime import clock
from libs.runtime.ports import Service
from libs.runtime.running import RunningService
from libs.runtime.settings import Settings
from libs.security.vault.masterkey import load_master_key
from libs.security.vault.postgres import PostgresVault
from libs.stack.stack import Servers
from libs.store.pool import close_pool, create_database, database_dsn, open_pool
from libs.telemetry.metrics import REGISTRY
from libs.telemetry.spans import Spans
from libs.web.app import build_app
from libs.web.ops import ops_routes


class Host:
    """Starts services in order, and stops them so that nothing accepted is lost."""

    def __init__(
        self, services: Sequence[Service], servers: Servers, settings: Settings, data: Path
    ) -> None:
        self.services, self.servers, self.settings, self.data = services, servers, settings, data
        self.running: dict[str, RunningService] = {}
        self.app: FastAPI
        self._exits = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exits.aclose()

    async def _start(self) -> None:
        spans = self._spans()
        name = f"{self.settings.database_prefix}vault"
        await create_database(self.servers.postgres, name)
        pool = await open_pool(database_dsn(self.servers.postgres, name), size=4)
        self._exits.push_async_callback(close_pool, pool)
        vault = PostgresVault(pool, load_master_key(self.data))
        await vault.migrate()
        ends, hub = Ends(self.servers.kafka), Hub(self.servers.kafka)
        self._exits.push_async_callback(ends.close)
        self._exits.push_async_callback(hub.close)
        services = [
            RunningService(
                service, self.servers, self.settings, vault, clock.now, ends, hub,
                spans(service.name),
            )
            for service in self.services
        ]  # fmt: skip
        await asyncio.gather(*(service.prepare() for service in services))
        for service in services:
            self._exits.push_async_callback(service.stop)
            self.running[service.name] = service
        await asyncio.gather(*(service.start() for service in services))
        self.app = build_app(
            self.settings.server,
            [
                *(service.router for service in services if service.router is not None),
                ops_routes(self.running),
            ],
            REGISTRY,
            self._refresh,
            self._unready,
            spans("web"),
        )

    def _spans(self) -> Callable[[str], Spans]:
        """Return what tells a service's spans; the last of them go out when all has ended."""
        wanted = self.settings.telemetry
        if not wanted.traced:
            return Spans
        from libs.telemetry.export import outlet  # noqa: PLC0415 - costs memory, not wanted by most

        out = outlet(wanted.endpoint, self.data / "logs/traces.jsonl" if wanted.file else None)
        self._exits.push_async_callback(asyncio.to_thread, out.close)
        return lambda name: Spans(name, out.put, wanted.share)

    async def _refresh(self) -> None:
        await asyncio.gather(*(service.refresh_metrics() for service in self.running.values()))

    def _unready(self) -> Mapping[str, str]:
        return {k: v for service in self.running.values() for k, v in service.unready().items()}

    async def failed(self) -> None:
        """Return when a service has ended by itself, which none should."""
        await asyncio.wait(
            [task for service in self.running.values() for task in service.tasks],
            return_when=asyncio.FIRST_COMPLETED,
        )
