"""What facts of orders, payments, fulfilment and inventory ask of the ledger. Pure.

What is configured of a company (its days, its currency, rates) enters here, with the command.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from libs.contracts import accounting, common, fulfilment, inventory, orders, payments
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Reaction, Reactions, reacting
from libs.values.money import exponent, round_half_up
from services.accounting import commands
from services.accounting.company import Companies, Company, Rate, business_date, converted


def sale_stream(order_id: str) -> str:
    """Return the stream of an order's money."""
    return f"sale-{order_id}"


def cost_stream(entity: str, sku: str) -> str:
    """Return the stream of a company's units of a SKU at cost."""
    return f"cost-{entity}:{sku}"


def reactions(companies: Companies) -> Mapping[str, Reaction]:
    """Return what is done on each service's facts, for these companies."""
    to_orders = reacting(
        orders.OrderPlaced, orders.OrderAmended, orders.OrderCompleted, orders.OrderLinesCancelled,
        orders.OrderReopened,
    )  # fmt: skip
    to_payments = reacting(
        payments.PaymentCaptured, payments.RefundMade, payments.RefundReturned,
        payments.DisputeOpened, payments.DisputeWon, payments.DisputeLost,
    )  # fmt: skip
    to_fulfilment = reacting(fulfilment.ShipmentDispatched)
    to_inventory = reacting(
        inventory.StockShipped, inventory.StockReceived, inventory.StockAdjusted,
        inventory.StockCounted,
    )  # fmt: skip
    return {
        "orders": to_orders(lambda envelope: react_to_orders(envelope, companies)),
        "payments": to_payments(lambda envelope: react_to_payments(envelope, companies)),
        "fulfilment": to_fulfilment(lambda envelope: react_to_fulfilment(envelope, companies)),
        "inventory": to_inventory(lambda envelope: react_to_inventory(envelope, companies)),
    }


def react_to_orders(envelope: Envelope[Any], companies: Companies) -> Reactions:
    """Record what an order brings, what of it is cancelled, and what was delivered of it."""
    event = envelope.event
    kind: common.SaleFactKind
    match event:
        case orders.OrderPlaced() | orders.OrderAmended():
            return _sale(envelope, event, companies)
        case orders.OrderCompleted():
            kind = "completed"
        case orders.OrderLinesCancelled():
            kind = "ended" if event.whole else "cancelled"
        case orders.OrderReopened():
            kind = "reopened"
        case _:
            return ()
    lines = _units((one.line_id, one.quantity) for one in event.lines)
    return [_fact(envelope, companies, kind, event.order_id, lines=lines)]


def _sale(
    envelope: Envelope[Any], event: orders.OrderPlaced | orders.OrderAmended, companies: Companies
) -> Reactions:
    order = event.order
    if order.test:
        return ()
    company = companies.of(event.entity)
    rate = companies.rate(order.currency, company)
    ships = any(line.requires_shipping for line in order.lines)
    sale = accounting.SaleRecorded(
        entity=event.entity, occurred_at=event.occurred_at, order_id=event.order_id,
        account=order.account, currency=order.currency, revision=event.revision,
        country=order.customer.ship_to_country or ("" if ships else company.country),
        functional_currency=company.currency, rate=rate.rate, rate_source=rate.source,
        total=order.totals.total, rounding=order.totals.rounding,
        gift_card=_tendered(order, "gift_card"), store_credit=_tendered(order, "store_credit"),
        lines=tuple(
            common.SaleLine(
                line_id=line.line_id, kind=line.kind, quantity=line.quantity,
                net=_bare(line.amounts), taxes=line.amounts.taxes,
            )
            for line in order.lines
        ),
        charges=tuple(
            common.SaleCharge(kind=one.kind, net=_bare(one.amounts), taxes=one.amounts.taxes)
            for one in order.charges
        ),
        source_event=envelope.id, source_version=envelope.version,
    )  # fmt: skip
    day = business_date(event.occurred_at, company)
    command = commands.RecordSale(sale, type(event).__name__, day, envelope.at)
    return ((sale_stream(event.order_id), command),)


def _bare(amounts: common.Amounts) -> int:
    """Return the net without the taxes that a channel tells inside of it."""
    return amounts.net - sum(tax.amount for tax in amounts.taxes if tax.included)


def _tendered(order: common.Order, kind: common.TenderKind) -> int:
    return sum(tender.amount for tender in order.tenders if tender.kind == kind)


