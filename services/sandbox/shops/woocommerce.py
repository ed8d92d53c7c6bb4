"""Orders in WooCommerce's shape (REST API v3); pure, sends nothing.

Source: woocommerce-rest-api-docs, wp-api-v3, "Order properties". Line totals are net
(`prices_include_tax` false), dates are local and GMT without an offset. A line that is cancelled
before it left is edited out of the order; a custom amount is a fee line. What was charged stands in
the metadata of the Stripe plugin only: the total follows every edit.
"""

from typing import Any

from services.sandbox.retail.content import CURRENCY, Address, Charge, Content, Line, Person, State
from services.sandbox.retail.money import text
from services.sandbox.shops import shapes
from services.sandbox.shops.takings import received

Json = dict[str, Any]
_PART = 1_000
_STATUSES = {
    "draft": "checkout-draft",
    "pending": "pending",
    "open": "processing",
    "cancelled": "cancelled",
}


def order_id(content: Content) -> int:
    return int(content.number)


def payload(state: State, topic: str, before: State | None = None) -> Json:
    """The body of any order webhook: the order itself, whatever the topic."""
    del topic, before
    content = state.content
    gone = set() if state.status == "cancelled" else set(state.cancelled)
    lines = [line for line in content.lines if line.quantity and line.id not in gone]
    items = [line for line in lines if line.kind != "custom"]
    parts: tuple[Line | Charge, ...] = (*lines, *content.charges)
    rates = sorted({part.rate for part in parts if part.rate != "0"})
    net, tax = sum(part.net for part in parts), sum(part.tax for part in parts)
    shipping_tax = sum(charge.tax for charge in content.charges)
    return {
        "id": order_id(content),
        "parent_id": 0,
        "status": _STATUSES[state.status],
        "currency": CURRENCY,
        "version": "9.4.2",
        "prices_include_tax": False,
        **_dates(state),
        "discount_total": "0.00",
        "discount_tax": "0.00",
        "shipping_total": text(sum(charge.net for charge in content.charges)),
        "shipping_tax": text(shipping_tax),
        "cart_tax": text(tax - shipping_tax),
        "total": text(net + tax + content.shift),
        "total_tax": text(tax),
        "customer_id": int(content.person.id or 0),
        "order_key": f"wc_order_{shapes.token(content)[:13]}",
        "billing": address(content.address, content.person)
        | {"email": content.person.email or "", "phone": content.person.phone},
        "shipping": address(content.address, content.person) | {"phone": ""},
        **_payment(state),
        "customer_ip_address": "",
        "customer_user_agent": "",
        "created_via": "checkout",
        "customer_note": "",
        "cart_hash": shapes.token(content),
        "number": content.number,
        "meta_data": _charge(state),
        "line_items": [_line(content, line) for line in items],
        "tax_lines": [_tax_line(content, lines, rate) for rate in rates],
        "shipping_lines": [_shipping_line(content, charge) for charge in content.charges],
        "fee_lines": [_fee_line(content, line) for line in lines if line.kind == "custom"],
        "coupon_lines": [],
        "refunds": [],
        "payment_url": "",
        "is_editable": state.status in {"draft", "pending"},
        "needs_payment": state.status == "pending",
        "needs_processing": True,
        "currency_symbol": "£",
    }


def _dates(state: State) -> Json:
    placed, updated = state.content.placed_at, state.updated_at
    return {
        "date_created": shapes.naive_local(placed),
        "date_created_gmt": shapes.naive_utc(placed),
        "date_modified": shapes.naive_local(updated),
        "date_modified_gmt": shapes.naive_utc(updated),
        "date_completed": None,
        "date_completed_gmt": None,
    }


