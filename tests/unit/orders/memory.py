"""Orders in memory: the real decider, reactions and projections, with streams and rows in dicts."""

import json as text
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from fastapi import FastAPI

from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.runtime.ports import Answer
from services.orders.decider import ORDER
from services.orders.read_model import HISTORY, ORDERS


def envelope(event: Any, version: int = 1, at: int = 0, service: str = "orders") -> Envelope[Any]:
    name = f"lonja.{service}.{type(event).__name__}"
    return Envelope(
        event, name, f"id-{version}", "order-x", version, at, service, 0, version, "", "", ""
    )


def folded(projection: Projection[Any], envelopes: Sequence[Envelope[Any]]) -> dict[Key, Any]:
    rows: dict[Key, Any] = {}
    for one in envelopes:
        for key in projection.keys(one):
            rows[key] = projection.evolve(rows.get(key), key, one)
    return {key: row for key, row in rows.items() if row is not None}


class MemoryRows:
    def __init__(self, projection: Projection[Any], log: list[Envelope[Any]]) -> None:
        self.projection, self.log = projection, log

    async def get(self, *key: str | int) -> Any:
        return folded(self.projection, self.log).get(key)

    async def find(self, *, after: Key | None = None, limit: int = 50, **equal: Any) -> list[Any]:
        rows = sorted(folded(self.projection, self.log).items())
        return [
            row
            for key, row in rows
            if (after is None or key > after)
            and all(getattr(row, name) == value for name, value in equal.items())
        ][:limit]

    async def wait(self, token: str, seconds: float = 5.0) -> bool:
        del seconds
        return token != "never"


class MemoryCommands:
    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.log: list[Envelope[Any]] = []

    async def execute(
        self, stream: str, command: Any, *, key: str, request: bytes, trace: str = ""
    ) -> Answer:
        del key, request, trace
        events = self.tell(stream, command)
        return Answer(stream, len(self.log), tuple(type(e).__name__ for e in events), "t")

    def tell(self, stream: str, command: Any) -> Sequence[Any]:
        state = self.states.get(stream, ORDER.initial)
        events = ORDER.decide(command, state)
        self.states[stream] = reduce(ORDER.evolve, events, state)
        for event in events:
            self.log.append(envelope(event, len(self.log) + 1, at=command.at))
        return events

    def rows(self, projection: Projection[Any]) -> MemoryRows:
        assert projection in (ORDERS, HISTORY)
        return MemoryRows(projection, self.log)


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
            "path": path, "raw_path": path.encode(), "query_string": query.encode(),
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
