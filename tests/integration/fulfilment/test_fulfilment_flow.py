"""From what is to be handed over to the buyer's door: real broker, real database, a carrier."""

import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from libs.bus.topics import topic_of
from libs.codec.framing import EventCodec, frame
from libs.codec.headers import EventHeaders, build_headers, links
from libs.codec.registry import Registry
from libs.contracts import inventory, orders, payments
from libs.contracts.common import Allocation, Customer
from libs.runtime.host import Host
from libs.runtime.settings import Address, Carrier, Location, Settings
from libs.security.secrets import Secret
from libs.security.signing import sign_easypost
from libs.security.vault.sealing import seal
from libs.stack.stack import Servers
from libs.values.ids import derive
from libs.values.lanes import lane_of
from services.fulfilment.service import SERVICE
from tests.conftest import own_folder
from tests.integration.fulfilment.carrier import LABELS, tracker
from tests.integration.fulfilment.carrier import Carrier as CarrierDesk
from tests.support import eventually
from tests.unit.fulfilment.samples import MUGS, NOW, customer
from tests.unit.memory import AsgiClient, Response

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]
SECRET = "sécret"
STREET = "7 Hidden Lane"


class Shop:
    """Fulfilment in this process; what other services say is written to their topics."""

    def __init__(self, host: Host, producer: AIOKafkaProducer, desk: CarrierDesk) -> None:
        self.host, self.producer, self.desk = host, producer, desk
        self.running = host.running["fulfilment"]
        self.client = AsgiClient(host.app)
        self.codec = EventCodec((*orders.CONTRACTS, *inventory.CONTRACTS, *payments.CONTRACTS))
        self.sent: dict[tuple[str, int], int] = {}

    async def publish(self, service: str, stream: str, version: int, event: Any) -> None:
        lane = lane_of(stream)
        pseq = self.sent[service, lane] = self.sent.get((service, lane), 0) + 1
        kind, schema, data = self.codec.encode(event)
        name = derive("test", service, stream, str(version))
        origin = EventHeaders(name, service, kind, NOW, "", pseq, version, links(name, name))
        topic = topic_of(self.host.settings.topic_prefix, service)
        await self.producer.send_and_wait(
            topic, frame(Registry.from_lock().ids[kind, schema], data), key=stream.encode(),
            partition=lane, headers=build_headers(origin),
        )  # fmt: skip

    async def buyer(self, street: str = STREET) -> Customer:
        """A buyer whose address only the vault can open."""
        subject = "sub_flow"
        keys = await self.running.vault.keys_for([(subject, "contact")])
        plain = json.dumps({"name": "Ada Hidden", "address1": street, "city": "Mockham",
                            "zip": "ZZ1 1ZZ"}).encode()  # fmt: skip
        contact = seal(keys[subject, "contact"], "contact", plain, bytes(12))
        return msgspec.structs.replace(customer(subject=subject), contact=contact)

    async def order(self, order: str) -> None:
        """Ask for two mugs, which inventory keeps."""
        wanted = orders.FulfilmentRequested(
            entity="main", occurred_at=NOW, order_id=order, revision=1, account="shop",
            lines=(MUGS,), one_parcel=False, customer=await self.buyer(), declared_value=1000,
            currency="GBP",
        )  # fmt: skip
        kept = inventory.StockReserved(
            entity="main", occurred_at=NOW, sku="MUG", reservation_id=f"{order}:MUG",
            order_id=order, revision=1, wanted=2, priority=1, placed_at=NOW, decide_by=NOW,
            allocations=(Allocation(location="main", units=2),), units=2, reserved=2, short=0,
            reservation_class="commitment", from_waiting_list=False,
        )  # fmt: skip
        await self.publish("orders", f"order-{order}", 1, wanted)
        version = self.sent.get(("mug", 0), 0) + 1
        self.sent["mug", 0] = version
        await self.publish("inventory", "stock-MUG", version, kept)

    async def clear(self, order: str, shipment: str) -> None:
        cleared = payments.ShipmentCleared(
            entity="main", occurred_at=NOW, order_id=order, shipment_id=shipment,
            basis="captured", amount=1000, currency="GBP",
        )  # fmt: skip
        await self.publish("payments", f"payment-{order}", 1, cleared)

    async def webhook(self, body: Any, secret: str = SECRET) -> Response:
        raw = json.dumps(body).encode()
        headers = sign_easypost(Secret(secret), raw)
        given = tuple((k.lower().encode(), v.encode()) for k, v in headers.items())
        return await self.client._call("POST", "/fulfilment/webhooks/easypost/post", raw, given)

    async def parcel(self, order: str, **wanted: Any) -> dict[str, Any]:
        """Wait for the order's parcel to look like this."""

        async def look() -> dict[str, Any]:
            page = (await self.client.get(f"/fulfilment/shipments?order_id={order}")).json()
            for one in page["shipments"]:
                flat = one | {"label": (one["label"] or {}).get("state")}
                if all(flat[name] == value for name, value in wanted.items()):
                    return dict(one)
            raise AssertionError(page)

        found: dict[str, Any] = await eventually(look, 20)
        return found

    async def types(self, shipment: str) -> list[str]:
        rows = await self.running.pool.fetch(
            "SELECT type FROM events WHERE stream_id = $1 ORDER BY version",
            f"shipment-{shipment}",
        )
        return [row[0].rpartition(".")[2] for row in rows]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(servers: Servers) -> AsyncIterator[Shop]:
    topic_prefix = f"test-{uuid.uuid4().hex[:12]}."
    with own_folder() as tmp_path:
        async with running(servers, tmp_path, topic_prefix) as shop:
            yield shop


