"""Stories for the audit: records as topics would give them, told in its checks' words."""

from typing import Any

from services.console.audit.ledger import LedgerCheck
from services.console.audit.money import MoneyCheck
from services.console.audit.record import Record

NOW = 1_800_000_000_000_000


BOOKED = {"entity": "main", "currency": "GBP", "fact": None, "source_event": "e", "source_type": ""}


class Story:
    """Records as topics would give them, numbered by partition and stream."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.numbers: dict[str, int] = {}
        self.versions: dict[tuple[str, str], int] = {}

    def tell(self, service: str, name: str, stream: str, at: int = NOW, /, **data: Any) -> "Story":
        pseq = self.numbers[service] = self.numbers.get(service, 0) + 1
        version = self.versions.get((service, stream), 0) + 1
        self.versions[service, stream] = version
        record = Record(
            service, name, stream, version, pseq, f"{service}-{pseq}", at, 0, pseq, data
        )
        self.records.append(record)
        return self


def codes(check: Any, records: list[Record]) -> list[str]:
    for record in records:
        check.see(record)
    return sorted(finding.code for finding in check.findings())


def money_codes(records: list[Record]) -> list[str]:
    return sorted(codes(MoneyCheck(NOW, NOW), records) + codes(LedgerCheck(NOW), records))


def received(units: int, story: Story | None = None) -> Story:
    return (story or Story()).tell(
        "inventory", "StockReceived", "stock-A", sku="A", location="main", quantity=units
    )


def reserved(story: Story, order: str, units: int, at: int = NOW) -> Story:
    return story.tell(
        "inventory", "StockReserved", "stock-A", at, sku="A", order_id=order,
        allocations=[{"location": "main", "units": units}],
    )  # fmt: skip


def shipped(story: Story, order: str, units: int) -> Story:
    return story.tell(
        "inventory", "StockShipped", "stock-A", sku="A", location="main", quantity=units,
        order_id=order, shipment_id="s1", allocations=[{"location": "main", "units": units}],
    )  # fmt: skip


def dispatched(story: Story, units: int = 2, *, shipment: str = "s1", rows: int = 2) -> Story:
    return story.tell(
        "fulfilment", "ShipmentDispatched", f"shipment-{shipment}", shipment_id=shipment,
        rows=[{"order_id": "o1", "line_id": "l1", "quantity": rows}], tracking_code="T",
        units=[{"order_id": "o1", "sku": "A", "units": units}],
        references=[{"order_id": "o1", "account": "shop", "external_id": "1"}],
    )  # fmt: skip


def placed(
    story: Story, total: int = 1000, name: str = "OrderPlaced", *, order_id: str = "o1",
    lines: tuple[str, ...] = ("l1",),
) -> Story:  # fmt: skip
    order = {
        "account": "shop",
        "external_id": "1",
        "currency": "GBP",
        "totals": {"total": total},
        "lines": [{"line_id": line, "quantity": 2, "kind": "goods"} for line in lines],
    }
    return story.tell("orders", name, f"order-{order_id}", order_id=order_id, order=order)


def captured(
    story: Story, amount: int = 1000, capture: str = "c1", holder: str = "stripe",
    tender: str = "card", order: str = "o1", entity: str = "main", currency: str = "GBP",
) -> Story:  # fmt: skip
    return story.tell(
        "payments", "PaymentCaptured", "payment-o1", order_id=order, capture_id=capture,
        holder=holder, tender=tender, amount=amount, entity=entity, currency=currency,
    )  # fmt: skip


def back(
    story: Story, amount: int, name: str = "RefundRequested", holder: str = "stripe",
    tender: str = "card", refund: str = "r1",
) -> Story:  # fmt: skip
    return story.tell(
        "payments", name, "payment-o1", order_id="o1", refund_id=refund, holder=holder,
        tender=tender, amount=amount, entity="main", currency="GBP",
    )  # fmt: skip


def cleared(story: Story) -> Story:
    return story.tell("payments", "ShipmentCleared", "payment-o1", shipment_id="s1", order_id="o1")


def posted(
    story: Story, debit: int = 1000, credit: int = 1000, source: str = "e1", order: str = "o1",
    entity: str = "main", currency: str = "GBP",
) -> Story:  # fmt: skip
    lines = [
        {"account": "1100", "debit": debit, "credit": 0, "functional_debit": debit,
         "functional_credit": 0, "dimension": "stripe"},
        {"account": "2100", "debit": 0, "credit": credit, "functional_debit": 0,
         "functional_credit": credit, "dimension": ""},
    ]  # fmt: skip
    return story.tell(
        "accounting", "EntryPosted", f"sale-{order}", entity=entity, fact=None,
        entry_id=f"en-{source}-{order}", kind="payment", reference="o1", order_id=order,
        currency=currency, functional_currency=currency, source_event=source,
        source_type="PaymentCaptured", lines=lines,
    )  # fmt: skip


def noted(story: Story, code: str, **fact: Any) -> Story:
    """Let the ledger keep a fact in a queue, or say that it moves nothing."""
    told = {"kind": "captured", "reference": "c1", "source_event": "e1", "holder": "stripe",
            "tender": "card", "amount": 1000, "currency": "GBP"}  # fmt: skip
    return story.tell("accounting", "SaleNoted", "sale-o1", entity="main", order_id="o1", code=code,
                      fact=told | fact)  # fmt: skip
