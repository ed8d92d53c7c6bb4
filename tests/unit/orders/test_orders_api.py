"""The HTTP edge: what callers send, see and are refused."""

from typing import Any

import pytest_asyncio
from fastapi import FastAPI

from libs.eventsourcing.decider import Refused
from libs.runtime.ports import Ports
from libs.web.problems import Problem, answer_problem
from services.orders import api, commands
from services.orders.decider import ORDER
from tests.unit.memory import AsgiClient, MemoryCommands, Response
from tests.unit.orders.samples import ID, NOW, answer, captured, line, parcel, told
from tests.unit.orders.test_orders_confirming import MUG

STREAM = commands.order_stream(ID)


class Shop:
    def __init__(self, client: AsgiClient, memory: MemoryCommands) -> None:
        self.client, self.memory = client, memory

    async def post(self, path: str, body: dict[str, Any], key: str = "k1") -> Response:
        return await self.client.post(path, body, key)


@pytest_asyncio.fixture
async def shop() -> Shop:
    memory = MemoryCommands("orders", ORDER)
    none: Any = None
    ports = Ports(none, lambda: NOW, none, memory, none, memory.rows)
    app = FastAPI()
    app.include_router(api.routes(ports))
    for kind in (Problem, Refused):
        app.add_exception_handler(kind, answer_problem)
    return Shop(AsgiClient(app), memory)


async def test_an_order_is_shown_as_it_stands_with_its_history(shop: Shop) -> None:
    for command in (told(MUG), answer("MUG", 2)):
        shop.memory.tell(STREAM, command)
    shown = (await shop.client.get(f"/orders/{ID}")).json()
    assert (shown["state"], shown["external_id"], shown["owner"]) == (
        "confirmed",
        "1001",
        "payments",
    )
    assert shown["demands"]["MUG"] == {"units": 2, "answered": 1, "reserved": 2, "short": 0}
    history = (await shop.client.get(f"/orders/{ID}/history")).json()
    types = [event["type"] for event in history["events"]]
    assert types == [
        "OrderPlaced",
        "StockRequired",
        "OrderStockRecorded",
        "OrderConfirmed",
        "PaymentRequired",
    ]


async def test_orders_are_found_by_channel_external_id_and_state(shop: Shop) -> None:
    shop.memory.tell(STREAM, told(MUG))
    for query, found in (
        ("", 1), ("?state=placed", 1), ("?state=held", 0), ("?channel=shop&external_id=1001", 1),
    ):  # fmt: skip
        page = (await shop.client.get(f"/orders{query}")).json()
        assert len(page["orders"]) == found, query
    assert (await shop.client.get("/orders?state=odd")).status_code == 422
    page = (await shop.client.get("/orders?limit=1")).json()
    assert (await shop.client.get(f"/orders?cursor={page['cursor']}")).json()["orders"] == []


async def test_a_waiting_order_takes_a_decision_and_the_summary_counts_it(shop: Shop) -> None:
    for command in (told(MUG), answer("MUG", 1, short=1)):
        shop.memory.tell(STREAM, command)
    summary = (await shop.client.get("/orders/summary")).json()
    assert summary["counts"] == [
        {
            "state": "waiting",
            "reason": "out-of-stock",
            "orders": 1,
            "value_at_risk_minor": {"GBP": 200},
        }
    ]
    done = await shop.post(f"/orders/{ID}/decisions", {"decision": "cancel"})
    assert done.status_code == 200
    assert "OrderLinesCancelled" in done.json()["events"]
    again = await shop.post(f"/orders/{ID}/decisions", {"decision": "cancel"}, "k2")
    assert (again.status_code, again.json()["code"]) == (409, "order-not-waiting")


async def test_units_are_cancelled_by_line(shop: Shop) -> None:
    shop.memory.tell(STREAM, told(line("a", 3, ("MUG", 1))))
    body = {"lines": [{"line_id": "a", "quantity": 1}], "reason": "changed-mind"}
    assert (await shop.post(f"/orders/{ID}/cancellations", body)).status_code == 201
    shown = (await shop.client.get(f"/orders/{ID}")).json()
    assert (shown["lines"][0]["cancelled"], shown["demands"]["MUG"]["units"]) == (1, 2)


