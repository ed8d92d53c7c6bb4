"""What the books must keep: entries balance, stand once, and say what payments say (P1, P3, P4)."""

from collections import defaultdict
from typing import Any

from libs.contracts import accounting
from services.payments.state import BY_DISPUTE, BY_HAND, VOUCHERS
from tests.simulation.money import Money
from tests.simulation.units import Units, expect

DISPUTED = "1300"
CLEARING = {"1100", DISPUTED}  # the accounts that are told apart by a holder of money
ELSEWHERE = {"1000": BY_HAND, "6100": BY_DISPUTE}  # of what went back in another way
LIABILITY = "2300"  # of gift cards and store credit


class Journal:
    """Sums of the entries, by order and holder."""

    def __init__(self) -> None:
        self.sources: set[tuple[str, ...]] = set()
        self.clearing: dict[tuple[str, str], int] = defaultdict(int)
        self.disputed: dict[str, int] = defaultdict(int)
        self.entries: set[str] = set()
        self.redeemed: dict[tuple[str, str], int] = defaultdict(int)

    def note(self, event: Any) -> None:
        """Note one event of accounting."""
        if not isinstance(event, accounting.EntryPosted):
            return
        name, lines = event.entry_id, event.lines
        expect("P1", name not in self.entries, f"{name} is posted twice")
        self.entries.add(name)
        debit, credit = sum(o.debit for o in lines), sum(o.credit for o in lines)
        expect("P4", debit == credit, f"{name} has debits of {debit}, credits of {credit}")
        debit = sum(o.functional_debit for o in lines)
        credit = sum(o.functional_credit for o in lines)
        expect("P4", debit == credit, f"{name} has own debits of {debit}, credits of {credit}")
        about = (event.order_id or "", event.sku or "")  # a parcel may hold several orders' units
        source = (event.source_event, event.kind, event.reference, *about)
        expect("P1", source not in self.sources, f"{source} is posted twice")
        self.sources.add(source)
        for line in lines:
            if line.account in CLEARING and event.order_id is not None:
                self.clearing[event.order_id, line.dimension] += line.debit - line.credit
            if line.account in ELSEWHERE and event.kind == "refund" and event.order_id is not None:
                way = ELSEWHERE[line.account]
                self.clearing[event.order_id, way] += line.debit - line.credit
            if line.account == DISPUTED and event.order_id is not None:
                self.disputed[event.order_id] += line.debit - line.credit
            if line.account == LIABILITY and event.kind == "gift_card_redeemed" and event.order_id:
                self.redeemed[event.order_id, line.dimension] += line.debit - line.credit

    def rest(self, money: Money, units: Units, tables: dict[str, dict[Any, Any]]) -> None:
        """At rest, the ledger is payments' and inventory's, but for what waits to be posted."""
        held = {row.order_id for row in tables["posting_queues"].values()}
        keys = money.captured.keys() | self.clearing.keys() | money.refunded.keys()
        for order, holder in sorted(keys):
            if order in held:
                continue
            ours = money.captured[order, holder] - money.refunded[order, holder]
            ours -= money.lost[order, holder]
            ledger = self.clearing[order, holder]
            if holder in VOUCHERS:  # what the buyer holds carries no less than was needed
                by = self.redeemed[order, VOUCHERS[holder]]
                expect("P3", ours <= by, f"{order}: {ours} by {holder}, by the ledger {by}")
                expect("P3", ledger == 0, f"{order}: {holder} owes {ledger} by the ledger")
                continue
            expect("P3", ours == ledger, f"{order}: {holder} has {ours}, by the ledger {ledger}")
        counted: dict[str, int] = defaultdict(int)
        for (sku, _), count in units.on_hand.items():
            counted[sku] += count
        for row in tables["stock_values"].values():
            here = counted[row.sku]
            expect("P3", row.units == here, f"{here} {row.sku} are here, {row.units} are valued")
