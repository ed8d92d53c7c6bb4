"""A service in memory: its real decider and projections, with streams and rows in dicts."""

import json as text
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from msgspec.structs import replace

from libs.eventsourcing.decider import Decider
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.replay.memory import MemoryRows
from libs.runtime.commands import KeyReused
from libs.runtime.ports import Answer, Told
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


class Keyed:
    """Commands as the turn takes them: one answer for each key; `tell` decides a command."""

    def __init__(self, tell: Callable[[str, Any], Sequence[Any]], token: str = "t") -> None:
        self._tell, self._token = tell, token
        self.answers: dict[str, tuple[bytes, Answer]] = {}

    async def execute(
        self, stream: str, command: Any, *, key: str, request: bytes, trace: str = "",
        also: Sequence[Told] = (),
    ) -> Answer:  # fmt: skip
        del trace
        known = await self.known(key, request)
        if known is None:
            first, *more = [self._answer(*one) for one in ((stream, command), *also)]
            known = replace(first, also=tuple(more))
            self.answers[key] = (request, known)
        return known

    async def known(self, key: str, request: bytes) -> Answer | None:
        content, answer = self.answers.get(key, (request, None))
        if content != request:
            raise KeyReused
        return answer

    def _answer(self, stream: str, command: Any) -> Answer:
        types = tuple(type(event).__name__ for event in self._tell(stream, command))
        return Answer(stream, 1, types, self._token)


class MemoryCommands(Keyed):
    def __init__(self, service: str, decider: Decider[Any, Any, Any]) -> None:
        super().__init__(self.tell)
        self.service, self.decider = service, decider
        self.states: dict[str, Any] = {}
        self.log: list[Envelope[Any]] = []

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
