"""What payments make of an order's tenders, as the ledger books it: held, redeemed or given back."""

from collections import defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import common, payments
from services.accounting import chart
from services.console.audit.ledger import LedgerCheck
from services.payments.sums import held, taken
from tests.examples import examples
from tests.unit.accounting import samples as books
from tests.unit.console import auditing as audit
from tests.unit.payments.samples import ORDER, Payment, line, required, tender

KINDS: tuple[common.TenderKind, ...] = ("card", "wallet", "gift_card", "store_credit", "unknown")
VOUCHERS = ("gift_card", "store_credit")
amounts = st.sampled_from([0, 100, 300, 700, 1000])
tender_lists = st.lists(
    st.builds(tender, st.sampled_from(KINDS), amounts), max_size=4, unique_by=lambda one: one.kind
).map(tuple)


class Books:
    """An order of 1000 at a channel: its statements to payments, their money to the ledger."""

    def __init__(self, tenders: tuple[common.Tender, ...]) -> None:
        self.tenders = tenders
        self.payment, self.ledger = Payment(), books.Story()
        order = msgspec.structs.replace(books.order(books.line("a", 4, 1000)), tenders=tenders)
        self.ledger.tell(books.placed(order, ORDER))

    def say(self, revision: int, total: int, **told: Any) -> None:
        """Let the channel say what the order costs by now, and what it took and gave back."""
        lines = (line("a", 4, total),) if total else ()
        given: dict[str, Any] = {"custody": "channel_remits_gross", "funds": "paid"}
        said = given | {"tenders": self.tenders, "total": total or 1000} | told
        for event in self.payment.fact(required(*lines, revision=revision, **said)):
            if isinstance(event, payments.PaymentCaptured | payments.RefundMade):
                self.ledger.tell(event)

    def dispatch(self) -> None:
        self.ledger.tell(books.dispatched(("a", 4), order_id=ORDER))

    def cancel(self) -> None:
        self.ledger.tell(books.cancelled(("a", 4), whole=True, order_id=ORDER))

    def audited(self) -> list[str]:
        """Return the subjects of which the audit finds that the ledger differs."""
        records = audit.Story()
        for one in self.ledger.told:
            if one.service == "payments":
                data = msgspec.to_builtins(one.event)
                records.tell("payments", type(one.event).__name__, one.stream, **data)
        for entry in self.ledger.ledger.entries:
            records.tell("accounting", "EntryPosted", "sale", **msgspec.to_builtins(entry))
        check = LedgerCheck(audit.NOW)
        for record in records.records:
            check.see(record)
        return [one.subject for one in check.findings() if one.code == "ledger-differs"]

    def check(self) -> None:
        """Clearing is what holders have; a voucher is a liability, never money that is held."""
        held: dict[str, int] = defaultdict(int)
        state = self.payment.state
        for one in state.captures.values():
            carried = sum(told.amount for told in self.tenders if told.kind == one.tender)
            assert one.tender not in VOUCHERS or one.amount <= carried
            if one.tender not in VOUCHERS:
                held[f"{chart.CLEARING} {one.holder}"] += one.amount
        for back in state.refunds.values():
            one = state.captures[back.capture_id]
            if back.status == "made" and one.tender not in VOUCHERS:
                held[f"{chart.CLEARING} {one.holder}"] -= back.amount
        found = {name: n for name, n in self.ledger.balances.items() if name.startswith("1100")}
        assert found == {name: amount for name, amount in held.items() if amount}
        assert self.audited() == []


@settings(max_examples=examples(200), deadline=None)
@given(
    tender_lists,
    st.lists(st.tuples(st.sampled_from([1000, 900, 500]), st.booleans()), max_size=3),
    st.booleans(), st.booleans(), st.sampled_from(["", "before", "after"]),
)  # fmt: skip
def test_a_sale_that_is_refunded_whole_leaves_every_holder_and_voucher_as_it_was(
    tenders: tuple[common.Tender, ...], edits: list[tuple[int, bool]], says: bool, sent: bool,
    cancelled: str,
) -> None:  # fmt: skip
    """Edits make it cheaper; `says`: whether the channel tells what it took, or only its funds."""
    story = Books(tenders)
    back, revision = 0, 1
    story.say(1, 1000, **({"received": 1000, "refunded": 0} if says else {}))
    story.check()
    if sent:
        story.dispatch()
    for total, paid_back in sorted(edits, reverse=True):
        revision += 1
        back = max(back, 1000 - total) if paid_back else back
        told = {"received": 1000, "refunded": back} if says else {}
        story.say(revision, total, funds="part_refunded" if back else "paid", **told)
        story.check()
    if cancelled == "before":
        story.cancel()
    told = {"received": 1000, "refunded": 1000} if says else {}
    story.say(revision + 1, 0, funds="refunded", **told)
    if cancelled == "after":
        story.cancel()
    story.check()
    carried = sum(one.amount for one in tenders if one.kind in VOUCHERS)
    if carried <= 1000:
        left = {name: n for name, n in story.ledger.balances.items() if name[0] in "12"}
        assert left == {}


@settings(max_examples=examples(200), deadline=None)
@given(
    tender_lists, st.lists(st.sampled_from([1000, 900, 500, 200]), max_size=6), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_what_was_taken_once_is_booked_once_however_often_the_order_changes(
    tenders: tuple[common.Tender, ...], totals: list[int], says: bool, sent: bool
) -> None:
    """Nothing goes back; `says`: whether the channel tells what it took, or only its funds."""
    story = Books(tenders)
    told = {"received": 1000, "refunded": 0} if says else {}
    for revision, total in enumerate([1000, *totals], 1):
        story.say(revision, total, **told)
        story.check()
        if sent and revision == 1:
            story.dispatch()
    state, last = story.payment.state, [1000, *totals][-1]
    debts = [one for one in state.refunds.values() if one.status == "asked"]
    assert (taken(state), held(state)) == (1000, last)
    assert sum(one.amount for one in debts) == 1000 - last


@pytest.mark.parametrize("first", ["store_credit", "card"])
def test_a_sale_by_card_and_store_credit_is_booked_alike_whichever_is_told_first(
    first: str,
) -> None:
    tenders = sorted(
        (tender("card", 700), tender("store_credit", 300)), key=lambda one: one.kind != first
    )
    story = Books(tuple(tenders))
    story.say(1, 1000, received=1000, refunded=0)
    story.dispatch()
    assert story.ledger.balances == {"1100 shop": 700, "2300 store_credit": 300, "4000": -1000}
    assert story.audited() == []
