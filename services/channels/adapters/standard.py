"""Our own store's orders (Standard Webhooks; types `order.*`). Pure.

Every message carries the whole order; lines keep their first quantity and `cancellations` says
what was taken back: the order is read as what is left, and its totals as the share of that.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from libs.contracts import common
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
from services.channels.adapters.standard_lines import charges, lines_left, order_discounts, totals
from services.channels.adapters.words import (
    business_reference,
    cancellation_reason,
    payment_reference,
)

Json = Mapping[str, Any]

_COMMITMENT: Mapping[str, common.Commitment] = {
    "pending": "tentative", "open": "committed", "completed": "committed",
    "cancelled": "committed",
}  # fmt: skip
_FUNDS = frozenset(get_args(common.Funds))
_TENDERS = frozenset(get_args(common.TenderKind))
_PARTIES = frozenset(get_args(common.Party))
_ADDRESS = ("line1", "line2", "city", "postcode", "region", "country")


def understand(topic: str, message: Json, terms: Terms) -> Understood:
    """Read one message (`type`, `timestamp`, `data`). Raises ChannelDataError."""
    topic = topic or read.text(message, "type")
    if not topic.startswith("order."):
        return Nothing("topic-not-ours")
    data = read.record(message, "data")
    external_id = read.identifier(data, "external_id")
    if topic == "order.deleted":
        return Deleted(external_id)
    status = read.text(data, "status")
    version = _version(data)
    if status == "draft" or read.flag(data, "test"):
        reason: Literal["draft", "test"] = "draft" if status == "draft" else "test"
        return Draft(external_id, reason, status, version, version.updated_at)
    return whole(data, terms)


def _version(data: Json) -> common.Version:
    moment, _ = read.moment(data.get("updated_at") or data.get("placed_at"), "updated_at")
    counter = read.quantity(data, "version") if data.get("version") is not None else 0
    return common.Version(updated_at=moment, counter=counter)


def whole(data: Json, terms: Terms) -> Whole:
    """Read an order; also the way in for the own store's checkouts. Raises ChannelDataError."""
    external_id = read.identifier(data, "external_id")
    currency = read.currency_code(data, "currency")
    given, left = lines_left(data, external_id, terms, currency)
    beside = charges(data, currency)
    placed_at, zone = read.moment(data.get("placed_at"), "placed_at")
    status = read.text(data, "status")
    funds = read.text(data, "funds", "none").replace("-", "_")
    person = _person(data)
    order = common.Order(
        entity=terms.entity, account=terms.account, provider="standard", external_id=external_id,
        display_number=read.text(data, "display_number", external_id)[:100], placed_at=placed_at,
        time_zone=read.text(data, "time_zone")[:60] or read.offset_name(zone, terms.time_zone),
        currency=currency, settlement_currency=None,
        commitment=_COMMITMENT.get(status, "unknown"),
        funds=funds if funds in _FUNDS else "unknown",  # type: ignore[arg-type]
        custody=terms.custody, status_word=f"{status}/{read.text(data, 'funds')}"[:100],
        version=_version(data), test=False, cancelled=status == "cancelled", expires_at=None,
        ship_by=None, deliver_by=None,
        service_level=read.text(data, "service_level")[:100] or None,
        shortage=terms.shortage, priority=terms.priority, related_orders=(),
        customer=_customer(data, person), lines=left, charges=beside,
        discounts=order_discounts(data, currency), tenders=_tenders(data, currency),
        totals=totals(data, currency, given, left, beside), settlement_totals=None,
        received=_told(data, "received", currency), refunded=_told(data, "refunded", currency),
    )  # fmt: skip
    return Whole(order, person, *_cancellation(data), sent=goods_sent(left, _sent(data, left)))


def _sent(data: Json, lines: Iterable[common.OrderLine]) -> Mapping[str, int]:
    """Return the units sent of each line: all of them, or those of parcels that were sent first."""
    if read.text(data, "status") == "completed":
        return {line.external_line_id: line.quantity for line in lines}
    found = dict[str, int]()
    for parcel in read.records(data, "fulfilments"):
        for row in () if parcel.get("resend_of") else read.records(parcel, "lines"):
            name = read.identifier(row, "line_id")
            found[name] = found.get(name, 0) + read.quantity(row, "quantity")
    return found


def _told(data: Json, name: str, currency: str) -> int | None:
    """Return an amount that the store may say; both of them, or neither."""
    said = all(data.get(one) is not None for one in ("received", "refunded"))
    return read.amount(data, name, currency) if said else None


def _cancellation(data: Json) -> tuple[common.Party, str, str]:
    for one in read.records(data, "cancellations"):
        by, reason = read.text(one, "by"), cancellation_reason(read.text(one, "reason"))
        party = by if by in _PARTIES else "unknown"
        return party, reason or "cancelled", reason  # type: ignore[return-value]
    return "unknown", "cancelled", ""


def _tenders(data: Json, currency: str) -> tuple[common.Tender, ...]:
    found = []
    for one in read.records(data, "tenders"):
        word = read.text(one, "kind")[:60]
        kind = word.replace("-", "_")
        found.append(
            common.Tender(
                kind=kind if kind in _TENDERS else "unknown",  # type: ignore[arg-type]
                kind_word=word,
                amount=read.amount(one, "amount", currency, needed=True),
                reference=payment_reference(read.text(one, "reference")),
            )
        )
    return tuple(found)


def _customer(data: Json, person: Person) -> common.Customer:
    shipping = read.record(data, "shipping_address")
    billing = read.record(data, "billing_address")
    place = shipping if read.text(shipping, "country") else billing
    return customer(
        country=read.country_code(read.text(place, "country")),
        region=read.region_code(read.text(place, "region")),
        guest=person.customer is None,
        business=bool(person.statutory.get("company")),
        purchase_order=business_reference(read.text(data, "purchase_order_number")),
        payment_terms=business_reference(read.text(data, "payment_terms")),
    )


def _person(data: Json) -> Person:
    buyer = read.record(data, "customer")
    shipping = read.record(data, "shipping_address")
    billing = read.record(data, "billing_address")
    return Person(
        verified=buyer.get("email_verified") is True,
        customer=read.optional_identifier(buyer, "id"),
        contact=filled(
            email=read.text(buyer, "email"),
            phone=read.text(buyer, "phone") or read.text(shipping, "phone"),
            name=read.text(shipping, "name") or read.text(buyer, "name"),
            company=read.text(shipping, "company"),
            **{field: read.text(shipping, field) for field in _ADDRESS},
        ),
        statutory=filled(
            name=read.text(billing, "name") or read.text(buyer, "name"),
            company=read.text(billing, "company"),
            tax_id=read.text(buyer, "tax_id"),
            **{field: read.text(billing, field) for field in _ADDRESS},
        ),
    )
