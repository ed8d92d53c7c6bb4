"""WooCommerce's and the own store's desks."""

from pathlib import Path
from typing import Any

import pytest

from services.sandbox.admin import standard, woocommerce
from tests.unit.sandbox.desks import (
    AT,
    PLAN,
    Json,
    Shop,
    plain,
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def put(shop: Shop, number: str, **given: Any) -> tuple[int, Any]:
    return woocommerce.put(shop.desk, "woo-uk", number, given, AT)


def test_a_woocommerce_put_sets_status_and_tracking_and_repeats_for_nothing(shop: Shop) -> None:
    number = plain("woo-uk").number
    items = [{"tracking_number": "T1", "tracking_provider": "Royal Mail"}]
    meta = [{"key": "_wc_shipment_tracking_items", "value": items}]
    for _ in range(2):
        status, body = put(shop, number, status="completed", meta_data=meta)
        assert (status, body["status"]) == (200, "completed")
        assert body["meta_data"][-1]["value"] == items
        assert "_stripe_net" in {one["key"] for one in body["meta_data"]}
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


def test_units_that_an_edit_took_out_of_a_store_order_may_have_left_before(shop: Shop) -> None:
    number = PLAN.cases["cheaper-edit-store"]
    state = next(one.state for one in PLAN.happenings if one.number == number and one.state.cut)
    assert state.cut is not None
    ((line, units),) = state.cut.units.items()
    left = next(one.quantity for one in state.content.lines if one.id == line)

    def tell(quantity: int, key: str) -> tuple[int, Any]:
        lines = [{"line_id": f"line_{line}", "quantity": quantity}]
        given = {"external_id": f"ord_{number}", "lines": lines, "tracking_code": key}
        return standard.once(shop.desk, "store-uk", "fulfilments", key, given, AT)

    assert tell(left + units + 1, "T0")[1]["code"] == "nothing-left"
    assert tell(left + units, "T1")[0] == 201
    assert tell(1, "T2")[1]["code"] == "nothing-left"
    _, order = standard.get(shop.desk, "store-uk", number)
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
