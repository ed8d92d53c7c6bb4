"""What the adapter for WooCommerce makes of an order that it is to change."""

import asyncio
from typing import Any

from libs.contracts.channels import ChannelReportRequested
from libs.contracts.common import ExternalLineQuantity
from libs.effects.http import Answered
from libs.effects.kinds import Confirmed, Rejected, Result
from libs.eventsourcing.states import pack
from libs.store.store import Call
from services.channels.outbound.woocommerce import WooCommerceReports


class Shop:
    """A shop's API with one order; a PUT is done as it is told."""

    def __init__(self, status: str) -> None:
        self.order: dict[str, Any] = {"id": 2001, "status": status, "line_items": []}

    async def call(self, method: str, path: str, *, json: Any = None) -> Answered:
        assert path == "/wp-json/wc/v3/orders/2001"
        if method == "PUT":
            self.order |= json
        return Answered(200, {}, dict(self.order))


def cancel(shop: Shop, **fields: Any) -> Result:
    given: dict[str, Any] = {
        "entity": "main", "occurred_at": 0, "account": "woo", "provider": "woocommerce",
        "external_id": "2001", "order_id": "ord_1", "report_id": "r1", "kind": "cancellation",
        "subject": "e1", "lines": (), "whole": True, "reason": "payment-expired", "due_by": 1,
    }  # fmt: skip
    report = ChannelReportRequested(**(given | fields))
    outside: Any = shop
    call = Call("e", "woocommerce.report", "channelorder-woo:2001", pack(report), 1, 1, 0, 0)
    return asyncio.run(WooCommerceReports(outside, lambda: 0).perform(call))


def test_an_order_is_cancelled_as_a_whole() -> None:
    shop = Shop("processing")
    assert isinstance(cancel(shop), Confirmed)
    assert shop.order["status"] == "cancelled"


def test_a_cancellation_that_a_dispatch_has_overtaken_is_a_persons_matter() -> None:
    shop = Shop("completed")
    assert cancel(shop) == Rejected("refused-by-channel", "order-completed")
    assert shop.order["status"] == "completed"


def test_a_cancellation_of_the_rest_completes_an_order_that_has_left_in_part() -> None:
    shop = Shop("processing")
    shop.order["line_items"] = [{"id": 1, "quantity": 2}, {"id": 2, "quantity": 1}]
    mug = (ExternalLineQuantity(external_line_id="2", quantity=1),)
    assert isinstance(cancel(shop, lines=mug, whole=False, rest=True), Confirmed)
    assert shop.order["status"] == "completed"
    assert shop.order["line_items"] == [{"id": 2, "quantity": 0}]
