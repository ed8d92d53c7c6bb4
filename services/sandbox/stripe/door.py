"""A Stripe-shaped provider over HTTP: authentication, keys, faults, signed webhooks, books."""

import asyncio
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from services.sandbox.books import Books
from services.sandbox.chance import Fault, identifier
from services.sandbox.hooks import Hook
from services.sandbox.process import hang_up
from services.sandbox.provider_door import Teller, admitted, answer
from services.sandbox.stripe import form, keys, reports
from services.sandbox.stripe.config import Settings
from services.sandbox.stripe.objects import API_VERSION
from services.sandbox.stripe.provider import LIMITED, Call, Provider
from services.sandbox.stripe.refusals import Refused, invalid

Json = dict[str, Any]


def signature(secret: str, body: bytes, now: int) -> str:
    """`Stripe-Signature`: hex HMAC-SHA256 of `<seconds>.<body>`, the seconds of our real clock."""
    digest = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest},v0={digest[::-1]}"


class Door:
    """What the process serves."""

    def __init__(self, settings: Settings, books: Books, provider: Provider, target: str) -> None:
        self._settings, self._books, self._provider = settings, books, provider
        self._target, self._requests = target, 0
        self._teller = Teller(settings, provider, self._sign)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/books", self.books)
        app.router.add_get("/progress", self.progress)
        app.router.add_post("/clock", self.clock)
        app.router.add_get("/v1/{rest:.*}", self.get)
        app.router.add_post("/v1/{rest:.*}", self.post)
        return app

    async def work(self) -> None:
        await self._teller.work(self._target, self._books)

    async def close(self) -> None:
        """Nothing is in flight that the books do not know."""

    def finish(self) -> None:
        self._books.close()

    def _sign(self, hook: Hook) -> dict[str, str]:
        return {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature(
                self._settings.webhook_secret, hook.body, int(time.time())
            ),
        }

    def _headers(self, request: web.Request) -> dict[str, str]:
        self._requests += 1
        number = identifier(self._settings.seed, "req_", self._requests, 14)
        version = request.headers.get("Stripe-Version", API_VERSION)
        return {"Request-Id": number, "Stripe-Version": version}

    def _admit(self, request: web.Request) -> None:
        if not admitted(request, self._settings.api_key):
            raise Refused(401, "invalid_request_error", "", "Invalid API Key provided.")

    async def get(self, request: web.Request) -> web.StreamResponse:
        headers = self._headers(request)
        try:
            self._admit(request)
            self._teller.fall_due()
            found = self._provider.answer(request.path, _parsed(request.query_string))
        except Refused as refused:
            return answer(refused.status, refused.body, headers)
        return answer(200, found, headers)

    async def post(self, request: web.Request) -> web.StreamResponse:
        headers = self._headers(request)
        try:
            self._admit(request)
            body = (await request.read()).decode("utf-8", "replace")
            key = request.headers.get("Idempotency-Key") or None
            path = request.path
            call = Call(
                path, _parsed(body), key, keys.fingerprint(path, body), headers["Request-Id"]
            )
            self._teller.fall_due()
            return await self._handle(request, call, headers)
        except Refused as refused:
            return answer(refused.status, refused.body, headers)

    async def _handle(
        self, request: web.Request, call: Call, headers: dict[str, str]
    ) -> web.StreamResponse:
        if call.key is not None:
            headers["Idempotency-Key"] = call.key
            kept = self._provider.keys.begin(call.key, call.request, self._provider.clock.now())
            if kept is not None:
                return answer(kept.status, kept.body, headers | {"Idempotent-Replayed": "true"})
        try:
            return await self._first(request, call, headers)
        finally:
            if call.key is not None:
                self._provider.keys.end(call.key)

    async def _first(
        self, request: web.Request, call: Call, headers: dict[str, str]
    ) -> web.StreamResponse:
        fault: Fault | None = self._provider.meets(call)
        if fault == "limited":
            return answer(429, LIMITED, headers | {"Stripe-Should-Retry": "true"})
        if fault == "unheard":
            return hang_up(request)
        if fault == "slow":
            await asyncio.sleep(self._settings.faults.slow_seconds)
        status, body, events = self._provider.perform(call, fault)
        self._teller.tell(events)
        if fault == "lost":
            return hang_up(request)
        return answer(status, body, headers)

    async def books(self, _: web.Request) -> web.Response:
        self._teller.fall_due()
        return answer(200, reports.books(self._provider) | {"hooks": self._teller.report()})

    async def progress(self, _: web.Request) -> web.Response:
        return answer(200, {"now": self._provider.clock.now()} | self._teller.report())

    async def clock(self, request: web.Request) -> web.Response:
        await self._teller.set_clock(request)
        return await self.progress(request)


def _parsed(text: str) -> Json:
    try:
        return form.parse(text)
    except ValueError as error:
        raise invalid("", f"Invalid request: {unquote(str(error))[:120]}") from error
