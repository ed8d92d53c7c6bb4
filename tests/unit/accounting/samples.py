"""Facts of sales and stock as their services tell them, and what the ledger makes of them."""

import contextlib
from collections import defaultdict
from functools import reduce
from typing import Any

from libs.contracts import accounting, common, fulfilment, orders, payments
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.envelope import Envelope
from services.accounting import process
from services.accounting.company import Companies, Company
from services.accounting.cost_decider import COST
from services.accounting.decider import SALE

NOW = 1_700_000_000_000_000
ORDER = "ord_1"
COMPANIES = Companies({"main": Company()}, {"EUR/GBP": "0.857", "JPY/GBP": "0.0053"})
REACTIONS = process.reactions(COMPANIES)


class Ledger:
    """The service in memory: facts in, entries out, with its real reactions and deciders."""

    def __init__(self, companies: Companies = COMPANIES) -> None:
        self.reactions = process.reactions(companies)
        self.states: dict[str, Any] = {}
        self.log: list[Envelope[Any]] = []
        self.versions: dict[str, int] = defaultdict(int)

    def hear(self, envelope: Envelope[Any]) -> list[Any]:
        events: list[Any] = []
        for stream, command in self.reactions[envelope.service](envelope):
            events += self.tell(stream, command)
        return events

    def tell(self, stream: str, command: Any) -> list[Any]:
        decider: Any = SALE if stream.startswith("sale-") else COST
        state = self.states.get(stream, decider.initial)
        events = list(decider.decide(command, state))
        self.states[stream] = reduce(decider.evolve, events, state)
        with contextlib.suppress(Refused):
            assert not list(decider.decide(command, self.states[stream])), "a repeat posts again"
        for event in events:
            self.versions[stream] += 1
            name = f"lonja.accounting.{type(event).__name__}"
            self.log.append(
                Envelope(event, name, "", stream, self.versions[stream], NOW, "accounting", 0,
                         len(self.log), "")
            )  # fmt: skip
        return events

    @property
    def entries(self) -> list[accounting.EntryPosted]:
        return [one.event for one in self.log if isinstance(one.event, accounting.EntryPosted)]

    def balances(self, *, own: bool = False) -> dict[tuple[str, str, str], int]:
        """Debits less credits by currency, account and dimension; those that are 0 left out."""
        sums: dict[tuple[str, str, str], int] = defaultdict(int)
        for entry in self.entries:
            for line in entry.lines:
                amount = line.debit - line.credit
                if own:
                    amount = line.functional_debit - line.functional_credit
                sums[entry.currency, line.account, line.dimension] += amount
        return {key: amount for key, amount in sums.items() if amount}

    def short(self) -> dict[str, int]:
        """Balances as "account dimension"."""
        return {f"{k[1]} {k[2]}".strip(): n for k, n in sorted(self.balances().items())}


def told(event: Any, version: int, service: str = "orders", stream: str = "") -> Envelope[Any]:
    name = f"lonja.{service}.{type(event).__name__}"
    source = stream or f"{service}-{getattr(event, 'order_id', '')}"
    return Envelope(
        event, name, f"{source}/{version}", source, version, NOW, service, 0, version, ""
    )


def tax(amount: int, rate: str = "0.2", by: common.CollectedBy = "seller", *,
        included: bool = False) -> common.TaxLine:  # fmt: skip
    return common.TaxLine(
        jurisdiction="GB", rate=rate, amount=amount, included=included, collected_by=by
    )


def line(
    name: str, units: int, net: int, *taxes: common.TaxLine, kind: common.LineKind = "goods",
    discount: int = 0,
) -> common.OrderLine:  # fmt: skip
    return common.OrderLine(
        line_id=name, external_line_id=name, listing_id="", channel_sku=name, sku=name.upper(),
        units_per_listing=1, components=(common.Component(sku=name.upper(), units=1),), kind=kind,
        kind_word="", quantity=units, fulfilled_by="us", requires_shipping=kind == "goods",
        title="", unit_price="0", discounts=(), settlement_amounts=None,
        amounts=common.Amounts(gross=net + discount, discount=discount, net=net, taxes=taxes),
    )  # fmt: skip


def charge(net: int, *taxes: common.TaxLine, kind: common.ChargeKind = "shipping") -> common.Charge:
    amounts = common.Amounts(gross=net, discount=0, net=net, taxes=taxes)
    return common.Charge(kind=kind, kind_word="", amounts=amounts, discounts=())


def shipping(net: int, *taxes: common.TaxLine) -> common.Charge:
    return charge(net, *taxes)


def order(
    *lines: common.OrderLine, charges: tuple[common.Charge, ...] = (), rounding: int = 0,
    currency: str = "GBP", country: str = "GB", gift_card: int = 0, store_credit: int = 0,
    test: bool = False,
) -> common.Order:  # fmt: skip
    parts = [one.amounts for one in lines] + [one.amounts for one in charges]
    cost = sum(p.net + sum(t.amount for t in p.taxes if not t.included) for p in parts)
    vouchers: dict[common.TenderKind, int] = {"gift_card": gift_card, "store_credit": store_credit}
    tenders = tuple(
        common.Tender(kind=kind, kind_word="", amount=amount, reference=None)
        for kind, amount in vouchers.items()
        if amount
    )
    return common.Order(
        entity="main", account="shop", provider="shopify", external_id="1", display_number="#1",
        placed_at=NOW, time_zone="Europe/London", currency=currency, settlement_currency=None,
        commitment="committed", funds="paid", custody="channel_remits_gross", status_word="",
        version=common.Version(updated_at=NOW, counter=0), test=test, cancelled=False,
        expires_at=None, ship_by=None, deliver_by=None, service_level=None, shortage="backorder",
        priority=1, related_orders=(), lines=lines, charges=charges, discounts=(), tenders=tenders,
        customer=common.Customer(
            subject="s", guest=False, contact=None, statutory=None, ship_to_country=country,
            ship_to_region=None, business=False, purchase_order_number=None, payment_terms=None,
            evidence=(),
        ),
        totals=common.Totals(
            net=0, discount=0, charges=0, tax=0, total=cost + rounding, rounding=rounding
        ),
        settlement_totals=None,
    )  # fmt: skip


