"""The Stripe-shaped provider and the carrier as processes: faults, webhooks, kill -9."""

import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.sandbox_processes import Inbox, Process, receiving, running

Json = dict[str, Any]
STRIPE: Json = {"api_key": "sk_test", "webhook_secret": "whsec_1", "search_lag": 0}
CARRIER: Json = {"api_key": "EZ", "webhook_secret": "sécret"}
HOME = {"name": "A", "street1": "1 B", "city": "C", "zip": "Z1", "country": "GB"}
EAGER = {"spread": 0.0, "late": 0.0, "doubled": 1.0, "late_seconds": 0.1, "retry_cap": 0.2}


async def pay(box: Process, order: str, key: str, path: str = "", **given: str) -> tuple[int, Json]:
    """A payment intent, or what is done to one (`path`)."""
    body = {"amount": "2000", "currency": "gbp", "confirm": "true", "capture_method": "manual"}
    body |= {"payment_method": "pm_card_visa", "metadata[lonja_order]": order}
    headers = {"Authorization": "Bearer sk_test", "Idempotency-Key": key}
    return await box.ask(
        "POST", f"/v1/payment_intents{path}", headers=headers, data=given if path else body
    )


async def found(box: Process, path: str) -> Json:
    status, body = await box.ask("GET", path, headers={"Authorization": "Bearer sk_test"})
    assert status == 200
    return dict(body)


async def test_a_lost_answer_is_given_again_under_the_same_key(tmp_path: Path) -> None:
    settings = STRIPE | {"faults": {"lost": 1.0}}
    async with running("stripe_server", tmp_path, 1, settings) as box:
        with pytest.raises(aiohttp.ClientError):
            await pay(box, "o1", "k1")
        status, intent = await pay(box, "o1", "k1")
        assert (status, intent["status"]) == (200, "requires_capture")
        with pytest.raises(aiohttp.ClientError):
            await pay(box, "o1", "k2", f"/{intent['id']}/capture")
        assert (await pay(box, "o1", "k2", f"/{intent['id']}/capture"))[0] == 200
        books = await found(box, "/books")
        assert books["captured_minor"] == {"GBP": 2000}
        assert books["faults"] == {"lost": 2}
        assert books["intents"] == 1


async def test_an_unheard_request_does_nothing_and_a_limited_one_waits(tmp_path: Path) -> None:
    async with running("stripe_server", tmp_path, 1, STRIPE | {"faults": {"unheard": 1.0}}) as box:
        with pytest.raises(aiohttp.ClientError):
            await pay(box, "o1", "k1")
        assert (await found(box, "/books"))["intents"] == 0
        assert (await pay(box, "o1", "k1"))[0] == 200
    (tmp_path / "other").mkdir()
    settings = STRIPE | {"faults": {"limited": 1.0}}
    async with running("stripe_server", tmp_path / "other", 1, settings) as box:
        assert (await pay(box, "o1", "k1"))[0] == 429
        assert (await pay(box, "o1", "k1"))[0] == 200


async def test_two_requests_under_one_key_at_once_are_one_and_a_conflict(tmp_path: Path) -> None:
    settings = STRIPE | {"faults": {"slow": 1.0, "slow_seconds": 0.5}}
    async with running("stripe_server", tmp_path, 1, settings) as box:
        answers = await asyncio.gather(pay(box, "o1", "k1"), pay(box, "o1", "k1"))
        assert sorted(status for status, _ in answers) == [200, 409]
        assert (await found(box, "/books"))["intents"] == 1


async def test_a_wrong_key_and_a_wrong_path_are_refused(tmp_path: Path) -> None:
    async with running("stripe_server", tmp_path, 1, STRIPE) as box:
        status, body = await box.ask("GET", "/v1/payment_intents")
        assert (status, body["error"]["type"]) == (401, "invalid_request_error")
        headers = {"Authorization": "Bearer sk_test"}
        assert (await box.ask("POST", "/v1/nothing", headers=headers))[0] == 404
        assert (await box.ask("POST", "/clock", data='{"advance_seconds": 5}'))[0] == 200


