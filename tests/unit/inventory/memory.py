"""Inventory on memory behind its own routes, as the command line asks and writes to it."""

from typing import Any
from urllib.parse import urlencode

from prometheus_client import CollectorRegistry

from libs.runtime.ports import Ports
from libs.runtime.settings import Server, Settings
from libs.security.vault.memory import MemoryVault
from libs.web.app import build_app
from services.console.http import Refusal
from services.inventory.api import routes
from services.inventory.decider import STOCK
from tests.unit.memory import AsgiClient, MemoryCommands, Response

SETTINGS = Settings.model_validate({"locations": {"main": {}, "store": {}}})


class Inventory:
    """The whole service; `get` and `post` as the console's HTTP client has them."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.commands = MemoryCommands("inventory", STOCK)
        none: Any = None
        ports = Ports(
            settings, lambda: 1_780_000_000_000_000, MemoryVault(), self.commands, none,
            self.commands.rows,
        )  # fmt: skip

        async def refresh() -> None:
            """There are no gauges."""

        app = build_app(Server(), [routes(ports)], CollectorRegistry(), refresh, dict)
        self.client = AsgiClient(app)

    async def get(self, path: str, **query: str) -> Any:
        return _read(await self.client.get(f"{path}?{urlencode(query)}"))

    async def post(self, path: str, body: Any = None, *, key: str = "") -> Any:
        return _read(await self.client.post(path, body, key))

    def on_hand(self) -> dict[tuple[str, str], int]:
        """Return the units by SKU and location."""
        return {
            (stream.removeprefix("stock-"), place): level.on_hand
            for stream, stock in self.commands.states.items()
            for place, level in stock.levels.items()
        }


def _read(answer: Response) -> Any:
    told = answer.json()
    if answer.status_code >= 400:
        raise Refusal(answer.status_code, told.get("code", ""), told["detail"])
    return told
