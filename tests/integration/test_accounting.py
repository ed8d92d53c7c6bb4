"""Accounting on a real broker and database: facts in the topics, the books over HTTP."""

import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from libs.bus.topics import topic_of
from libs.codec.framing import EventCodec, frame
from libs.codec.headers import EventHeaders, build_headers, links
from libs.codec.registry import Registry
from libs.contracts import fulfilment, inventory, orders, payments
from libs.runtime.host import Host
from libs.runtime.settings import Settings
from libs.stack.stack import Servers
from libs.values.ids import derive
from libs.values.lanes import lane_of
from services.accounting.service import SERVICE
from tests.support import eventually
from tests.unit.accounting.samples import (
    NOW,
    captured,
    dispatched,
    line,
    order,
    placed,
    shipping,
    tax,
)
from tests.unit.memory import AsgiClient

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]
SOLD = 40
NOWHERE, UNKNOWN = "ord_nowhere", "ord_unknown"
CONTRACTS = (
    *orders.CONTRACTS, *payments.CONTRACTS, *fulfilment.CONTRACTS, *inventory.CONTRACTS,
)  # fmt: skip


class Topics:
    """Writes facts to the topics of other services, as their relays do."""

    def __init__(self, producer: AIOKafkaProducer, prefix: str) -> None:
        self.producer, self.prefix = producer, prefix
        self.registry = Registry.from_lock()
        self.codec = EventCodec(CONTRACTS, self.registry)
        self.lanes: dict[tuple[str, int], int] = defaultdict(int)
        self.versions: dict[str, int] = defaultdict(int)

    async def say(self, stream: str, event: Any) -> None:
        service = type(event).__module__.rpartition(".")[2]
        name, schema, data = self.codec.encode(event)
        lane = lane_of(stream)
        self.lanes[service, lane] += 1
        self.versions[stream] += 1
        identity = derive(service, stream, str(self.versions[stream]))
        headers = EventHeaders(
            identity, service, name, NOW, "", self.lanes[service, lane], self.versions[stream],
            links(identity, identity),
        )  # fmt: skip
        await self.producer.send(
            topic_of(self.prefix, service), frame(self.registry.ids[name, schema], data),
            key=stream.encode(), partition=lane, headers=build_headers(headers),
        )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def host(servers: Servers, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Host]:
    prefix = f"test_{uuid.uuid4().hex[:12]}_"
    settings = Settings(topic_prefix=topic_prefix, database_prefix=prefix)
    async with Host([SERVICE], servers, settings, tmp_path) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def topics(host: Host, servers: Servers, topic_prefix: str) -> AsyncIterator[Topics]:
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka, acks="all", linger_ms=5)
    await producer.start()
    try:
        yield Topics(producer, topic_prefix)
    finally:
        await producer.stop()


async def balances(http: AsgiClient, query: str = "") -> dict[str, int]:
    answer = await http.get(f"/accounting/trial-balance?entity=main{query}")
    for _ in range(6):  # `after` waits 5 s and then says so: a busy machine is asked again
        if answer.status_code != 504:
            break
        answer = await http.get(f"/accounting/trial-balance?entity=main{query}")
    assert answer.status_code == 200, answer.body
    found: dict[str, int] = {}
    for balance in answer.json()["trial_balances"]:
        assert balance["balanced"]
        assert balance["debits"] == balance["credits"]
        for one in balance["accounts"]:
            name = f"{one['account']} {one['dimension'] or ''}".strip()
            found[name] = found.get(name, 0) + one["balance"]
    return {name: amount for name, amount in found.items() if amount}


async def sell(topics: Topics) -> None:
    """Forty orders, paid and sent in two parcels each; payments are said before their orders."""
    given = order(line("mug", 3, 1000, tax(200)), charges=(shipping(300, tax(60)),), rounding=1)
    received = inventory.StockReceived(
        entity="main", occurred_at=NOW, sku="MUG", location="main", reservable=True,
        quantity=200, unit_cost="1.333333", currency="GBP", document="d", by="", lot=None,
        serial=None, expiry=None,
    )  # fmt: skip
    await topics.say("stock-MUG", received)
    for n in range(SOLD):
        name = f"ord_{n}"
        await topics.say(f"payment-{name}", captured(1561, f"cap{n}", order_id=name))
        await topics.say(f"order-{name}", placed(given, name))
        for parcel, units in enumerate((1, 2)):
            shipment = f"shp{n}-{parcel}"
            sent = dispatched(("mug", units), shipment=shipment, order_id=name)
            await topics.say(f"shipment-{shipment}", sent)
            shipped = inventory.StockShipped(
                entity="main", occurred_at=NOW, sku="MUG", location="main", quantity=units,
                order_id=name, shipment_id=shipment, from_reservation=units, allocations=(),
                reserved=0, short=0, revision=1,
            )  # fmt: skip
            await topics.say("stock-MUG", shipped)
    nowhere = order(line("mug", 1, 1000, tax(200)), country="")
    await topics.say(f"order-{NOWHERE}", placed(nowhere, NOWHERE))
    await topics.say(
        f"shipment-{NOWHERE}", dispatched(("mug", 1), shipment=NOWHERE, order_id=NOWHERE)
    )
    await topics.say(f"payment-{UNKNOWN}", captured(77, "cap-x", order_id=UNKNOWN))


