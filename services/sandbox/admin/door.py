"""The shops' own APIs over HTTP: callers, quotas and seeded faults. It decides nothing."""

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web
from msgspec import json

from services.sandbox.admin import graphql, quota, shopify, standard, woocommerce
from services.sandbox.admin.echoes import Echoes
from services.sandbox.config import Admin
from services.sandbox.engine import Engine
from services.sandbox.process import hang_up

Json = dict[str, Any]
Answer = tuple[int, Any]
_BROKEN = {"errors": "Internal Server Error"}


class AdminDoor:
    """Adds its routes to the shops' server."""

    def __init__(self, engine: Engine, settings: Admin, echoes: Echoes) -> None:
        self._engine, self._desk, self._echoes = engine, engine.desk, echoes
        self._settings = settings
        self._buckets = {
            name: quota.Bucket(settings.points, settings.points_per_second) for name in engine.shops
        }

    def routes(self, app: web.Application) -> None:
        woo = "/shops/{account}/wp-json/wc/v3/orders/{number}"
        app.router.add_post("/shops/{account}/admin/api/{version}/graphql.json", self.graphql)
        app.router.add_get(woo, self.woo_get)
        app.router.add_put(woo, self.woo_put)
        app.router.add_get(f"{woo}/notes", self.woo_notes)
        app.router.add_post(f"{woo}/notes", self.woo_note)
        app.router.add_get("/shops/{account}/orders/{external_id}", self.store_get)
        app.router.add_post("/shops/{account}/{what:fulfilments|cancellations}", self.store_post)
        app.router.add_get("/books/{account}/reports", self.reports)

    async def reports(self, request: web.Request) -> web.Response:
        account = request.match_info["account"]
        if account not in self._engine.shops:
            raise web.HTTPNotFound(text=f"no shop {account}")
        return _answer(200, self._desk.told(account))

    async def graphql(self, request: web.Request) -> web.StreamResponse:
        account = self._account(request, "shopify")
        if not self._same(account, request.headers.get("X-Shopify-Access-Token", "")):
            text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return _answer(401, {"errors": text})
        given = await _given(request)
        try:
            operation = graphql.parse(str(given.get("query") or ""), given.get("variables") or {})
        except graphql.GraphqlError as error:
            return _answer(200, {"errors": [{"message": str(error)}]})
        points, bucket = quota.cost(operation), self._buckets[account]
        if points > quota.MOST:
            return _answer(200, _too_dear(points))
        if not bucket.spend(points, time.monotonic()):
            return _answer(200, _throttled(bucket, points))
        name = operation.fields[0].name if operation.fields else ""
        return await self._guarded(
            request,
            (account, name, shopify.order_of(operation)),
            lambda at: (200, self._executed(account, operation, at, bucket, points)),
            lambda: (200, _throttled(bucket, points)),
        )

    def _executed(
        self, account: str, operation: Any, at: int, bucket: quota.Bucket, points: int
    ) -> Json:
        extensions = bucket.extensions(points, spent=True)
        try:
            data = shopify.execute(self._desk, account, operation, at)
        except (graphql.GraphqlError, TypeError, AttributeError, ValueError) as error:
            return {"errors": [{"message": str(error)}], "extensions": extensions}
        return {"data": data, "extensions": extensions}

    async def woo_get(self, request: web.Request) -> web.StreamResponse:
        return await self._woo(
            request, "get", lambda account, number, _: woocommerce.get(self._desk, account, number)
        )

    async def woo_notes(self, request: web.Request) -> web.StreamResponse:
        return await self._woo(
            request,
            "notes",
            lambda account, number, _: woocommerce.notes(self._desk, account, number),
        )

    async def woo_put(self, request: web.Request) -> web.StreamResponse:
        given = await _given(request)
        return await self._woo(
            request,
            f"put:{given.get('status') or ''}",
            lambda account, number, at: woocommerce.put(self._desk, account, number, given, at),
        )

    async def woo_note(self, request: web.Request) -> web.StreamResponse:
        given = await _given(request)
        return await self._woo(
            request,
            "note",
            lambda account, number, at: woocommerce.note(self._desk, account, number, given, at),
        )

    async def _woo(
        self, request: web.Request, what: str, act: Callable[[str, str, int], Answer]
    ) -> web.StreamResponse:
        account = self._account(request, "woocommerce")
        if not self._same(account, _basic(request)):
            text = "Sorry, you cannot view this resource."
            return _answer(*woocommerce.error(401, "woocommerce_rest_cannot_view", text))
        number = request.match_info["number"]
        return await self._guarded(
            request,
            (account, what, number),
            lambda at: act(account, number, at),
            lambda: woocommerce.error(429, "too_many_requests", "Too many requests."),
        )

    async def store_get(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["external_id"].removeprefix("ord_")
        return await self._store(
            request, "get", number, lambda account, _: standard.get(self._desk, account, number)
        )

    async def store_post(self, request: web.Request) -> web.StreamResponse:
        given, what = await _given(request), request.match_info["what"]
        key = request.headers.get("Idempotency-Key")
        return await self._store(
            request,
            what,
            standard.number_of(given),
            lambda account, at: standard.once(self._desk, account, what, key, given, at),
        )

    async def _store(
        self, request: web.Request, what: str, number: str, act: Callable[[str, int], Answer]
    ) -> web.StreamResponse:
        account = self._account(request, "standard")
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not self._same(account, token):
            return _answer(*standard.problem(401, "not-authorised", "send the bearer token"))
        return await self._guarded(
            request,
            (account, what, number),
            lambda at: act(account, at),
            lambda: standard.problem(429, "too-many-requests", "try again in a second"),
        )

    def _account(self, request: web.Request, provider: str) -> str:
        account = request.match_info["account"]
        shop = self._engine.shops.get(account)
        if shop is None or shop.provider != provider:
            raise web.HTTPNotFound(text=f"no {provider} shop {account}")
        return account

    def _same(self, account: str, given: str) -> bool:
        wanted = self._settings.tokens.get(account)
        return bool(wanted) and hmac.compare_digest(given.encode(), str(wanted).encode())

    async def _guarded(
        self,
        request: web.Request,
        subject: tuple[str, str, str],
        act: Callable[[int], Answer],
        limited: Callable[[], Answer],
    ) -> web.StreamResponse:
        """Act under the subject's seeded fault, count the call, and let the shop's hooks follow."""
        account, what, _ = subject
        fault = self._desk.meets(":".join(subject))
        status, body = 500, _BROKEN
        if fault == "limited":
            status, body = limited()
        elif fault == "unheard":
            return hang_up(request)
        elif fault != "error":
            if fault == "slow":
                await asyncio.sleep(self._settings.faults.slow_seconds)
            status, body = act(time.time_ns() // 1000)
            self._echoes.follow()
            if fault == "lost":
                return hang_up(request)
            if fault == "error_after":
                status, body = 500, _BROKEN
        self._desk.calls[account][f"{what}:{status}"] += 1
        return _answer(status, body, {"Retry-After": "1"} if status == 429 else None)


def _throttled(bucket: quota.Bucket, points: int) -> Json:
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return {"errors": [error], "extensions": bucket.extensions(points, spent=False)}


def _too_dear(points: int) -> Json:
    text = f"Query cost is {points}, which exceeds the single query max cost limit ({quota.MOST})."
    told = {"code": "MAX_COST_EXCEEDED", "cost": points, "maxCost": quota.MOST}
    return {"errors": [{"message": text, "extensions": told}]}


def _basic(request: web.Request) -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    with suppress(binascii.Error, UnicodeDecodeError):
        return base64.b64decode(value).decode() if kind == "Basic" else ""
    return ""


async def _given(request: web.Request) -> Json:
    with suppress(ValueError):
        return json.decode(await request.read(), type=Json)
    return {}


def _answer(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=json.encode(body), headers=headers, content_type="application/json"
    )
