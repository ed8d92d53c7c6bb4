"""Nothing personal outside the vault, before an erasure and after it; what is erased stays shut.

Canaries stand in every personal field of three shops' orders. They are looked for in topics, in
every table of every database and the database's own files, in logs, in metrics and in the traces.
"""

import base64
import io
import json
import re
import time
from asyncio import gather
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.security.secrets import Secret
from libs.security.signing import sign_shopify, sign_standard, sign_woocommerce
from libs.stack.stack import Servers, attach, database_dsn
from tests.e2e.launching import ended, lonja, told
from tests.support import eventually
from tests.unit.channels import payloads

pytestmark = [pytest.mark.timeout(480), pytest.mark.stack]
SECRETS = {
    "shop": "shopify-secret", "woo": "woo-secret", "store": "whsec_c3RvcmUtc2VjcmV0LW9mLWEtdGVzdA==",
}  # fmt: skip
PROVIDERS = {"shop": "shopify", "woo": "woocommerce", "store": "standard"}
CONFIG = "".join(
    f'[channels.{name}]\nprovider = "{PROVIDERS[name]}"\nwebhook_secrets = ["{SECRETS[name]}"]\n'
    for name in SECRETS
)
CONFIG += "[telemetry]\nfile = true\n"
MAIL = "canary-mail@example.invalid"
NEEDLES = [canary.encode() for canary in payloads.CANARIES]
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_HEX = re.compile(r"\\x([0-9a-f]+)")


def found_in(data: bytes) -> list[bytes]:
    return [needle for needle in NEEDLES if needle in data]


def signed(account: str, body: bytes, key: str) -> dict[str, str]:
    """The headers with which each provider delivers."""
    secret, now = Secret(SECRETS[account]), time.time_ns() // 1000
    match PROVIDERS[account]:
        case "shopify":
            return sign_shopify(
                secret, body, topic="orders/create", webhook_id=key,
                event_id=key, triggered_at=now,
            )  # fmt: skip
        case "woocommerce":
            return sign_woocommerce(
                secret, body, source="https://woo.invalid/", topic="order.created", webhook_id=1,
                now=now,
            )  # fmt: skip
        case _:
            return sign_standard(secret, body, webhook_id=key, now=now)


class System:
    """A running Lonja with a shop of each kind."""

    def __init__(self, url: str, servers: Servers, folder: Path) -> None:
        self.url, self.servers, self.folder = url, servers, folder
        self.http: aiohttp.ClientSession

    async def deliver(self, account: str, payload: Any, key: str) -> None:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        path = f"{self.url}/channels/webhooks/{PROVIDERS[account]}/{account}"
        headers = signed(account, body, key) | {"Content-Type": "application/json"}
        async with self.http.post(path, data=io.BytesIO(body), headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.http.get(self.url + path) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any) -> Any:
        headers = {"Idempotency-Key": f"k-{path}-{hash(str(body))}"}
        async with self.http.post(self.url + path, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def lookup(self) -> list[Any]:
        found: list[Any] = await self.post("/customers/lookup", {"email": MAIL})
        return found

    async def places(self) -> AsyncIterator[tuple[str, bytes]]:
        """Everything that is kept or shown, piece by piece."""
        async for name, data in self._rows():
            yield name, data
        async for name, data in self._records():
            yield name, data
        for path in sorted((self.folder / ".lonja").rglob("*")):
            if path.is_file() and not path.is_symlink() and "cache" not in path.parts:
                yield str(path), path.read_bytes()
        async with self.http.get(self.url + "/metrics") as answer:
            yield "metrics", await answer.read()
        for service in ("channels", "orders", "inventory", "crm_sync"):
            _, parked = await self.get(f"/ops/{service}/parked")
            yield f"parked of {service}", json.dumps(parked).encode()
        _, page = await self.get("/orders?limit=100")
        names = [order["order_id"] for order in page["orders"]]
        for name, trace in zip(names, await gather(*map(self._trace, names)), strict=True):
            yield f"trace of {name}", trace

    async def _trace(self, order: str) -> bytes:
        """What is told of an order over all services, from its webhook on."""
        async with lonja(self.folder, "trace", order, "--json") as process:
            code, said, errors = await ended(process)
        assert (code, "OrderPlaced" in said) == (0, True), errors
        return said.encode()

    async def _rows(self) -> AsyncIterator[tuple[str, bytes]]:
        connection = await asyncpg.connect(database_dsn(self.servers.postgres, "postgres"))
        names = await connection.fetch(
            "SELECT datname FROM pg_database WHERE datname LIKE 'lonja%' ORDER BY 1"
        )
        await connection.close()
        assert len(names) >= 5
        for (name,) in names:
            connection = await asyncpg.connect(database_dsn(self.servers.postgres, name))
            for (table,) in await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ):
                for (text,) in await connection.fetch(f'SELECT t::text FROM "{table}" t'):
                    yield f"{name}.{table}", b"\n".join([text.encode(), *_hidden(text)])
            await connection.close()

    async def _records(self) -> AsyncIterator[tuple[str, bytes]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers.kafka)
        await consumer.start()
        try:
            topics = [name for name in await consumer.topics() if name.endswith(".events")]
            parts = [TopicPartition(t, n) for t in topics for n in range(8)]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            ends = await consumer.end_offsets(parts)
            assert sum(ends.values()) > 10
            left = {part for part in parts if ends[part]}
            while left:
                batches = await consumer.getmany(timeout_ms=1000)
                for part, records in batches.items():
                    for one in records:
                        headers = b" ".join(value for _, value in one.headers)
                        yield part.topic, b"\n".join([one.key or b"", headers, one.value or b""])
                        if one.offset + 1 >= ends[part]:
                            left.discard(part)
        finally:
            await consumer.stop()


