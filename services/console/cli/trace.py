"""`lonja trace ORDER`: an order's story over all services, each event under its cause."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.tree import Tree

from libs.cli.output import Json, Output
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

app = typer.Typer(add_completion=False)
_EVENTS = """
    SELECT id::text AS id, stream_id AS stream, version, type, schema_version, data,
           recorded_at AS at, cause::text AS cause
    FROM events WHERE stream_id = ANY ($1::text[]) ORDER BY recorded_at, lane, pseq"""


@app.command()
def trace(order: str, data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """Tell an order's story, by our id or the channel's."""
    events = asyncio.run(_events(data or data_folder(), url, order))
    output = Output(as_json=as_json)
    root = Tree(f"{order}: {len(events)} events")
    known: dict[str, Any] = {}
    begin = events[0]["at"] if events else 0
    for event in events:
        if as_json:
            output.say("event", "", **event)
        parent = known.get(event["cause"], root)
        at = f"{datetime.fromtimestamp(event['at'] // 1_000_000, UTC):%H:%M:%S}"
        late = (event["at"] - begin) / 1000
        text = f"{at} +{late:.0f} ms  {event['service']}  {event['type']}  {event['facts']}"
        known[event["id"]] = parent.add(text)
    output.show(root)


async def _events(data: Path, url: str | None, order: str) -> list[dict[str, Any]]:
    from libs.runtime.settings import load  # noqa: PLC0415 - --help stays quick
    from services.console.backends import codec_of, database, servers_of, url_of  # noqa: PLC0415
    from services.console.cli.stuck import find_order  # noqa: PLC0415
    from services.console.composition import SERVICES  # noqa: PLC0415
    from services.console.http import Http  # noqa: PLC0415

    async with Http(url_of(data, url)) as http:
        row = await find_order(http, order)
    servers, settings = servers_of(data), load()
    order_id = row["order_id"]
    streams = {
        "channels": [f"channelorder-{row['account']}:{row['external_id']}"],
        "orders": [f"order-{order_id}"],
        "inventory": [f"stock-{sku}" for sku in row["demands"]],
        "payments": [f"payment-{order_id}"],
    }
    events: list[dict[str, Any]] = []
    for name, wanted in streams.items():
        codec = codec_of(SERVICES[name])
        async with database(servers, settings, name) as pool:
            for found in await pool.fetch(_EVENTS, wanted):
                event = codec.decode(found["type"], found["schema_version"], found["data"])
                if name != "inventory" or order_id in _orders(event):
                    events.append(_told(name, found, event))
    return sorted(events, key=lambda event: event["at"])


def _orders(event: Any) -> list[str]:
    hits = [hit.order_id for hit in getattr(event, "orders", ())]
    return [*hits, getattr(event, "order_id", "")]


def _told(service: str, found: Any, event: Any) -> dict[str, Any]:
    """Return an event as it is shown: short facts only, nothing sealed, nothing personal."""
    names = ("sku", "units", "reserved", "short", "wanted", "revision", "reason", "hold_id",
             "whole", "partial", "funds", "decision", "request_id", "amount", "code",
             "basis", "shipment_id")  # fmt: skip
    facts = {n: getattr(event, n) for n in names if getattr(event, n, None) not in {None, ""}}
    return {
        "service": service, "id": found["id"], "cause": found["cause"], "at": found["at"],
        "stream": found["stream"], "version": found["version"],
        "type": found["type"].rpartition(".")[2],
        "facts": " ".join(f"{k}={v}" for k, v in facts.items()),
    }  # fmt: skip
