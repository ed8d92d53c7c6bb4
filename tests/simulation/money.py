"""An independent ledger of money, kept from events and from the provider's own books (P1, P3)."""

from collections import defaultdict
from typing import Any

from libs.contracts import payments
from libs.eventsourcing.states import unpack
from services.payments.folding import BY_HAND_FAILED
from services.payments.read_model import PaymentRow
from services.payments.state import BY_DISPUTE, ELSEWHERE, PaymentState
from services.sandbox.stripe.reports import money
from tests.simulation.bank import ACCOUNT, Bank
from tests.simulation.dashboard import Dashboard
from tests.simulation.projector import Tables
from tests.simulation.units import expect

TAKEN = {"requires_capture", "succeeded"}


class Money:
    """Captures, refunds and clearances by order; minor units."""

    def __init__(self, bank: Bank, dashboard: Dashboard) -> None:
        self.bank, self.dashboard = bank, dashboard
        self.expected: dict[str, payments.PaymentExpected] = {}
        self.most: dict[str, int] = defaultdict(int)  # what the order ever cost
        self.captured: dict[tuple[str, str], int] = defaultdict(int)  # order, holder
        self.refunded: dict[tuple[str, str], int] = defaultdict(int)
        self.settled: dict[str, int] = defaultdict(int)  # outside, or forgiven
        self.given: dict[str, int] = {}  # refunds that nobody here asked for
        self.lost: dict[tuple[str, str], int] = defaultdict(int)  # in disputes; order, holder
        self.returned: set[str] = (
            set()
        )  # refunds that are known to have come back, by the bank's name
        self.asked: dict[str, tuple[str, int]] = {}  # captures that may be made: order, amount
        self.back: dict[str, tuple[str, int, str]] = {}  # refunds that may be made, with executor
        self.made: set[str] = set()
        self.taken: dict[str, int] = defaultdict(int)  # by a dispute, less what was paid back by it
        self.by_hand: set[str] = set()  # refunds that a person paid back another way
        self.twice: dict[str, dict[str, int]] = defaultdict(dict)  # of these at the bank, as told
        self.cleared: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)  # order, shipment
        self.doubts: dict[str, str] = {}  # effect to order
        self.touched: set[str] = set()

    def _by_dispute(self, event: Any) -> None:
        match event:
            case payments.DisputeLost(dispute_id=name, amount=amount):
                self.taken[name] += amount
            case payments.RefundMade(holder=holder, provider_reference=name, amount=amount):
                left = self.taken[name] = self.taken[name] - amount * (holder == BY_DISPUTE)
                expect("P3", left >= 0, f"{name} paid back {-left} that it never took")

    def note(self, event: Any) -> None:
        """Note one event of payments."""
        if not isinstance(event, payments.PaymentsEvent):
            return
        order = getattr(event, "order_id", None)
        if order is None:
            return
        self.touched.add(order)
        self._by_dispute(event)
        match event:
            case payments.PaymentExpected():
                self.expected[order] = event
                self.most[order] = max(self.most[order], event.amount)
            case payments.PaymentNotRequired(reason=reason):
                due = self.due(order) if reason in {"zero_total", "gift_card"} else 0
                expect("P3", due <= 0, f"{order} needs no payment ({reason}) and lacks {due}")
            case payments.PaymentAuthorisationRequested(amount=amount):
                due = self.due(order)
                expect("P3", 0 < amount <= due, f"{amount} are asked for {order}, due are {due}")
            case payments.PaymentCaptureRequested(capture_id=name, amount=amount):
                self.asked[name] = order, amount
            case payments.PaymentCaptured(capture_id=name):
                self._once(name)
                self.asked.pop(name, None)
                self.captured[order, event.holder] += event.amount
            case payments.PaymentCaptureFailed(capture_id=name):
                self.asked.pop(name, None)
            case payments.RefundRequested(refund_id=name, amount=amount, executor=who):
                expect("P1", name not in self.by_hand, f"{name} is asked for and was paid by hand")
                self.back[name] = order, amount, who
            case payments.RefundMade(refund_id=name):
                self._once(name)
                self.by_hand |= {name} if event.holder in ELSEWHERE else set()
                if self.back.pop(name, None) is None and event.origin == "provider_dashboard":
                    self.settled[order] += event.amount  # as somebody wanted it, who is not asked
                    self.given[name] = event.amount
                self.refunded[order, event.holder] += event.amount
            case payments.RefundReturned():
                self._came_back(event)
            case payments.DisputeLost():
                self.lost[order, event.holder] += event.amount
            case payments.PaymentDisagreed(code="refund-paid-twice", provider_reference=name):
                self.twice[order][name] = event.amount
            case payments.PaymentDecided(decision="settle", amount=amount):
                self.settled[order] += amount
            case payments.PaymentOutcomeUnknown(effect_id=effect):
                self.doubts[effect] = order
            case payments.PaymentOutcomeResolved(effect_id=effect):
                self.doubts.pop(effect, None)
            case payments.ShipmentCleared() | payments.ClearanceWithdrawn():
                self._clear(event)
            case _:
                return

    def _once(self, name: str) -> None:
        expect("P1", name not in self.made, f"{name} is made twice")
        self.made.add(name)

    def _came_back(self, event: payments.RefundReturned) -> None:
        """Ours is owed again; what nobody here asked for has never been."""
        order, name = event.order_id, event.refund_id
        self.returned.add(event.provider_reference)
        self.refunded[order, event.holder] -= event.amount
        if event.code == BY_HAND_FAILED:
            self.settled[order] -= min(event.amount, self.given.pop(name, 0))
        else:
            self.made.discard(name)
            self.back[name] = order, event.amount, "us"

    def _clear(self, event: payments.ShipmentCleared | payments.ClearanceWithdrawn) -> None:
        """Take a parcel's units; a clearance needs the money of all that may go."""
        order, shipment = event.order_id, event.shipment_id
        known = self.cleared[order]
        units = {line.line_id: line.quantity for line in event.lines}
        if isinstance(event, payments.ClearanceWithdrawn):
            if shipment in known:
                known[shipment] = units
            return
        known[shipment] = units
        if event.basis in {"risk_accepted", "on_account", "on_delivery"}:
            return
        have, need = self.ours(order) + self.settled[order], self.cost(order)
        expect("P3", have >= need, f"{shipment} of {order} may go for {need}, there are {have}")

    def cost(self, order: str) -> int:
        """Return what the cleared units cost by the order's newest statement."""
        said = self.expected[order]
        units: dict[str, int] = defaultdict(int)
        for parcel in self.cleared[order].values():
            for line, count in parcel.items():
                units[line] += count
        costs = sum(
            one.amount * min(units[one.line_id], one.quantity) // one.quantity
            for one in said.lines
            if one.quantity
        )
        return min(said.amount, costs)

    def due(self, order: str) -> int:
        """Return what an order costs and has not brought yet."""
        return self.expected[order].amount - self.ours(order)

    def ours(self, order: str) -> int:
        """Return what was captured for an order, less what has gone or is to go back."""
        back = sum(amount for one, amount, _ in self.back.values() if one == order)
        return self.net(order) - back

    def net(self, order: str) -> int:
        """Return what was captured for an order, less what went back."""
        taken = sum(n for (one, _), n in self.captured.items() if one == order)
        return taken - sum(n for (one, _), n in self.refunded.items() if one == order)

    def hold(self) -> None:
        """Check the orders that the turn has touched."""
        for order in sorted(self.touched):
            said = self.expected.get(order)
            most = 0 if said is None else said.amount if said.custody == "us" else said.total
            ours = self.ours(order)
            less = -self.net(order) - sum(self.twice[order].values())
            expect("P3", less <= 0, f"{order}: {less} too much went back")
            expect("P3", ours <= most, f"{order} costs {most}, taken are {ours}")
        self.touched.clear()

    def books(self) -> None:
        """Compare with the provider's books, as they are at this moment."""
        once: dict[str, str] = {}
        for intent in self.bank.intents:
            ours, order = intent["metadata"]["lonja_intent"], intent["metadata"]["lonja_order"]
            if intent["status"] in TAKEN:
                other = once.setdefault(ours, intent["id"])
                expect("P1", other == intent["id"], f"{ours} of {order} is authorised twice")
        by_hand, undone = self.dashboard, self._unheard()
        for order, found in self.sums().items():
            taken, asked = self.captured[order, ACCOUNT], self._asked(order)
            most = taken + asked + by_hand.taken[order]
            expect("P3", taken <= found["captured"] <= most,
                   f"{order}: captured {found['captured']}, known {taken}, asked {asked}")  # fmt: skip
            back, going = self.refunded[order, ACCOUNT], self._going(order)
            most = back + going + by_hand.back[order]
            expect("P3", back - undone[order] <= found["refunded"] <= most,
                   f"{order}: refunded {found['refunded']}, known {back}, asked {going}")  # fmt: skip
            most = self.most[order] + back + going
            expect("P3", found["captured"] <= most,
                   f"{order} never cost more than {most}, captured are {found['captured']}")  # fmt: skip

    def sums(self) -> dict[str, dict[str, int]]:
        """Return what the bank has captured and sent back, by order."""
        sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for intent in self.bank.intents:
            for name, amount in money(self.bank.provider, intent).items():
                sums[intent["metadata"]["lonja_order"]][name] += amount
        return sums

    def _unheard(self) -> dict[str, int]:
        """Return what came back to the bank, by order, of which nobody has heard."""
        found: dict[str, int] = defaultdict(int)
        for name, (order, amount) in self.dashboard.failed.items():
            found[order] += 0 if name in self.returned else amount
        return found

    def _asked(self, order: str) -> int:
        return sum(amount for one, amount in self.asked.values() if one == order)

    def _going(self, order: str) -> int:
        return sum(n for one, n, who in self.back.values() if (one, who) == (order, "us"))

    def rest(self, tables: Tables) -> None:
        """At rest, the provider's books are ours but for what is named as unknown."""
        self.books()
        rows: dict[Any, PaymentRow] = tables["payments"]
        for intent in self.bank.intents:
            ours, order = intent["metadata"]["lonja_intent"], intent["metadata"]["lonja_order"]
            if intent["status"] != "requires_capture" or order in self.doubts.values():
                continue
            known = unpack(PaymentState, rows[order,].folded).intents[ours]
            expect("P3", known.status == "authorised",
                   f"{ours} of {order} holds money and is {known.status}")  # fmt: skip
        for order in sorted(self.cleared):
            owed = self.cost(order) - self.settled[order] - self.ours(order)
            ours = self.expected[order].custody == "us"
            expect("P3", owed <= 0 or not ours or rows[order,].waits,
                   f"parcels of {order} went, {owed} are owed and nobody has it")  # fmt: skip
        in_doubt = set(self.doubts.values())
        differs = {order for (order,), row in rows.items()
                   for wait in row.waits if wait.what == "disagreement"}  # fmt: skip
        waits = {(order, wait.subject) for (order,), row in rows.items() for wait in row.waits}
        for name, (order, amount) in self.asked.items():
            known = order in in_doubt | differs
            expect("P3", known, f"{name}: {amount} of {order} asked, never answered")
        for name, (order, amount, who) in self.back.items():
            named = who != "us" or order in in_doubt or (order, name) in waits
            expect("P3", named, f"{name}: {amount} of {order} should have gone back")