def placed(given: common.Order, order_id: str = ORDER) -> orders.OrderPlaced:
    return orders.OrderPlaced(
        entity="main", occurred_at=NOW, order_id=order_id, revision=1, order=given, decide_by=NOW
    )


def amended(given: common.Order, order_id: str = ORDER) -> orders.OrderAmended:
    return orders.OrderAmended(
        entity="main", occurred_at=NOW, order_id=order_id, revision=2, order=given,
        differences=(), cause="channel",
    )  # fmt: skip


def _quantities(lines: tuple[tuple[str, int], ...]) -> tuple[common.LineQuantity, ...]:
    return tuple(common.LineQuantity(line_id=name, quantity=n) for name, n in lines)


def completed(*lines: tuple[str, int], order_id: str = ORDER) -> orders.OrderCompleted:
    return orders.OrderCompleted(
        entity="main", occurred_at=NOW, order_id=order_id, lines=_quantities(lines), rule="scan"
    )


def cancelled(
    *lines: tuple[str, int], whole: bool = False, order_id: str = ORDER
) -> orders.OrderLinesCancelled:
    return orders.OrderLinesCancelled(
        entity="main", occurred_at=NOW, order_id=order_id, lines=_quantities(lines), whole=whole,
        by="buyer", reason="", cause="channel", version=None,
    )  # fmt: skip


def captured(
    amount: int, capture: str = "cap1", *, holder: str = "shop", currency: str = "GBP",
    tender: common.TenderKind = "card", order_id: str = ORDER,
) -> payments.PaymentCaptured:  # fmt: skip
    return payments.PaymentCaptured(
        entity="main", occurred_at=NOW, order_id=order_id, intent_id="i", capture_id=capture,
        provider_reference="p", holder=holder, custody="us", tender=tender, amount=amount,
        currency=currency, settlement_amount=None, settlement_currency=None, shipment_id=None,
        lines=(), charges_amount=0, final=False,
    )  # fmt: skip


def refunded(
    amount: int, *lines: tuple[str, int], refund: str = "ref1", charges: int = 0,
    holder: str = "shop", currency: str = "GBP", tender: common.TenderKind = "card",
    order_id: str = ORDER,
) -> payments.RefundMade:  # fmt: skip
    return payments.RefundMade(
        entity="main", occurred_at=NOW, order_id=order_id, refund_id=refund, capture_id="cap1",
        provider_reference="p", holder=holder, executor="us", origin="us", amount=amount,
        currency=currency, charges_amount=charges, reason="", tender=tender,
        lines=tuple(common.LineAmount(line_id=n, quantity=1, amount=a) for n, a in lines),
    )  # fmt: skip


def returned(
    amount: int, refund: str = "ref1", *, holder: str = "shop", currency: str = "GBP"
) -> payments.RefundReturned:
    return payments.RefundReturned(
        entity="main", occurred_at=NOW, order_id=ORDER, refund_id=refund, capture_id="cap1",
        provider_reference="p", holder=holder, amount=amount, currency=currency,
        code="refund-failed", provider_code="", deadline=NOW,
    )  # fmt: skip


def disputed(kind: type[Any], amount: int, dispute: str = "d1", currency: str = "GBP") -> Any:
    more = {"provider_reference": "", "reason": "", "deadline": NOW}
    fields = {"entity": "main", "occurred_at": NOW, "order_id": ORDER, "dispute_id": dispute,
              "holder": "shop", "amount": amount, "currency": currency}  # fmt: skip
    return kind(**fields, **(more if kind is payments.DisputeOpened else {}))


def dispatched(
    *rows: tuple[str, int], shipment: str = "shp1", order_id: str = ORDER
) -> fulfilment.ShipmentDispatched:
    return fulfilment.ShipmentDispatched(
        entity="main", occurred_at=NOW, shipment_id=shipment, location="main",
        rows=tuple(
            common.ShipmentRow(order_id=order_id, line_id=name, quantity=n) for name, n in rows
        ),
        units=(), accounts=("shop",), carrier="c", service="s", tracking_code=None,
        tracking_url=None, tracked=False, by="",
    )  # fmt: skip


class Story:
    """Facts of one order, each with the version of its own stream."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger()
        self.versions: dict[str, int] = defaultdict(int)
        self.told: list[Envelope[Any]] = []

    def envelope(self, event: Any) -> Envelope[Any]:
        service = type(event).__module__.rpartition(".")[2]
        stream = getattr(event, "shipment_id", None) if service == "fulfilment" else None
        source = f"{service}-{stream or event.order_id}"
        self.versions[source] += 1
        return told(event, self.versions[source], service, source)

    def tell(self, *events: Any) -> "Story":
        for event in events:
            self.told.append(self.envelope(event))
            self.ledger.hear(self.told[-1])
        return self

    @property
    def balances(self) -> dict[str, int]:
        return self.ledger.short()
