"""Payloads of the three providers, written by hand from their documentation; canaries marked."""

import copy
import json
from typing import Any

from libs.contracts import common
from services.channels.adapters.neutral import Terms, Whole
from services.channels.adapters.parsing import parse_json

TERMS = Terms(
    account="shop",
    entity="main",
    time_zone="Europe/London",
    shortage="backorder",
    priority=100,
    custody="channel_remits_gross",
)
CANARIES = (
    "canary-mail@example.invalid", "+4420794609canary", "Canaryfirst", "Canarylast",
    "Canary Street", "Canarytown", "CAN4RY", "Canary Company", "CANARYVATID", "canary-note",
    "canary-token", "canary-ip", "canary-agent", "canary-gift", "canary-url", "Canaryprovince",
)  # fmt: skip

_ADDRESS = {
    "first_name": "Canaryfirst", "last_name": "Canarylast", "name": "Canaryfirst Canarylast",
    "address1": "Canary Street 1", "address2": "Canary Street 2", "city": "Canarytown",
    "zip": "CAN4RY", "company": "Canary Company", "phone": "+4420794609canary",
    "province": "Canaryprovince", "province_code": "ENG", "country_code": "GB",
    "country": "United Kingdom",
}  # fmt: skip


def parsed(payload: dict[str, Any]) -> Any:
    """The payload as it comes out of our parser."""
    return parse_json(json.dumps(payload).encode())


def order_of(adapter: Any, topic: str, payload: dict[str, Any]) -> common.Order:
    """The order that an adapter reads in a payload."""
    found = adapter.understand(topic, parsed(payload), TERMS)
    assert isinstance(found, Whole)
    return found.order


def shopify(**changes: Any) -> dict[str, Any]:
    """Two T-shirts at 10.00 and one mug at 5.00 with 20 % tax on top, shipping 4.00."""
    order = {
        "id": 1001, "name": "#1001", "created_at": "2024-03-01T10:00:00+00:00",
        "updated_at": "2024-03-01T10:00:05+00:00", "currency": "GBP", "test": False,
        "financial_status": "paid", "fulfillment_status": None, "cancelled_at": None,
        "taxes_included": False, "total_price": "34.00", "subtotal_price": "25.00",
        "total_tax": "5.00", "total_discounts": "0.00", "email": "canary-mail@example.invalid",
        "contact_email": "canary-mail@example.invalid", "phone": "+4420794609canary",
        "note": "canary-note", "note_attributes": [{"name": "gift", "value": "canary-gift"}],
        "token": "canary-token", "cart_token": "canary-token", "browser_ip": "canary-ip",
        "client_details": {"browser_ip": "canary-ip", "user_agent": "canary-agent"},
        "landing_site": "/canary-url", "referring_site": "canary-url", "tags": "canary-note",
        "order_status_url": "canary-url", "po_number": "Canaryfirst Canarylast",
        "payment_gateway_names": ["shopify_payments"], "discount_codes": [],
        "customer": {
            "id": 77, "email": "canary-mail@example.invalid", "note": "canary-note",
            "first_name": "Canaryfirst", "last_name": "Canarylast", "default_address": _ADDRESS,
        },
        "billing_address": _ADDRESS, "shipping_address": _ADDRESS,
        "line_items": [
            _shopify_line(1, 501, "TEE", 2, "10.00", "4.00"),
            _shopify_line(2, 502, "mug ", 1, "5.00", "1.00"),
        ],
        "shipping_lines": [
            {"id": 9, "code": "standard", "price": "4.00", "tax_lines": [],
             "discount_allocations": [], "phone": "+4420794609canary"}
        ],
        "refunds": [{"note": "canary-note"}],
    }  # fmt: skip
    return copy.deepcopy(order | changes)


