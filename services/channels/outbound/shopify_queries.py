"""The questions and mutations that Shopify is sent, and what is read out of its answers. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from libs.contracts.channels import ChannelReportRequested
from services.channels.reports import mark

CODES = 5  # tracking numbers of a fulfilment that are read and kept, the newest first
# A question costs by what it might return; more than 1,000 points are refused, and a shop's bucket
# fills by 100 a second (Admin API limits, "Cost calculation"). Most orders fit the small question.
_ORDER = """
query order($id: ID!) {
  order(id: $id) {
    id
    cancelledAt
    fulfillments(first: PARCELS) { id name status trackingInfo(first: CODES) { number } }
    fulfillmentOrders(first: PARTS) {
      pageInfo { hasNextPage }
      nodes {
        id
        status
        lineItems(first: LINES) {
          pageInfo { hasNextPage }
          nodes { id remainingQuantity lineItem { id } }
        }
      }
    }
  }
}"""


def _order(parcels: int, parts: int, lines: int) -> str:
    sizes = {"PARCELS": parcels, "PARTS": parts, "LINES": lines, "CODES": CODES}
    text = _ORDER
    for name, size in sizes.items():
        text = text.replace(name, str(size))
    return text


# By how many parcels are asked for: the small question, one for many parcels, one for many lines.
ORDERS: Mapping[int, str] = {20: _order(20, 4, 25), 100: _order(100, 4, 80), 30: _order(30, 1, 250)}
FULFIL = """
mutation fulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id name }
    userErrors { field message }
  }
}"""
TRACK = """
mutation track($id: ID!, $tracking: FulfillmentTrackingInput!) {
  fulfillmentTrackingInfoUpdate(fulfillmentId: $id, trackingInfoInput: $tracking,
                                notifyCustomer: false) {
    fulfillment { id name }
    userErrors { field message }
  }
}"""
CANCEL = """
mutation cancel($orderId: ID!, $reason: OrderCancelReason!, $note: String!) {
  orderCancel(orderId: $orderId, reason: $reason, refund: false, restock: false,
              notifyCustomer: false, staffNote: $note) {
    job { id done }
    orderCancelUserErrors { field message code }
  }
}"""
REFUND = """
mutation cancelUnits($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id note }
    userErrors { field message }
  }
}"""
_UNDONE = frozenset({"CANCELLED", "ERROR", "FAILURE"})  # FulfillmentStatus: its units wait again
_OPEN = frozenset({"OPEN", "IN_PROGRESS", "SCHEDULED"})
_REASONS: Mapping[str, str] = {"out-of-stock": "INVENTORY", "payment-expired": "DECLINED",
                               "customer": "CUSTOMER", "buyer": "CUSTOMER"}  # fmt: skip


def note(report: ChannelReportRequested) -> str:
    """Return the note that the shop's people read on a cancellation."""
    return f"lonja {report.report_id}"


def known(order: Mapping[str, Any], report: ChannelReportRequested) -> str | None:
    """Return the channel's id of what we are about to tell, None where it does not have it."""
    if report.kind == "dispatch":
        found = _parcels(order.get("fulfillments") or (), mark(report))
        return next((name for name, _ in found), None)
    if order.get("cancelledAt"):
        return str(order["id"])
    return None  # cancelled units are told under a key, which may be told again


def _parcels(
    fulfilments: Sequence[Mapping[str, Any]], code: str
) -> Iterator[tuple[str, list[str]]]:
    for one in fulfilments:
        numbers = [str(info.get("number")) for info in one.get("trackingInfo") or ()]
        if code in numbers:
            yield str(one["id"]), numbers


def sent_again(order: Mapping[str, Any], report: ChannelReportRequested) -> dict[str, Any] | None:
    """Return what adds a parcel to the fulfilment of the one whose units it has; None without one.

    What was told of that one stays: it may turn up. One that the shop's people have cancelled is
    none any more.
    """
    valid = [one for one in order.get("fulfillments") or () if one.get("status") not in _UNDONE]
    for name, numbers in _parcels(valid, report.resend_of) if report.resend_of else ():
        tracking: dict[str, Any] = {
            "numbers": [mark(report), *numbers][:CODES], "company": report.carrier or "Other",
        }  # fmt: skip
        if report.tracking_url:
            tracking["urls"] = [report.tracking_url]
        return {"id": name, "tracking": tracking}
    return None