@contextlib.asynccontextmanager
async def running(servers: Servers, folder: Path, topic_prefix: str) -> AsyncIterator[Shop]:
    async with CarrierDesk() as desk:
        settings = Settings(
            topic_prefix=topic_prefix, database_prefix=f"f{topic_prefix[5:12]}_",
            locations={"main": Location(carrier="post", address=Address(country="GB"))},
            carriers={
                "post": Carrier(
                    api_url=desk.url, api_key="k", webhook_secrets=(SECRET,), per_second=100
                )
            },
        )  # fmt: skip
        async with (
            Host([SERVICE], servers, settings, folder) as host,
            AIOKafkaProducer(bootstrap_servers=servers.kafka) as producer,
        ):
            yield Shop(host, producer, desk)


def theirs_of(parcel: dict[str, Any]) -> str:
    """The carrier's own name of a parcel."""
    return str(parcel["tracking_code"]).removeprefix("TRACK-")


async def test_a_parcel_goes_from_topics_to_the_door(shop: Shop) -> None:
    await shop.order("ord_a")
    packed = await shop.parcel("ord_a", state="packed", label="bought")
    name = packed["shipment_id"]
    assert packed["waiting"]["reason"] == "clearance"
    assert (packed["label"]["cost_minor"], packed["label"]["currency"]) == (450, "GBP")
    assert shop.desk.addresses[-1]["street1"] == STREET
    printed = await shop.client.get(f"/fulfilment/shipments/{name}/label")
    assert printed.json() == {"url": f"{LABELS}{theirs_of(packed)}.pdf"}
    early = await shop.client.post(f"/fulfilment/shipments/{name}/hand-over", {}, "early")
    assert (early.status_code, early.json()["code"]) == (409, "capture-not-confirmed")

    await shop.clear("ord_a", name)
    sent = await shop.parcel("ord_a", state="dispatched")
    assert sent["waiting"] is None
    theirs = theirs_of(sent)

    news = {
        "id": "evt_1",
        "description": "tracker.updated",
        "result": tracker(theirs, "delivered"),
    }
    assert (await shop.webhook(news, "another secret")).status_code == 401
    for status in ("accepted", "known"):
        assert (await shop.webhook(news)).json() == {"status": status}
    await shop.parcel("ord_a", state="delivered")
    late = news | {"id": "evt_0"}
    late["result"] = tracker(theirs, "failure", timedelta(hours=1))
    assert (await shop.webhook(late)).json() == {"status": "accepted"}
    await shop.parcel("ord_a", state="delivered", tracking="failure")
    assert await shop.types(name) == [
        "ShipmentPlanned", "ShipmentPacked", "LabelRequested", "LabelQuoted", "LabelBought",
        "ShipmentClearanceRecorded", "ShipmentReady", "ShipmentDispatched", "ParcelTracked",
        "ShipmentDelivered", "ParcelTracked",
    ]  # fmt: skip
    assert shop.desk.sold[theirs] == 1
    await _nothing_personal(shop)


async def test_a_lost_answer_buys_no_second_label_and_a_bad_address_waits_for_a_person(
    shop: Shop,
) -> None:
    shop.desk.faults = ["create-answer-lost", "buy-fails", "buy-answer-lost"]
    await shop.order("ord_b")
    bought = await shop.parcel("ord_b", label="bought")
    assert set(shop.desk.sold.values()) == {1}
    assert "LabelInDoubt" in await shop.types(bought["shipment_id"])

    shop.desk.faults = ["address-refused"]
    await shop.order("ord_c")
    refused = await shop.parcel("ord_c", label="refused")
    waiting = refused["waiting"]
    assert (waiting["reason"], waiting["owner"], waiting["value_at_risk_minor"]) == (
        "label-refused:address-verify-failure", "warehouse", 1000,
    )  # fmt: skip
    listed = (
        await shop.client.get("/fulfilment/queues?reason=label-refused:address-verify-failure")
    ).json()
    assert [one["id"] for one in listed["entries"]] == [refused["shipment_id"]]
    path = f"/fulfilment/shipments/{refused['shipment_id']}/label"
    unsold = await shop.client.get(path)
    assert (unsold.status_code, unsold.json()["code"]) == (404, "label-not-there")
    assert (await shop.client.post(path, {}, "again")).status_code == 200
    await shop.parcel("ord_c", label="bought")


async def test_a_word_on_an_unknown_parcel_waits_for_a_person(shop: Shop) -> None:
    news = {
        "id": "evt_9",
        "description": "tracker.updated",
        "result": tracker("nobody", "delivered"),
    }
    assert (await shop.webhook(news)).status_code == 200

    async def listed() -> list[Any]:
        page = (await shop.client.get("/fulfilment/queues?reason=tracking-unmatched")).json()
        return list(page["entries"])

    (entry,) = await eventually(listed)
    assert (entry["kind"], entry["id"]) == ("tracking", "post/trk_nobody")


async def _nothing_personal(shop: Shop) -> None:
    """Neither the street nor a carrier's gossip nor where labels lie is in any row of the database."""
    words = ("Hidden", "SECRETPERSON", "labels.invalid")
    tables = await shop.running.pool.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    for table in tables:
        found = await shop.running.pool.fetchval(
            f'SELECT count(*) FROM "{table[0]}" t WHERE t::text ~ $1 OR t::text ~ $2',
            "|".join(words), "|".join(word.encode().hex() for word in words),
        )  # fmt: skip
        assert not found, table[0]
