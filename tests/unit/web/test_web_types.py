"""A number is a number: what only looks like one is not counted, and no field is overlooked."""

from typing import Any

import pytest

from tests.unit.memory import AsgiClient
from tests.unit.web.test_web_keys import Stored
from tests.unit.web.writes import WRITES, every_route

SHIPMENT = "/fulfilment/shipments/{shipment_id}"
NUMBERS: list[tuple[str, dict[str, Any]]] = [
    ("/channels/listings/{account}/{listing_id}/link", {"units_per_listing": 1}),
    ("/orders/{order_id}/cancellations", {"lines": [{"line_id": "a", "quantity": 1}]}),
    ("/orders/{order_id}/holds", {"until": 1}),
    ("/inventory/items/{sku}", {"components": [{"sku": "MUG", "units": 1}]}),
    ("/inventory/stock/{sku}/receipts", {"quantity": 1}),
    ("/inventory/stock/{sku}/counts", {"counted": 1}),
    ("/inventory/stock/{sku}/adjustments", {"quantity": 1}),
    ("/inventory/stock/{sku}/moves", {"quantity": 1}),
    (SHIPMENT + "/pack", {"weight_grams": 1}),
    (SHIPMENT + "/decisions", {"cost_minor": 1}),
    (SHIPMENT + "/stop", {"stopped": True}),
]  # fmt: skip


def instead(value: Any, wrong: Any) -> Any:
    """The value with every number (or yes) in it replaced."""
    match value:
        case dict():
            return {name: instead(one, wrong) for name, one in value.items()}
        case list():
            return [instead(one, wrong) for one in value]
        case int():
            return wrong
        case _:
            return value


@pytest.mark.parametrize(("route", "more"), NUMBERS, ids=str)
async def test_what_only_looks_like_a_number_is_refused(route: str, more: dict[str, Any]) -> None:
    path, body = WRITES[route]
    client = AsgiClient(every_route(Stored()))
    assert (await client.post(path, body | more, "key-1")).status_code < 300
    yes = any(isinstance(one, bool) for one in more.values())
    for wrong in (1, "true", "yes") if yes else (True, "1", 1.5, 1.0):
        answer = await client.post(path, body | instead(more, wrong), "key-1")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), wrong


@pytest.mark.parametrize(
    "route", [route for route, (_, body) in WRITES.items() if body is not None]
)
async def test_a_field_that_nobody_knows_is_refused(route: str) -> None:
    path, body = WRITES[route]
    told = await AsgiClient(every_route(Stored())).post(path, body | {"locaton": "x"}, "key-1")
    assert (told.status_code, told.json()["code"]) == (422, "invalid-request")
