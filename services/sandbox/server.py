"""The sandbox as a process of its own: `python -m services.sandbox.server`.

It holds the shops' books, delivers their webhooks to a target, and answers a checker over HTTP.
"""

import argparse
import asyncio
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from services.sandbox import reports
from services.sandbox.admin.door import AdminDoor
from services.sandbox.admin.echoes import Echoes
from services.sandbox.books import Books
from services.sandbox.client import HttpClient
from services.sandbox.config import Settings, read_settings, shops
from services.sandbox.engine import Engine
from services.sandbox.process import main
from services.sandbox.retail import rows
from services.sandbox.retail.plan import digest, plan_run


class Sandbox:
    """One run, started and stopped over HTTP; a run that was going goes on after a restart."""

    def __init__(self, settings: Settings, folder: Path, target: str) -> None:
        self.settings = settings
        self._target = target
        self._books = Books(folder)
        table = rows.read(Path(settings.rows) if settings.rows else rows.EXTRACT)
        plan = plan_run(table, settings.seed, settings.orders, settings.store_paid_by)
        self.engine = Engine(plan, shops(settings), settings, self._books)
        self.engine.restore()
        known, own = self.engine.ledger.run, digest(plan)
        if known is None:
            self.engine.book("run", own)
        elif known != own:
            raise ValueError(
                f"the books in {folder} belong to another run (seed, orders or rows differ): "
                "give another --data, or remove that folder"
            )
        self.echoes = Echoes(self.engine, settings.admin.hooks)
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, rate: float | None) -> None:
        if not self.running:
            self.engine.book("start", rate)
            self._task = asyncio.create_task(self._run(rate))

    def resume(self) -> None:
        if self.engine.ledger.running:
            self._task = asyncio.create_task(self._run(self.engine.ledger.rate))

    async def _run(self, rate: float | None) -> None:
        async with HttpClient(self._target, self.settings.timeout) as client:
            if not self.engine.ledger.tried:
                await self.engine.ping(client)
            await self.engine.run(client, rate)

    async def stop(self) -> None:
        self.engine.book("stop")
        await self.close()

    async def close(self) -> None:
        """End the deliveries in flight; what was not acknowledged is sent again by the next run."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def tell(self) -> None:
        """Deliver what the seller's reports cause, whether a run goes on or not."""
        async with HttpClient(self._target, self.settings.timeout) as client:
            await self.echoes.run(client)

    async def keep_books(self) -> None:
        """Bring the books to the disk each second, and end loudly when the deliveries failed."""
        while True:
            await asyncio.sleep(1)
            await asyncio.to_thread(self._books.sync)
            if self._task is not None and self._task.done() and not self._task.cancelled():
                self._task.result()

    def finish(self) -> None:
        self._books.close()


class Api:
    """The checker's HTTP interface."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/progress", self.progress)
        app.router.add_get("/books/{shop}/orders", self.orders)
        app.router.add_get("/books/{shop}/deliveries", self.deliveries)
        app.router.add_post("/start", self.start)
        app.router.add_post("/stop", self.stop)
        box = self._sandbox
        AdminDoor(box.engine, box.settings.admin, box.echoes).routes(app)
        return app

    async def work(self) -> None:
        self._sandbox.resume()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sandbox.tell())
            group.create_task(self._sandbox.keep_books())

    async def close(self) -> None:
        await self._sandbox.close()

    def finish(self) -> None:
        self._sandbox.finish()

    async def progress(self, _: web.Request) -> web.Response:
        return web.json_response(
            reports.progress(
                self._sandbox.engine, self._sandbox.echoes, running=self._sandbox.running
            )
        )

    async def orders(self, request: web.Request) -> web.Response:
        return web.json_response(reports.orders(self._sandbox.engine, self._shop(request)))

    async def deliveries(self, request: web.Request) -> web.Response:
        found = reports.deliveries(self._sandbox.engine, self._sandbox.echoes, self._shop(request))
        return web.json_response(found)

    async def start(self, request: web.Request) -> web.Response:
        """`?rate=` orders per second overrides the configured rate."""
        try:
            asked = request.query.get("rate")
            rate = float(asked) if asked else self._sandbox.settings.rate
        except ValueError as error:
            raise web.HTTPBadRequest(text="rate must be a number of orders per second") from error
        self._sandbox.start(rate)
        return await self.progress(request)

    async def stop(self, request: web.Request) -> web.Response:
        await self._sandbox.stop()
        return await self.progress(request)

    def _shop(self, request: web.Request) -> str:
        name = request.match_info["shop"]
        if name not in self._sandbox.engine.shops:
            known = ", ".join(self._sandbox.engine.shops)
            raise web.HTTPNotFound(text=f"no shop {name}; there are {known}")
        return name


def build(options: argparse.Namespace) -> Api:
    """Raises ValueError where the configuration or the books do not fit."""
    return Api(Sandbox(read_settings(options.config), options.data, options.target))


if __name__ == "__main__":
    main("sandbox", "services.sandbox.server", __doc__, build)