async def test_a_hold_is_placed_and_released_by_its_id(shop: Shop) -> None:
    shop.memory.tell(STREAM, told(MUG))
    placed = await shop.post(f"/orders/{ID}/holds", {"reason": "fraud-review"})
    hold_id = placed.json()["id"]
    assert (await shop.client.get(f"/orders/{ID}")).json()["reason"] == "fraud-review"
    path = f"/orders/{ID}/holds/{hold_id}/release"
    assert (await shop.post(path, {}, "k2")).json()["events"] == ["OrderReleased"]


async def test_an_order_shows_its_money_its_parcels_and_its_ledger_to_the_end(shop: Shop) -> None:
    seen: list[tuple[str, str, str]] = []
    for command in (
        told(MUG), answer("MUG", 2), captured(200), parcel("planned", ("a", 2)),
        parcel("dispatched", ("a", 2), seen=2), parcel("delivered", ("a", 2), seen=3),
    ):  # fmt: skip
        shop.memory.tell(STREAM, command)
        shown = (await shop.client.get(f"/orders/{ID}")).json()
        seen.append((shown["state"], shown["owner"], shown["next_action"]))
    assert seen == [
        ("placed", "inventory", "reserve the stock"),
        ("confirmed", "payments", "payment is awaited"),
        ("confirmed", "fulfilment", "ship"),
        ("in_fulfilment", "fulfilment", "pack, label and hand over"),
        ("dispatched", "carrier", "deliver"),
        ("completed", "", ""),
    ]  # fmt: skip
    assert (shown["payment"]["required_minor"], shown["payment"]["captured_minor"]) == (200, 200)
    ledger = {name: shown["lines"][0][name] for name in ("reserved", "shipped", "delivered")}
    assert ledger == {"reserved": 0, "shipped": 2, "delivered": 2}
    assert (shown["completed_by"], shown["parcels"]["s1"]["status"]) == ("scan", "delivered")
    listed = (await shop.client.get("/orders?state=completed")).json()
    assert len(listed["orders"]) == 1


async def test_a_lost_parcel_is_decided_over_http(shop: Shop) -> None:
    for command in (told(MUG), answer("MUG", 2), captured(200), parcel("lost", ("a", 2))):
        shop.memory.tell(STREAM, command)
    shown = (await shop.client.get(f"/orders/{ID}")).json()
    assert (shown["state"], shown["reason"], shown["value_at_risk_minor"]) == (
        "waiting", "parcel-lost", 200,
    )  # fmt: skip
    assert shown["next_action"] == "decide: reship, refund or claim"
    body = {"decision": "refund", "shipment_id": "s1"}
    done = await shop.post(f"/orders/{ID}/decisions", body)
    assert "OrderDecisionTaken" in done.json()["events"]
    late = await shop.post(f"/orders/{ID}/decisions", {"decision": "reship"}, "k2")
    assert (late.status_code, late.json()["code"]) == (409, "order-not-waiting")
    shown = (await shop.client.get(f"/orders/{ID}")).json()
    assert (shown["state"], shown["lines"][0]["refunded"]) == ("completed", 2)


async def test_what_does_not_exist_has_no_key_or_carries_free_text_is_refused(shop: Shop) -> None:
    assert (await shop.client.get(f"/orders/{ID}")).status_code == 404
    assert (await shop.client.get(f"/orders/{ID}/history")).status_code == 404
    assert (await shop.post(f"/orders/{ID}/cancellations", {})).status_code == 404
    keyless = await shop.client.post(f"/orders/{ID}/cancellations", {}, None)
    assert keyless.json()["code"] == "idempotency-key-missing"
    free = await shop.post(f"/orders/{ID}/holds", {"reason": "Call Jane at 5"})
    assert free.status_code == 422
    beyond = await shop.post(f"/orders/{ID}/holds", {"reason": "fraud-review", "until": 2**63})
    assert beyond.status_code == 422
    assert (await shop.client.get(f"/orders/{ID}/history?cursor={2**63}")).status_code == 422
    assert (await shop.client.get(f"/orders/{ID}?after=never")).status_code == 504
