"""P3: the ledger is the payment service, but for what waits in its queues, and has every parcel.

By company, holder and currency: what one of them has too much makes up for nobody else's lack.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.money import VOUCHERS
from services.console.audit.record import Finding, Record

Held = tuple[str, str, str]  # company, holder (or voucher), currency
# The accounts of the chart whose dimension is a holder of money.
CLEARING = frozenset({"1100", "1300"})
# The accounts of what went back in another way than it came; what stands for its holder's name.
ELSEWHERE = {"1000": "by hand", "6100": "by dispute"}
# The account of what buyers hold with us, told apart by these means of payment.
LIABILITY = "2300"
# What a fact that the ledger has not posted yet would move of what a holder has.
MOVES = {"captured": 1, "refunded": -1, "dispute_lost": -1}


class LedgerCheck:
    """Payments' sums beside those of the entries; parcels beside what took them in."""

    def __init__(self, settled: int) -> None:
        self._settled = settled
        self._ours: dict[Held, int] = defaultdict(int)
        self._clearing: dict[Held, int] = defaultdict(int)
        self._vouchers: dict[Held, Counter[str]] = defaultdict(Counter)
        self._redeemed: dict[Held, int] = defaultdict(int)
        self._restored: dict[Held, int] = defaultdict(int)  # of it by refunds
        self._waiting: dict[str, Mapping[str, Any]] = {}  # facts that are not posted, by source
        self._young: dict[str, tuple[str, Held, int]] = {}  # the same: kind, holder, amount
        self._heard: set[str] = set()  # of the young ones
        self._sent: dict[tuple[str, str], Record] = {}  # shipment, order
        self._taken: set[tuple[str, str]] = set()

    def see(self, record: Record) -> None:
        """Add up what payments and the ledger say."""
        data = record.data
        if record.at > self._settled and record.service == "accounting":
            self._heard.add(data.get("source_event") or (data.get("fact") or data)["source_event"])
        match record.type:
            case "PaymentCaptured":
                self._moved(record, "captured", data["amount"])
            case "RefundMade":
                self._moved(record, "refunded", data["amount"])
            case "RefundReturned":
                self._moved(record, "refunded", -data["amount"])
            case "DisputeLost":
                self._moved(record, "dispute_lost", data["amount"])
            case "ShipmentDispatched":
                for order in {row["order_id"] for row in data["rows"]}:
                    self._sent[data["shipment_id"], order] = record
            case "SaleNoted":
                self._noted(data)
                if data["code"]:
                    self._waiting[data["fact"]["source_event"]] = data
            case "EntryPosted":
                self._noted(data)
                self._waiting.pop(data["source_event"], None)
                self._posted(data)
            case _:
                return

    def _moved(self, record: Record, what: str, amount: int) -> None:
        data = record.data
        voucher = data.get("tender") in VOUCHERS
        held = data["entity"], data["tender" if voucher else "holder"], data["currency"]
        if voucher:
            self._vouchers[held][what] += amount
        else:
            self._ours[held] += MOVES[what] * amount
        if record.at > self._settled:
            self._young[record.id] = what, held, amount

    def _noted(self, data: Mapping[str, Any]) -> None:
        fact = data["fact"]
        if fact is not None and fact["kind"] == "dispatched":
            self._taken.add((fact["reference"], data["order_id"]))

    def _posted(self, data: Mapping[str, Any]) -> None:
        """Sum what the entries move by holder, and by voucher what they redeem."""
        for line in data["lines"]:
            moved = line["debit"] - line["credit"]
            held = data["entity"], line["dimension"], data["currency"]
            if line["account"] in ELSEWHERE and data["kind"] == "refund":
                self._clearing[held[0], ELSEWHERE[line["account"]], held[2]] += moved
            elif line["account"] in CLEARING:
                self._clearing[held] += moved
            elif line["account"] == LIABILITY and data["kind"] == "gift_card_redeemed":
                self._redeemed[held] += moved
                if data["source_type"] == "RefundMade":
                    self._restored[held] -= moved

    def findings(self) -> Iterable[Finding]:
        """Return holders and vouchers of whom the ledger says otherwise, parcels not posted."""
        waiting = self._unposted()
        for held in self._ours.keys() | self._clearing.keys():
            ours, ledger = self._ours.get(held, 0), self._clearing.get(held, 0)
            kept = sum(sign * waiting[kind, held] for kind, sign in MOVES.items())
            if ours != ledger + kept:
                text = f"payments say {ours}, the ledger {ledger}, and {kept} wait there"
                yield Finding("P3", "ledger-differs", " ".join(held), text)
        yield from self._unredeemed(waiting)
        for (shipment, order), record in self._sent.items():
            if (shipment, order) not in self._taken and record.at <= self._settled:
                text = f"{shipment} left with units of {order}, of which the ledger has nothing"
                yield Finding("P3", "parcel-not-posted", order, text, (record.place,))

    def _unposted(self) -> Counter[tuple[str, Held]]:
        """Sum what is on its way to the ledger, waits there, or a person has left out of it."""
        found = Counter[tuple[str, Held]]()
        for name in self._young.keys() - self._heard:
            what, held, amount = self._young[name]
            found[what, held] += amount
        for told in self._waiting.values():
            fact = told["fact"]
            by = fact["tender"] if fact["tender"] in VOUCHERS else fact["holder"]
            found[fact["kind"], (told["entity"], by, fact["currency"])] += fact["amount"]
        return found

    def _unredeemed(self, waiting: Counter[tuple[str, Held]]) -> Iterable[Finding]:
        """Compare vouchers: the order's word may redeem more, a refund restores what it says."""
        for held, sums in self._vouchers.items():
            ours, back = sums["captured"] - sums["refunded"], waiting["refunded", held]
            ledger, restored = self._redeemed[held], self._restored[held]
            more = waiting["captured", held] - back
            if ours > ledger + more or sums["refunded"] != restored + back:
                text = (
                    f"payments say {ours} with {sums['refunded']} given back, "
                    f"the ledger {ledger} with {restored}"
                )
                yield Finding("P3", "ledger-differs", " ".join(held), text)

    def figures(self) -> Mapping[str, Any]:
        """Return what each holder has by the ledger, and how many facts it has not posted."""
        return {
            "by_holder_minor": {
                " ".join(held): amount for held, amount in sorted(self._clearing.items())
            },
            "parcels": len(self._taken), "waiting": len(self._waiting),
        }  # fmt: skip
