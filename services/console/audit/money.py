"""P3: no order is charged more than it costs, but for what is on its way back; all books agree."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record

DAY = 86_400_000_000  # microseconds; how old an unknown outcome may be


class MoneyCheck:
    """Captures, refunds and doubts by order and holder; `now` in microseconds."""

    def __init__(self, now: int) -> None:
        self._now = now
        self.captured: dict[str, int] = defaultdict(int)  # by holder, less refunds
        self.refunded: dict[str, int] = defaultdict(int)
        self._lost: dict[str, int] = defaultdict(int)  # by holder, to disputes
        self._orders: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._totals: dict[str, int] = {}  # by the newest version
        self._ended: set[str] = set()
        self._back: dict[str, dict[str, int]] = defaultdict(dict)  # order -> refund asked for
        self._by_channel: dict[tuple[str, str], str] = {}  # account, external id -> order
        self._with_channel: dict[tuple[str, str], int] = defaultdict(int)  # order, holder
        self._captures: dict[str, Record] = {}
        self._refunds: dict[str, Record] = {}
        self._holders: dict[str, str] = {}  # our intent -> holder
        self._twice: dict[str, dict[str, int]] = defaultdict(dict)  # order -> by hand, and as ever
        self._doubts: dict[str, Record] = {}
        self._clearing: dict[str, int] = defaultdict(int)  # by holder, from the ledger
        self._redeemed: dict[str, int] = defaultdict(int)  # by voucher, from the ledger
        self._restored: dict[str, int] = defaultdict(int)  # of it by refunds, from the ledger
        self._vouchers: dict[str, dict[str, int]] = {one: defaultdict(int) for one in VOUCHERS}
        self._cleared: dict[tuple[str, str], Record] = {}
        self._left: list[tuple[Record, str]] = []
        self._found: list[Finding] = []

    def see(self, record: Record) -> None:
        """Take in what concerns money."""
        data = record.data
        match record.type:
            case "OrderPlaced" | "OrderAmended":
                order = data["order"]
                self._totals[data["order_id"]] = order["totals"]["total"]
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
                if data["tender"] in VOUCHERS:  # nobody holds that money: it is a liability
                    self._vouchers[data["tender"]]["captured"] += data["amount"]
                else:
                    self.captured[data["holder"]] += data["amount"]
                self._orders[data["order_id"]]["captured"] += data["amount"]
                self._with_channel[data["order_id"], data["holder"]] += data["amount"]
            case "RefundMade":
                self._refunded(record)
            case "RefundReturned":
                self._refunds.pop(data["refund_id"], None)  # owed again, and may be made again
                self.refunded[data["holder"]] -= data["amount"]
                self._orders[data["order_id"]]["refunded"] -= data["amount"]
                self._with_channel[data["order_id"], data["holder"]] += data["amount"]
            case "PaymentDisagreed" if data["code"] == PAID_TWICE:
                self._twice[data["order_id"]][data["provider_reference"]] = data["amount"]
            case "PaymentOutcomeUnknown":
                self._doubts[data["effect_id"]] = record
            case "PaymentOutcomeResolved":
                self._doubts.pop(data["effect_id"], None)
            case "DisputeLost":
                self._lost[data["holder"]] += data["amount"]
            case "EntryPosted":
                self._ledger(record)
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

    def _refunded(self, record: Record) -> None:
        data = record.data
        self._once(self._refunds, data["refund_id"], record, "refunded-twice")
        if data["tender"] in VOUCHERS:
            self._vouchers[data["tender"]]["refunded"] += data["amount"]
        else:
            self.refunded[data["holder"]] += data["amount"]
        self._orders[data["order_id"]]["refunded"] += data["amount"]
        self._with_channel[data["order_id"], data["holder"]] -= data["amount"]

    def _ledger(self, record: Record) -> None:
        """Sum what the entries of payments move by holder, and by voucher what they redeem."""
        data = record.data
        for line in data["lines"]:
            moved = line["debit"] - line["credit"]
            if line["account"] in ELSEWHERE and data["kind"] == "refund":
                self._clearing[ELSEWHERE[line["account"]]] += moved
            elif line["account"] in CLEARING:
                self._clearing[line["dimension"]] += moved
            elif line["account"] == LIABILITY and data["kind"] == "gift_card_redeemed":
                self._redeemed[line["dimension"]] += moved
                if data["source_type"] == "RefundMade":
                    self._restored[line["dimension"]] -= moved

    def findings(self) -> Iterable[Finding]:
        """Return overcharges, doubts that are too old, ledgers that differ, parcels unpaid for."""
        yield from self._found
        for order, sums in self._orders.items():
            net, back = sums["captured"] - sums["refunded"], self._going_back(order)
            costs = 0 if order in self._ended else self._totals.get(order)
            if costs is not None and net - back > costs:
                text = f"{net} taken for an order of {costs}, {back} on its way back"
                yield Finding("P3", "charged-too-much", order, text)
            if (less := -net - sum(self._twice.get(order, {}).values())) > 0:
                yield Finding("P3", "refunded-too-much", order, f"{less} given back too much")
        yield from self._doubtful()
        for holder in self.captured.keys() | self._clearing.keys() | self.refunded.keys():
            ours = self.captured.get(holder, 0) - self.refunded.get(holder, 0)
            ours -= self._lost.get(holder, 0)
            if ours != self._clearing.get(holder, 0):
                text = f"payments say {ours}, the ledger {self._clearing.get(holder, 0)}"
                yield Finding("P3", "ledger-differs", holder, text)
        yield from self._unbooked()
        for record, order in self._left:
            if (record.data["shipment_id"], order) not in self._cleared:
                text = f"{record.data['shipment_id']} left before {order} was cleared"
                yield Finding("P3", "sent-unpaid", order, text, (record.place,))

    def _going_back(self, order: str) -> int:
        asked = self._back.get(order, {})
        return sum(amount for name, amount in asked.items() if name not in self._refunds)

    def at_channel(self, account: str, external_id: str) -> tuple[int, int]:
        """Return what we say that a channel has of an order, and what is on its way back of it."""
        order = self._by_channel.get((account, external_id), "")
        return self._with_channel.get((order, account), 0), self._going_back(order)

    def unknown(self, holder: str) -> Counter[str]:
        """Return what is in doubt at a holder, by what was asked of it; minor units."""
        found = Counter[str]()
        for record in self._doubts.values():
            if self._holders.get(record.data["intent_id"], "") == holder:
                found[record.data["what"]] += record.data["amount"]
        return found

    def _unbooked(self) -> Iterable[Finding]:
        """Compare vouchers: the order's word may redeem more, a refund restores what it says."""
        for tender, sums in self._vouchers.items():
            ours = sums["captured"] - sums["refunded"]
            ledger, restored = self._redeemed[tender], self._restored[tender]
            if ours > ledger or sums["refunded"] != restored:
                text = (
                    f"payments say {ours} with {sums['refunded']} given back, "
                    f"the ledger {ledger} with {restored}"
                )
                yield Finding("P3", "ledger-differs", tender, text)

    def _doubtful(self) -> Iterable[Finding]:
        for name, record in self._doubts.items():
            if self._now - record.data["since"] > DAY:
                text = f"{record.data['what']} of {record.data['amount']} is unknown for a day"
                yield Finding("P3", "unknown-too-long", name, text, (record.place,))

    def figures(self) -> Mapping[str, Any]:
        """Return what each holder has by payments and by the ledger, and what is in doubt."""
        return {
            "by_holder": {
                holder: {
                    "captured_minor": self.captured.get(holder, 0),
                    "refunded_minor": self.refunded.get(holder, 0),
                    "ledger_minor": self._clearing.get(holder, 0),
                    "unknown_minor": self.unknown(holder).total(),
                    "lost_minor": self._lost.get(holder, 0),
                }
                for holder in sorted(self.captured.keys() | self._clearing.keys())
            },
            "orders_paid": len(self._orders),
        }


# The accounts of what went back in another way than it came; what stands for its holder's name.
ELSEWHERE = {"1000": "by hand", "6100": "by dispute"}
PAID_TWICE = "refund-paid-twice"  # the code of what went back by hand and at the provider
# The accounts of the chart whose dimension is a holder of money.
CLEARING = frozenset({"1100", "1300"})
# The account of what buyers hold with us, told apart by these means of payment.
LIABILITY = "2300"
VOUCHERS = ("gift_card", "store_credit")