def _hidden(text: str) -> list[bytes]:
    """The bytes that a row's text shows in hexadecimal or in base64."""
    found = [bytes.fromhex(part) for part in _HEX.findall(text) if len(part) % 2 == 0]
    whole = [part[: len(part) // 4 * 4] for part in _BASE64.findall(text)]
    return found + [base64.b64decode(part) for part in whole]


async def assert_clean(system: System) -> None:
    """No canary anywhere; what is no secret is found, or the search itself were blind."""
    seeing = set()
    async for place, data in system.places():
        assert found_in(data) == [], place
        if b"Product TEE" in data or place.endswith("/logs/traces.jsonl"):
            seeing.add(place)
    traces = str(system.folder / ".lonja/logs/traces.jsonl")
    assert seeing >= {"channels.events", "orders.events", "lonja_channels.events", traces}


@pytest_asyncio.fixture(loop_scope="session")
async def system(tmp_path: Path) -> AsyncIterator[System]:
    (tmp_path / "lonja.toml").write_text(CONFIG)
    async with lonja(tmp_path, "up", "--json", "--port", "0") as process:
        ready = await told(process, "ready")
        servers = attach(tmp_path / ".lonja")
        assert servers is not None
        running = System(ready["url"], servers, tmp_path)
        async with aiohttp.ClientSession() as running.http:
            yield running


async def test_an_erased_customer_is_forgotten_everywhere_and_the_law_is_kept(
    system: System,
) -> None:
    for sku in ("TEE", "MUG"):
        receipt = {"quantity": 50, "location": "main"}
        await system.post(f"/inventory/stock/{sku}/receipts", receipt)
    verified = payloads.shopify()["customer"] | {"verified_email": True}
    await system.deliver("shop", payloads.shopify(customer=verified), "d-1")
    await system.deliver("woo", payloads.woocommerce(), "2")
    buyer = payloads.standard()["data"]["customer"] | {"email_verified": True}
    await system.deliver("store", payloads.standard(customer=buyer), "msg_3")
    broken = json.dumps(payloads.shopify(id=1009)).replace('"34.00"', '"canary-note"').encode()
    await system.deliver("shop", broken, "d-9")

    async def known() -> Any:
        found = await system.lookup()
        return found if [len(one["members"]) for one in found] in ([1, 2], [2, 1]) else None

    persons = await eventually(known, timeout=30)
    (person,) = [one for one in persons if len(one["members"]) == 2]
    (other,) = [one for one in persons if len(one["members"]) == 1]
    assert {one["account"] for one in person["members"]} == {"shop", "store"}
    _, whole = await system.get(f"/customers/{person['customer_id']}")
    assert {s["customer_id"] for s in whole["suggestions"]} == {other["customer_id"]}

    async def parked() -> bool:
        return bool((await system.get("/ops/channels/parked"))[1])

    await eventually(parked, timeout=20)
    await assert_clean(system)
    await opens(system, person["customer_id"], members=2)
    await erase(system, person["customer_id"])

    async def apart() -> bool:  # nothing tells any more that they were one
        found = [await system.get(f"/customers/{m['customer_id']}") for m in person["members"]]
        return all(len(whole["members"]) == 1 for _, whole in found)

    await eventually(apart, timeout=20)
    for member in person["members"]:
        status, no = await system.get(f"/customers/{member['customer_id']}/contact")
        assert (status, no["code"]) == (410, "subject-erased")
        status, kept = await system.get(f"/customers/{member['customer_id']}/statutory")
        assert (status, len(kept["opened"])) == (200, 1)
        status, facts = await system.get(f"/customers/{member['customer_id']}/timeline")
        assert "OrderPlaced" in {fact["what"] for fact in facts["facts"]}
    assert [one["customer_id"] for one in await system.lookup()] == [other["customer_id"]]
    await opens(system, other["customer_id"], members=1)

    again = payloads.shopify(id=1010, customer=verified)
    await system.deliver("shop", again, "d-10")

    async def ordered() -> bool:
        found = [await system.get(f"/customers/{m['customer_id']}") for m in person["members"]]
        return bool(sum(one["orders"] for _, one in found) == 3)

    await eventually(ordered, timeout=20)
    assert [one["customer_id"] for one in await system.lookup()] == [other["customer_id"]]
    for member in person["members"]:
        assert (await system.get(f"/customers/{member['customer_id']}/contact"))[0] == 410
    await assert_clean(system)
    await audited(system)


async def audited(system: System) -> None:
    """The audit, which shares no code with the vault, finds the same: two are erased, no key left."""
    async with lonja(system.folder, "audit", "--json") as process:
        _, said, errors = await ended(process)
    verdict = json.loads(said.splitlines()[-1])
    assert [one for one in verdict["findings"] if one["promise"] == "P8"] == [], errors
    assert verdict["figures"]["privacy"] == {"erased": 2, "asked": 0}
    assert verdict["figures"]["vault"]["statutory keys"] == 3


async def opens(system: System, customer: str, members: int) -> None:
    status, told_ = await system.get(f"/customers/{customer}/contact")
    assert (status, len(told_["opened"]), told_["erased"]) == (200, members, [])
    for one in told_["opened"]:
        assert one["fields"]["email"] == MAIL
        assert "Canaryfirst" in one["fields"]["name"]


async def erase(system: System, customer: str) -> None:
    """The plan, then the same with --yes, then again: nothing is left to do."""
    async with lonja(system.folder, "erase", customer, "--json") as process:
        code, said, errors = await ended(process)
    plan = json.loads(said)
    assert (code, plan["state"], "not-confirmed" in errors) == (1, "planned", True), errors
    assert {key["action"] for key in plan["keys"]} == {"destroy", "keep"}
    async with lonja(system.folder, "erase", customer, "--yes", "--json") as process:
        code, said, errors = await ended(process)
    assert code == 0, errors
    done = json.loads(said.splitlines()[-1])
    assert done["event"] == "erased"
    assert done["retained_until"] == plan["keys"][-1]["until"]
    _, page = await system.get("/orders?channel=shop")  # an order's id leads to its buyer
    async with lonja(system.folder, "erase", page["orders"][0]["order_id"]) as process:
        code, said, errors = await ended(process)
    assert (code, "completed" in said) == (0, True), errors
