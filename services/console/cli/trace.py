"""`lonja trace ORDER`: an order's story over all services, each event under its cause."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.tree import Tree

from libs.cli.output import Json, Output, counted
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

app = typer.Typer(add_completion=False)
_EVENTS = """
    SELECT id::text AS id, stream_id AS stream, version, type, schema_version, data,
           recorded_at AS at, cause::text AS cause, trace
    FROM events WHERE stream_id = ANY ($1::text[]) ORDER BY recorded_at, lane, pseq"""
# Where an order's events lie in each service; `found` are the shipments that earlier ones named.
_Streams = Callable[[Mapping[str, Any], Sequence[str]], list[str]]
_STREAMS: Mapping[str, _Streams] = {
    "channels": lambda row, _: [f"channelorder-{row['account']}:{row['external_id']}"],
    "orders": lambda row, _: [f"order-{row['order_id']}"],
    "inventory": lambda row, _: [f"stock-{sku}" for sku in row["demands"]],
    "payments": lambda row, _: [f"payment-{row['order_id']}"],
    "fulfilment": lambda row, found: [
        f"handover-{row['order_id']}", *(f"shipment-{shipment}" for shipment in found)
    ],
    "accounting": lambda row, _: [f"sale-{row['order_id']}"],
}  # fmt: skip
_SHARED = frozenset(["inventory"])  # whose streams hold other orders' events as well
_FACTS = (
    "sku", "units", "reserved", "short", "wanted", "revision", "reason", "hold_id", "whole",
    "partial", "funds", "decision", "request_id", "standing", "amount", "shipment_id", "basis",
    "kind", "code",
)  # fmt: skip


@app.command()
def trace(order: str, data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """Tell an order's story, by our id or the channel's."""
    events = asyncio.run(_events(data or data_folder(), url, order))
    output = Output(as_json=as_json)
    for event in events if as_json else ():
        output.say("event", "", **event)
    output.show(tree(order, events))


def tree(order: str, events: Sequence[Mapping[str, Any]]) -> Tree:
    """Return the story as a tree: each event under its cause, in the order of time."""
    traces = Counter(event["trace"] for event in events if event["trace"])
    root = Tree(f"{order}: {counted(len(events), 'event')}, {counted(len(traces), 'trace')}")
    for name, count in traces.most_common():
        root.add(f"trace {name}: {counted(count, 'event')}")
    begin = events[0]["at"] if events else 0
    branches = {event["id"]: Tree(_line(event, begin)) for event in events}
    for event in events:
        under = branches.get(event["cause"], root)
        under.children.append(branches[event["id"]])
    return root


def _line(event: Mapping[str, Any], begin: int) -> str:
    at = f"{datetime.fromtimestamp(event['at'] // 1_000_000, UTC):%H:%M:%S}"
    late = (event["at"] - begin) / 1000
    return f"{at} +{late:.0f} ms  {event['service']}  {event['type']}  {event['facts']}".rstrip()


async def _events(data: Path, url: str | None, order: str) -> list[dict[str, Any]]:
    # Here, so that --help stays quick.
    from services.console.backends import client, codec_of, database, servers_of  # noqa: PLC0415
    from services.console.cli.stuck import find_order  # noqa: PLC0415
    from services.console.composition import SERVICES  # noqa: PLC0415
    from services.console.places import settings_of  # noqa: PLC0415

    async with client(data, url) as http:
        row = await find_order(http, order)
    servers, settings = servers_of(data), settings_of(data)
    events: list[dict[str, Any]] = []
    shipments: dict[str, None] = {}
    for name, streams in _STREAMS.items():
        if name not in SERVICES:
            continue
        codec = codec_of(SERVICES[name])
        async with database(servers, settings, name) as pool:
            for found in await pool.fetch(_EVENTS, streams(row, list(shipments))):
                event = codec.decode(found["type"], found["schema_version"], found["data"])
                if name in _SHARED and row["order_id"] not in _orders(event):
                    continue
                events.append(_told(name, found, event))
                if shipment := getattr(event, "shipment_id", None):
                    shipments[shipment] = None
    return sorted(events, key=lambda event: event["at"])


def _orders(event: Any) -> list[str]:
    hits = [hit.order_id for hit in getattr(event, "orders", ())]
    return [*hits, getattr(event, "order_id", "")]


def _told(service: str, found: Any, event: Any) -> dict[str, Any]:
    """Return an event as it is shown: short facts only, nothing sealed, nothing personal."""
    from libs.telemetry.tracing import trace_id  # noqa: PLC0415 - --help stays quick

    facts = {n: getattr(event, n, None) for n in _FACTS}
    shown = (f"{n}={v}" for n, v in facts.items() if v and isinstance(v, str | int))
    return {
        "service": service, "id": found["id"], "cause": found["cause"], "at": found["at"],
        "stream": found["stream"], "version": found["version"],
        "type": found["type"].rpartition(".")[2], "trace": trace_id(found["trace"]),
        "facts": " ".join(shown),
    }  # fmt: skip