def react_to_payments(envelope: Envelope[Any], companies: Companies) -> Reactions:
    """Record money that came, went back, or is disputed."""
    event = envelope.event
    match event:
        case payments.PaymentCaptured():
            fact = _fact(
                envelope, companies, "captured", event.order_id, event.capture_id, event.lines,
                holder=event.holder, tender=event.tender, amount=event.amount,
                currency=event.currency, charges_amount=event.charges_amount,
            )  # fmt: skip
        case payments.RefundMade():
            fact = _fact(
                envelope, companies, "refunded", event.order_id, event.refund_id, event.lines,
                holder=event.holder, tender=event.tender, amount=event.amount,
                currency=event.currency, charges_amount=event.charges_amount,
            )  # fmt: skip
        case payments.RefundReturned():
            fact = _fact(
                envelope, companies, "refunded", event.order_id, event.refund_id,
                holder=event.holder, amount=-event.amount, currency=event.currency,
            )  # fmt: skip
        case payments.DisputeOpened() | payments.DisputeWon() | payments.DisputeLost():
            kinds: dict[type, common.SaleFactKind] = {
                payments.DisputeOpened: "dispute_opened", payments.DisputeWon: "dispute_won",
                payments.DisputeLost: "dispute_lost",
            }  # fmt: skip
            fact = _fact(
                envelope, companies, kinds[type(event)], event.order_id, event.dispute_id,
                holder=event.holder, amount=event.amount, currency=event.currency,
            )  # fmt: skip
        case _:
            return ()
    return [fact]


def react_to_fulfilment(envelope: Envelope[Any], companies: Companies) -> Reactions:
    """Record units that left, for each order in the parcel."""
    event = envelope.event
    if not isinstance(event, fulfilment.ShipmentDispatched):
        return ()
    by_order: dict[str, list[tuple[str, int]]] = {}
    for row in event.rows:
        by_order.setdefault(row.order_id, []).append((row.line_id, row.quantity))
    return [
        _fact(envelope, companies, "dispatched", order_id, event.shipment_id, _units(rows))
        for order_id, rows in by_order.items()
    ]


def _units(rows: Iterable[tuple[str, int]]) -> tuple[common.LineAmount, ...]:
    return tuple(
        common.LineAmount(line_id=line_id, quantity=units, amount=0) for line_id, units in rows
    )


def _fact(
    envelope: Envelope[Any], companies: Companies, kind: common.SaleFactKind, order_id: str,
    reference: str = "", lines: tuple[common.LineAmount, ...] = (), *, holder: str = "",
    tender: common.TenderKind = "unknown", amount: int = 0, currency: str = "",
    charges_amount: int = 0,
) -> tuple[str, commands.RecordFact]:  # fmt: skip
    event = envelope.event
    fact = common.SaleFact(
        kind=kind, reference=reference or order_id, source_event=envelope.id,
        source_type=type(event).__name__, source_version=envelope.version,
        occurred_at=event.occurred_at,
        business_date=business_date(event.occurred_at, companies.of(event.entity)),
        holder=holder, tender=tender, amount=amount, currency=currency,
        charges_amount=charges_amount, lines=lines,
    )  # fmt: skip
    command = commands.RecordFact(event.entity, order_id, fact, envelope.at)
    return sale_stream(order_id), command


def react_to_inventory(envelope: Envelope[Any], companies: Companies) -> Reactions:
    """Value units that came or went; units that only changed places stay worth what they are."""
    event = envelope.event
    match event:
        case inventory.StockShipped():
            reference, order = event.shipment_id, event.order_id
            return _moved(
                envelope, companies, "dispatch_cost", -event.quantity, reference, order=order
            )
        case inventory.StockReceived():
            company = companies.of(event.entity)
            rate = companies.rate(event.currency or company.currency, company)
            code = "" if event.unit_cost is not None else "cost-unknown"
            if not code and not rate.rate:
                code = "currency-unknown"
            cost = None if code else _cost(event, rate, company)
            return _moved(
                envelope, companies, "goods_received", event.quantity, event.document, cost, code
            )
        case inventory.StockAdjusted():
            units = event.quantity
        case inventory.StockCounted():
            units = event.difference
        case _:
            return ()
    return _moved(envelope, companies, "goods_adjusted", units, event.document) if units else ()


def _cost(event: inventory.StockReceived, rate: Rate, company: Company) -> commands.Cost:
    currency = event.currency or company.currency
    each = Decimal(event.unit_cost or "0")
    amount = round_half_up((each * event.quantity).scaleb(exponent(currency)))
    own = converted(amount, rate.rate, currency, company.currency)
    return commands.Cost(amount, currency, own, rate.rate, rate.source)


def _moved(
    envelope: Envelope[Any], companies: Companies, kind: common.EntryKind, units: int,
    reference: str, cost: commands.Cost | None = None, code: str = "", order: str | None = None,
) -> Reactions:  # fmt: skip
    event = envelope.event
    company = companies.of(event.entity)
    command = commands.MoveValue(
        entity=event.entity, sku=event.sku, kind=kind, units=units, cost=cost, code=code,
        currency=company.currency, reference=reference, order_id=order,
        source_event=envelope.id, source_type=type(event).__name__,
        source_version=envelope.version, occurred_at=event.occurred_at,
        business_date=business_date(event.occurred_at, company), at=envelope.at,
    )  # fmt: skip
    return ((cost_stream(event.entity, event.sku), command),)
