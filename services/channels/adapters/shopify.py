"""Shopify's orders (REST Admin API shapes, webhook topics `orders/*` and `draft_orders/*`). Pure.

Quantities and totals are the current ones (after edits and refunds) where Shopify gives them.
Source: shopify.dev, Admin API, Order resource; states of `financial_status` as listed there.
"""

from collections.abc import Mapping
from typing import Any

from libs.contracts import common
from services.channels.adapters import parsing as read
from services.channels.adapters.neutral import (
    Draft,
    Nothing,
    Person,
    Terms,
    Understood,
    Whole,
    customer,
    filled,
    goods_sent,
)
from services.channels.adapters.shopify_lines import fulfilled_units, priced_parts
from services.channels.adapters.shopify_money import Side, sides, taken, totals
from services.channels.adapters.words import business_reference, shopify_tender

Json = Mapping[str, Any]

_FUNDS: Mapping[str, common.Funds] = {
    "pending": "pending", "authorized": "authorised", "partially_paid": "part_paid",
    "paid": "paid", "partially_refunded": "part_refunded", "refunded": "refunded",
    "voided": "voided", "expired": "expired", "unpaid": "pending", "": "none",
}  # fmt: skip
_BY: Mapping[str, common.Party] = {
    "customer": "buyer", "declined": "channel", "fraud": "seller", "inventory": "seller",
    "staff": "seller", "other": "unknown",
}  # fmt: skip
_ADDRESS = ("address1", "address2", "city", "zip", "province", "country")


def understand(topic: str, data: Json, terms: Terms) -> Understood:
    """Read one delivery. Raises ChannelDataError."""
    if topic.startswith("draft_orders/"):
        return _draft(topic, data)
    if topic == "refunds/create":
        return Nothing("refund-notice")  # the order's own update holds every refund
    if not topic.startswith("orders/"):
        return Nothing("topic-not-ours")
    if topic == "orders/delete":
        return Nothing("deleted-after-archiving")
    if topic == "orders/edited" and "line_items" not in data:
        return Nothing("edit-notice")
    inner = data.get("order")
    data = inner if isinstance(inner, dict) and "line_items" in inner else data
    if read.flag(data, "test"):
        version = _version(data)
        found = read.identifier(data, "id")
        return Draft(found, "test", _status(data), version, version.updated_at)
    return _whole(data, terms)


def _draft(topic: str, data: Json) -> Understood:
    if topic == "draft_orders/delete":
        return Nothing("draft-deleted")
    version = _version(data)
    # A draft's numbers are not an order's: its stream must never meet one of those.
    found = "draft:" + read.identifier(data, "id")
    return Draft(found, "draft", read.text(data, "status"), version, version.updated_at)


def _version(data: Json) -> common.Version:
    moment, _ = read.moment(data.get("updated_at") or data.get("created_at"), "updated_at")
    return common.Version(updated_at=moment, counter=0)


def _status(data: Json) -> str:
    words = (read.text(data, "financial_status"), read.text(data, "fulfillment_status"))
    return "/".join(word for word in words if word)


def _whole(data: Json, terms: Terms) -> Whole:
    external_id = read.identifier(data, "id")
    main, settlement = sides(data)
    lines, charges = priced_parts(data, external_id, terms, main, settlement)
    placed = data.get("processed_at") or data.get("created_at")
    placed_at, zone = read.moment(placed, "created_at")
    version = _version(data)
    found = totals(data, main, lines, charges)
    reason = read.text(data, "cancel_reason")
    funds = _funds(data)
    received, refunded = taken(data, main, funds)
    person = _person(data)
    order = common.Order(
        entity=terms.entity, account=terms.account, provider="shopify", external_id=external_id,
        display_number=read.text(data, "name") or read.text(data, "order_number", external_id),
        placed_at=placed_at, time_zone=read.offset_name(zone, terms.time_zone),
        currency=main.currency,
        settlement_currency=settlement.currency if settlement else None,
        commitment="committed", funds=funds, custody=_custody(funds, terms),
        status_word=_status(data), version=version, test=False,
        cancelled=data.get("cancelled_at") is not None,
        expires_at=None, ship_by=None, deliver_by=None,
        service_level=_service_level(data),
        shortage=terms.shortage, priority=terms.priority, related_orders=(),
        customer=_customer(data, person), lines=lines, charges=charges,
        discounts=_order_discounts(data, main),
        tenders=_tenders(data, funds, main, found.total, received),
        totals=found, settlement_totals=None, received=received, refunded=refunded,
    )  # fmt: skip
    return Whole(
        order, person, _BY.get(reason, "unknown"), reason or "cancelled", reason,
        sent=goods_sent(lines, fulfilled_units(data)),
    )  # fmt: skip