def _shopify_line(number: int, variant: int, sku: str, units: int, price: str, tax: str) -> Any:
    return {
        "id": number, "variant_id": variant, "product_id": variant + 1000, "sku": sku,
        "title": f"Product {sku.strip()}", "quantity": units, "price": price,
        "requires_shipping": True, "gift_card": False, "product_exists": True,
        "fulfillment_service": "manual", "total_discount": "0.00",
        "properties": [{"name": "engraving", "value": "canary-gift"}],
        "tax_lines": [{"title": "VAT", "rate": 0.2, "price": tax, "channel_liable": False}],
        "discount_allocations": [],
    }  # fmt: skip


VAT = {"title": "VAT", "rate": 0.2, "channel_liable": False}


def both(shop: str, buyer: str | None = None) -> dict[str, Any]:
    """A money set; the buyer's amount is in another currency where there is one."""
    return {
        "shop_money": {"amount": shop, "currency_code": "GBP"},
        "presentment_money": {
            "amount": buyer or shop, "currency_code": "EUR" if buyer else "GBP",
        },
    }  # fmt: skip


def long(lines: int) -> dict[str, Any]:
    """An order of a wholesale buyer that was sent whole, with all that Shopify tells of a line."""
    items = [_whole_line(number) for number in range(1, lines + 1)]
    sent = {"id": 3, "status": "success", "line_items": items}
    return shopify(line_items=items, fulfillments=[sent], fulfillment_status="fulfilled")


def _whole_line(number: int) -> dict[str, Any]:
    name, nothing, price = f"Organic cotton towel, large, no. {number}", both("0.00"), both("12.50")
    taxes = [
        VAT | {"title": title, "price": price, "price_set": both(price)}
        for title, price in (("GB VAT", "6.00"), ("City tax", "1.00"))
    ]
    discount = {"amount": "3.75", "amount_set": both("3.75"), "discount_application_index": 0}
    return {
        "id": 14_000_000_000_000 + number, "attributed_staffs": [], "current_quantity": 3,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{14_000_000_000_000 + number}",
        "fulfillable_quantity": 0, "fulfillment_service": "manual", "gift_card": False,
        "fulfillment_status": "fulfilled", "grams": 1200, "name": f"{name} - Ocean blue / 70x140",
        "price": "12.50", "price_set": price, "product_exists": True, "properties": [],
        "product_id": 8_000_000_000_000 + number, "quantity": 3, "requires_shipping": True,
        "sku": f"TOWEL-L-BLUE-{number:04d}", "taxable": True, "title": name, "vendor": "Towels",
        "total_discount": "0.00", "total_discount_set": nothing, "tax_lines": taxes, "duties": [],
        "variant_id": 45_000_000_000_000 + number, "variant_inventory_management": "shopify",
        "variant_title": "Ocean blue / 70x140", "discount_allocations": [discount],
    }  # fmt: skip


def duty(number: int, amount: str, *taxes: str) -> dict[str, Any]:
    """A duty of a line as Shopify tells it, with taxes on it."""
    return both(amount) | {
        "id": str(number), "harmonized_system_code": "520300", "country_code_of_origin": "CA",
        "admin_graphql_api_id": f"gid://shopify/Duty/{number}",
        "tax_lines": [VAT | {"price": one, "price_set": both(one)} for one in taxes],
    }  # fmt: skip


_WOO_ADDRESS = {
    "first_name": "Canaryfirst", "last_name": "Canarylast", "company": "Canary Company",
    "address_1": "Canary Street 1", "address_2": "Canary Street 2", "city": "Canarytown",
    "state": "Canaryprovince", "postcode": "CAN4RY", "country": "GB",
    "email": "canary-mail@example.invalid", "phone": "+4420794609canary",
}  # fmt: skip