BOOKS = {
    "1100": SOLD * 1561, "2200": -SOLD * 260, "2500": -26667, "4000": -SOLD * 1000,
    "4200": -SOLD * 300, "7000": -SOLD,
}  # fmt: skip


async def test_facts_in_the_topics_become_books_over_http(host: Host, topics: Topics) -> None:
    http = AsgiClient(host.app)
    await sell(topics)

    async def posted() -> bool:
        found = await balances(http)
        stock, cost = found.pop("1400", 0), found.pop("5000", 0)
        values = (await http.get("/accounting/stock-values?sku=MUG")).json()["stock_values"]
        queue = (await http.get("/accounting/queues")).json()["waiting"]
        return (found, stock + cost, [one["at_version"] for one in values]) == (
            BOOKS,
            26667,
            [1 + 2 * SOLD],
        ) and queue == {"order-unknown": 1, "tax-country-unknown": 1}

    await eventually(posted, timeout=60)
    sums = await balances(http, "&dimensions=true&currency=GBP")
    assert sums["1100 shop"] == SOLD * 1561
    assert sums["2200 0.2"] == -SOLD * 260

    await _stock_is_worth_its_units(http, sums["1400 MUG"])
    await _entries_name_their_source(http)
    await _what_waits_is_settled_once(http)


async def _stock_is_worth_its_units(http: AsgiClient, account: int) -> None:
    [value] = (await http.get("/accounting/stock-values?sku=MUG")).json()["stock_values"]
    assert (value["units"], value["value"]) == (200 - 3 * SOLD, account)
    assert value["at_version"] == 1 + 2 * SOLD


async def _entries_name_their_source(http: AsgiClient) -> None:
    page = (await http.get("/accounting/entries?order_id=ord_7")).json()
    kinds = sorted(entry["kind"] for entry in page["entries"])
    assert kinds == [
        "dispatch_cost", "dispatch_cost", "dispatch_revenue", "dispatch_revenue", "payment",
        "rounding",
    ]  # fmt: skip
    one = next(entry for entry in page["entries"] if entry["kind"] == "payment")
    found = (await http.get(f"/accounting/entries?source={one['source']}")).json()["entries"]
    assert found == [one]
    debit, *credited = (row["account"] for row in one["lines"])
    assert debit == "1100"
    assert {*credited} <= {"1200", "2100"}  # the receivable, where a parcel was heard of first
    seen, query = set[str](), "account=7000&limit=7"
    while query:
        page = (await http.get(f"/accounting/entries?{query}")).json()
        assert not seen & {entry["entry_id"] for entry in page["entries"]}
        seen |= {entry["entry_id"] for entry in page["entries"]}
        query = f"account=7000&limit=7&cursor={page['cursor']}" if page["cursor"] else ""
    assert len(seen) == SOLD
    assert (await http.get("/accounting/entries?account=nil")).status_code == 422
    chart = (await http.get("/accounting/accounts")).json()
    assert {"number": "1400", "name": "Stock", "nature": "asset", "dimension": "sku"} in chart


async def _what_waits_is_settled_once(http: AsgiClient) -> None:
    queue = (await http.get("/accounting/queues")).json()
    assert queue["waiting"] == {"order-unknown": 1, "tax-country-unknown": 1}
    held = next(row for row in queue["rows"] if row["code"] == "tax-country-unknown")
    assert (held["subject"], held["owner"], held["amount"]) == (NOWHERE, "accounting", 1200)
    path = f"/accounting/queues/{NOWHERE}/tax-country-unknown/settle"
    body = {"source_event": held["source_event"], "value": "Ireland"}
    assert (await http.post(path, body, "key-1")).status_code == 422
    body["value"] = "IE"
    assert (await http.post(path, body, None)).status_code == 400
    done = await http.post(path, body, "key-2")
    assert done.status_code == 200, done.body
    assert done.json()["events"] == [
        "lonja.accounting.PostingSettled",
        "lonja.accounting.EntryPosted",
    ]
    assert (await http.post(path, body, "key-2")).json() == done.json()
    after = f"&after={done.json()['token']}"
    assert (await balances(http, after))["1200"] == 1200
    assert (await http.get(f"/accounting/queues?{after[1:]}")).json()["waiting"] == {
        "order-unknown": 1
    }
    missing = await http.post(path, body, "key-3")
    assert (missing.status_code, missing.json()["code"]) == (404, "posting-not-held")
