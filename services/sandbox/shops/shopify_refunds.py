"""What a cancellation leaves in a Shopify order: refund lines that say "cancel"; sends nothing."""

from services.sandbox.retail.content import CURRENCY, Content, Line, State
from services.sandbox.retail.money import text
from services.sandbox.shops import shapes
from services.sandbox.shops.shopify_parts import Json, line_id, line_item, order_id


def cancelled_amounts(state: State) -> tuple[int, int]:
    lines = [line for line in state.content.lines if line.id in state.cancelled]
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    if state.status == "cancelled":
        net += sum(charge.net for charge in state.content.charges)
        tax += sum(charge.tax for charge in state.content.charges)
    return net, tax


def refunds(state: State) -> list[Json]:
    if not state.cancelled:
        return []
    content = state.content
    refund = line_id(content, 900)
    at = shapes.with_offset(state.updated_at)
    lines = [line for line in content.lines if line.id in state.cancelled]
    net, tax = cancelled_amounts(state)
    return [
        {
            "id": refund,
            "created_at": at,
            "note": "",
            "order_adjustments": [],
            "order_id": order_id(content),
            "processed_at": at,
            "refund_line_items": [_refund_line(state, line) for line in lines],
            "restock": True,
            "transactions": _transactions(content, net + tax, at) if state.paid else [],
            "user_id": None,
        }
    ]


def _refund_line(state: State, line: Line) -> Json:
    return {
        "id": line_id(state.content, 700 + line.id),
        "line_item": line_item(state, line),
        "line_item_id": line_id(state.content, line.id),
        "location_id": None,
        "quantity": state.cancelled[line.id],
        "restock_type": "cancel",
        "subtotal": float(text(line.net)),
        "total_tax": float(text(line.tax)),
    }


def _transactions(content: Content, amount: int, at: str) -> list[Json]:
    return [
        {
            "id": line_id(content, 901),
            "amount": text(amount),
            "created_at": at,
            "currency": CURRENCY,
            "gateway": "shopify_payments",
            "kind": "refund",
            "order_id": order_id(content),
            "status": "success",
            "test": False,
        }
    ]
