"""The three shops of a demo run, as they are asked over HTTP. It sells nothing itself."""

from typing import Any

from services.console.demo.outside import Process
from services.console.http import Http
from services.sandbox.retail.orders import ACCOUNTS


class Shops:
    """Three shops in one process of their own."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def sell(self) -> None:
        """Begin, or go on."""
        async with Http(self._process.url) as http:
            await http.post("/start")

    async def progress(self) -> dict[str, Any]:
        """Return how far the shops have come; an empty answer while they start again."""
        return await self._process.progress()

    async def books(self, what: str) -> dict[str, dict[str, Any]]:
        """Return each shop's books of "orders" or "deliveries", by account."""
        async with Http(self._process.url) as http:
            return {one.name: await http.get(f"/books/{one.name}/{what}") for one in ACCOUNTS}
