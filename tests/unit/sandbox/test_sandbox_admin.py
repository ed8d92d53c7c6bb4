"""The shops' own desks: what they take, refuse, repeat and show, without HTTP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from services.sandbox.admin import graphql, quota, shopify, standard, woocommerce
from services.sandbox.admin.desk import Kept
from services.sandbox.admin.echoes import Echoes
from services.sandbox.books import Books
from services.sandbox.chance import Faults
from services.sandbox.config import Admin, Settings, shops
from services.sandbox.engine import Engine
from services.sandbox.hooks import Pace
from services.sandbox.retail import rows
from services.sandbox.retail.content import Content
from services.sandbox.retail.mischief import STEP
from services.sandbox.retail.plan import RunPlan, plan_run
from services.sandbox.shops import render

Json = dict[str, Any]
SECRETS = {
    "shopify-uk": "hush",
    "woo-uk": "salt",
    "store-uk": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw",
}
PLAN = plan_run(rows.read(), 7)
AT = 1_700_000_000_000_000
FULFIL = """
mutation Tell($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id status trackingInfo { number company url } }
    userErrors { field message }
  }
}
"""
READ = """
query Read($id: ID!) {
  order(id: $id) {
    id displayFulfillmentStatus cancelledAt
    fulfillmentOrders(first: 5) {
      nodes { id status lineItems(first: 50) { nodes { id remainingQuantity lineItem { id } } } }
    }
  }
}
"""
CANCEL = """
mutation Stop($id: ID!) {
  orderCancel(orderId: $id, refund: false, restock: false, reason: OTHER) {
    job { id done } orderCancelUserErrors { code field message }
  }
}
"""
REFUND = """
mutation Back($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id } userErrors { code message }
  }
}
"""


class Shop:
    """The three shops at the end of their run, with books that a test can open again."""

    def __init__(self, folder: Path, plan: RunPlan = PLAN, faults: Faults | None = None) -> None:
        self.folder, self.plan = folder, plan
        admin = Admin(faults=faults or Faults(), hooks=Pace(doubled=0.0))
        self.settings = Settings(SECRETS, admin=admin)
        self.open()

    def open(self) -> None:
        self.books = Books(self.folder)
        self.engine = Engine(self.plan, shops(self.settings), self.settings, self.books)
        self.engine.restore()
        for name in self.engine.front:
            self.engine.front[name] = len(self.plan.deliveries) * STEP
        self.echoes = Echoes(self.engine, self.settings.admin.hooks)
        self.desk = self.engine.desk

    def graphql(self, document: str, **variables: Any) -> Json:
        operation = graphql.parse(document, variables)
        return shopify.execute(self.desk, "shopify-uk", operation, AT)

    def fulfil(self, number: str, tracking: str, lines: Sequence[Json] = ()) -> Json:
        part: Json = {
            "fulfillmentOrderId": f"gid://shopify/FulfillmentOrder/{4500000000000 + int(number)}"
        }
        if lines:
            part["fulfillmentOrderLineItems"] = list(lines)
        given: Json = {"lineItemsByFulfillmentOrder": [part]}
        given |= {"trackingInfo": {"number": tracking, "company": "RoyalMail"}}
        found: Json = self.graphql(FULFIL, fulfillment=given)["fulfillmentCreate"]
        return found

    def echoed(self) -> list[Json]:
        self.echoes.follow()
        hooks = self.echoes.hooks._pending.values()
        return [json.decode(one.body) for one in hooks]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def plain(account: str, lines: int = 2) -> Content:
    """An order of goods that nothing else happens to."""
    changed = {one.number for one in PLAN.happenings if one.state.version > 1}
    return next(
        one
        for one in PLAN.contents
        if one.account.name == account
        and one.number not in changed
        and one.case is None
        and len(one.lines) >= lines
        and all(line.kind == "goods" and line.quantity > 1 for line in one.lines)
    )


def gid(content: Content, kind: str = "Order") -> str:
    return f"gid://shopify/{kind}/{4500000000000 + int(content.number)}"


def test_a_shopify_order_is_fulfilled_in_two_parcels_and_no_third(shop: Shop) -> None:
    content = plain("shopify-uk")
    (node,) = shop.graphql(READ, id=gid(content))["order"]["fulfillmentOrders"]["nodes"]
    assert (node["status"], node["id"]) == ("OPEN", gid(content, "FulfillmentOrder"))
    first = node["lineItems"]["nodes"][0]
    done = shop.fulfil(content.number, "T1", [{"id": first["id"], "quantity": 1}])
    assert done["userErrors"] == []
    assert done["fulfillment"]["trackingInfo"][0]["number"] == "T1"
    read = shop.graphql(READ, id=gid(content))["order"]
    assert read["displayFulfillmentStatus"] == "PARTIALLY_FULFILLED"
    assert shop.fulfil(content.number, "T2")["userErrors"] == []
    assert shop.graphql(READ, id=gid(content))["order"]["displayFulfillmentStatus"] == "FULFILLED"
    again = shop.fulfil(content.number, "T2")
    assert "closed" in again["userErrors"][0]["message"]
    told = shop.desk.told("shopify-uk")
    assert [one["tracking"] for one in told["dispatches"]] == ["T1", "T2"]
    assert told["told_twice"] == []


def test_the_same_parcel_told_twice_stands_in_the_books(shop: Shop) -> None:
    content = plain("shopify-uk")
    (node,) = shop.graphql(READ, id=gid(content))["order"]["fulfillmentOrders"]["nodes"]
    line = [{"id": node["lineItems"]["nodes"][0]["id"], "quantity": 1}]
    for _ in range(2):
        assert shop.fulfil(content.number, "T1", line)["userErrors"] == []
    assert shop.desk.told("shopify-uk")["told_twice"] == [[content.number, "T1"]]


def test_more_units_than_are_left_are_a_user_error(shop: Shop) -> None:
    content = plain("shopify-uk")
    line = f"gid://shopify/FulfillmentOrderLineItem/{int(content.number) * 10_000 + 1}"
    for wrong in ({"id": line, "quantity": 9_999}, {"id": "gid://shopify/X/1", "quantity": 1}):
        found = shop.fulfil(content.number, "T", [wrong])
        assert found["fulfillment"] is None
        assert "quantity" in found["userErrors"][0]["message"]
    assert shop.fulfil("1", "T")["userErrors"][0]["message"].endswith("does not exist.")


def test_a_fulfilment_shows_in_the_shops_own_webhook(shop: Shop) -> None:
    content = plain("shopify-uk")
    shop.fulfil(content.number, "T1")
    (body,) = shop.echoed()
    state = shop.engine.held("shopify-uk", content.number)
    assert state is not None
    planned = json.decode(
        render.body(shop.engine.shops["shopify-uk"], "orders/updated", state, None)
    )
    assert (planned["fulfillment_status"], body["fulfillment_status"]) == (None, "fulfilled")
    assert body["fulfillments"][0]["tracking_number"] == "T1"
    assert body["updated_at"] > planned["updated_at"]
    assert body["id"] == planned["id"]


def test_a_shopify_order_is_cancelled_once_and_not_after_a_parcel(shop: Shop) -> None:
    content = plain("shopify-uk")
    done = shop.graphql(CANCEL, id=gid(content))["orderCancel"]
    assert done["orderCancelUserErrors"] == []
    (again,) = shop.graphql(CANCEL, id=gid(content))["orderCancel"]["orderCancelUserErrors"]
    assert again["code"] == "INVALID"
    cancelled, updated = shop.echoed()
    assert cancelled == updated
    assert cancelled["cancelled_at"] is not None
    assert shop.desk.told("shopify-uk")["cancellations"][0]["reason"] == "OTHER"
    (unknown,) = shop.graphql(CANCEL, id=gid(plain("woo-uk")))["orderCancel"][
        "orderCancelUserErrors"
    ]
    assert unknown["code"] == "NOT_FOUND"


def test_a_shopify_line_goes_back_once_per_key_and_only_with_one(shop: Shop) -> None:
    content = plain("shopify-uk")
    line: Json = {"lineItemId": f"gid://shopify/LineItem/{int(content.number) * 10_000 + 1}"}
    line |= {"quantity": 1, "restockType": "CANCEL"}
    given = {"orderId": gid(content), "refundLineItems": [line]}
    first = shop.graphql(REFUND, input=given, key="k")
    assert first["refundCreate"]["userErrors"] == []
    assert shop.graphql(REFUND, input=given, key="k") == first
    other = given | {"note": "x"}
    (error,) = shop.graphql(REFUND, input=other, key="k")["refundCreate"]["userErrors"]
    assert error["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    with pytest.raises(graphql.GraphqlError, match="idempotent"):
        shop.graphql(REFUND.replace("@idempotent(key: $key)", ""), input=given, key="k")
    assert len(shop.desk.told("shopify-uk")["cancellations"]) == 1


@pytest.mark.parametrize(
    "document",
    [
        '{ order(id: "gid://shopify/Order/1") { nothing } }', "{ shop { name } }", "mutation {",
        "query { order(id: $id) { id } }", "subscription { x }", "{ ...F } fragment F on X { id }",
        "{ a" * 30, "{ order(id: ~) { id } }", "",
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_answered_is_an_error(shop: Shop, document: str) -> None:
    content = plain("shopify-uk")
    with pytest.raises(graphql.GraphqlError):
        shop.graphql(document.replace("Order/1", f"Order/{4500000000000 + int(content.number)}"))


def test_a_bucket_of_points_empties_and_fills_again() -> None:
    operation = graphql.parse(FULFIL, {"fulfillment": {}})
    assert quota.cost(operation) == 10
    assert 1 < quota.cost(graphql.parse(READ, {"id": "x"})) < 200
    bucket = quota.Bucket(25, 10)
    assert [bucket.spend(10, at) for at in (1.0, 1.0, 1.0)] == [True, True, False]
    assert bucket.spend(10, 1.5)
    assert bucket.extensions(10, spent=False)["cost"]["throttleStatus"]["restoreRate"] == 10.0


def put(shop: Shop, number: str, **given: Any) -> tuple[int, Any]:
    return woocommerce.put(shop.desk, "woo-uk", number, given, AT)


def test_a_woocommerce_put_sets_status_and_tracking_and_repeats_for_nothing(shop: Shop) -> None:
    number = plain("woo-uk").number
    items = [{"tracking_number": "T1", "tracking_provider": "Royal Mail"}]
    meta = [{"key": "_wc_shipment_tracking_items", "value": items}]
    for _ in range(2):
        status, body = put(shop, number, status="completed", meta_data=meta)
        assert (status, body["status"]) == (200, "completed")
        assert body["meta_data"][0]["value"] == items
    told = shop.desk.told("woo-uk")
    assert ([one["tracking"] for one in told["dispatches"]], told["repeats"]) == (["T1"], 1)
    assert [one["status"] for one in shop.echoed()] == ["completed"]
    assert shop.echoed()[0]["date_completed_gmt"] is not None


def test_a_second_woocommerce_parcel_is_a_second_dispatch(shop: Shop) -> None:
    number = plain("woo-uk").number
    put(shop, number, meta_data=[{"key": "_tracking_number", "value": "T1"}])
    items = [{"tracking_number": "T1"}, {"tracking_number": "T2", "tracking_link": "https://t"}]
    put(shop, number, status="completed", meta_data=[{"key": "tracking_items", "value": items}])
    told = shop.desk.told("woo-uk")
    assert [(one["tracking"], one["url"]) for one in told["dispatches"]] == [
        ("T1", None), ("T2", "https://t"),
    ]  # fmt: skip


def test_a_parcel_without_tracking_is_the_status_alone(shop: Shop) -> None:
    number = plain("woo-uk").number
    put(shop, number, status="completed")
    put(shop, number, status="completed")
    told = shop.desk.told("woo-uk")
    assert [one["tracking"] for one in told["dispatches"]] == [None]


def test_woocommerce_cancels_an_order_or_edits_a_line_out(shop: Shop) -> None:
    content = plain("woo-uk")
    line = {"id": int(content.number) * 1000 + 1, "quantity": 0}
    status, body = put(shop, content.number, line_items=[line])
    assert (status, len(body["line_items"])) == (200, len(content.lines) - 1)
    assert put(shop, content.number, line_items=[line | {"id": 5}])[0] == 400
    status, body = put(shop, content.number, status="cancelled")
    assert (status, body["status"]) == (200, "cancelled")
    assert len(shop.desk.told("woo-uk")["cancellations"]) == 2


def test_woocommerce_refuses_what_it_does_not_know(shop: Shop) -> None:
    assert put(shop, "1", status="completed")[1]["code"] == "woocommerce_rest_shop_order_invalid_id"
    assert put(shop, plain("woo-uk").number, status="sent")[0] == 400
    assert woocommerce.get(shop.desk, "woo-uk", "1")[0] == 404


def test_a_woocommerce_note_that_is_posted_twice_stands_there_twice(shop: Shop) -> None:
    number = plain("woo-uk").number
    for _ in range(2):
        assert woocommerce.note(shop.desk, "woo-uk", number, {"note": "Sent"}, AT)[0] == 201
    status, found = woocommerce.notes(shop.desk, "woo-uk", number)
    assert (status, len(found)) == (200, 2)
    assert shop.echoed() == []


def tell(shop: Shop, what: str, key: str | None, **given: Any) -> tuple[int, Json]:
    return standard.once(shop.desk, "store-uk", what, key, given, AT)


def test_the_store_takes_a_fulfilment_once_per_key(shop: Shop) -> None:
    content = plain("store-uk")
    given: Json = {
        "external_id": f"ord_{content.number}",
        "tracking_code": "T1",
        "carrier": "RoyalMail",
    }
    given |= {"lines": [{"line_id": "line_1", "quantity": 1}]}
    first = tell(shop, "fulfilments", "k", **given)
    assert (first[0], first[1]["tracking_code"]) == (201, "T1")
    assert tell(shop, "fulfilments", "k", **given) == first
    assert tell(shop, "fulfilments", "k", **given | {"carrier": "X"})[1]["code"] == (
        "idempotency-key-reused"
    )
    told = shop.desk.told("store-uk")
    assert (len(told["dispatches"]), told["repeats"]) == (1, 1)
    _, order = standard.get(shop.desk, "store-uk", content.number)
    assert [one["tracking_code"] for one in order["fulfilments"]] == ["T1"]


@pytest.mark.parametrize(
    ("given", "key", "code"),
    [
        ({}, None, "idempotency-key-missing"),
        ({"external_id": "ord_1"}, "k", "order-unknown"),
        ({"lines": [{"line_id": "line_99", "quantity": 1}]}, "k", "line-unknown"),
        ({"lines": [{"line_id": "line_1", "quantity": -1}]}, "k", "line-unknown"),
        ({"lines": [{"line_id": "line_1", "quantity": 9_999}]}, "k", "nothing-left"),
    ],
)
def test_the_store_refuses_with_a_code(shop: Shop, given: Json, key: str | None, code: str) -> None:
    whole = {"external_id": f"ord_{plain('store-uk').number}"} | given
    status, found = tell(shop, "fulfilments", key, **whole)
    assert (found["code"], found["status"]) == (code, status)
    assert shop.desk.told("store-uk")["dispatches"] == []


def test_the_store_cancels_what_is_left_and_then_nothing(shop: Shop) -> None:
    content = plain("store-uk")
    given = {"external_id": f"ord_{content.number}", "reason": "out of stock"}
    assert tell(shop, "cancellations", "a", **given)[0] == 201
    assert tell(shop, "cancellations", "b", **given)[1]["code"] == "order-cancelled"
    _, order = standard.get(shop.desk, "store-uk", content.number)
    assert order["status"] == "cancelled"


def test_the_same_books_give_the_same_reports(shop: Shop) -> None:
    content = plain("shopify-uk")
    shop.fulfil(content.number, "T1")
    shop.desk.keep("store-uk", "k", Kept("r", 200, {}))
    before = [shop.desk.told(name) | {"calls": {}} for name in SECRETS]
    echoed = shop.echoed()
    shop.books.close()
    shop.open()
    assert [shop.desk.told(name) | {"calls": {}} for name in SECRETS] == before
    assert shop.echoed() == echoed
    assert ("store-uk", "k") in shop.desk.kept


def test_an_order_that_was_not_placed_yet_is_unknown(shop: Shop) -> None:
    content = plain("shopify-uk")
    shop.engine.front["shopify-uk"] = -1
    assert shop.graphql(READ, id=gid(content))["order"] is None
    assert shop.desk.order("woo-uk", content.number) is None


def test_a_seller_cancellation_stays_when_the_story_goes_on(shop: Shop) -> None:
    unpaid = next(
        one.number
        for one in PLAN.happenings
        if one.kind == "paid" and one.state.content.account.name == "shopify-uk"
    )
    first = next(one for one in PLAN.deliveries if one.number == unpaid)
    shop.engine.front["shopify-uk"] = first.id * STEP
    assert shop.graphql(CANCEL, id=f"gid://shopify/Order/{4500000000000 + int(unpaid)}")
    later = next(one for one in PLAN.deliveries if one.number == unpaid and one.id > first.id)
    message = shop.engine._wire(shop.engine.shops["shopify-uk"], later, AT)
    assert json.decode(message.body)["cancelled_at"] is not None
    stale = shop.engine._wire(shop.engine.shops["shopify-uk"], first, AT)
    assert json.decode(stale.body)["cancelled_at"] is None
