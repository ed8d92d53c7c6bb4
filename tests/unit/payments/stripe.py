"""A small Stripe that keeps books: idempotency keys, stored failures, answers that are lost."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web


class Stripe:
    """Payment intents with manual capture, by Stripe's rules; `fates` are of the next posts.

    A fate is applied to one post: "lost" does it and cuts the line, "drop" cuts it before,
    "500" fails and stores that, "done-500" does it and stores a 500, "429" and "409" do nothing.
    """

    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: list[dict[str, Any]] = []
        self.keys: dict[str, tuple[bytes, int, bytes]] = {}
        self.fates: list[str] = []
        self.posts: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.charges = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def captured(self) -> int:
        return sum(one["amount_received"] for one in self.intents.values())

    async def post(self, request: web.Request) -> web.Response:
        body, key = await request.read(), request.headers["Idempotency-Key"]
        form = dict(parse_qsl(body.decode()))
        path = request.path
        self.posts.append((path, key, form))
        self.headers.append(dict(request.headers))
        fate = self.fates.pop(0) if self.fates else ""
        if fate == "drop":
            return self._cut(request)
        if fate in {"429", "409"}:
            return web.json_response({"error": {"type": "api_error"}}, status=int(fate),
                                     headers={"Retry-After": "3"})  # fmt: skip
        if key in self.keys:
            stored, status, answer = self.keys[key]
            if stored != body:
                return web.json_response({"error": {"type": "idempotency_error"}}, status=400)
            return web.Response(body=answer, status=status, headers={"Idempotent-Replayed": "true"})
        failure: tuple[int, Any] = (500, {"error": {"type": "api_error"}})
        status, said = failure if fate == "500" else self.do(path, form)
        if fate == "done-500":
            status, said = failure
        self.keys[key] = (body, status, json.dumps(said, indent=2).encode())
        if fate == "lost":
            return self._cut(request)
        return web.Response(body=self.keys[key][2], status=status, content_type="application/json")

    def _cut(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    def do(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        parts = path.split("/")
        if path == "/v1/payment_intents":
            return self._create(form)
        if path == "/v1/refunds":
            return self._refund(form)
        intent = self.intents.get(parts[3])
        if intent is None:
            return 404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}
        if intent["status"] != "requires_capture":
            code = "payment_intent_unexpected_state"
            return 400, {"error": {"type": "invalid_request_error", "code": code}}
        if parts[4] == "cancel":
            intent |= {"status": "canceled", "cancellation_reason": None}
        else:
            amount = int(form["amount_to_capture"])
            if amount > intent["amount"]:
                return 400, {"error": {"type": "invalid_request_error", "code": "amount_too_large"}}
            intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
        return 200, intent

    def _create(self, form: dict[str, str]) -> tuple[int, Any]:
        assert form["capture_method"] == "manual"
        assert form["confirm"] == "true"
        method, name = form["payment_method"], f"pi_{len(self.intents) + 1}"
        if method == "pm_card_visa_chargeDeclinedInsufficientFunds":
            error = {"type": "card_error", "code": "card_declined",
                     "decline_code": "insufficient_funds"}  # fmt: skip
            return 402, {"error": error}
        self.charges += 1
        kept = {k[9:-1]: v for k, v in form.items() if k.startswith("metadata[")}
        action = method == "pm_card_authenticationRequired"
        before = int(time.time()) + 7 * 86_400
        self.intents[name] = {
            "id": name, "object": "payment_intent", "amount": int(form["amount"]),
            "currency": form["currency"], "amount_received": 0, "metadata": kept,
            "amount_capturable": 0 if action else int(form["amount"]),
            "status": "requires_action" if action else "requires_capture",
            "customer": form.get("customer"),
            "setup_future_usage": form.get("setup_future_usage"),
            "latest_charge": {
                "id": f"ch_{self.charges}", "object": "charge", "amount": int(form["amount"]),
                "payment_method_details": {"card": {"capture_before": before}, "type": "card"},
            },
        }  # fmt: skip
        return 200, self.intents[name]

    def _refund(self, form: dict[str, str]) -> tuple[int, Any]:
        name, amount = form["payment_intent"], int(form["amount"])
        gone = sum(
            one["amount"]
            for one in self.refunds
            if one["payment_intent"] == name and one["status"] != "failed"
        )
        if gone + amount > self.intents[name]["amount_received"]:
            code = "charge_already_refunded"
            return 400, {"error": {"type": "invalid_request_error", "code": code}}
        kept = {k[9:-1]: v for k, v in form.items() if k.startswith("metadata[")}
        self.refunds.append(
            {"id": f"re_{len(self.refunds) + 1}", "amount": amount, "status": "succeeded",
             "currency": self.intents[name]["currency"], "payment_intent": name, "metadata": kept}
        )  # fmt: skip
        return 200, self.refunds[-1]

    async def search(self, request: web.Request) -> web.Response:
        wanted = request.query["query"].split("'")
        found = [
            one for one in self.intents.values() if one["metadata"].get(wanted[1]) == wanted[3]
        ]
        return web.json_response({"object": "search_result", "data": found})

    async def get(self, request: web.Request) -> web.Response:
        intent = self.intents.get(request.match_info["name"])
        return web.json_response(intent or {"error": {}}, status=200 if intent else 404)

    async def list_refunds(self, request: web.Request) -> web.Response:
        name = request.query["payment_intent"]
        found = [one for one in self.refunds if one["payment_intent"] == name]
        return web.json_response({"object": "list", "data": found})


@asynccontextmanager
async def stripe() -> AsyncIterator[Stripe]:
    """Yield a running one on a free port."""
    one = Stripe()
    app = web.Application()
    app.router.add_get("/v1/payment_intents/search", one.search)
    app.router.add_get("/v1/payment_intents/{name}", one.get)
    app.router.add_get("/v1/refunds", one.list_refunds)
    app.router.add_post("/v1/{rest:.*}", one.post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.port = runner.addresses[0][1]
    try:
        yield one
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