def cut_off(order: Mapping[str, Any], parcels: int) -> bool:
    """Say whether the order has more than was asked for."""
    parts = order["fulfillmentOrders"]
    pages = [parts, *(one["lineItems"] for one in parts["nodes"])]
    many = len(order.get("fulfillments") or ()) >= parcels
    return many or any(one["pageInfo"]["hasNextPage"] for one in pages)


def by_fulfilment_order(
    order: Mapping[str, Any], report: ChannelReportRequested
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the report's units by open fulfilment order, under its own ids of lines.

    Beside them those that remain in others (on hold, say): they cannot be told yet. Units that
    the shop has taken off meanwhile are in neither.
    """
    left = {f"gid://shopify/LineItem/{o.external_line_id}": o.quantity for o in report.lines}
    nodes = order["fulfillmentOrders"]["nodes"]
    ready = [one for one in nodes if one.get("status") in _OPEN]
    others = [one for one in nodes if one.get("status") not in _OPEN]
    return _parts(ready, left), _parts(others, left)


def _parts(nodes: Sequence[Mapping[str, Any]], left: dict[str, int]) -> list[dict[str, Any]]:
    found = []
    for one in nodes:
        rows = _rows(one["lineItems"]["nodes"], left)
        if rows:
            found.append({"fulfillmentOrderId": one["id"], "fulfillmentOrderLineItems": rows})
    return found


def _rows(lines: Sequence[Mapping[str, Any]], left: dict[str, int]) -> list[dict[str, Any]]:
    rows = []
    for line in lines:
        name = line["lineItem"]["id"]
        units = min(left.get(name, 0), int(line["remainingQuantity"]))
        if units:
            left[name] -= units
            rows.append({"id": line["id"], "quantity": units})
    return rows


def fulfilment(wanted: list[dict[str, Any]], report: ChannelReportRequested) -> dict[str, Any]:
    """Return a FulfillmentInput; an untracked parcel carries our name as its number."""
    tracking = {"number": mark(report), "company": report.carrier or "Other"}
    if report.tracking_url:
        tracking["url"] = report.tracking_url
    return {
        "lineItemsByFulfillmentOrder": wanted, "trackingInfo": tracking, "notifyCustomer": False,
    }  # fmt: skip


def cancellation(report: ChannelReportRequested) -> dict[str, Any]:
    """Return the variables of orderCancel: no money and no stock moves by it, both are ours."""
    return {
        "orderId": f"gid://shopify/Order/{report.external_id}",
        "reason": _REASONS.get(report.reason, "OTHER"), "note": note(report),
    }  # fmt: skip


def cancelled_units(report: ChannelReportRequested) -> dict[str, Any]:
    """Return a RefundInput that takes units off the order and moves no money."""
    lines = [
        {"lineItemId": f"gid://shopify/LineItem/{one.external_line_id}",
         "quantity": one.quantity, "restockType": "CANCEL"}
        for one in report.lines
    ]  # fmt: skip
    return {
        "orderId": f"gid://shopify/Order/{report.external_id}", "note": note(report),
        "refundLineItems": lines, "transactions": [], "notify": False,
    }  # fmt: skip


def error_codes(told: Mapping[str, Any]) -> set[str]:
    """Return the codes of an answer's top-level errors."""
    errors = told.get("errors")
    rows = errors if isinstance(errors, list) else []
    found = (one.get("extensions", {}).get("code") for one in rows if isinstance(one, dict))
    return {str(code) for code in found if code}


def restored_after(told: Mapping[str, Any]) -> int | None:
    """Return the microseconds until the asked cost is available again, where the answer tells."""
    cost = (told.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    try:
        lacking = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(0, int(lacking / float(status["restoreRate"]) * 1_000_000))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
