"""WooCommerce's REST API v3 for an order's status, metadata, lines and notes. It sends nothing.

Source: woocommerce-rest-api-docs, "Update an order" and "Order notes"; tracking as the shipment
tracking plugins keep it, in `meta_data`. A PUT sets what it names, so that a repeated one changes
nothing; a note that is posted twice stands there twice.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import json

from services.sandbox.admin.desk import Desk
from services.sandbox.retail.content import State
from services.sandbox.shops import reported, shapes, woocommerce
from services.sandbox.shops.reported import Report

Json = dict[str, Any]
Answer = tuple[int, Json | list[Json]]
_STATUSES = {
    *("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed"),
    "checkout-draft",
}
_CODES = ("tracking_number", "tracking_code", "tracking")
_CARRIERS = ("tracking_provider", "custom_tracking_provider", "tracking_carrier", "carrier")
_URLS = ("custom_tracking_link", "tracking_link", "tracking_url")
_PART = 1_000


def error(status: int, code: str, message: str) -> tuple[int, Json]:
    return status, {"code": code, "message": message, "data": {"status": status}}


def no_order(status: int) -> tuple[int, Json]:
    return error(status, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")


def shown(desk: Desk, account: str, state: State) -> Json:
    """The order's body with everything that was put."""
    number = state.content.number
    body = woocommerce.payload(state, "order.updated")
    return reported.woocommerce(body, state, desk.reports(account, number))


def get(desk: Desk, account: str, number: str) -> Answer:
    state = desk.order(account, number)
    return no_order(404) if state is None else (200, shown(desk, account, state))


def put(desk: Desk, account: str, number: str, given: Json, at: int) -> Answer:
    """Set status and metadata, edit lines out; status and body."""
    state = desk.order(account, number)
    if state is None:
        return no_order(400)
    wanted = given.get("status")
    if wanted is not None and wanted not in _STATUSES:
        return error(400, "rest_invalid_param", "Invalid parameter(s): status")
    before = shown(desk, account, state)
    meta = _merged(before["meta_data"], given.get("meta_data") or [], number)
    removed = _removed(desk, account, number, given.get("line_items") or [])
    if removed is None:
        return error(400, "rest_invalid_param", "Invalid parameter(s): line_items")
    told = {"meta_data": meta, "status": wanted or before["status"]}
    if not _reported(desk, account, number, at, told, before, removed):
        desk.repeat(account)
    state = desk.order(account, number)
    assert state is not None
    return 200, shown(desk, account, state)


def _reported(
    desk: Desk,
    account: str,
    number: str,
    at: int,
    told: Json,
    before: Json,
    removed: dict[int, int],
) -> bool:
    """Book what is new in a PUT; whether anything was."""
    known = {one.tracking for one in desk.reports(account, number) if one.kind == "dispatch"}
    fresh = [one for one in trackings(told["meta_data"]) if one["tracking"] not in known]
    changed = told["status"] != before["status"]
    left = desk.left(account, number)
    if changed and told["status"] == "cancelled":
        desk.add(account, number, "cancellation", at, left, told=told)
        return True
    if removed:
        desk.add(account, number, "cancellation", at, removed, told=told)
    whole = left if told["status"] == "completed" else {}
    if changed and told["status"] == "completed" and not fresh and not known:
        fresh = [{"tracking": None, "carrier": None, "url": None}]
    for place, one in enumerate(fresh):
        lines = whole if place == len(fresh) - 1 else {}
        desk.add(account, number, "dispatch", at, lines, told=told, **one)
    if fresh or removed:
        return True
    if changed or told["meta_data"] != before["meta_data"]:
        desk.add(account, number, "change", at, {}, told=told)
        return True
    return False


def _merged(known: list[Json], given: list[Json], number: str) -> list[Json]:
    """Metadata by key; an entry that is given replaces the one of its key."""
    found = {one["key"]: one for one in known}
    for one in given:
        key = str(one.get("key") or "")
        if key:
            old = found.get(key, {"id": int(number) * _PART + 700 + len(found)})
            found[key] = {"id": old["id"], "key": key, "value": one.get("value")}
    return list(found.values())


def trackings(meta: list[Json]) -> Iterator[Json]:
    """What metadata says of parcels: the plugins' lists of items, or plain values."""
    flat = {one["key"].strip("_"): one["value"] for one in meta if isinstance(one["value"], str)}
    for one in meta:
        value = one["value"]
        if "tracking" not in one["key"]:
            continue
        if isinstance(value, str) and value.startswith(("[", "{")):
            value = json.decode(value)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and _first(item, _CODES):
                yield _tracking(item)
        if isinstance(value, str) and one["key"].endswith(_CODES) and value:
            yield _tracking(flat | {"tracking_number": value})


def _tracking(item: Json) -> Json:
    return {
        "tracking": _first(item, _CODES),
        "carrier": _first(item, _CARRIERS),
        "url": _first(item, _URLS),
    }


def _first(item: Json, names: tuple[str, ...]) -> str | None:
    return next((str(item[name]) for name in names if item.get(name)), None)


def _removed(desk: Desk, account: str, number: str, given: list[Json]) -> dict[int, int] | None:
    """Units of the lines that are edited out; None where a line is unknown or only made less."""
    left = desk.left(account, number)
    found: dict[int, int] = {}
    for one in given:
        line = int(one.get("id") or 0) - int(number) * _PART
        if line not in left or one.get("quantity") not in {0, left[line]}:
            return None
        if one["quantity"] == 0 and left[line]:
            found[line] = left[line]
    return found


def note(desk: Desk, account: str, number: str, given: Json, at: int) -> Answer:
    if desk.order(account, number) is None:
        return error(404, "woocommerce_rest_order_invalid_id", "Invalid order ID.")
    text = str(given.get("note") or "")[:1000]
    if not text:
        return error(400, "rest_missing_callback_param", "Missing parameter(s): note")
    customer = bool(given.get("customer_note"))
    told = {"note": text, "customer_note": customer}
    return 201, _note(desk.add(account, number, "note", at, {}, told=told))


def notes(desk: Desk, account: str, number: str) -> Answer:
    if desk.order(account, number) is None:
        return error(404, "woocommerce_rest_order_invalid_id", "Invalid order ID.")
    found = [one for one in desk.reports(account, number) if one.kind == "note"]
    return 200, [_note(one) for one in reversed(found)]


def _note(report: Report) -> Json:
    return {
        "id": int(report.number) * _PART + report.id,
        "author": "WooCommerce",
        "date_created": shapes.naive_local(report.at),
        "date_created_gmt": shapes.naive_utc(report.at),
        "note": report.told["note"],
        "customer_note": report.told["customer_note"],
    }
