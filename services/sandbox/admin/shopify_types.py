"""Shopify's order, fulfilment orders and fulfilments as its Admin GraphQL API shows them. Pure."""

import re
from collections.abc import Sequence
from typing import Any

from services.sandbox.admin.desk import Desk
from services.sandbox.retail.content import State
from services.sandbox.shops import reported, shapes
from services.sandbox.shops.reported import Report
from services.sandbox.shops.shopify_parts import line_id, order_id

Json = dict[str, Any]
_ORDER = 4_500_000_000_000
_LINE = 10_000
_FULFILMENT = 7_000
_GID = re.compile(r"gid://shopify/([A-Za-z]+)/(\d+)")


def number(gid: Any, kind: str) -> str:
    """The order's number behind a global id of an order or of its fulfilment order; "" if none."""
    found = _GID.fullmatch(str(gid))
    if found is None or found[1] != kind:
        return ""
    return str(int(found[2]) - _ORDER)


def first_order(text: str) -> str:
    """The first order that a text names by a global id."""
    for kind, digits in _GID.findall(text):
        if kind in {"Order", "FulfillmentOrder"}:
            return str(int(digits) - _ORDER)
    return ""


def line(order: str, gid: Any) -> int:
    """Our line of an order behind the id of a line item; 0 where it is no line of it."""
    found = _GID.fullmatch(str(gid))
    if found is None or not order:
        return 0
    place = int(found[2]) - int(order) * _LINE
    return place if 0 < place < _LINE else 0


def shippable(desk: Desk, account: str, order_number: str) -> dict[int, int]:
    """Units left by line; gift cards fulfil themselves."""
    state = desk.order(account, order_number)
    assert state is not None
    left = desk.left(account, order_number)
    return {one.id: left[one.id] for one in state.content.lines if one.kind != "gift-card"}


def all_of(left: dict[int, int]) -> list[Json]:
    """Everything that is left, for a request that names no lines."""
    return [{"id": None, "line": one, "quantity": units} for one, units in left.items() if units]


def connection(nodes: list[Json]) -> Json:
    return {
        "nodes": nodes,
        "edges": [{"node": one, "cursor": str(place)} for place, one in enumerate(nodes)],
        "pageInfo": {
            "hasNextPage": False,
            "hasPreviousPage": False,
            "startCursor": None,
            "endCursor": None,
        },
    }


def order(desk: Desk, account: str, order_number: str) -> Json | None:
    """An order, or None where the shop has none of that number."""
    state = desk.order(account, order_number) if order_number else None
    if state is None:
        return None
    dispatches = [one for one in desk.reports(account, order_number) if one.kind == "dispatch"]
    left = shippable(desk, account, order_number)
    cut = state.cut.units if state.cut is not None else {}
    return {
        "id": f"gid://shopify/Order/{order_id(state.content)}",
        "legacyResourceId": str(order_id(state.content)),
        "name": f"#{order_number}",
        "cancelledAt": shapes.zulu(state.updated_at) if state.status == "cancelled" else None,
        "cancelReason": "OTHER" if state.status == "cancelled" else None,
        "displayFulfillmentStatus": _display(dispatches, left),
        "fulfillmentOrders": connection([_fulfilment_order(state, left, dispatches)]),
        "fulfillments": [
            fulfilment(one, reported.numbers(one, dispatches)) for one in reported.made(dispatches)
        ],
        "lineItems": connection(
            [
                {
                    "id": f"gid://shopify/LineItem/{line_id(state.content, one.id)}",
                    "quantity": one.quantity + cut.get(one.id, 0),
                    "currentQuantity": state.remaining(one),
                    "unfulfilledQuantity": left.get(one.id, 0),
                    "sku": one.code,
                }
                for one in state.content.lines
            ]
        ),
    }


def _display(dispatches: list[Report], left: dict[int, int]) -> str:
    if not dispatches:
        return "UNFULFILLED"
    return "PARTIALLY_FULFILLED" if any(left.values()) else "FULFILLED"


def _fulfilment_order(state: State, left: dict[int, int], dispatches: list[Report]) -> Json:
    status = "IN_PROGRESS" if dispatches else "OPEN"
    if not any(left.values()):
        status = "CLOSED" if dispatches else "CANCELLED"
    items = [
        {
            "id": f"gid://shopify/FulfillmentOrderLineItem/{line_id(state.content, one.id)}",
            "lineItem": {"id": f"gid://shopify/LineItem/{line_id(state.content, one.id)}"},
            "totalQuantity": state.remaining(one),
            "remainingQuantity": left[one.id],
            "sku": one.code,
        }
        for one in state.content.lines
        if one.id in left
    ]
    return {
        "id": f"gid://shopify/FulfillmentOrder/{order_id(state.content)}",
        "status": status,
        "requestStatus": "UNSUBMITTED",
        "orderId": f"gid://shopify/Order/{order_id(state.content)}",
        "assignedLocation": {"location": {"id": "gid://shopify/Location/1"}, "name": "main"},
        "lineItems": connection(items),
    }


def report_of(gid: Any) -> tuple[str, int]:
    """The order's number and the shop's number of a fulfilment in it; ("", 0) if it is none."""
    found = _GID.fullmatch(str(gid))
    if found is None or found[1] != "Fulfillment":
        return "", 0
    order_number, place = divmod(int(found[2]), _LINE)
    return str(order_number), place - _FULFILMENT


def fulfilment(report: Report, codes: Sequence[str]) -> Json:
    number_ = int(report.number) * _LINE + _FULFILMENT + report.id
    return {
        "id": f"gid://shopify/Fulfillment/{number_}",
        "legacyResourceId": str(number_),
        "name": f"#{report.number}.{report.id}",
        "status": "SUCCESS",
        "displayStatus": "FULFILLED",
        "trackingInfo": [
            {"company": report.carrier, "number": code, "url": report.url} for code in codes
        ],
    }
