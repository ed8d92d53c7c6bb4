"""What a Shopify shop is asked and told, answer by answer; its whole API is played elsewhere."""

import asyncio
from typing import Any

from libs.contracts import channels, common
from libs.effects.http import Answered, NoAnswer
from libs.effects.kinds import Confirmed, NotYet, Rejected, Result, Unknown
from libs.eventsourcing.states import pack
from libs.store.store import Call
from services.channels.outbound.shopify import PATH, ShopifyReports

REPORT = channels.ChannelReportRequested(
    entity="main", occurred_at=1, account="shop", provider="shopify", external_id="1001",
    order_id="ord_1", report_id="r1", kind="dispatch", subject="s1",
    lines=(
        common.ExternalLineQuantity(external_line_id="1", quantity=2),
        common.ExternalLineQuantity(external_line_id="2", quantity=1),
    ),
    whole=True, carrier="UPS", tracking_code="T1", tracking_url=None, reason="", due_by=2,
)  # fmt: skip


class Shop:
    """One order in fulfilment orders of a line each; it keeps what it is told."""

    def __init__(self, *parts: tuple[str, int, int]) -> None:
        self.parts = list(parts)
        self.told: list[Any] = []

    async def call(self, method: str, path: str, *, json: Any) -> Answered:
        assert (method, path) == ("POST", PATH)
        if "mutation" not in json["query"]:
            return Answered(200, {}, {"data": {"order": self._order()}})
        self.told += json["variables"]["fulfillment"]["lineItemsByFulfillmentOrder"]
        made = {"fulfillment": {"id": "F1"}, "userErrors": []}
        return Answered(200, {}, {"data": {"fulfillmentCreate": made}})

    def _order(self) -> Any:
        nodes = [
            {"id": f"FO{n}", "status": status, "lineItems": page(
                [{"id": f"FOL{n}", "remainingQuantity": units,
                  "lineItem": {"id": f"gid://shopify/LineItem/{line}"}}])}
            for n, (status, line, units) in enumerate(self.parts)
        ]  # fmt: skip
        return {
            "id": "O1", "cancelledAt": None, "fulfillments": [], "fulfillmentOrders": page(nodes)
        }  # fmt: skip


def page(nodes: Any) -> Any:
    return {"pageInfo": {"hasNextPage": False}, "nodes": nodes}


def told(shop: Any) -> Result:
    call = Call("e1", "shopify.report", "order-x", pack(REPORT), 1, 1, 0, 1)
    return asyncio.run(ShopifyReports(shop, lambda: 1).perform(call))


def test_a_parcel_of_which_units_are_on_hold_waits_for_a_person_and_is_then_told_whole() -> None:
    shop = Shop(("OPEN", 1, 2), ("ON_HOLD", 2, 1))
    found = told(shop)
    assert isinstance(found, Rejected)
    assert (found.code, shop.told) == ("fulfilment-on-hold", [])
    shop.parts[1] = ("OPEN", 2, 1)
    assert told(shop) == Confirmed("F1")
    assert [one["fulfillmentOrderId"] for one in shop.told] == ["FO0", "FO1"]


def test_units_beside_those_on_hold_are_told() -> None:
    shop = Shop(("ON_HOLD", 2, 3), ("IN_PROGRESS", 1, 2), ("OPEN", 2, 1))
    assert told(shop) == Confirmed("F1")
    assert [one["fulfillmentOrderId"] for one in shop.told] == ["FO1", "FO2"]


def test_units_that_the_shop_has_taken_off_meanwhile_hold_nothing_up() -> None:
    shop = Shop(("OPEN", 1, 2), ("CLOSED", 2, 0))
    assert told(shop) == Confirmed("F1")
    assert [one["fulfillmentOrderId"] for one in shop.told] == ["FO0"]


class Hangs(Shop):
    """A shop that ends the connection: before a mutation's answer only, or before any."""

    def __init__(self, *parts: tuple[str, int, int], always: bool) -> None:
        super().__init__(*parts)
        self.always = always

    async def call(self, method: str, path: str, *, json: Any) -> Answered:
        answer = await super().call(method, path, json=json)
        if self.always or "mutation" in json["query"]:
            raise NoAnswer
        return answer


def test_a_question_without_an_answer_leaves_no_doubt_and_a_mutation_does() -> None:
    assert told(Hangs(("OPEN", 1, 2), ("OPEN", 2, 1), always=True)) == NotYet("unreachable")
    found = told(Hangs(("OPEN", 1, 2), ("OPEN", 2, 1), always=False))
    assert found == Unknown("connection-lost")
