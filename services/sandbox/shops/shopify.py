"""Orders in Shopify's shape (REST Admin API, webhook topics `orders/*`); pure, sends nothing.

Source: Shopify's Order resource and its own library's fixtures. Prices are net (`taxes_included`
false); a cheaper edit and a cancellation leave the first totals, quantities and taxes beside the
`current_` ones and are refund lines with `restock_type` "cancel"; `total_outstanding` is negative
while the shop owes the buyer.
"""

from services.sandbox.retail.content import CURRENCY, State
from services.sandbox.retail.edits import before_cut
from services.sandbox.retail.money import text
from services.sandbox.shops import shapes
from services.sandbox.shops.shopify_parts import (
    Json,
    address,
    customer,
    line_id,
    line_item,
    order_id,
    order_tax_lines,
    shipping_line,
)
from services.sandbox.shops.shopify_refunds import refund, refunds
from services.sandbox.shops.takings import cancelled_amounts, taken


def payload(state: State, topic: str, before: State | None = None) -> Json:
    """The body of a webhook; `before` is the order's state before an edit (`orders/edited`)."""
    match topic:
        case "draft_orders/create":
            return _draft(state)
        case "orders/edited":
            return _edit(state, before or state)
        case "refunds/create":
            return refund(state)
        case _:
            return order(state)


def order(state: State) -> Json:
    content, first = state.content, before_cut(state)
    gone_net, gone_tax = cancelled_amounts(state)
    costs = content.total - gone_net - gone_tax
    created, updated = shapes.with_offset(content.placed_at), shapes.with_offset(state.updated_at)
    cancelled_at = updated if state.status == "cancelled" else None
    subtotal = sum(line.net for line in first.lines)
    left = sum(line.net for line in content.lines) - gone_net
    return {
        "id": order_id(content),
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id(content)}",
        "app_id": 580111,
        "browser_ip": None,
        "buyer_accepts_marketing": False,
        "cancel_reason": "customer" if cancelled_at else None,
        "cancelled_at": cancelled_at,
        "cart_token": shapes.token(content),
        "checkout_id": order_id(content),
        "checkout_token": shapes.token(content),
        "client_details": None,
        "closed_at": None,
        "company": None,
        "confirmed": True,
        "contact_email": content.person.email,
        "created_at": created,
        "currency": CURRENCY,
        "current_subtotal_price": text(left),
        "current_total_discounts": "0.00",
        "current_total_price": text(costs),
        "current_total_tax": text(content.tax - gone_tax),
        "customer_locale": "en-GB",
        "discount_applications": [],
        "discount_codes": [],
        "email": content.person.email or "",
        "estimated_taxes": False,
        "financial_status": _financial_status(state),
        "fulfillment_status": None,
        "gateway": "shopify_payments",
        "landing_site": "/",
        "landing_site_ref": None,
        "location_id": None,
        "name": f"#{content.number}",
        "note": None,
        "note_attributes": [],
        "number": int(content.number),
        "order_number": int(content.number),
        "payment_gateway_names": ["shopify_payments"] if content.total else [],
        "phone": None,
        "po_number": None,
        "presentment_currency": CURRENCY,
        "processed_at": created,
        "reference": None,
        "referring_site": None,
        "source_name": "web",
        "subtotal_price": text(subtotal),
        "tags": "",
        "tax_lines": order_tax_lines(first),
        "taxes_included": False,
        "test": False,
        "token": shapes.token(content),
        "total_discounts": "0.00",
        "total_line_items_price": text(subtotal),
        "total_outstanding": text(costs - taken(state)),
        "total_price": text(first.total),
        "total_tax": text(first.tax),
        "total_tip_received": "0.00",
        "total_weight": 0,
        "updated_at": updated,
        "user_id": None,
        "billing_address": address(content.address, content.person),
        "customer": customer(content),
        "fulfillments": [],
        "line_items": [line_item(state, line) for line in first.lines],
        "refunds": refunds(state),
        "shipping_address": address(content.address, content.person),
        "shipping_lines": [shipping_line(content, charge) for charge in content.charges],
    }


def _financial_status(state: State) -> str:
    if not state.paid:
        return "voided" if state.status == "cancelled" else "pending"
    if state.status == "cancelled":
        return "refunded"
    back = state.cut is not None and state.cut.owed and state.cut.back_at is not None
    return "partially_refunded" if state.cancelled or back else "paid"


def _edit(state: State, before: State) -> Json:
    was = {line.id: line.quantity for line in before.content.lines}
    deltas = {line.id: line.quantity - was.get(line.id, 0) for line in state.content.lines}
    content = state.content
    changes = [{"id": line_id(content, part), "delta": n} for part, n in deltas.items() if n]
    return {
        "order_edit": {
            "id": line_id(content, 950 + state.version),
            "app_id": None,
            "created_at": shapes.with_offset(state.updated_at),
            "notify_customer": False,
            "order_id": order_id(content),
            "staff_note": "",
            "user_id": None,
            "line_items": {
                "additions": [one for one in changes if one["delta"] > 0],
                "removals": [one | {"delta": -one["delta"]} for one in changes if one["delta"] < 0],
            },
            "discounts": {"line_item": {"additions": [], "removals": []}},
            "shipping_lines": {"additions": [], "removals": []},
        }
    }


def _draft(state: State) -> Json:
    content = state.content
    whole = order(state)
    kept = ("email", "currency", "created_at", "updated_at", "customer", "line_items")
    money = ("taxes_included", "tax_lines", "subtotal_price", "total_price", "total_tax")
    places = ("billing_address", "shipping_address", "note", "note_attributes", "tags")
    return {
        "id": 900_000_000_000 + int(content.number),
        "name": f"#D{content.number}",
        "status": "open",
        "order_id": None,
        "completed_at": None,
        "invoice_sent_at": None,
        "applied_discount": None,
        "tax_exempt": False,
    } | {name: whole[name] for name in (*kept, *money, *places)}
