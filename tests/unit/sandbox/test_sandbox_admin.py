"""Shopify's desk, and what holds for all desks."""

from pathlib import Path

import pytest
from msgspec import json

from services.sandbox.admin import graphql, quota
from services.sandbox.admin.desk import Kept
from services.sandbox.retail.mischief import STEP
from services.sandbox.shops import render
from tests.unit.sandbox.desks import (
    AT,
    CANCEL,
    FULFIL,
    PLAN,
    READ,
    REFUND,
    SECRETS,
    Json,
    Shop,
    gid,
    plain,
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


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


def test_the_same_books_give_the_same_reports(shop: Shop) -> None:
    content = plain("shopify-uk")
    shop.fulfil(content.number, "T1")
    shop.desk.settle("store-uk", "k", Kept("r", 200, {}), None)
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