def verified(headers: dict[str, str], body: bytes) -> bool:
    parts = dict(part.split("=", 1) for part in headers["Stripe-Signature"].split(","))
    want = hmac.new(b"whsec_1", f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(want, parts["v1"])


async def test_webhooks_are_signed_doubled_and_sent_until_taken(tmp_path: Path) -> None:
    inbox = Inbox(refusals=4)
    async with (
        receiving(inbox) as port,
        running("stripe_server", tmp_path, port, STRIPE | {"hooks": EAGER}) as box,
    ):
        _, intent = await pay(box, "o1", "k1")
        await box.ask("POST", "/clock", data=b'{"advance_seconds": 700000}')
        progress = await box.until("/progress", lambda now: now["acked"] == now["planned"] > 0)
        assert progress["failed"] == 4
        kinds = [one["type"] for one in inbox.bodies()]
        assert set(kinds) == {
            "payment_intent.created", "charge.succeeded", "charge.expired",
            "payment_intent.amount_capturable_updated", "payment_intent.canceled",
        }  # fmt: skip
        assert len(kinds) == 2 * len({one["id"] for one in inbox.bodies()})
        assert all(verified(headers, body) for _, headers, body in inbox.taken)
        assert {path for path, _, _ in inbox.taken} == {"/payments/webhooks/stripe/stripe-main"}
        shown = await found(box, f"/v1/payment_intents/{intent['id']}")
        assert shown["cancellation_reason"] == "automatic"


async def test_the_accounts_books_are_right_after_kill_9(tmp_path: Path) -> None:
    inbox = Inbox()
    async with running("stripe_server", tmp_path, 1, STRIPE | {"hooks": EAGER}) as box:
        for number in range(20):
            _, intent = await pay(box, f"o{number}", f"k{number}")
            await pay(box, f"o{number}", f"c{number}", f"/{intent['id']}/capture")
        await box.ask("POST", "/clock", data=b'{"advance_seconds": 1000}')
        before = await found(box, "/books")
        await box.kill()
    with (tmp_path / "stripe_server/books.jsonl").open("ab") as file:
        file.write(b'["did",{"puts":[')
    async with (
        receiving(inbox) as port,
        running("stripe_server", tmp_path, port, STRIPE | {"hooks": EAGER}) as box,
    ):
        after = await found(box, "/books")
        for name in ("captured_minor", "fees_minor", "orders", "by_status", "double_charges"):
            assert after[name] == before[name]
        assert after["now"] >= before["now"]
        assert (await pay(box, "o3", "k3"))[1]["id"] == (before["orders"]["o3"]["intents"][0]["id"])
        await box.until("/progress", lambda now: now["acked"] == now["planned"] == 200)
        assert len({one["id"] for one in inbox.bodies()}) == 100


def shipment(reference: str) -> bytes:
    address = "{" + ",".join(f'"{name}":"{value}"' for name, value in HOME.items()) + "}"
    return (
        f'{{"shipment":{{"reference":"{reference}","to_address":{address},'
        f'"from_address":{address},"parcel":{{"weight":20}}}}}}'
    ).encode()


async def carried(box: Process, path: str, data: bytes = b"{}") -> tuple[int, Json]:
    headers = {"Authorization": aiohttp.encode_basic_auth("EZ", "")}
    return await box.ask("POST", path, headers=headers, data=data)


async def test_a_purchase_whose_answer_is_lost_is_read_back_and_not_repeated(
    tmp_path: Path,
) -> None:
    settings = CARRIER | {"faults": {"lost": 1.0}}
    async with running("carrier_server", tmp_path, 1, settings) as box:
        with pytest.raises(aiohttp.ClientError):
            await carried(box, "/v2/shipments", shipment("s1"))
        _, quoted = await carried(box, "/v2/shipments", shipment("s1"))
        rate = f'{{"rate":{{"id":"{quoted["rates"][0]["id"]}"}}}}'.encode()
        with pytest.raises(aiohttp.ClientError):
            await carried(box, f"/v2/shipments/{quoted['id']}/buy", rate)
        status, refused = await carried(box, f"/v2/shipments/{quoted['id']}/buy", rate)
        assert (status, refused["error"]["code"]) == (422, "SHIPMENT.POSTAGE.EXISTS")
        headers = {"Authorization": aiohttp.encode_basic_auth("EZ", "")}
        _, shown = await box.ask("GET", f"/v2/shipments/{quoted['id']}", headers=headers)
        assert shown["postage_label"] is not None
        _, books = await box.ask("GET", "/books")
        assert (books["quoted"], books["bought"], books["bought_twice"]) == (2, 1, [])
        _, tracker = await box.ask("GET", f"/v2/trackers/{shown['tracker']['id']}", headers=headers)
        assert tracker["tracking_code"] == shown["tracking_code"]
        status, refused = await box.ask("GET", "/v2/trackers/trk_none", headers=headers)
        assert (status, refused["error"]["code"]) == (404, "NOT_FOUND")
        assert (await box.ask("GET", f"/v2/shipments/{quoted['id']}"))[0] == 401


async def test_the_carriers_books_and_scans_go_on_after_kill_9(tmp_path: Path) -> None:
    inbox = Inbox(refusals=2)
    async with running("carrier_server", tmp_path, 1, CARRIER | {"hooks": EAGER}) as box:
        for number in range(10):
            _, quoted = await carried(box, "/v2/shipments", shipment(f"s{number}"))
            rate = f'{{"rate":{{"id":"{quoted["rates"][0]["id"]}"}}}}'.encode()
            await carried(box, f"/v2/shipments/{quoted['id']}/buy", rate)
        _, before = await box.ask("GET", "/books")
        await box.kill()
    async with (
        receiving(inbox) as port,
        running("carrier_server", tmp_path, port, CARRIER | {"hooks": EAGER}) as box,
    ):
        _, after = await box.ask("GET", "/books")
        assert (after["bought"], after["bought_minor"]) == (10, before["bought_minor"])
        await box.ask("POST", "/clock", data=b'{"advance_seconds": 900000}')
        await box.until("/progress", lambda now: now["acked"] == now["planned"] == 100)
        _, after = await box.ask("GET", "/books")
        assert after["by_status"] == {"delivered": 10}
    for path, headers, body in inbox.taken:
        want = hmac.new("se\u0301cret".encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Hmac-Signature"] == f"hmac-sha256-hex={want}"
        assert path == headers["X-Path"] == "/fulfilment/webhooks/easypost/carrier-main"
    delivered = [one for one in inbox.bodies() if one["result"]["status"] == "delivered"]
    assert len(delivered) == 20


@pytest.mark.parametrize("module", ["stripe_server", "carrier_server"])
async def test_a_configuration_that_does_not_fit_ends_with_one_line(
    tmp_path: Path, module: str
) -> None:
    for wrong in ({"api_key": "x"}, {"api_key": "", "webhook_secret": "x"}):
        with pytest.raises(RuntimeError) as found:
            async with running(module, tmp_path, 1, wrong):
                pass
        assert len(str(found.value).strip().splitlines()) == 1
