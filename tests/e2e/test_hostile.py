"""What strangers send: each gets its answer at once, changes nothing, and everything else goes on."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import io
import json
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from libs.security.secrets import Secret
from libs.security.signing import sign_standard, sign_woocommerce
from libs.stack.jars import classpath
from libs.stack.java import java
from libs.stack.stack import Servers, attach, database_dsn
from services.console.composition import SERVICES
from tests.e2e.launching import lonja, told
from tests.support import eventually
from tests.unit.channels import payloads

pytestmark = [pytest.mark.timeout(480), pytest.mark.stack]
AT_ONCE = 50  # milliseconds
SECRET = "a-shared-secret"
STORE_SECRET = "whsec_" + base64.b64encode(SECRET.encode() * 2).decode()
CONFIG = f"""
[channels.shop]
provider = "shopify"
webhook_secrets = ["{SECRET}"]

[channels.woo]
provider = "woocommerce"
webhook_secrets = ["{SECRET}"]

[channels.store]
provider = "standard"
webhook_secrets = ["{STORE_SECRET}"]
"""
CANARY = "Canary-7f3a"
Answer = tuple[int, str, float]


def order(number: int, sku: str = "LAMP", units: int = 1) -> bytes:
    """A Shopify order whose personal fields all hold the canary."""
    person = {"first_name": CANARY, "last_name": CANARY, "name": CANARY, "address1": CANARY,
              "address2": CANARY, "city": CANARY, "zip": CANARY, "phone": CANARY,
              "company": CANARY, "country_code": "GB"}  # fmt: skip
    body = {
        "id": number, "name": f"#{number}", "order_number": number, "currency": "GBP",
        "created_at": "2026-01-05T10:00:00Z", "updated_at": "2026-01-05T10:00:00Z",
        "financial_status": "paid", "fulfillment_status": None, "test": False,
        "email": f"{CANARY}@example.invalid", "contact_email": f"{CANARY}@example.invalid",
        "phone": CANARY, "note": CANARY, "note_attributes": [{"name": "to", "value": CANARY}],
        "browser_ip": "203.0.113.7", "landing_site": f"/?for={CANARY}",
        "customer": {"id": 77, "email": f"{CANARY}@example.invalid", **person},
        "billing_address": person, "shipping_address": person,
        "subtotal_price": "5.00", "total_price": "6.00", "total_tax": "1.00",
        "total_discounts": "0.00", "total_line_items_price": "5.00", "taxes_included": False,
        "tax_lines": [{"price": "1.00", "rate": 0.2, "title": "VAT"}], "discount_codes": [],
        "line_items": [{
            "id": number * 10, "variant_id": 5, "product_id": 6, "sku": sku, "title": "A lamp",
            "quantity": units, "price": "5.00", "total_discount": "0.00", "gift_card": False,
            "requires_shipping": True, "taxable": True, "product_exists": True,
            "properties": [{"name": "engraving", "value": CANARY}],
            "tax_lines": [{"price": "1.00", "rate": 0.2, "title": "VAT"}],
            "discount_allocations": []}],
        "shipping_lines": [], "refunds": [], "payment_gateway_names": ["card"],
    }  # fmt: skip
    return json.dumps(body).encode()


def signed(body: bytes, key: str, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    return {
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Webhook-Id": key, "X-Shopify-Topic": "orders/create",
        "Content-Type": "application/json",
    }  # fmt: skip


class System:
    """A running Lonja with one shop."""

    def __init__(self, url: str, servers: Servers, data: Path) -> None:
        self.url, self.servers, self.data = url, servers, data
        self.http: aiohttp.ClientSession

    async def deliver(
        self, body: bytes, headers: Mapping[str, str], shop: str = "shop", provider: str = "shopify"
    ) -> Answer:
        """Send a delivery; the status, the code, and the milliseconds that it took."""
        path = f"{self.url}/channels/webhooks/{provider}/{shop}"
        began = time.perf_counter()
        async with self.http.post(path, data=io.BytesIO(body), headers=headers) as answer:
            content = await answer.json(content_type=None)
            took = (time.perf_counter() - began) * 1000
        return answer.status, content.get("code", content.get("status")), took

    async def raw(self, sent: bytes) -> bytes:
        """Return what is answered to these bytes, till the connection is closed."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        got = await reader.read()
        writer.close()
        return got

    async def get(self, path: str) -> Any:
        async with self.http.get(self.url + path) as answer:
            return await answer.json()

    async def post(self, path: str, body: Any, key: str) -> Any:
        headers = {"Idempotency-Key": key}
        async with self.http.post(self.url + path, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def rows(self, service: str, query: str) -> list[Any]:
        connection = await asyncpg.connect(database_dsn(self.servers.postgres, f"lonja_{service}"))
        try:
            found: list[Any] = await connection.fetch(query)
            return found
        finally:
            await connection.close()

    async def state(self, number: int) -> str | None:
        page = await self.get(f"/orders?external_id={number}")
        return page["orders"][0]["state"] if page["orders"] else None


@contextlib.asynccontextmanager
async def running_system(
    tmp_path: Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[System]:
    (tmp_path / "lonja.toml").write_text(f"{CONFIG}[telemetry]\nfile = true\n")
    async with lonja(tmp_path, "up", "--json", "--port", "0", settings=settings) as process:
        ready = await told(process, "ready")
        data = tmp_path / ".lonja"
        servers = attach(data)
        assert servers is not None
        running = System(ready["url"], servers, data)
        async with aiohttp.ClientSession() as running.http:
            receipt = {"quantity": 100, "location": "main"}
            await running.post("/inventory/stock/LAMP/receipts", receipt, "receipt-1")
            yield running


async def until_linkable(system: System) -> None:
    """Wait until the shelf is known to the shops; else the receipt's trace links the first order."""

    async def linkable() -> bool:
        return bool(await system.rows("channels", "SELECT 1 FROM items WHERE sku = 'LAMP'"))

    await eventually(linkable, timeout=20)


@pytest_asyncio.fixture(loop_scope="session")
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with running_system(tmp_path) as running:
        yield running


async def test_hostile_deliveries_are_refused_at_once_and_change_nothing(system: System) -> None:
    good = order(1001)
    assert (await system.deliver(good, signed(good, "d-1")))[:2] == (200, "accepted")
    await eventually(lambda: system.state(1001), timeout=20)
    before = await system.rows("channels", "SELECT count(*) FROM inbox")
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    large = b'{"a":"' + b"x" * (10 * 1024 * 1024) + b'"}'
    hostile: dict[str, tuple[bytes, dict[str, str], str, int]] = {
        "wrong secret": (good, signed(good, "d-2", "another"), "shop", 401),
        "unknown account": (good, signed(good, "d-3"), "nobody", 401),
        "truncated": (good[:-20], signed(good, "d-4"), "shop", 401),
        "truncated and signed": (good[:-20], signed(good[:-20], "d-5"), "shop", 400),
        "no signature": (good, {"X-Shopify-Webhook-Id": "d-6"}, "shop", 401),
        "nested": (deep, signed(deep, "d-7"), "shop", 400),
        "ten megabytes": (large, signed(large, "d-8"), "shop", 413),
        "compressed": (good, signed(good, "d-9") | {"Content-Encoding": "gzip"}, "shop", 415),
    }
    old = sign_standard(Secret(STORE_SECRET), good, webhook_id="msg_1", now=micros() - 3600 * 10**6)
    replayed = await system.deliver(good, old, "store", "standard")
    assert replayed[:2] == (400, "stale-delivery")
    for what, (body, headers, shop, status) in hostile.items():
        answers = [await system.deliver(body, headers, shop) for _ in range(3)]
        while min(took for *_, took in answers) >= AT_ONCE and len(answers) < 30:
            answers.append(await system.deliver(body, headers, shop))  # the machine is busy
        assert {answer[0] for answer in answers} == {status}, what
        assert min(took for *_, took in answers) < AT_ONCE, f"{what}: {answers}"
    unreadable = b"POST /channels/webhooks/shopify/shop HTTP/1.1\r\nX: a\x01b\r\n\r\n"
    assert b'"code":"bad-request"' in await system.raw(unreadable)
    assert (await system.deliver(good, signed(good, "d-1")))[:2] == (200, "known")
    assert await system.rows("channels", "SELECT count(*) FROM inbox") == before


def canaries() -> list[tuple[str, str, bytes, dict[str, str]]]:
    """An order of each provider with a canary in every personal field: (provider, account, …)."""
    secret, store = Secret(SECRET), Secret(STORE_SECRET)
    shopify, woo, standard = (
        json.dumps(body).encode()
        for body in (payloads.shopify(), payloads.woocommerce(), payloads.standard())
    )
    return [
        ("shopify", "shop", shopify, signed(shopify, "canary-1")),
        ("woocommerce", "woo", woo, sign_woocommerce(
            secret, woo, source="https://woo.invalid/", topic="order.created", webhook_id=1,
            now=micros())),
        ("standard", "store", standard, sign_standard(
            store, standard, webhook_id="msg_canary", now=micros())),
    ]  # fmt: skip


def micros() -> int:
    return time.time_ns() // 1000


async def test_nothing_personal_of_any_provider_leaves_the_vault(system: System) -> None:
    for number in range(2001, 2006):
        body = order(number)
        assert (await system.deliver(body, signed(body, f"c-{number}")))[0] == 200
    bad = order(2006).replace(b'"5.00"', b'"five"')
    assert (await system.deliver(bad, signed(bad, "c-2006")))[0] == 200
    for provider, account, body, headers in canaries():
        taken = await system.deliver(body, headers, account, provider)
        assert taken[:2] == (200, "accepted"), provider
    await eventually(lambda: system.state(2005), timeout=20)

    async def all_are_orders() -> bool:
        accounts = {row["account"] for row in (await system.get("/orders?limit=100"))["orders"]}
        return accounts == {"shop", "woo", "store"}

    await eventually(all_are_orders, timeout=20)
    words = [CANARY, *payloads.CANARIES]
    needles = [word.encode() for word in words]
    needles += [base64.b64encode(word.encode())[: len(word) // 3 * 4] for word in words]
    for database in (*SERVICES, "vault"):
        for table in await system.rows(
            database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ):
            for row in await system.rows(database, f'SELECT t::text FROM "{table[0]}" t'):
                text = row[0].encode()
                raw = b"".join(bytes.fromhex(part) for part in _hex(row[0]))
                assert not any(needle in text or needle in raw for needle in needles), table[0]
    kafka = b"".join(path.read_bytes() for path in (system.data / "kafka").rglob("*.log"))
    assert kafka
    logs = b"".join(path.read_bytes() for path in (system.data / "logs").glob("*.log"))

    def traced() -> bytes:
        found = (system.data / "logs/traces.jsonl").read_bytes()
        return found if found.count(b"record OrderPlaced") >= 8 else b""

    traces = await eventually(traced, timeout=20)
    async with system.http.get(system.url + "/metrics") as answer:
        shown = await answer.read()
    for place, content in {
        "topics": kafka,
        "logs": logs,
        "metrics": shown,
        "traces": traces,
    }.items():
        assert not any(needle in content for needle in needles), place


def _hex(text: str) -> list[str]:
    """The bytes that a row's text shows in hexadecimal."""
    return [found for found in re.findall(r"\\x([0-9a-f]+)", text) if len(found) % 2 == 0]


async def test_a_record_written_by_hand_is_parked_and_everything_else_goes_on(
    system: System,
) -> None:
    jars = await asyncio.to_thread(classpath, system.data, os.environ)
    command = java(jars, "org.apache.kafka.tools.ConsoleProducer")
    producer = await asyncio.create_subprocess_exec(
        *map(str, command), "--bootstrap-server", system.servers.kafka, "--topic", "orders.events",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await producer.communicate(b"this is no event\n")
    assert producer.returncode == 0

    async def parked() -> list[Any]:
        found: list[Any] = await system.get("/ops/inventory/parked")
        return found

    rows = await eventually(parked, timeout=20)
    assert [row["code"] for row in rows] == ["foreign-record"]
    body = order(3001)
    assert (await system.deliver(body, signed(body, "p-1")))[0] == 200

    async def sent() -> bool:
        return await system.state(3001) == "dispatched"

    await eventually(sent, timeout=20)
    one = rows[0]
    async with system.http.post(
        f"{system.url}/ops/inventory/parked/discard",
        json={"stream": one["stream"], "source": one["source"], "parked_id": one["id"],
              "reason": "written by hand"},
        headers={"Idempotency-Key": "discard-1"},
    ) as answer:  # fmt: skip
        assert answer.status == 200
    assert await parked() == []
