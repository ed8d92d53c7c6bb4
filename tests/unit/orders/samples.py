"""Orders, lines and answers to tell deciders of, with only what a test cares about spelled out."""

from typing import Any

from libs.contracts import common
from services.orders import commands

T0 = 1_700_000_000_000_000  # when the shop placed it
NOW = T0 + 1_000_000  # when we heard of it
HOUR = commands.HOURS
ID = commands.order_id("shop", "1001")


def line(name: str, units: int, *parts: tuple[str, int], **fields: Any) -> common.OrderLine:
    amounts = common.Amounts(gross=units * 100, discount=0, net=units * 100, taxes=())
    given: dict[str, Any] = {
        "line_id": name, "external_line_id": f"x-{name}", "listing_id": f"listing-{name}",
        "channel_sku": name.upper(), "sku": parts[0][0] if parts else None, "units_per_listing": 1,
        "components": tuple(common.Component(sku=sku, units=n) for sku, n in parts),
        "kind": "goods", "kind_word": "", "quantity": units, "fulfilled_by": "us",
        "requires_shipping": True, "title": "", "unit_price": "1.00", "amounts": amounts,
        "discounts": (), "settlement_amounts": None,
    }  # fmt: skip
    return common.OrderLine(**(given | fields))


def order(
    *lines: common.OrderLine, version: int = 1, country: str = "GB", **fields: Any
) -> common.Order:
    total = sum(one.amounts.net for one in lines)
    rounding = fields.pop("rounding", 0)
    given: dict[str, Any] = {
        "entity": "main", "account": "shop", "provider": "shopify", "external_id": "1001",
        "display_number": "#1001", "placed_at": T0, "time_zone": "Europe/London",
        "currency": "GBP", "settlement_currency": None, "commitment": "committed",
        "funds": "pending", "custody": "channel_remits_gross", "status_word": "",
        "version": common.Version(updated_at=T0 + version, counter=0), "test": False,
        "cancelled": False, "expires_at": None, "ship_by": None, "deliver_by": None,
        "service_level": None, "shortage": "backorder", "priority": 100, "related_orders": (),
        "customer": common.Customer(
            subject="subject-1", guest=False, contact=None, statutory=None,
            ship_to_country=country, ship_to_region=None, business=False,
            purchase_order_number=None, payment_terms=None,
        ),
        "lines": lines, "charges": (), "discounts": (), "tenders": (),
        "totals": common.Totals(
            net=total, discount=0, charges=0, tax=0, total=total + rounding, rounding=rounding
        ),
        "settlement_totals": None,
    }  # fmt: skip
    return common.Order(**(given | fields))


def told(*lines: common.OrderLine, at: int = NOW, **fields: Any) -> commands.RecordVersion:
    return commands.RecordVersion(order(*lines, **fields), occurred_at=T0, at=at)


def answer(
    sku: str, reserved: int, short: int = 0, revision: int = 1, seen: int = 1, at: int = NOW
) -> commands.RecordStock:
    fact = "StockShort" if short else "StockReserved"
    return commands.RecordStock(sku, revision, reserved, short, seen, fact, at, at)


def cancel(key: str, *lines: tuple[str, int]) -> commands.RequestCancellation:
    wanted = tuple(common.LineQuantity(line_id=name, quantity=n) for name, n in lines)
    return commands.RequestCancellation(key, wanted, "seller", "changed-mind", NOW)


def funds(word: common.Funds, version: int, at: int = NOW) -> commands.RecordFunds:
    return commands.RecordFunds(
        version=common.Version(updated_at=T0 + version, counter=0), funds=word, funds_word=word,
        custody="channel_remits_gross", amount=100, currency="GBP", occurred_at=at, at=at,
    )  # fmt: skip


def cancelled(version: int, *lines: tuple[str, int]) -> commands.RecordCancellation:
    rows = tuple(common.ExternalLineQuantity(external_line_id=n, quantity=q) for n, q in lines)
    return commands.RecordCancellation(
        version=common.Version(updated_at=T0 + version, counter=0), whole=not lines, lines=rows,
        by="buyer", reason="customer", occurred_at=T0, at=NOW,
    )  # fmt: skip


def resolved(name: str, sku: str, units: int = 1) -> commands.ResolveLine:
    parts = (common.Component(sku=sku, units=units),)
    return commands.ResolveLine("main", ID, name, sku, units, parts, NOW)


def said(
    standing: common.PaymentStanding, amount: int = 0, seen: int = 1, **fields: Any
) -> commands.RecordPayment:
    """Payments says something of the money; `seen` is the version of its stream."""
    given: dict[str, Any] = {
        "standing": standing, "fact": "Payment", "amount": amount, "currency": "GBP",
        "reason": "", "payment_version": seen, "deadline": None, "occurred_at": NOW, "at": NOW,
    }  # fmt: skip
    return commands.RecordPayment(**(given | fields))


def captured(amount: int, seen: int = 1) -> commands.RecordPayment:
    return said("captured", amount, seen)


def parcel(
    status: common.ShipmentStatus, *lines: tuple[str, int], name: str = "s1", seen: int = 1,
    **fields: Any,
) -> commands.RecordShipment:  # fmt: skip
    """Fulfilment says something of a shipment; `seen` is the version of its stream."""
    rows = tuple(common.LineQuantity(line_id=n, quantity=q) for n, q in lines)
    given: dict[str, Any] = {
        "shipment_id": name, "status": status, "fact": "Shipment", "lines": rows,
        "reason": "scan" if status == "delivered" else "", "version": seen, "deadline": None,
        "occurred_at": NOW, "at": NOW,
    }  # fmt: skip
    return commands.RecordShipment(**(given | fields))


def released(revision: int, *lines: tuple[str, int]) -> commands.RecordRelease:
    """Fulfilment answers that it was to have fewer units, and what its parcels have."""
    rows = tuple(common.LineQuantity(line_id=n, quantity=q) for n, q in lines)
    return commands.RecordRelease(revision, rows, NOW, NOW)
