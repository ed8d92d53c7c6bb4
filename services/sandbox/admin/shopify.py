"""Shopify's Admin API for an order's fulfilments and cancellation. It sends nothing.

Source: shopify.dev/docs/api/admin-graphql, `fulfillmentCreate`,
`fulfillmentTrackingInfoUpdate`, `orderCancel`, `refundCreate`.
All but the last know no idempotency key: what protects them is that nothing is left to fulfil, and
that numbers are set. From 2026-04 on `refundCreate` is refused without `@idempotent(key:)`.
"""

from typing import Any

from msgspec import json

from services.sandbox.admin import shopify_types as types
from services.sandbox.admin.desk import Desk, Kept
from services.sandbox.admin.graphql import Field, GraphqlError, Operation, selected
from services.sandbox.shops import reported
from services.sandbox.shops.reported import Report

Json = dict[str, Any]


def order_of(operation: Operation) -> str:
    """The order that an operation is about, for the seeded faults ("" where it is unclear)."""
    given = json.encode([field.arguments for field in operation.fields]).decode()
    return types.first_order(given)


def execute(desk: Desk, account: str, operation: Operation, at: int) -> Json:
    """`data` of an answer. Raises GraphqlError."""
    return {
        field.alias: selected(_resolve(desk, account, operation.kind, field, at), field.selections,
                              field.name)
        for field in operation.fields
    }  # fmt: skip


def _resolve(desk: Desk, account: str, kind: str, field: Field, at: int) -> Json | None:
    given = field.arguments
    match kind, field.name:
        case "query", "order":
            return types.order(desk, account, types.number(given.get("id"), "Order"))
        case "mutation", "fulfillmentCreate":
            return _fulfil(desk, account, given, at)
        case "mutation", "fulfillmentTrackingInfoUpdate":
            return _track(desk, account, given, at)
        case "mutation", "orderCancel":
            return _cancel(desk, account, given, at)
        case "mutation", "refundCreate":
            return _once(desk, account, field, at)
        case _:
            root = "QueryRoot" if kind == "query" else "Mutation"
            raise GraphqlError(f"Field '{field.name}' doesn't exist on type '{root}'")


def _fulfil(desk: Desk, account: str, given: Json, at: int) -> Json:
    wanted = given.get("fulfillment")
    if not isinstance(wanted, dict):
        raise GraphqlError("Variable $fulfillment of type FulfillmentInput! was not provided")
    parts = wanted.get("lineItemsByFulfillmentOrder") or []
    numbers = {types.number(one.get("fulfillmentOrderId"), "FulfillmentOrder") for one in parts}
    if len(numbers) != 1 or desk.order(account, number := numbers.pop()) is None:
        return _refused("fulfillment", "Fulfillment order does not exist.")
    left = types.shippable(desk, account, number)
    if not any(left.values()):
        text = "Fulfillment order has an unfulfillable status= closed."
        return _refused("fulfillment", text)
    asked: dict[int, int] = {}
    for part in parts:
        for one in part.get("fulfillmentOrderLineItems") or types.all_of(left):
            line = one.get("line") or types.line(number, one.get("id"))
            asked[line] = asked.get(line, 0) + int(one.get("quantity") or 0)
    if any(units < 1 or units > left.get(line, 0) for line, units in asked.items()):
        return _refused("fulfillment", "Invalid fulfillment order line item quantity requested.")
    tracking = wanted.get("trackingInfo") or {}
    report = desk.add(
        account, number, "dispatch", at, asked,
        tracking=tracking.get("number") or next(iter(tracking.get("numbers") or []), None),
        carrier=tracking.get("company"),
        url=tracking.get("url") or next(iter(tracking.get("urls") or []), None),
    )  # fmt: skip
    return {"fulfillment": types.fulfilment(report, _codes(report)), "userErrors": []}


def _codes(report: Report) -> list[str]:
    return [report.tracking] if report.tracking else []


