"""Orders in our own store's shape, the documented one of the provider `standard`; sends nothing.

The shape is written down in the sandbox's README. Amounts are decimal strings net of tax; lines
have the quantity of the last edit, and what was cancelled stands in `cancellations`.
"""

from typing import Any

from services.sandbox.retail.content import CURRENCY, Charge, Content, Line, State
from services.sandbox.retail.money import text
from services.sandbox.shops import shapes, takings

Json = dict[str, Any]


def order_id(content: Content) -> str:
    return f"ord_{content.number}"


def payload(state: State, topic: str, before: State | None = None) -> Json:
    """A Standard Webhooks message: `type`, `timestamp`, `data`, where data is the whole order."""
    del before
    return {"type": topic, "timestamp": shapes.zulu(state.updated_at), "data": order(state)}


def order(state: State) -> Json:
    content = state.content
    place = _address(content)
    return {
        "external_id": order_id(content),
        "display_number": content.number,
        "placed_at": shapes.zulu(content.placed_at),
        "time_zone": "Europe/London",
        "updated_at": shapes.zulu(state.updated_at),
        "version": state.version,
        "currency": CURRENCY,
        "status": state.status,
        "funds": _funds(state),
        "test": False,
        "customer": _customer(content),
        "billing_address": place,
        "shipping_address": place,
        "received": text(takings.received(state)),
        "refunded": text(takings.returned(state)),
        "lines": [_line(line) for line in content.lines if line.quantity],
        "charges": [_charge(charge) for charge in content.charges],
        "discounts": [],
        "tenders": _tenders(state),
        "totals": {
            "net": text(content.net),
            "tax": text(content.tax),
            "discount": "0.00",
            "total": text(content.total),
        },
        "cancellations": _cancellations(state),
    }


def _funds(state: State) -> str:
    if state.content.means is not None:
        return "none"
    if not state.paid:
        return "voided" if state.status == "cancelled" else "none"
    if state.status == "cancelled":
        return "refunded"
    return "part-refunded" if takings.returned(state) else "paid"


def _customer(content: Content) -> Json:
    person = content.person
    return {
        "id": f"cus_{person.id}" if person.id else None,
        "email": person.email,
        "name": person.name,
        "phone": person.phone,
    }


def _address(content: Content) -> Json:
    return {
        "name": content.person.name,
        "line1": content.address.street,
        "line2": None,
        "city": content.address.city,
        "postcode": content.address.postcode,
        "region": None,
        "country": content.address.country_code,
        "phone": content.person.phone,
    }


def _line(line: Line) -> Json:
    listed = line.kind != "custom"
    return {
        "id": f"line_{line.id}",
        "listing_id": f"lst_{shapes.listing_number(line.listing):08x}" if listed else None,
        "sku": line.code if listed else None,
        "title": line.title,
        "quantity": line.quantity,
        "unit_price": line.price,
        "net": text(line.net),
        "tax": text(line.tax),
        "tax_rate": line.rate,
        "kind": line.kind,
        "requires_shipping": line.kind == "goods",
        "discounts": [],
    }


def _charge(charge: Charge) -> Json:
    return {
        "id": f"charge_{charge.id}",
        "kind": "shipping",
        "code": charge.code,
        "title": charge.title,
        "net": text(charge.net),
        "tax": text(charge.tax),
        "tax_rate": charge.rate,
    }


def _tenders(state: State) -> list[Json]:
    means = state.content.means
    if not (state.paid or means) or not state.content.total:
        return []
    reference = means or f"pay_{shapes.token(state.content)[:24]}"
    carried = takings.received(state) or state.content.total
    return [{"kind": "card", "amount": text(carried), "reference": reference}]


def _cancellations(state: State) -> list[Json]:
    at = shapes.zulu(state.updated_at)
    return [
        {
            "line_id": f"line_{line}",
            "quantity": quantity,
            "reason": "customer",
            "by": "buyer",
            "at": at,
        }
        for line, quantity in sorted(state.cancelled.items())
    ]
