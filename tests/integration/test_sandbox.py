"""The sandbox against a receiver that fails, hangs and dies, and its books through kill -9."""

import asyncio
import base64
import hashlib
import hmac
import sys
from collections import Counter
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec import json

from tests.integration.sandbox_processes import SECONDS, Process, receiving, running

SECRETS = {
    "shopify-uk": "hush",
    "woo-uk": "salt",
    "store-uk": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw",
}


class Receiver:
    """Counts what it accepts by provider's key; every so often it refuses, hangs or hangs up."""

    def __init__(self, *, hostile: bool = True) -> None:
        self.hostile = hostile
        self.calls = 0
        self.accepted: Counter[str] = Counter()
        self.bad_signatures = 0
        self.pings: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.content_type == "application/x-www-form-urlencoded":
            self.pings.append(body)
            return web.Response(status=401)
        self.calls += 1
        if self.hostile and self.calls % 11 == 0:
            return web.Response(status=503)
        if self.hostile and self.calls % 17 == 0:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        self._check(request, body)
        self.accepted[self._key(request, body)] += 1
        if self.hostile and self.calls % 97 == 0:
            await asyncio.sleep(1.5)
        return web.Response()

    def _check(self, request: web.Request, body: bytes) -> None:
        for name, secret in (("X-Shopify-Hmac-Sha256", "hush"), ("X-WC-Webhook-Signature", "salt")):
            if name in request.headers:
                want = hmac.new(secret.encode(), body, hashlib.sha256).digest()
                self.bad_signatures += request.headers[name] != base64.b64encode(want).decode()

    def _key(self, request: web.Request, body: bytes) -> str:
        headers = request.headers
        if "X-WC-Webhook-Topic" in headers:
            order = json.decode(body)
            digest = hashlib.sha256(body).hexdigest()
            return "|".join(
                (
                    headers["X-WC-Webhook-Source"],
                    headers["X-WC-Webhook-Topic"],
                    str(order["id"]),
                    order["date_modified_gmt"],
                    digest,
                )
            )
        return headers.get("X-Shopify-Webhook-Id") or headers["webhook-id"]


def sandbox(folder: Path, target: int, **settings: Any) -> AbstractAsyncContextManager[Process]:
    return running(
        "server", folder, target, {"secrets": SECRETS, "seed": 5, "timeout": 1.0} | settings
    )


async def acknowledged(box: Process) -> tuple[list[str], dict[str, int]]:
    """All keys that the shops' books call acknowledged, and the sums of the three books."""
    books = [await box.told(f"/books/{shop}/deliveries") for shop in SECRETS]
    keys = [key for book in books for one in book["deliveries"] for key in one["acknowledged"]]
    return keys, {name: sum(book[name] for book in books) for name in ("sent", "distinct")}


