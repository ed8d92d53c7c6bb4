"""WooCommerce's orders (REST API v3 shapes, webhook topics `order.*`). Pure.

A `checkout-draft` is no order, whatever topic brings it; `order.deleted` carries an id only,
`order.restored` the order out of the bin; line totals are net of tax even where prices include it.
Source: woocommerce-rest-api-docs, wp-api-v3.
What was taken stands beside the order only where its gateway notes it (the Stripe plugin does).
"""

from collections.abc import Mapping
from typing import Any

from libs.contracts import common
from services.channels.adapters import amounts
from services.channels.adapters import parsing as read
from services.channels.adapters.neutral import (
    Deleted,
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
from services.channels.adapters.woocommerce_lines import charges, discounts, lines
from services.channels.adapters.woocommerce_money import given_back, paid_for, taken
from services.channels.adapters.words import payment_reference, woo_tender

Json = Mapping[str, Any]

_DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft"})
_COMMITMENT: Mapping[str, common.Commitment] = {
    "pending": "tentative", "failed": "tentative", "on-hold": "committed",
    "processing": "committed", "completed": "committed", "refunded": "committed",
    "cancelled": "committed", "trash": "committed",
}  # fmt: skip
_CLOSED = frozenset({"completed", "refunded"})  # it asks for nothing more to be sent
_ADDRESS = ("address_1", "address_2", "city", "postcode", "state", "country")
_TAX_IDS = ("_billing_vat_number", "_vat_number", "vat_number", "_billing_vat", "billing_vat")


def understand(topic: str, data: Json, terms: Terms) -> Understood:
    """Read one delivery. Raises ChannelDataError."""
    if not topic.startswith("order."):
        return Nothing("topic-not-ours")
    external_id = read.identifier(data, "id")
    if topic == "order.deleted":
        return Deleted(external_id)
    status = read.text(data, "status").removeprefix("wc-")
    if status in _DRAFTS:
        version = _version(data)
        return Draft(external_id, "draft", status, version, version.updated_at)
    restored = topic == "order.restored" and status != "trash"  # it may be there again by now
    return _whole(data, external_id, status, terms, restored=restored)


def _version(data: Json) -> common.Version:
    value = data.get("date_modified_gmt") or data.get("date_created_gmt")
    moment, _ = read.moment(value, "date_modified_gmt")
    return common.Version(updated_at=moment, counter=0)


def _whole(data: Json, external_id: str, status: str, terms: Terms, *, restored: bool) -> Whole:
    currency = read.currency_code(data, "currency")
    found_lines = lines(data, external_id, terms, currency)
    found_charges = charges(data, currency)
    totals = _totals(data, currency, found_lines, found_charges)
    placed_at, _ = read.moment(data.get("date_created_gmt"), "date_created_gmt")
    funds = _funds(data, status, currency)
    received, refunded = taken(data, currency, totals.total)
    person = _person(data)
    order = common.Order(
        entity=terms.entity, account=terms.account, provider="woocommerce",
        external_id=external_id, display_number=read.text(data, "number", external_id),
        placed_at=placed_at, time_zone=terms.time_zone, currency=currency,
        settlement_currency=None, commitment=_COMMITMENT.get(status, "unknown"), funds=funds,
        custody=terms.custody, status_word=status, version=_version(data), test=False,
        cancelled=status in {"cancelled", "trash"}, expires_at=None, ship_by=None,
        deliver_by=None, service_level=_service_level(data), shortage=terms.shortage,
        priority=terms.priority, related_orders=(), customer=_customer(data, person),
        lines=found_lines, charges=found_charges, discounts=discounts(data, currency),
        tenders=_tenders(data, funds, totals.total if received is None else received),
        totals=totals, settlement_totals=None, received=received, refunded=refunded,
    )  # fmt: skip
    units = {line.external_line_id: line.quantity for line in found_lines}
    sent = goods_sent(found_lines, units if status in _CLOSED else {})
    return Whole(order, person, "unknown", status, status, restored, sent)


def _funds(data: Json, status: str, currency: str) -> common.Funds:
    method = read.text(data, "payment_method")
    refunds, paid = given_back(data, currency), paid_for(data)
    match status:
        case "pending":
            return "pending"
        case "on-hold" if woo_tender(method) == "on_account":
            return "on_account"
        case "on-hold" if woo_tender(method) == "card" and read.text(data, "transaction_id"):
            return "authorised"
        case "on-hold":
            return "pending"
        case "processing" if method == "cod":
            return "on_delivery"
        case "processing" | "completed":
            return "part_refunded" if refunds else "paid"
        case "refunded":
            return "refunded"
        case "failed":
            return "voided"
        case "cancelled" | "trash":
            return ("refunded" if refunds else "paid") if paid else "voided"
        case _:
            return "unknown"


def _service_level(data: Json) -> str | None:
    for line in read.records(data, "shipping_lines"):
        return read.text(line, "method_id")[:100] or None
    return None


def _totals(
    data: Json,
    currency: str,
    found: tuple[common.OrderLine, ...],
    beside: tuple[common.Charge, ...],
) -> common.Totals:
    parts = [line.amounts for line in found] + [charge.amounts for charge in beside]
    return amounts.totals(
        parts,
        net=sum(line.amounts.net for line in found),
        discount=read.amount(data, "discount_total", currency),
        charges=sum(charge.amounts.net for charge in beside),
        tax=read.amount(data, "total_tax", currency),
        total=read.amount(data, "total", currency, needed=True),
    )


def _tenders(data: Json, funds: common.Funds, total: int) -> tuple[common.Tender, ...]:
    word = read.text(data, "payment_method")[:60]
    if not word or total <= 0 or funds in {"none", "pending", "voided", "unknown"}:
        return ()
    reference = payment_reference(read.text(data, "transaction_id"))
    return (
        common.Tender(kind=woo_tender(word), kind_word=word, amount=total, reference=reference),
    )


def _customer(data: Json, person: Person) -> common.Customer:
    shipping, billing = read.record(data, "shipping"), read.record(data, "billing")
    place = shipping if read.text(shipping, "country") else billing
    return customer(
        country=read.country_code(read.text(place, "country")),
        region=read.region_code(read.text(place, "state")),
        guest=person.customer is None,
        business=bool(person.statutory.get("company")),
    )


def _person(data: Json) -> Person:
    shipping, billing = read.record(data, "shipping"), read.record(data, "billing")
    tax_ids = [
        read.text(one, "value")
        for one in read.records(data, "meta_data")
        if one.get("key") in _TAX_IDS and isinstance(one.get("value"), (str, int))
    ]
    # The e-mail is never verified: an account is made without a proof of its address, and whoever
    # has one types any other when they order (woocommerce/woocommerce issues 30146 and 16677).
    return Person(
        customer=read.optional_identifier(data, "customer_id"),  # 0 is a guest
        contact=filled(
            email=read.text(billing, "email"),
            phone=read.text(shipping, "phone") or read.text(billing, "phone"),
            name=_name(shipping) or _name(billing),
            company=read.text(shipping, "company"),
            **{field: read.text(shipping, field) for field in _ADDRESS},
        ),
        statutory=filled(
            name=_name(billing),
            company=read.text(billing, "company"),
            tax_id=tax_ids[0] if tax_ids else None,
            **{field: read.text(billing, field) for field in _ADDRESS},
        ),
    )


def _name(data: Json) -> str:
    return f"{read.text(data, 'first_name')} {read.text(data, 'last_name')}".strip()