def _payment(state: State) -> Json:
    at = state.content.placed_at if state.version == 1 else state.updated_at
    settled = state.paid and state.content.total > 0
    return {
        "payment_method": "stripe" if state.content.total else "",
        "payment_method_title": "Credit / Debit Card" if state.content.total else "",
        "transaction_id": f"ch_{shapes.token(state.content)[:24]}" if settled else "",
        "date_paid": shapes.naive_local(at) if state.paid else None,
        "date_paid_gmt": shapes.naive_utc(at) if state.paid else None,
    }


def _charge(state: State) -> list[Json]:
    """What the Stripe plugin notes of a charge: its fee (1.4 % and 20p) and what is left of it."""
    whole = received(state)
    if not whole:
        return []
    fee = min(whole, whole * 14 // 1000 + 20)
    notes = {
        "_stripe_charge_captured": "yes",
        "_stripe_currency": CURRENCY,
        "_stripe_fee": text(fee),
        "_stripe_net": text(whole - fee),
    }
    return [
        {"id": _part(state.content, 650 + place), "key": key, "value": value}
        for place, (key, value) in enumerate(notes.items())
    ]


def address(place: Address, person: Person) -> Json:
    return {
        "first_name": person.first,
        "last_name": person.last,
        "company": "",
        "address_1": place.street,
        "address_2": "",
        "city": place.city,
        "state": "",
        "postcode": place.postcode,
        "country": place.country_code or "",
    }


def _part(content: Content, part: int) -> int:
    return int(content.number) * _PART + part


def _rate_id(rate: str) -> int:
    return {"0.175": 1, "0.2": 2}.get(rate, 0)


def _taxes(rate: str, tax: int) -> list[Json]:
    if rate == "0":
        return []
    return [{"id": _rate_id(rate), "total": text(tax), "subtotal": text(tax)}]


def _line(content: Content, line: Line) -> Json:
    meta = []
    if line.kind == "gift-card":
        key = "wc_gc_giftcard_amount"
        amount = text(line.net // line.quantity)
        display = {"display_key": key, "display_value": amount}
        meta = [{"id": _part(content, 800 + line.id), "key": key, "value": amount, **display}]
    return {
        "id": _part(content, line.id),
        "name": line.title,
        "product_id": shapes.listing_number(line.listing),
        "variation_id": 0,
        "quantity": line.quantity,
        "tax_class": "",
        "subtotal": text(line.net),
        "subtotal_tax": text(line.tax),
        "total": text(line.net),
        "total_tax": text(line.tax),
        "taxes": _taxes(line.rate, line.tax),
        "meta_data": meta,
        "sku": line.code,
        "price": float(line.price),
        "image": {"id": "", "src": ""},
        "parent_name": None,
    }


def _fee_line(content: Content, line: Line) -> Json:
    return {
        "id": _part(content, line.id),
        "name": line.title,
        "tax_class": "",
        "tax_status": "taxable",
        "amount": text(line.net),
        "total": text(line.net),
        "total_tax": text(line.tax),
        "taxes": _taxes(line.rate, line.tax),
        "meta_data": [],
    }


def _shipping_line(content: Content, charge: Charge) -> Json:
    return {
        "id": _part(content, charge.id),
        "method_title": charge.title,
        "method_id": "flat_rate",
        "instance_id": "1",
        "total": text(charge.net),
        "total_tax": text(charge.tax),
        "taxes": _taxes(charge.rate, charge.tax),
        "meta_data": [],
    }


def _tax_line(content: Content, lines: list[Line], rate: str) -> Json:
    goods = sum(line.tax for line in lines if line.rate == rate)
    shipping = sum(charge.tax for charge in content.charges if charge.rate == rate)
    return {
        "id": _part(content, 600 + _rate_id(rate)),
        "rate_code": f"{content.address.country_code or 'GB'}-VAT-{_rate_id(rate)}",
        "rate_id": _rate_id(rate),
        "label": "VAT",
        "compound": False,
        "tax_total": text(goods),
        "shipping_tax_total": text(shipping),
        "rate_percent": shapes.percent(rate),
        "meta_data": [],
    }
