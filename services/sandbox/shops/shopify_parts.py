"""The parts of Shopify's order resource that its several payloads share; pure, sends nothing."""

from typing import Any

from services.sandbox.retail.content import CURRENCY, Address, Charge, Content, Line, Person, State
from services.sandbox.retail.money import text
from services.sandbox.shops import shapes

_ORDER = 4_500_000_000_000
_LINE = 10_000
_VARIANT = 40_000_000_000_000
_PRODUCT = 7_000_000_000_000
_CUSTOMER = 5_200_000_000_000

Json = dict[str, Any]


def order_id(content: Content) -> int:
    return _ORDER + int(content.number)


def line_id(content: Content, part: int) -> int:
    return int(content.number) * _LINE + part


def tax_lines(rate: str, tax: int) -> list[Json]:
    if rate == "0":
        return []
    return [{"channel_liable": False, "price": text(tax), "rate": float(rate), "title": "VAT"}]


def order_tax_lines(content: Content) -> list[Json]:
    by_rate: dict[str, int] = {}
    parts: tuple[Line | Charge, ...] = (*content.lines, *content.charges)
    for part in parts:
        by_rate[part.rate] = by_rate.get(part.rate, 0) + part.tax
    return [one for rate, tax in by_rate.items() for one in tax_lines(rate, tax)]


def line_item(state: State, line: Line) -> Json:
    """A line with its first quantity; the current one is what edits and cancellations leave."""
    listed = line.kind != "custom"
    number = shapes.listing_number(line.listing)
    out = state.cut.units.get(line.id, 0) if state.cut is not None else 0
    left = state.remaining(line) - out
    return {
        "id": line_id(state.content, line.id),
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line_id(state.content, line.id)}",
        "current_quantity": left,
        "discount_allocations": [],
        "fulfillable_quantity": left,
        "fulfillment_service": "gift_card" if line.kind == "gift-card" else "manual",
        "fulfillment_status": None,
        "gift_card": line.kind == "gift-card",
        "grams": 0,
        "name": line.title,
        "price": _unit_price(line.price),
        "product_exists": listed,
        "product_id": _PRODUCT + number if listed else None,
        "properties": [],
        "quantity": line.quantity,
        "requires_shipping": line.kind == "goods",
        "sku": line.code if listed else None,
        "tax_lines": tax_lines(line.rate, line.tax),
        "taxable": line.kind != "gift-card",
        "title": line.title,
        "total_discount": "0.00",
        "variant_id": _VARIANT + number if listed else None,
        "variant_inventory_management": "shopify" if line.kind == "goods" else None,
        "variant_title": None,
        "vendor": None,
    }


def _unit_price(price: str) -> str:
    whole, _, fraction = price.partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


def shipping_line(content: Content, charge: Charge) -> Json:
    return {
        "id": line_id(content, charge.id),
        "carrier_identifier": None,
        "code": charge.code,
        "discount_allocations": [],
        "discounted_price": text(charge.net),
        "phone": None,
        "price": text(charge.net),
        "requested_fulfillment_service_id": None,
        "source": "shopify",
        "tax_lines": tax_lines(charge.rate, charge.tax),
        "title": charge.title,
    }


def address(place: Address, person: Person) -> Json:
    return {
        "address1": place.street,
        "address2": None,
        "city": place.city,
        "company": None,
        "country": place.country,
        "country_code": place.country_code,
        "first_name": person.first,
        "last_name": person.last,
        "latitude": None,
        "longitude": None,
        "name": person.name,
        "phone": person.phone,
        "province": None,
        "province_code": None,
        "zip": place.postcode,
    }


def customer(content: Content) -> Json | None:
    person = content.person
    if person.id is None:
        return None
    number = _CUSTOMER + int(person.id)
    home = address(content.address, person)
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Customer/{number}",
        "created_at": shapes.with_offset(content.placed_at),
        "currency": CURRENCY,
        "default_address": home | {"id": number, "customer_id": number, "default": True},
        "email": person.email,
        "first_name": person.first,
        "last_name": person.last,
        "multipass_identifier": None,
        "note": None,
        "phone": person.phone,
        "state": "disabled",
        "tags": "",
        "tax_exempt": False,
        "tax_exemptions": [],
        "updated_at": shapes.with_offset(content.placed_at),
        "verified_email": True,
    }
