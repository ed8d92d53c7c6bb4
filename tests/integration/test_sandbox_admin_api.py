"""The shops' own APIs over HTTP: who may call, faults, quotas, and reports through kill -9."""

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import json

from tests.integration.sandbox_processes import Inbox, Process, receiving, running

Json = dict[str, Any]
EAGER = {"spread": 0.0, "late": 0.0, "doubled": 0.0, "retry_cap": 0.2}
TOKENS = {"shopify-uk": "shpat_1", "woo-uk": "ck_1:cs_1", "store-uk": "token"}
SETTINGS: Json = {
    "secrets": {
        "shopify-uk": "hush",
        "woo-uk": "salt",
        "store-uk": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw",
    },
    "orders": 30,
    "seed": 5,
}
FULFIL = (
    "mutation F($f: FulfillmentInput!) { fulfillmentCreate(fulfillment: $f) "
    "{ fulfillment { id } userErrors { message } } }"
)


def told(**admin: Any) -> Json:
    return SETTINGS | {"admin": {"tokens": TOKENS, "hooks": EAGER} | admin}


async def sold(box: Process) -> dict[str, list[str]]:
    """Run to the end; the numbers of each shop's open orders."""
    await box.ask("POST", "/start")
    await box.until("/progress", lambda now: now["done"])
    found = {}
    for name in TOKENS:
        _, book = await box.ask("GET", f"/books/{name}/orders")
        found[name] = [
            one["number"] for one in book["orders"]
            if one["status"] == "open" and one["case"] is None
            and not any(line["cancelled"] for line in one["lines"])
        ]  # fmt: skip
    return found


async def shopify(box: Process, number: str, tracking: str) -> tuple[int, Json]:
    order = f"gid://shopify/FulfillmentOrder/{4500000000000 + int(number)}"
    given = {
        "lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": order}],
        "trackingInfo": {"number": tracking},
    }
    return await box.ask(
        "POST", "/shops/shopify-uk/admin/api/2026-07/graphql.json",
        headers={"X-Shopify-Access-Token": "shpat_1"},
        data=json.encode({"query": FULFIL, "variables": {"f": given}}),
    )  # fmt: skip


async def woo(box: Process, number: str, **given: Any) -> tuple[int, Json]:
    headers = {"Authorization": aiohttp.encode_basic_auth("ck_1", "cs_1")}
    path = f"/shops/woo-uk/wp-json/wc/v3/orders/{number}"
    return await box.ask("PUT", path, headers=headers, data=json.encode(given))


async def store(box: Process, number: str, key: str, **given: Any) -> tuple[int, Json]:
    headers = {"Authorization": "Bearer token", "Idempotency-Key": key}
    return await box.ask(
        "POST", "/shops/store-uk/fulfilments", headers=headers,
        data=json.encode({"external_id": f"ord_{number}"} | given),
    )  # fmt: skip


async def test_each_shop_takes_its_dispatch_and_sends_its_webhook(tmp_path: Path) -> None:
    inbox = Inbox()
    async with receiving(inbox) as port, running("server", tmp_path, port, told()) as box:
        open_ = await sold(box)
        inbox.taken.clear()
        assert (await shopify(box, open_["shopify-uk"][0], "T1"))[1]["data"]["fulfillmentCreate"][
            "userErrors"
        ] == []
        meta = [{"key": "_tracking_number", "value": "T2"}]
        assert (await woo(box, open_["woo-uk"][0], status="completed", meta_data=meta))[0] == 200
        assert (await store(box, open_["store-uk"][0], "k", tracking_code="T3"))[0] == 201
        done = await box.until("/progress", lambda now: now["echoes"]["acked"] == 2)
        assert done["distinct"] == done["distinct_acked"]
        topics = {headers.get("X-Shopify-Topic") or headers.get("X-WC-Webhook-Topic")
                  for _, headers, _ in inbox.taken}  # fmt: skip
        assert topics == {"orders/updated", "order.updated"}
        for _, headers, body in inbox.taken:
            for name, secret in (
                ("X-Shopify-Hmac-Sha256", b"hush"), ("X-WC-Webhook-Signature", b"salt"),
            ):  # fmt: skip
                want = base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest()).decode()
                assert headers.get(name, want) == want
        for name, code in (("shopify-uk", "T1"), ("woo-uk", "T2"), ("store-uk", "T3")):
            _, book = await box.ask("GET", f"/books/{name}/reports")
            assert [one["tracking"] for one in book["dispatches"]] == [code]
            assert book["told_twice"] == []
            _, orders = await box.ask("GET", f"/books/{name}/orders")
            assert sum(line["shipped"] > 0 for one in orders["orders"] for line in one["lines"])


