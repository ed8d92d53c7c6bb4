"""An outside system with its own books: what was done how often, by key."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class Provider:
    """Honours idempotency keys for keys that begin with "repeat"; does everything else again."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.port = 0

    async def do(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if not (key.startswith("repeat") and self.done[key]):
            self.done[key] += 1
        return web.json_response({"done": key})

    async def ask(self, request: web.Request) -> web.Response:
        return web.json_response({"found": bool(self.done[request.match_info["key"]])})


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    outside = Provider()
    app = web.Application()
    app.router.add_post("/do/{key}", outside.do)
    app.router.add_get("/do/{key}", outside.ask)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    outside.port = runner.addresses[0][1]
    try:
        yield outside
    finally:
        await runner.cleanup()
