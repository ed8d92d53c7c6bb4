"""P3: no order is charged more than it costs, but for what is on its way back; doubts end in time.

Sums are by currency: 10 pounds and 10 yen never make up for one another.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record

DAY = 86_400_000_000  # microseconds; how old an unknown outcome may be
PAID_TWICE = "refund-paid-twice"  # the code of what went back by hand and at the provider
VOUCHERS = ("gift_card", "store_credit")  # nobody holds that money: it is a liability


class MoneyCheck:
    """Captures, refunds and doubts by order and holder; `now` in microseconds."""

    def __init__(self, now: int, settled: int) -> None:
        self._now, self._settled = now, settled
        self._captured: dict[tuple[str, str], int] = defaultdict(int)  # by holder and currency
        self._refunded: dict[tuple[str, str], int] = defaultdict(int)
        self._orders: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # and currency
        self._totals: dict[str, tuple[int, str]] = {}  # by the newest version, and its currency
        self._ended: set[str] = set()
        self._young: set[str] = set()  # orders that have changed just now
        self._back: dict[str, dict[str, int]] = defaultdict(dict)  # order -> refund asked for
        self._by_channel: dict[tuple[str, str], str] = {}  # account, external id -> order
        self._with_channel: dict[tuple[str, str], int] = defaultdict(int)  # order, holder
        self._captures: dict[str, Record] = {}
        self._refunds: dict[str, Record] = {}
        self._holders: dict[str, str] = {}  # our intent -> holder
        self._twice: dict[str, dict[str, int]] = defaultdict(dict)  # order -> by hand, and as ever
        self._doubts: dict[str, Record] = {}
        self._cleared: dict[tuple[str, str], Record] = {}
        self._left: list[tuple[Record, str]] = []
        self._found: list[Finding] = []

    def see(self, record: Record) -> None:
        """Take in what concerns money."""
        data = record.data
        if record.service == "orders" and record.at > self._settled:
            self._young.add(data["order_id"])
        match record.type:
            case "OrderPlaced" | "OrderAmended":
                order = data["order"]
                self._totals[data["order_id"]] = order["totals"]["total"], order["currency"]
                name = order.get("account", ""), order.get("external_id", "")
                self._by_channel[name] = data["order_id"]
            case "OrderLinesCancelled" if data["whole"]:
                self._ended.add(data["order_id"])
            case "OrderReopened":
                self._ended.discard(data["order_id"])
            case "RefundRequested":
                self._back[data["order_id"]][data["refund_id"]] = data["amount"]
            case "PaymentAuthorisationRequested" | "PaymentAuthorised":
                self._holders[data["intent_id"]] = data["holder"]
            case "PaymentCaptured":
                self._once(self._captures, data["capture_id"], record, "captured-twice")
                if data["tender"] not in VOUCHERS:
                    self._captured[data["holder"], data["currency"]] += data["amount"]
                self._orders[data["order_id"], data["currency"]]["captured"] += data["amount"]
                self._with_channel[data["order_id"], data["holder"]] += data["amount"]
            case "RefundMade":
                self._once(self._refunds, data["refund_id"], record, "refunded-twice")
                self._gone(data, data["amount"])
            case "RefundReturned":
                self._refunds.pop(data["refund_id"], None)  # owed again, and may be made again
                self._gone(data, -data["amount"])
            case "PaymentDisagreed" if data["code"] == PAID_TWICE:
                self._twice[data["order_id"]][data["provider_reference"]] = data["amount"]
            case "PaymentOutcomeUnknown":
                self._doubts[data["effect_id"]] = record
            case "PaymentOutcomeResolved":
                self._doubts.pop(data["effect_id"], None)
            case "ShipmentCleared":
                self._cleared[data["shipment_id"], data["order_id"]] = record
            case "ShipmentDispatched":
                for order in {row["order_id"] for row in data["rows"]}:
                    self._left.append((record, order))
            case _:
                return

    def _once(self, known: dict[str, Record], name: str, record: Record, code: str) -> None:
        if name in known:
            places = (known[name].place, record.place)
            self._found.append(Finding("P3", code, name, f"{name} stands twice", places))
        known[name] = record

    def _gone(self, data: Mapping[str, Any], amount: int) -> None:
        if data.get("tender") not in VOUCHERS:
            self._refunded[data["holder"], data["currency"]] += amount
        self._orders[data["order_id"], data["currency"]]["refunded"] += amount
        self._with_channel[data["order_id"], data["holder"]] -= amount

    def findings(self) -> Iterable[Finding]:
        """Return overcharges, doubts that are too old, parcels unpaid for."""
        yield from self._found
        yield from self._charged()
        for name, record in self._doubts.items():
            if self._now - record.data["since"] > DAY:
                text = f"{record.data['what']} of {record.data['amount']} is unknown for a day"
                yield Finding("P3", "unknown-too-long", name, text, (record.place,))
        for record, order in self._left:
            if (record.data["shipment_id"], order) not in self._cleared:
                text = f"{record.data['shipment_id']} left before {order} was cleared"
                yield Finding("P3", "sent-unpaid", order, text, (record.place,))

    def _charged(self) -> Iterable[Finding]:
        """Compare what was taken of each order with what it costs, in its own currency alone."""
        for (order, currency), sums in self._orders.items():
            net, back = sums["captured"] - sums["refunded"], self._going_back(order)
            total, own = self._totals.get(order, (0, currency))
            costs = total if order not in self._ended and own == currency else 0
            if net > 0 and order not in self._totals:
                text = f"{net} {currency} taken for an order that nobody placed"
                yield Finding("P3", "charged-without-order", order, text)
            elif net - back > costs and order not in self._young:
                text = f"{net} {currency} taken for an order of {costs}, {back} on its way back"
                yield Finding("P3", "charged-too-much", order, text)
            if (less := -net - sum(self._twice.get(order, {}).values())) > 0:
                text = f"{less} {currency} given back too much"
                yield Finding("P3", "refunded-too-much", order, text)

    def _going_back(self, order: str) -> int:
        asked = self._back.get(order, {})
        return sum(amount for name, amount in asked.items() if name not in self._refunds)

    def at_channel(self, account: str, external_id: str) -> tuple[int, int]:
        """Return what we say that a channel has of an order, and what is on its way back of it."""
        order = self._by_channel.get((account, external_id), "")
        return self._with_channel.get((order, account), 0), self._going_back(order)

    def taken(self, holder: str) -> Counter[str]:
        """Return what a holder has by us, captured less refunded, by currency; minor units."""
        found = Counter[str]()
        for sums, sign in ((self._captured, 1), (self._refunded, -1)):
            for (name, currency), amount in sums.items():
                found[currency] += sign * amount if name == holder else 0
        return found

    def unknown(self, holder: str, currency: str = "") -> Counter[str]:
        """Return what is in doubt at a holder, by what was asked of it; minor units."""
        found = Counter[str]()
        for record in self._doubts.values():
            data = record.data
            wanted = currency in {"", data["currency"]}
            if wanted and self._holders.get(data["intent_id"], "") == holder:
                found[data["what"]] += data["amount"]
        return found

    def figures(self) -> Mapping[str, Any]:
        """Return what each holder has by payments, and what is in doubt."""
        return {
            "by_holder": {
                f"{holder} {currency}": {
                    "captured_minor": self._captured.get((holder, currency), 0),
                    "refunded_minor": self._refunded.get((holder, currency), 0),
                    "unknown_minor": self.unknown(holder, currency).total(),
                }
                for holder, currency in sorted(self._captured.keys() | self._refunded.keys())
            },
            "orders_paid": len(self._orders),
        }