async def test_nobody_calls_without_the_shops_own_key(tmp_path: Path) -> None:
    async with running("server", tmp_path, 1, told()) as box:
        graphql = "/shops/shopify-uk/admin/api/2026-07/graphql.json"
        assert (await box.ask("POST", graphql, data=b"{}"))[0] == 401
        assert (await box.ask("GET", "/shops/woo-uk/wp-json/wc/v3/orders/1"))[0] == 401
        assert (await box.ask("POST", "/shops/store-uk/fulfilments"))[0] == 401


async def test_a_lost_answer_is_done_and_a_repeat_finds_it_so(tmp_path: Path) -> None:
    inbox = Inbox()
    settings = told(faults={"lost": 1.0})
    async with receiving(inbox) as port, running("server", tmp_path, port, settings) as box:
        open_ = await sold(box)
        number = open_["store-uk"][0]
        with pytest.raises(aiohttp.ClientError):
            await store(box, number, "k", tracking_code="T1")
        assert (await store(box, number, "k", tracking_code="T1"))[0] == 201
        with pytest.raises(aiohttp.ClientError):
            await shopify(box, open_["shopify-uk"][0], "T1")
        _, again = await shopify(box, open_["shopify-uk"][0], "T1")
        assert again["data"]["fulfillmentCreate"]["fulfillment"] is None
        for name in ("store-uk", "shopify-uk"):
            _, book = await box.ask("GET", f"/books/{name}/reports")
            assert (len(book["dispatches"]), book["faults"]) == (1, {"lost": 1})


async def test_shopify_throttles_by_cost_and_says_when_to_come_again(tmp_path: Path) -> None:
    settings = told(points=15, points_per_second=0.001)
    async with running("server", tmp_path, 1, settings) as box:
        _, first = await shopify(box, "1", "T1")
        assert first["extensions"]["cost"]["actualQueryCost"] == 10
        status, second = await shopify(box, "1", "T1")
        assert (status, second["errors"][0]["extensions"]["code"]) == (200, "THROTTLED")
        assert second["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 5


async def test_reports_and_their_webhooks_outlive_kill_9(tmp_path: Path) -> None:
    inbox = Inbox()
    async with receiving(inbox) as port:
        async with running("server", tmp_path, port, told()) as box:
            open_ = await sold(box)
            inbox.refusals = 10**9
            for place, number in enumerate(open_["shopify-uk"]):
                await shopify(box, number, f"T{place}")
            await store(box, open_["store-uk"][0], "k", tracking_code="S1")
            _, before = await box.ask("GET", "/books/shopify-uk/reports")
            await box.kill()
        inbox.refusals = 0
        inbox.taken.clear()
        async with running("server", tmp_path, port, told()) as box:
            _, after = await box.ask("GET", "/books/shopify-uk/reports")
            assert after["dispatches"] == before["dispatches"]
            assert len(after["dispatches"]) == len(open_["shopify-uk"])
            await box.until(
                "/progress", lambda now: now["echoes"]["acked"] == len(open_["shopify-uk"])
            )
            assert (await store(box, open_["store-uk"][0], "k", tracking_code="S1"))[0] == 201
            _, book = await box.ask("GET", "/books/store-uk/reports")
            assert (len(book["dispatches"]), book["repeats"]) == (1, 1)
    assert {one["fulfillment_status"] for one in inbox.bodies()} == {"fulfilled"}
