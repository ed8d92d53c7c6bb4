"""Channels on memory: its ports, its routes over ASGI, and a turn that is just its deciders."""

import json
from functools import reduce
from typing import Any
from urllib.parse import unquote

from prometheus_client import CollectorRegistry

from libs.eventsourcing.decider import Decider
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key
from libs.eventsourcing.states import pack
from libs.replay.memory import MemoryRows
from libs.runtime.ports import InboxRow, Ports
from libs.runtime.settings import Settings
from libs.security.vault.memory import MemoryVault
from libs.values.ids import category
from libs.web.app import build_app
from services.channels.api import routes
from services.channels.decider import CHANNEL_ORDER
from services.channels.intake import ChannelIntake
from services.channels.item_decider import ITEM
from services.channels.listing_decider import LISTING
from services.channels.read_model import ITEMS, LISTINGS, ItemRow
from services.channels.report_rows import REPORTS
from tests.unit.memory import Keyed

NOW = 1_709_290_000_000_000
SECRETS = {
    "shop": "shopify-secret",
    "woo": "woo-secret",
    "store": "whsec_c3RvcmUtc2VjcmV0LW9mLWEtdGVzdA==",
}
SETTINGS = Settings.model_validate(
    {
        "channels": {
            name: {"provider": provider, "webhook_secrets": [SECRETS[name]]}
            for name, provider in (
                ("shop", "shopify"), ("woo", "woocommerce"), ("store", "standard")
            )
        }
    }
)  # fmt: skip
DECIDERS: dict[str, Decider[Any, Any, Any]] = {
    "channelorder": CHANNEL_ORDER,
    "listing": LISTING,
    "item": ITEM,
}


class Folded:
    """Rows by key, as events are folded into them."""

    def __init__(self, projection: Any) -> None:
        self.projection = projection
        self.found: dict[Key, Any] = {}
        self.rows = MemoryRows(lambda: self.found)

    def fold(self, event: Any) -> None:
        envelope = Envelope(event, "", "", "", 1, NOW, "channels", 0, 1, "")
        for key in self.projection.keys(envelope):
            self.found[key] = self.projection.evolve(self.found.get(key), key, envelope)


class Shop:
    """The whole service, one call after the other."""

    def __init__(self) -> None:
        self.vault = MemoryVault()
        self.rows = {
            name: Folded(p)
            for name, p in (
                ("listings", LISTINGS), ("items", ITEMS), ("channel_reports", REPORTS),
            )
        }  # fmt: skip
        self.inbox: dict[tuple[str, str], bytes] = {}
        self.first: dict[tuple[str, str], int] = {}
        self.states: dict[str, Any] = {}
        self.events: list[Any] = []
        self.commands: list[Any] = []
        self.calls = Keyed(self.decide, "channels:0:1")
        self.now = NOW
        self.ports = Ports(
            settings=SETTINGS, clock=lambda: self.now, vault=self.vault, commands=self.calls,
            inbox=self, rows=lambda projection: self.rows[projection.name].rows,
        )  # fmt: skip
        self.intake = ChannelIntake(self.ports)

    def stock(self, *skus: str) -> None:
        for sku in skus:
            self.rows["items"].found[sku,] = ItemRow(sku, f"The {sku}")

    async def accept(self, **given: Any) -> int | None:
        name = (given["account"], given["key"])
        known = self.first.get(name)
        self.first.setdefault(name, self.now)
        self.inbox.setdefault(name, given["body"])
        return known

    def decide(self, stream: str, command: Any) -> list[Any]:
        self.commands.append((command, pack(command)))
        decider = DECIDERS[category(stream)]
        state = self.states.get(stream, decider.initial)
        events = list(decider.decide(command, state))
        self.states[stream] = reduce(decider.evolve, events, state)
        self.events += events
        for event in events:
            self.rows["listings"].fold(event)
        return events

    async def deliver(self, account: str, topic: str, *payloads: Any) -> list[Any]:
        """Interpret the payloads as one batch and decide what they mean."""
        provider = SETTINGS.channels[account].provider
        rows = [
            InboxRow(n, provider, account, str(n), topic, NOW, json.dumps(payload).encode(), "")
            for n, payload in enumerate(payloads)
        ]
        told = await self.intake.interpret(rows)
        for one in told:
            for stream, command in () if isinstance(one, Exception) else one.work:
                self.decide(stream, command)
        return list(told)

    def types(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


async def call(app: Any, method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
    """Send one request to an ASGI application, as a server does; return its status and JSON."""
    sent: list[Any] = []
    parts = [body[i : i + 65536] for i in range(0, len(body), 65536)] or [b""]
    messages = [
        {"type": "http.request", "body": part, "more_body": n < len(parts)}
        for n, part in enumerate(parts, 1)
    ]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    scope = {
        "type": "http", "http_version": "1.1", "method": method,
        "path": unquote(path), "raw_path": path.encode(),
        "query_string": query.encode(), "root_path": "", "scheme": "http", "server": ("test", 80),
        "client": ("test", 1), "asgi": {"version": "3.0"},
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    await app(scope, receive, send)
    answer = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return sent[0]["status"], json.loads(answer)


def app_of(shop: Shop) -> Any:
    """The service's routes as the server offers them."""

    async def refresh() -> None:
        """There are no gauges."""

    return build_app(SETTINGS.server, [routes(shop.ports)], CollectorRegistry(), refresh, dict)
