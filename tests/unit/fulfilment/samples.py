"""Orders to hand over, units where they are, and commands of everybody around."""

from typing import Any

from libs.contracts.common import (
    Allocation,
    Component,
    Customer,
    FulfilmentLine,
    RefusedLocation,
    Sealed,
    ShipmentRow,
    ShipmentUnits,
)
from services.fulfilment import handover_commands, shipment_commands

NOW = 1_780_000_000_000_000
HOUR = 3_600_000_000
DAY = 24 * HOUR
ORDER = "ord_1"


def sealed(text: bytes = b"address", subject: str = "sub_1") -> Sealed:
    return Sealed(
        subject=subject, clearance="contact", key_id="k1", nonce=bytes(12), ciphertext=text
    )


def customer(
    contact: bytes | None = b"address", subject: str = "sub_1", place: str = ""
) -> Customer:
    return Customer(
        subject=subject, guest=False, contact=None if contact is None else sealed(contact, subject),
        statutory=None, ship_to_country="GB", ship_to_region=None, business=False,
        purchase_order_number=None, payment_terms=None, place=place,
    )  # fmt: skip


def line(name: str, quantity: int, *parts: tuple[str, int], carried: bool = True) -> FulfilmentLine:
    return FulfilmentLine(
        line_id=name, external_line_id=f"x-{name}", quantity=quantity, requires_shipping=carried,
        kind="goods" if parts or carried else "digital",
        components=tuple(Component(sku=sku, units=units) for sku, units in parts),
    )  # fmt: skip


MUGS = line("l1", 2, ("MUG", 1))


def taken(
    *lines: FulfilmentLine, revision: int = 1, order: str = ORDER, contact: bytes = b"address",
    refused: tuple[tuple[str, str], ...] = (), **changes: Any,
) -> handover_commands.TakeFulfilment:  # fmt: skip
    given: dict[str, Any] = {
        "entity": "main", "order_id": order, "revision": revision, "account": "shop",
        "lines": lines, "blocked": None, "one_parcel": False, "ship_by": NOW + 2 * DAY,
        "deliver_by": None, "service_level": None, "customer": customer(contact),
        "declared_value": 1000, "currency": "GBP", "default_location": "main",
        "refused_locations": tuple(RefusedLocation(location=k, code=c) for k, c in refused),
        "at": NOW,
    }  # fmt: skip
    return handover_commands.TakeFulfilment(**{**given, **changes})


def kept(
    sku: str, version: int, *changes: tuple[str, int], order: str = ORDER,
    shipment: str | None = None,
) -> handover_commands.TakeAllocation:  # fmt: skip
    return handover_commands.TakeAllocation(
        "main", order, sku, tuple(Allocation(location=k, units=n) for k, n in changes), version,
        shipment, NOW,
    )  # fmt: skip


def rows(*entries: tuple[str, int], order: str = ORDER) -> tuple[ShipmentRow, ...]:
    return tuple(ShipmentRow(order_id=order, line_id=k, quantity=n) for k, n in entries)


def units(*entries: tuple[str, int], order: str = ORDER) -> tuple[ShipmentUnits, ...]:
    return tuple(ShipmentUnits(order_id=order, sku=k, units=n) for k, n in entries)


SHIPMENT = shipment_commands.shipment_name(ORDER, "main", 1)
BY_HAND = shipment_commands.Policy(packing="by-hand", hand_over="by-hand")
CARRIED = shipment_commands.Policy(carrier="post", service="First", silent_days=7)


def share(
    statement: int = 1, mugs: int = 2, order: str = ORDER, policy: shipment_commands.Policy = BY_HAND,
    **changes: Any,
) -> shipment_commands.TakeShare:  # fmt: skip
    given: dict[str, Any] = {
        "entity": "main", "shipment_id": SHIPMENT, "order_id": order, "account": "shop",
        "statement": statement, "location": "main", "requires_shipping": True, "blocked": None,
        "rows": rows(("l1", mugs), order=order) if mugs else (),
        "units": units(("MUG", mugs), order=order) if mugs else (), "ship_by": NOW + 2 * DAY,
        "deliver_by": None, "customer": customer(), "declared_value": 1000, "currency": "GBP",
        "reason": "planned", "policy": policy, "at": NOW,
    }  # fmt: skip
    return shipment_commands.TakeShare(**{**given, **changes})


def cleared(order: str = ORDER) -> shipment_commands.RecordClearance:
    return shipment_commands.RecordClearance("main", SHIPMENT, order, "captured", 1000, "GBP", NOW)


def label_of(number: int = 1) -> str:
    return shipment_commands.label_name(SHIPMENT, number)


def quoted(number: int = 1) -> shipment_commands.QuoteLabel:
    return shipment_commands.QuoteLabel(
        "main", SHIPMENT, label_of(number), "shp_ep", "rate_1", 450, "GBP", NOW
    )


def bought(number: int = 1, at: int = NOW) -> shipment_commands.RecordLabel:
    return shipment_commands.RecordLabel(
        "main", SHIPMENT, label_of(number), "shp_ep", "TRACK1", "trk_1", "RoyalMail", "First", 450,
        "GBP", at,
    )  # fmt: skip


def seen(status: Any, at: int, code: str = "TRACK1") -> shipment_commands.RecordTracking:
    return shipment_commands.RecordTracking(
        "main", SHIPMENT, code, status, status, "", "webhook", at, max(at, NOW)
    )


HAND_OVER = shipment_commands.HandOver("main", SHIPMENT, "warehouse", NOW)
PACK = shipment_commands.Pack("main", SHIPMENT, 500, "warehouse", NOW)
