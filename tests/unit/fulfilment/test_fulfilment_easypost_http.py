"""Calls to EasyPost over real HTTP: what is sent, and what each answer means."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from libs.effects.kinds import Confirmed, NotYet, Rejected, Result, Unknown
from libs.runtime.settings import Carrier
from services.fulfilment.easypost_http import Account
from tests.unit.fulfilment.samples import NOW

REFUSAL = json.dumps({"error": {"code": "SHIPMENT.POSTAGE.EXISTS", "message": "7 Hidden Lane"}})


@asynccontextmanager
async def account(answer: web.Response) -> AsyncIterator[tuple[Account, list[Any]]]:
    """Serve one answer; yield the account and what it was asked."""
    asked: list[Any] = []

    async def taken(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers["Authorization"], await request.text()))
        return answer

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", taken)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    found = Account(Carrier(api_url=f"http://{host}:{port}/", api_key="key"), lambda: NOW)
    try:
        yield found, asked
    finally:
        await found.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "headers", "text", "result"),
    [
        (201, {}, '{"id": "shp_1"}', Confirmed({"id": "shp_1"})),
        (422, {}, REFUSAL, Rejected("shipment-postage-exists", 422)),
        (429, {"Retry-After": "3"}, "", NotYet("throttled", 3_000_000)),
        (429, {}, REFUSAL, NotYet("throttled")),
        (401, {}, REFUSAL, NotYet("carrier-credentials")),
        (200, {}, "<html>", Unknown("carrier-200")),
        (302, {"Location": "/"}, '{"id": "shp_1"}', Unknown("carrier-302")),
        (404, {}, "<html>", Unknown("carrier-404")),
        (503, {"Retry-After": "3"}, REFUSAL, Unknown("carrier-503")),
    ],
)
async def test_what_an_answer_means(
    status: int, headers: dict[str, str], text: str, result: Result
) -> None:
    async with account(web.Response(status=status, headers=headers, text=text)) as (found, asked):
        assert await found.call("POST", "shipments", {"a": 1}) == result
        login = "Basic " + base64.b64encode(b"key:").decode()
        assert asked == [("/v2/shipments", login, '{"a":1}')]


async def test_nobody_there_is_not_yet() -> None:
    found = Account(Carrier(api_url="http://127.0.0.1:9", api_key="key"), lambda: NOW)
    assert await found.call("GET", "trackers/trk_1") == NotYet("carrier-unreachable")
    await found.close()
