"""The questions and mutations that Shopify is sent, and what is read out of its answers. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from libs.contracts.channels import ChannelReportRequested

ORDER = """
query order($id: ID!) {
  order(id: $id) {
    id
    cancelledAt
    fulfillments(first: 100) { id name trackingInfo(first: 5) { number } }
    fulfillmentOrders(first: 50) {
      nodes {
        id
        status
        lineItems(first: 250) { nodes { id remainingQuantity lineItem { id } } }
      }
    }
  }
}"""
FULFIL = """
mutation fulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
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
_OPEN = frozenset({"OPEN", "IN_PROGRESS", "SCHEDULED"})
_REASONS: Mapping[str, str] = {"out-of-stock": "INVENTORY", "payment-expired": "DECLINED",
                               "customer": "CUSTOMER", "buyer": "CUSTOMER"}  # fmt: skip


def mark(report: ChannelReportRequested) -> str:
    """Return what a parcel is known by: its tracking number, or our name for it."""
    return report.tracking_code or report.report_id


def note(report: ChannelReportRequested) -> str:
    """Return the note that the shop's people read on a cancellation."""
    return f"lonja {report.report_id}"


def known(order: Mapping[str, Any], report: ChannelReportRequested) -> str | None:
    """Return the channel's id of what we are about to tell, None where it does not have it."""
    if report.kind == "dispatch":
        for one in order.get("fulfillments") or ():
            if any(info.get("number") == mark(report) for info in one.get("trackingInfo") or ()):
                return str(one["id"])
        return None
    if order.get("cancelledAt"):
        return str(order["id"])
    return None  # cancelled units are told under a key, which may be told again


def by_fulfilment_order(
    order: Mapping[str, Any], report: ChannelReportRequested
) -> list[dict[str, Any]]:
    """Return the report's units by open fulfilment order, under its own ids of lines."""
    left = {f"gid://shopify/LineItem/{o.external_line_id}": o.quantity for o in report.lines}
    found = []
    for one in order["fulfillmentOrders"]["nodes"]:
        if one.get("status") not in _OPEN:
            continue
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