async def test_every_delivery_is_acknowledged_by_a_receiver_that_fails(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiving(receiver) as port, sandbox(tmp_path, port) as box:
        assert (await box.told("/progress"))["sent"] == 0
        await box.told("/start", "POST")
        done = await box.until("/progress", lambda found: found["done"])
        assert done["acked"] == done["planned"] > 550
        assert done["failed"] > 0
        assert done["sent"] == done["acked"] + done["failed"]
        assert receiver.bad_signatures == 0
        assert receiver.pings == [b"webhook_id=2"]
        keys, sums = await acknowledged(box)
        assert len(set(keys)) == done["distinct_acked"]
        assert set(keys) <= set(receiver.accepted)
        assert sums["sent"] == done["sent"]
        assert done["showcase"]["sent"] >= 5


async def test_a_creation_that_was_lost_arrives_after_the_update_it_precedes(
    tmp_path: Path,
) -> None:
    receiver = Receiver()
    async with receiving(receiver) as port, sandbox(tmp_path, port) as box:
        await box.told("/start", "POST")
        await box.until("/progress", lambda found: found["done"])
        book = await box.told("/books/shopify-uk/orders")
        deliveries = (await box.told("/books/shopify-uk/deliveries"))["deliveries"]
    arrived = list(receiver.accepted)
    for case in ("stale-retry", "cheaper-edit-seen-first", "cheaper-edit-owed"):
        number = next(one["number"] for one in book["orders"] if one["case"] == case)
        keys = {one["topic"]: one["keys"][0] for one in deliveries if one["order"] == number}
        assert arrived.index(keys["orders/create"]) > arrived.index(keys["orders/updated"])


async def test_the_books_say_what_a_shop_took_gave_back_and_owes(tmp_path: Path) -> None:
    receiver = Receiver(hostile=False)
    async with receiving(receiver) as port, sandbox(tmp_path, port, orders=60) as box:
        await box.told("/start", "POST")
        await box.until("/progress", lambda found: found["done"])
        orders = [
            one for shop in SECRETS for one in (await box.told(f"/books/{shop}/orders"))["orders"]
        ]
    for one in orders:
        assert one["taken_minor"] == one["received_minor"] - one["refunded_minor"]
    cases = {one["case"]: one for one in orders if one["case"]}
    owed, back = cases["cheaper-edit-owed"], cases["cheaper-edit-refunded-later"]
    assert owed["taken_minor"] - owed["total_minor"] == owed["owed_minor"] > 0
    assert (back["owed_minor"], back["taken_minor"]) == (0, back["total_minor"])
    assert back["refunded_minor"] > 0


async def test_the_books_are_right_after_kill_9_of_the_sandbox(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiving(receiver) as port:
        async with sandbox(tmp_path, port, rate=300) as box:
            await box.told("/start", "POST")
            await box.until("/progress", lambda found: found["acked"] > 100)
            await box.kill()
        async with sandbox(tmp_path, port, rate=300) as box:
            done = await box.until("/progress", lambda found: found["done"])
            assert done["acked"] == done["planned"]
            keys, sums = await acknowledged(box)
            assert len(set(keys)) == done["distinct_acked"]
            assert set(keys) <= set(receiver.accepted)
            assert sums["distinct"] >= len(receiver.accepted)


async def test_a_receiver_that_dies_gets_the_rest_when_it_is_back(tmp_path: Path) -> None:
    first, second = Receiver(hostile=False), Receiver(hostile=False)
    async with AsyncExitStack() as stack:
        async with receiving(first) as port:
            box = await stack.enter_async_context(sandbox(tmp_path, port, rate=300, retry_cap=0.3))
            await box.told("/start", "POST")
            await box.until("/progress", lambda found: found["acked"] > 100)
        await box.until("/progress", lambda found: found["failed"] > 20)
        await stack.enter_async_context(receiving(second, port))
        done = await box.until("/progress", lambda found: found["done"])
        keys, _ = await acknowledged(box)
        assert set(keys) <= set(first.accepted) | set(second.accepted)
        assert len(second.accepted) > 100
        assert done["statuses"]["0"] == done["failed"]


async def test_books_of_another_run_are_refused(tmp_path: Path) -> None:
    async with sandbox(tmp_path, 1):
        pass
    with pytest.raises(RuntimeError, match="another run"):
        async with sandbox(tmp_path, 1, seed=6):
            pass


async def test_it_ends_with_its_parent_when_told_to(tmp_path: Path) -> None:
    config = tmp_path / "sandbox.json"
    config.write_bytes(json.encode({"secrets": SECRETS}))
    command = f"{sys.executable} -m services.sandbox.server --data {tmp_path / 'books'}"
    parent = await asyncio.create_subprocess_shell(
        f"{command} --config {config} --exit-with-parent & wait", stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(SECONDS):
        assert (await parent.stdout.readline()).startswith(b"sandbox on ")
        parent.kill()
        assert await parent.stdout.read() == b""  # the pipe ends with its last holder
        await parent.wait()


async def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    receiver = Receiver(hostile=False)
    async with receiving(receiver) as port:
        async with sandbox(tmp_path, port, orders=5) as box:
            await box.told("/start", "POST")
            before = await box.until("/progress", lambda found: found["done"])
            await box.kill()
        with (tmp_path / "server/books.jsonl").open("ab") as file:
            file.write(b'["ok",0,')
        async with sandbox(tmp_path, port, orders=5) as box:
            after = await box.until("/progress", lambda found: found["done"])
    assert before | {"running": False} == after | {"running": False}


async def test_a_stopped_run_waits_for_its_next_start(tmp_path: Path) -> None:
    receiver = Receiver(hostile=False)
    async with receiving(receiver) as port:
        async with sandbox(tmp_path, port, rate=100) as box:
            await box.told("/start", "POST")
            await box.until("/progress", lambda found: found["acked"] > 20)
            stopped = await box.told("/stop", "POST")
            assert not stopped["running"]
            assert not stopped["done"]
        async with sandbox(tmp_path, port, rate=100) as box:
            assert not (await box.told("/progress"))["running"]
            await box.told("/start?rate=1000", "POST")
            await box.until("/progress", lambda found: found["done"])
