"""A Shopify order's refunds: units that edits or cancellations took out, money that went back.

An edit is a refund of units; while the money of it is owed, an adjustment says so ("Pending refund
discrepancy"), and the refund that pays it has no units. It sends nothing.
"""

from msgspec.structs import replace

from services.sandbox.retail.content import CURRENCY, Content, Cut, Line, State
from services.sandbox.retail.edits import before_cut
from services.sandbox.retail.money import text
from services.sandbox.shops import shapes, takings
from services.sandbox.shops.shopify_parts import Json, line_id, line_item, order_id

_EDIT, _BACK, _CANCELLED = 910, 920, 900


def refunds(state: State) -> list[Json]:
    """All refunds, oldest first."""
    found = [] if state.cut is None else _of_edit(state, state.cut)
    return [*found, _of_cancellation(state)] if state.cancelled else found


def refund(state: State) -> Json:
    """What `refunds/create` says: the newest refund by which money went back, as it stands."""
    return next(one for one in reversed(refunds(state)) if one["transactions"])


def _of_edit(state: State, cut: Cut) -> list[Json]:
    content = state.content
    was = {line.id: line for line in before_cut(state).lines}
    lines = [
        _refund_line(state, was[now.id], cut.units[now.id], was[now.id].net - now.net,
                     was[now.id].tax - now.tax)
        for now in content.lines
        if now.id in cut.units
    ]  # fmt: skip
    first = _refund(content, _EDIT, cut.at) | {"refund_line_items": lines, "restock": True}
    if not cut.owed:
        return [first]
    if cut.back_at == cut.at:
        return [first | {"transactions": [_transaction(content, _EDIT, cut.owed, cut.at)]}]
    pending = _adjustment(content, _EDIT, -cut.owed, "Pending refund discrepancy")
    first |= {"order_adjustments": [pending]}
    if cut.back_at is None:
        return [first]
    settled = _adjustment(content, _BACK, cut.owed, "Refund discrepancy")
    second = _refund(content, _BACK, cut.back_at) | {
        "order_adjustments": [settled],
        "transactions": [_transaction(content, _BACK, cut.owed, cut.back_at)],
    }
    return [first, second]


def _of_cancellation(state: State) -> Json:
    content, at = state.content, state.updated_at
    was = {line.id: line for line in before_cut(state).lines}
    before = replace(state, status="open", cancelled={})
    back = takings.returned(state) - takings.returned(before)
    units = [
        _refund_line(state, was[line.id], state.cancelled[line.id], line.net, line.tax)
        for line in content.lines
        if line.id in state.cancelled
    ]
    return _refund(content, _CANCELLED, at) | {
        "refund_line_items": units,
        "restock": True,
        "transactions": [_transaction(content, _CANCELLED, back, at)] if back else [],
    }


def _refund(content: Content, part: int, moment: int) -> Json:
    at = shapes.with_offset(moment)
    return {
        "id": line_id(content, part),
        "created_at": at,
        "note": "",
        "order_adjustments": [],
        "order_id": order_id(content),
        "processed_at": at,
        "refund_line_items": [],
        "restock": False,
        "transactions": [],
        "user_id": None,
    }


def _refund_line(state: State, line: Line, units: int, net: int, tax: int) -> Json:
    return {
        "id": line_id(state.content, 700 + line.id),
        "line_item": line_item(state, line),
        "line_item_id": line_id(state.content, line.id),
        "location_id": None,
        "quantity": units,
        "restock_type": "cancel",
        "subtotal": float(text(net)),
        "total_tax": float(text(tax)),
    }


def _adjustment(content: Content, part: int, amount: int, reason: str) -> Json:
    return {
        "id": line_id(content, part + 2),
        "amount": text(amount),
        "kind": "refund_discrepancy",
        "order_id": order_id(content),
        "reason": reason,
        "refund_id": line_id(content, part),
        "tax_amount": "0.00",
    }


def _transaction(content: Content, part: int, amount: int, moment: int) -> Json:
    return {
        "id": line_id(content, part + 1),
        "amount": text(amount),
        "created_at": shapes.with_offset(moment),
        "currency": CURRENCY,
        "gateway": "shopify_payments",
        "kind": "refund",
        "order_id": order_id(content),
        "status": "success",
        "test": False,
    }
