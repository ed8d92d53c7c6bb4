"""Calls to EasyPost over real HTTP: what is sent, and what each answer means."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web

from libs.contracts import fulfilment as events
from libs.effects.kinds import Confirmed, NotYet, Rejected, Result, Unknown
from libs.runtime.settings import Carrier
from libs.store.store import Call
from services.fulfilment import easypost
from services.fulfilment.easypost_http import Account
from tests.unit.fulfilment.samples import NOW

REFUSAL = json.dumps({"error": {"code": "SHIPMENT.POSTAGE.EXISTS", "message": "7 Hidden Lane"}})


@asynccontextmanager
async def account(answer: web.Response) -> AsyncIterator[tuple[Account, list[Any]]]:
    """Serve one answer; yield the account and what it was asked."""
    asked: list[Any] = []

    async def taken(request: web.Request) -> web.Response:
        asked.append((request.raw_path, request.headers["Authorization"], await request.text()))
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


async def test_a_parcel_whose_tracker_nobody_knows_is_asked_for_by_its_code() -> None:
    listed = {"trackers": [TRACKER | {"tracking_code": "OTHER"}, TRACKER], "has_more": False}
    for tracker, told, path in (
        ("TRACK1", listed, "/v2/trackers?tracking_code=TRACK1"),
        ("trk_1", TRACKER, "/v2/trackers/trk_1"),
    ):
        async with account(web.json_response(told)) as (found, asked):
            adapter = easypost.Polls(Shared(found))  # type: ignore[arg-type]
            result = await adapter.perform(polled(tracker))
            assert isinstance(result, Confirmed)
            assert (result.answer.tracking_code, result.answer.seen_at) == ("TRACK1", NOW)
            assert [one[0] for one in asked] == [path]


class Shared:
    """What the kinds of effects share, with one account."""

    def __init__(self, only: Account) -> None:
        self.get = lambda _, path: only.call("GET", path)
        self.ports = SimpleNamespace(clock=lambda: NOW)


TRACKER = {
    "id": "trk_1", "object": "Tracker", "tracking_code": "TRACK1", "status": "in_transit",
    "tracking_details": [{"datetime": datetime.fromtimestamp(NOW // 10**6, UTC).isoformat()}],
}  # fmt: skip


def polled(tracker: str) -> Call:
    asked = events.TrackingAsked(
        entity="main", occurred_at=NOW, shipment_id="shp", account="post", tracker=tracker,
        ordinal=1, next_at=NOW,
    )  # fmt: skip
    return Call("e", "easypost.poll", "shipment-shp", msgspec.msgpack.encode(asked), 1, 1, 0, NOW)