def _track(desk: Desk, account: str, given: Json, at: int) -> Json:
    """Set a fulfilment's tracking numbers; those that it had and that are not named are gone."""
    number, place = types.report_of(given.get("fulfillmentId"))
    known = desk.order(account, number) is not None
    dispatches = [one for one in desk.reports(account, number) if one.kind == "dispatch"]
    fulfilment = next((one for one in reported.made(dispatches) if one.id == place), None)
    if not known or fulfilment is None:
        return _refused("fulfillmentId", "Fulfillment does not exist.")
    wanted = given.get("trackingInfoInput") or {}
    codes = [str(one) for one in wanted.get("numbers") or [wanted.get("number")] if one]
    before = reported.numbers(fulfilment, dispatches)
    if codes == before:
        desk.repeat(account)
    else:
        desk.add(
            account, number, "dispatch", at, {},
            tracking=next((one for one in codes if one not in before), None),
            carrier=wanted.get("company"), told={"resend_of": place, "numbers": codes},
        )  # fmt: skip
    return {"fulfillment": types.fulfilment(fulfilment, codes), "userErrors": []}


def _refused(field: str, message: str) -> Json:
    return {"fulfillment": None, "userErrors": [{"field": [field], "message": message}]}


def _cancel(desk: Desk, account: str, given: Json, at: int) -> Json:
    for name in ("orderId", "reason", "refund", "restock"):
        if given.get(name) is None:
            raise GraphqlError(f"Field 'orderCancel' is missing required arguments: {name}")
    number = types.number(given["orderId"], "Order")
    state = desk.order(account, number)
    if state is None:
        return _not_cancelled("NOT_FOUND", "Order does not exist")
    if state.status == "cancelled":
        return _not_cancelled("INVALID", "Order has already been cancelled")
    if any(one.kind == "dispatch" for one in desk.reports(account, number)):
        return _not_cancelled("INVALID", "Cannot cancel an order that has been fulfilled")
    left = desk.left(account, number)
    report = desk.add(account, number, "cancellation", at, left,
                      reason=str(given["reason"]), told={"whole": True})  # fmt: skip
    job = {"id": f"gid://shopify/Job/{report.number}-{report.id}", "done": False}
    return {"job": job, "orderCancelUserErrors": [], "userErrors": []}


def _not_cancelled(code: str, message: str) -> Json:
    error = {"field": ["orderId"], "message": message}
    return {
        "job": None,
        "orderCancelUserErrors": [error | {"code": code}],
        "userErrors": [error],
    }


def _once(desk: Desk, account: str, field: Field, at: int) -> Json:
    key = field.directives.get("idempotent", {}).get("key")
    if not isinstance(key, str) or not key:
        raise GraphqlError("The @idempotent directive is required for this mutation")
    request = json.encode(field.arguments, order="deterministic").decode()
    kept = desk.kept.get((account, key))
    if kept is not None and kept.request != request:
        return _not_refunded("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "Same key, other parameters")
    if kept is None:
        body, report = _refund(desk, account, field.arguments, at)
        kept = Kept(request, 200, body)
        desk.settle(account, key, kept, report)
    number = types.first_order(request)
    return kept.body | {"order": types.order(desk, account, number)}


def _refund(desk: Desk, account: str, given: Json, at: int) -> tuple[Json, Report | None]:
    wanted = given.get("input") or {}
    number = types.number(wanted.get("orderId"), "Order")
    if desk.order(account, number) is None:
        return _not_refunded("NOT_FOUND", "Order does not exist"), None
    left, asked = desk.left(account, number), {}
    for one in wanted.get("refundLineItems") or []:
        if one.get("restockType") != "CANCEL":
            return _not_refunded("INVALID", "This sandbox takes lines back by CANCEL only"), None
        asked[types.line(number, one.get("lineItemId"))] = int(one.get("quantity") or 0)
    if not asked or any(units < 1 or units > left.get(line, 0) for line, units in asked.items()):
        text = "Refund line items quantity cannot exceed what is left"
        return _not_refunded("INVALID", text), None
    reason = str(wanted.get("note") or "")[:200]
    report = desk.draft(account, number, "cancellation", at, asked, reason=reason)
    refund = {"id": f"gid://shopify/Refund/{report.number}-{report.id}", "note": reason or None}
    return {"refund": refund, "userErrors": []}, report


def _not_refunded(code: str, message: str) -> Json:
    error = {"field": ["input"], "message": message, "code": code}
    return {"refund": None, "order": None, "userErrors": [error]}