def woocommerce(**changes: Any) -> dict[str, Any]:
    """The same basket as `shopify`."""
    order = {
        "id": 2001, "number": "2001", "status": "processing", "currency": "GBP",
        "date_created_gmt": "2024-03-01T10:00:00", "date_modified_gmt": "2024-03-01T10:00:05",
        "date_paid_gmt": "2024-03-01T10:00:02", "prices_include_tax": False,
        "discount_total": "0.00", "shipping_total": "4.00", "total": "34.00", "total_tax": "5.00",
        "customer_id": 77, "customer_ip_address": "canary-ip", "customer_note": "canary-note",
        "customer_user_agent": "canary-agent", "order_key": "canary-token",
        "payment_method": "stripe", "payment_method_title": "Card",
        "transaction_id": "ch_1", "billing": _WOO_ADDRESS, "shipping": _WOO_ADDRESS,
        "payment_url": "canary-url",
        "meta_data": [
            {"id": 1, "key": "_billing_vat_number", "value": "CANARYVATID"},
            {"id": 2, "key": "gift_message", "value": "canary-gift"},
        ],
        "line_items": [
            _woo_line(1, 501, "TEE", 2, "20.00", "4.00"),
            _woo_line(2, 502, "mug ", 1, "5.00", "1.00"),
        ],
        "tax_lines": [{"rate_id": 1, "rate_code": "GB-VAT-1", "label": "VAT", "rate_percent": 20}],
        "shipping_lines": [
            {"id": 9, "method_id": "flat_rate", "method_title": "canary-note", "total": "4.00",
             "total_tax": "0.00", "taxes": []}
        ],
        "fee_lines": [], "coupon_lines": [], "refunds": [],
    }  # fmt: skip
    return copy.deepcopy(order | changes)


def _woo_line(number: int, product: int, sku: str, units: int, total: str, tax: str) -> Any:
    return {
        "id": number, "product_id": product, "variation_id": 0, "sku": sku, "quantity": units,
        "name": f"Product {sku.strip()}", "subtotal": total, "total": total, "total_tax": tax,
        "taxes": [{"id": 1, "total": tax, "subtotal": tax}], "price": 10.5,
        "meta_data": [{"id": 3, "key": "engraving", "value": "canary-gift"}],
    }  # fmt: skip


_STORE_ADDRESS = {
    "name": "Canaryfirst Canarylast", "line1": "Canary Street 1", "line2": "Canary Street 2",
    "city": "Canarytown", "postcode": "CAN4RY", "region": "Canaryprovince", "country": "GB",
    "company": "Canary Company", "phone": "+4420794609canary",
}  # fmt: skip


def standard(kind: str = "order.created", **changes: Any) -> dict[str, Any]:
    """The same basket as `shopify`."""
    data = {
        "external_id": "ord_3001", "display_number": "3001", "placed_at": "2024-03-01T10:00:00Z",
        "time_zone": "Europe/London", "updated_at": "2024-03-01T10:00:05Z", "version": 1,
        "currency": "GBP", "status": "open", "funds": "paid", "test": False,
        "note": "canary-note",
        "customer": {
            "id": "cus_77", "email": "canary-mail@example.invalid", "tax_id": "CANARYVATID",
            "name": "Canaryfirst Canarylast", "phone": "+4420794609canary",
        },
        "billing_address": _STORE_ADDRESS, "shipping_address": _STORE_ADDRESS,
        "lines": [
            _store_line(1, "lst_501", "TEE", 2, "10", "20.00", "4.00"),
            _store_line(2, "lst_502", "mug ", 1, "5", "5.00", "1.00"),
        ],
        "charges": [
            {"id": "c1", "kind": "shipping", "net": "4.00", "tax": "0.00", "tax_rate": "0"}
        ],
        "discounts": [],
        "tenders": [{"kind": "card", "amount": "34.00", "reference": "pay_1"}],
        "totals": {"net": "29.00", "tax": "5.00", "discount": "0.00", "total": "34.00"},
        "cancellations": [],
    }  # fmt: skip
    return {
        "type": kind, "timestamp": "2024-03-01T10:00:05Z", "data": copy.deepcopy(data | changes)
    }  # fmt: skip


def _store_line(
    number: int, listing: str, sku: str, units: int, price: str, net: str, tax: str
) -> Any:
    return {
        "id": f"line_{number}", "listing_id": listing, "sku": sku, "quantity": units,
        "title": f"Product {sku.strip()}", "unit_price": price, "net": net, "tax": tax,
        "tax_rate": "0.2", "kind": "goods", "requires_shipping": True, "discounts": [],
        "gift_message": "canary-gift",
    }  # fmt: skip