def _funds(data: Json) -> common.Funds:
    word = read.text(data, "financial_status")
    found = _FUNDS.get(word, "unknown")
    if found != "pending":
        return found
    names = data.get("payment_gateway_names")
    gateways = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    if any("cash on delivery" in name.lower() for name in gateways):
        return "on_delivery"
    return "on_account" if read.record(data, "payment_terms") else "pending"


def _custody(funds: common.Funds, terms: Terms) -> common.Custody:
    """Authorised money waits for our word, whatever the account's rule for captured money is."""
    waits = funds == "authorised" and terms.custody != "us"
    return "channel_captures_at_our_order" if waits else terms.custody


def _service_level(data: Json) -> str | None:
    for line in read.records(data, "shipping_lines"):
        return read.free_text(line, "code")[:100] or None
    return None


def _order_discounts(data: Json, side: Side) -> tuple[common.Discount, ...]:
    return tuple(
        common.Discount(
            code=read.free_text(one, "code")[:100] or None,
            amount=read.amount(one, "amount", side.currency),
            allocated_by="channel",
        )
        for one in read.records(data, "discount_codes")
    )


def _tenders(
    data: Json, funds: common.Funds, side: Side, total: int, received: int | None
) -> tuple[common.Tender, ...]:
    """List the gateways; an amount that Shopify does not say of one of several is 0."""
    names = data.get("payment_gateway_names")
    if not isinstance(names, list):
        names = [data["gateway"]] if isinstance(data.get("gateway"), str) else []
    words = [name[:60] for name in names if isinstance(name, str) and name]
    if funds in {"none", "pending", "voided", "expired", "unknown"} or total <= 0:
        return ()
    left = side.amount(data, "total_outstanding") if funds == "part_paid" else 0
    whole = max(total - left, 0) if received is None else received
    alone = whole if len(words) == 1 else 0
    return tuple(
        common.Tender(kind=shopify_tender(word), kind_word=word, amount=alone, reference=None)
        for word in words
    )


def _customer(data: Json, person: Person) -> common.Customer:
    shipping = read.record(data, "shipping_address")
    billing = read.record(data, "billing_address")
    place = shipping if shipping.get("country_code") else billing
    terms = read.record(data, "payment_terms")
    return customer(
        country=read.country_code(read.text(place, "country_code")),
        region=read.region_code(read.text(place, "province_code")),
        guest=person.customer is None,
        business=bool(read.record(data, "company") or person.statutory.get("company")),
        purchase_order=business_reference(read.text(data, "po_number")),
        payment_terms=business_reference(read.text(terms, "payment_terms_name")),
    )


def _person(data: Json) -> Person:
    buyer = read.record(data, "customer")
    shipping = read.record(data, "shipping_address")
    billing = read.record(data, "billing_address")
    known = read.text(buyer, "email")
    email = read.text(data, "email") or known
    return Person(
        # Shopify verifies the customer's address; the order may name another one.
        verified=buyer.get("verified_email") is True and email.casefold() == known.casefold(),
        customer=read.optional_identifier(buyer, "id"),
        contact=filled(
            email=email,
            phone=read.text(data, "phone") or read.text(shipping, "phone"),
            name=_name(shipping) or _name(buyer),
            company=read.text(shipping, "company"),
            **{field: read.text(shipping, field) for field in _ADDRESS},
        ),
        statutory=filled(
            name=_name(billing) or _name(buyer),
            company=read.text(billing, "company"),
            tax_id=read.text(data, "tax_id"),
            **{field: read.text(billing, field) for field in _ADDRESS},
        ),
    )


def _name(data: Json) -> str:
    whole = read.text(data, "name")
    return whole or f"{read.text(data, 'first_name')} {read.text(data, 'last_name')}".strip()
