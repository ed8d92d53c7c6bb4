"""Every write of every service over HTTP: one request that fits, by its route."""

from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from libs.replay.memory import MemoryRows
from libs.runtime.ports import Commands, Ports
from libs.runtime.redrive import Redriven
from libs.runtime.settings import Server, Settings
from libs.security.vault.memory import MemoryVault
from libs.store.memory import MemoryStore
from libs.web.app import build_app
from libs.web.ops import ops_routes
from services.console.composition import SERVICES

NOW = 1_780_000_000_000_000
ORDER, HOLD = "ord_" + "0" * 20, "hold_" + "0" * 20
ANN, BOB = "cus_" + "a" * 20, "cus_" + "b" * 20
LINE = {"sku": "MUG", "quantity": 1, "unit_price": "5.00"}
PARKED = {"stream": "order-1", "source": "shop/1"}
WRITES: dict[str, tuple[str, Any]] = {
    "/channels/store/{account}/checkouts": (
        "/channels/store/store/checkouts", {"lines": [LINE], "currency": "GBP", "total": "5.00"},
    ),
    "/channels/listings/{account}/{listing_id}/link": (
        "/channels/listings/shop/1/link", {"sku": "MUG"},
    ),
    "/channels/listings/{account}/{listing_id}/unlink": ("/channels/listings/shop/1/unlink", None),
    "/channels/reports/{report_id}/decisions": (
        "/channels/reports/r1/decisions", {"decision": "retry"},
    ),
    "/orders/{order_id}/cancellations": (f"/orders/{ORDER}/cancellations", {}),
    "/orders/{order_id}/decisions": (f"/orders/{ORDER}/decisions", {"decision": "retry"}),
    "/orders/{order_id}/holds": (f"/orders/{ORDER}/holds", {}),
    "/orders/{order_id}/holds/{hold_id}/release": (f"/orders/{ORDER}/holds/{HOLD}/release", {}),
    "/inventory/items/{sku}": ("/inventory/items/MUG", {"description": "A mug"}),
    "/inventory/stock/{sku}/receipts": (
        "/inventory/stock/MUG/receipts", {"quantity": 1, "location": "store"},
    ),
    "/inventory/stock/{sku}/counts": ("/inventory/stock/MUG/counts", {"counted": 1, "location": "store"}),
    "/inventory/stock/{sku}/adjustments": (
        "/inventory/stock/MUG/adjustments", {"quantity": 1, "reason": "found", "location": "store"},
    ),
    "/inventory/stock/{sku}/moves": (
        "/inventory/stock/MUG/moves",
        {"quantity": 1, "location_from": "main", "location_to": "store"},
    ),
    "/payments/{order_id}/decisions": (f"/payments/{ORDER}/decisions", {"decision": "retry"}),
    "/payments/disagreements/settle": (
        "/payments/disagreements/settle",
        {"holder": "card", "provider_reference": "re_1", "decision": "booked by hand"},
    ),
    "/fulfilment/shipments": (
        "/fulfilment/shipments", {"shipments": ["shp_1", "shp_2"], "same_address": True},
    ),
    "/fulfilment/shipments/{shipment_id}/pack": ("/fulfilment/shipments/shp_1/pack", {}),
    "/fulfilment/shipments/{shipment_id}/hand-over": ("/fulfilment/shipments/shp_1/hand-over", {}),
    "/fulfilment/shipments/{shipment_id}/stop": ("/fulfilment/shipments/shp_1/stop", {}),
    "/fulfilment/shipments/{shipment_id}/decisions": (
        "/fulfilment/shipments/shp_1/decisions", {"decision": "keep"},
    ),
    "/fulfilment/shipments/{shipment_id}/label": (
        "/fulfilment/shipments/shp_1/label", {"carrier": "post"},
    ),
    "/fulfilment/trackings/{account}/{tracker}/decisions": (
        "/fulfilment/trackings/post/trk_1/decisions", {"decision": "nobodys"},
    ),
    "/accounting/queues/{subject}/{code}/settle": (
        "/accounting/queues/MUG/cost-unknown/settle", {"source_event": "e1", "value": "2.00"},
    ),
    "/customers/{customer_id}/erasure": (f"/customers/{ANN}/erasure", {"subjects": ["sub_1"]}),
    "/customers/{customer_id}/merges": (f"/customers/{ANN}/merges", {"other_id": BOB}),
    "/customers/{customer_id}/unmerges": (f"/customers/{ANN}/unmerges", {"merged_id": BOB}),
    "/ops/{name}/parked/redrive": ("/ops/toy/parked/redrive", PARKED),
    "/ops/{name}/parked/discard": (
        "/ops/toy/parked/discard", PARKED | {"parked_id": "p1", "reason": "sent twice"},
    ),
}  # fmt: skip
KEYLESS = {  # known by their signature and id; and a read
    "/channels/webhooks/{provider}/{account}", "/payments/webhooks/{provider}/{account}",
    "/fulfilment/webhooks/{provider}/{account}", "/customers/lookup",
}  # fmt: skip


class Operators:
    """What operators' requests do: each is counted, and fails when it comes a second time."""

    def __init__(self) -> None:
        self.deeds = 0

    async def redrive(self, *_: str) -> list[Redriven]:
        self.deeds += 1
        assert self.deeds == 1
        return [Redriven("p1", "order-1", "shop/1", None)]

    discard = redrive


async def nothing() -> None:
    """There are no gauges."""


def every_route(commands: Commands, server: Server | None = None) -> FastAPI:
    """All services behind one server, before anything is configured, known or shown."""
    none: Any = None
    ports = Ports(Settings(), lambda: NOW, MemoryVault(), commands, none,
                  lambda _: MemoryRows(dict))  # fmt: skip
    toy: Any = SimpleNamespace(store=MemoryStore(), clock=lambda: NOW, parked=Operators())
    routers = [s.routes(ports) for s in SERVICES.values() if s.routes is not None]
    return build_app(
        server or Server(), [*routers, ops_routes({"toy": toy})], CollectorRegistry(), nothing, dict
    )
