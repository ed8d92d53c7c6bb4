"""The HTTP edge: what waits is settled by its subject, whatever stands in it."""

from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client import CollectorRegistry

from libs.contracts import inventory
from libs.replay.memory import MemoryRows
from libs.runtime.ports import Ports
from libs.runtime.settings import Server, Settings
from libs.web.app import build_app
from services.accounting.service import routes
from services.console.http import part
from tests.unit.accounting.samples import NOW, Ledger, told
from tests.unit.memory import AsgiClient, Keyed, folded


class Books:
    """The whole service; a command goes straight to the ledger."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        none: Any = None
        rows: Any = lambda p: MemoryRows(lambda: folded(p, self.ledger.log))  # noqa: E731
        ports = Ports(Settings(), lambda: NOW, none, Keyed(self.ledger.tell), none, rows)

        async def refresh() -> None:
            """There are no gauges."""

        app = build_app(Server(), [routes(ports)], CollectorRegistry(), refresh, dict)
        self.client = AsgiClient(app)


def uncosted(sku: str) -> inventory.StockReceived:
    return inventory.StockReceived(
        entity="main", occurred_at=NOW, sku=sku, location="main", reservable=True, quantity=10,
        unit_cost=None, currency=None, document="d", by="", lot=None, serial=None, expiry=None,
    )  # fmt: skip


@pytest.mark.parametrize("sku", ["MUG", "TEE/RED/L", "A/", "/A", "A/COST-UNKNOWN/SETTLE"])
async def test_a_cost_that_was_unknown_is_said_by_a_person(sku: str) -> None:
    books = Books()
    books.ledger.hear(told(uncosted(sku), 1, "inventory", f"stock-{sku}"))
    [row] = (await books.client.get("/accounting/queues")).json()["rows"]
    assert (row["subject"], row["code"]) == (sku, "cost-unknown")
    path = f"/accounting/queues/{part(row['subject'])}/{row['code']}/settle"
    body = {"source_event": row["source_event"], "value": "2.00", "by": "ann"}
    answer = await books.client.post(path, body, "settle-1")
    assert (answer.status_code, answer.json()["subject"]) == (200, sku)
    assert (await books.client.get("/accounting/queues")).json()["rows"] == []
    assert books.ledger.short() == {f"1400 {sku}": 2000, "2500": -2000}


async def test_what_waits_is_read_in_pages_whatever_stands_in_a_sku() -> None:
    books, skus = Books(), ["A|B", "A", "|", "A||", 'Ä"/\\', "A:B", "A/B", "a b&c=d+%7C", "MUG"]
    for sku in skus:
        books.ledger.hear(told(uncosted(sku), 1, "inventory", f"stock-{sku}"))
    seen: list[str] = []
    query = "?limit=1"
    while len(seen) <= len(skus):
        page = (await books.client.get(f"/accounting/queues{query}")).json()
        seen += [row["subject"] for row in page["rows"]]
        if page["cursor"] is None:
            break
        query = f"?limit=1&cursor={page['cursor']}"
    assert seen == sorted(skus)


@pytest.mark.parametrize("cursor", ["x", "A|B|C", "WyJhIl0", "WyJhIiwiYiIsMV0", "é", "a" * 3000])
async def test_a_cursor_that_no_page_said_is_refused(cursor: str) -> None:
    answer = await Books().client.get(f"/accounting/queues?cursor={quote(cursor)}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
