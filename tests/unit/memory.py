"""A service in memory: its real decider and projections, with streams and rows in dicts."""

import json as text
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI

from libs.eventsourcing.decider import Decider
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.replay.memory import MemoryRows
from libs.runtime.ports import Answer
from libs.telemetry.metrics import DELIVERIES


def envelope(event: Any, version: int = 1, at: int = 0, service: str = "orders") -> Envelope[Any]:
    name = f"lonja.{service}.{type(event).__name__}"
    return Envelope(event, name, f"id-{version}", "order-x", version, at, service, 0, version, "")


def folded(projection: Projection[Any], envelopes: Sequence[Envelope[Any]]) -> dict[Key, Any]:
    rows: dict[Key, Any] = {}
    for one in envelopes:
        for key in projection.keys(one):
            rows[key] = projection.evolve(rows.get(key), key, one)
    return {key: row for key, row in rows.items() if row is not None}


def deliveries() -> dict[tuple[str, str, str], float]:
    """How many deliveries were counted, by service, account and answer."""
    (family,) = DELIVERIES.collect()
    return {
        (one.labels["service"], one.labels["account"], one.labels["answer"]): one.value
        for one in family.samples
        if one.name.endswith("_total")
    }


class _Rows(MemoryRows[Any]):
    async def wait(self, token: str, seconds: float = 5.0) -> bool:
        return token != "never" and await super().wait(token, seconds)


class MemoryCommands:
    def __init__(self, service: str, decider: Decider[Any, Any, Any]) -> None:
        self.service, self.decider = service, decider
        self.states: dict[str, Any] = {}
        self.log: list[Envelope[Any]] = []

    async def execute(
        self, stream: str, command: Any, *, key: str, request: bytes, trace: str = ""
    ) -> Answer:
        del key, request, trace
        events = self.tell(stream, command)
        return Answer(stream, len(self.log), tuple(type(e).__name__ for e in events), "t")

    def tell(self, stream: str, command: Any) -> Sequence[Any]:
        state = self.states.get(stream, self.decider.initial)
        events = self.decider.decide(command, state)
        self.states[stream] = reduce(self.decider.evolve, events, state)
        for event in events:
            version = len(self.log) + 1
            self.log.append(envelope(event, version, command.at, self.service))
        return events

    def rows(self, projection: Projection[Any]) -> MemoryRows[Any]:
        return _Rows(lambda: folded(projection, self.log))


@dataclass(frozen=True)
class Response:
    status_code: int
    body: bytes

    def json(self) -> Any:
        return text.loads(self.body)


class AsgiClient:
    """Calls an application as a server would, without a network."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def get(self, path: str) -> Response:
        return await self._call("GET", path, b"", ())

    async def post(self, path: str, body: Any, key: str | None) -> Response:
        headers = ((b"content-type", b"application/json"),)
        if key is not None:
            headers += ((b"idempotency-key", key.encode()),)  # type: ignore[assignment]
        return await self._call("POST", path, text.dumps(body).encode(), headers)

    async def _call(
        self, method: str, path: str, body: bytes, headers: tuple[tuple[bytes, bytes], ...]
    ) -> Response:
        path, _, query = path.partition("?")
        scope: Any = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(),
            "headers": list(headers), "scheme": "http", "server": ("orders", 80),
        }  # fmt: skip
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Response(sent[0]["status"], content)
