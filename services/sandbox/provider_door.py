"""What the doors of the payment provider and the carrier have in common; it knows no API.

Webhooks of what falls due, the clock, the API's key, and how a door is put together.
"""

import argparse
import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from aiohttp import web
from msgspec import json

from services.sandbox.books import Books
from services.sandbox.client import HttpClient
from services.sandbox.clock import Clock
from services.sandbox.hooks import Hook, Hooks, Pace
from services.sandbox.process import Served
from services.sandbox.reading import read

Json = dict[str, Any]
_TICK = 0.1  # seconds


class Settings(Protocol):
    """What is configured of every provider."""

    @property
    def seed(self) -> int: ...
    @property
    def speed(self) -> float: ...
    @property
    def hooks(self) -> Pace: ...


class Provider(Protocol):
    """What every provider does between two requests."""

    def start(self) -> None: ...
    def anchor(self, advance: float = 0.0, speed: float | None = None) -> None: ...
    def fall_due(self) -> list[Json]: ...
    def hook(self, event: Json) -> Hook: ...
    def untold(self) -> list[tuple[Hook, set[int]]]: ...
    def acknowledged(self, hook: Hook, copy: int, status: int) -> None: ...


S = TypeVar("S", bound=Settings)
P = TypeVar("P", bound=Provider)


def building(
    settings: type[S],
    provider: Callable[[S, Books, Clock], P],
    door: Callable[[S, Books, P, str], Served],
) -> Callable[[argparse.Namespace], Served]:
    """Return how a process makes its door; what that does raises ValueError where files misfit."""

    def build(options: argparse.Namespace) -> Served:
        told = read(options.config, settings)
        books = Books(options.data)
        made = provider(told, books, Clock(told.speed))
        made.start()
        return door(told, books, made, options.target)

    return build


class Teller:
    """Lets happen what is due, and delivers the events of it."""

    def __init__(
        self, settings: Settings, provider: Provider, sign: Callable[[Hook], dict[str, str]]
    ) -> None:
        self._pace, self._provider = settings.hooks, provider
        self._hooks = Hooks(settings.hooks, settings.seed, sign, provider.acknowledged)
        for hook, acked in provider.untold():
            self._hooks.add(hook, acked)

    def tell(self, events: Iterable[Json]) -> None:
        for one in events:
            self._hooks.add(self._provider.hook(one))

    def fall_due(self) -> None:
        self.tell(self._provider.fall_due())

    def report(self) -> dict[str, int]:
        return self._hooks.report()

    async def work(self, target: str, books: Books) -> None:
        """Until cancelled; the books are kept meanwhile."""
        client = HttpClient(target, self._pace.timeout)
        async with client, asyncio.TaskGroup() as group:
            group.create_task(self._hooks.run(client))
            group.create_task(books.keep())
            while True:
                self.fall_due()
                await asyncio.sleep(_TICK)

    async def set_clock(self, request: web.Request) -> None:
        """`{"advance_seconds": n, "speed": x}`: set the clock forward, or its speed."""
        try:
            asked = json.decode(await request.read(), type=dict[str, float])
            self._provider.anchor(asked.get("advance_seconds", 0.0), asked.get("speed"))
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        self.fall_due()


def admitted(request: web.Request, key: str) -> bool:
    """Whether a request carries the key, as a bearer's or as the user of Basic."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind == "Basic":
        with suppress(binascii.Error, UnicodeDecodeError):
            value = base64.b64decode(value).decode().partition(":")[0]
    return hmac.compare_digest(value.encode(), key.encode())


def answer(status: int, body: Json, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=json.encode(body), headers=headers, content_type="application/json"
    )
