"""No cent is taken twice or kept: under any story, any lost answer, and any order of the facts."""

from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts import common, payments
from libs.effects.kinds import Confirmed
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.states import pack, unpack
from services.payments import commands
from services.payments.commands import Terms
from services.payments.decider import PAYMENT
from services.payments.evolve import evolve
from services.payments.read_model import CAPTURES, DISAGREEMENTS, INTENTS, PAYMENTS
from services.payments.standing import standing, waits
from services.payments.state import PaymentState
from services.payments.sums import asked, cost, goal, held, lack, set_aside, uncovered
from tests.examples import examples
from tests.unit.memory import folded
from tests.unit.payments.samples import (
    HOUR,
    NOW,
    Payment,
    line,
    packed,
    required,
    stopped,
    tender,
)

POLICIES = ("capture_all", "one_parcel", "capture_then_reauthorise")
units = st.integers(0, 3)
prices = st.sampled_from([0, 29, 333, 1000])

KINDS: tuple[common.TenderKind, ...] = ("gift_card", "store_credit")
vouchers = st.lists(
    st.builds(tender, st.sampled_from(KINDS), st.sampled_from([0, 300, 2000])),
    unique_by=lambda one: one.kind,
).map(tuple)

statement = st.tuples(st.just("state"), units, units, st.sampled_from([0, 99]))
parcel = st.tuples(st.just("pack"), st.sampled_from(["s1", "s2", "s3"]), units, units)
stop = st.tuples(st.just("stop"), st.sampled_from(["s1", "s2", "s3"]), units, units)
answer = st.tuples(
    st.just("answer"),
    st.integers(0, 5),
    st.sampled_from(["", "", "", "lost", "dropped", "given-up"]),
)
mood = st.tuples(
    st.just("mood"),
    st.sampled_from([None, None, ("insufficient-funds", False), ("card-blocked", True)]),
)
word = st.tuples(
    st.just("decide"),
    st.sampled_from(["retry", "capture", "release", "settle", "put-back", "adopt", "absent"]),
)
time = st.tuples(st.just("time"), st.integers(1, 200))
steps = st.one_of(statement, parcel, parcel, answer, answer, answer, stop, mood, word, time)
stories = st.lists(steps, min_size=3, max_size=25)
accounts = st.builds(
    Terms, st.just("card"), st.sampled_from(POLICIES),
    st.sampled_from(["capture", "reauthorise", "release"]), st.sampled_from([0, 24 * HOUR]),
    st.sampled_from([0, 400]),
)  # fmt: skip


class Told:
    """A payment that is told a story, and what is checked after each event."""

    def __init__(self, terms: Terms, price: int, vouchers: Any, *, mandate: bool) -> None:
        self.payment = Payment(terms, live=False)
        self.payment.provider.mandate = mandate
        self.price, self.vouchers, self.revision, self.versions = price, vouchers, 0, 0
        self.state = PaymentState()
        self.seen = 0

    def step(self, step: Any) -> None:
        payment = self.payment
        match step:
            case ("state", a, b, charges):
                self.revision += 1
                lines = (line("a", a, a * self.price), line("b", b, b * 500))
                payment.fact(required(*lines, charges=charges if a + b else 0,
                                      revision=self.revision, tenders=self.vouchers))  # fmt: skip
            case ("pack", name, a, b):
                payment.fact(packed(name, *(one for one in (("a", a), ("b", b)) if one[1])))
            case ("stop", name, a, b):
                payment.fact(stopped(name, ("a", a), ("b", b)))
            case ("answer", n, fate) if payment.calls:
                name = sorted(payment.calls)[n % len(payment.calls)]
                if fate == "given-up":
                    payment.give_up(name)
                else:
                    payment.answer(name, lost=fate == "lost", dropped=fate == "dropped")
            case ("mood", decline):
                payment.provider.decline = decline
            case ("decide", what):
                self.decide(what)
            case ("time", hours):
                payment.now += hours * HOUR
                payment.provider.expires = payment.now + 7 * 24 * HOUR
                payment.due(payment.now)
        self.check()

    def decide(self, what: Any) -> None:
        """A person decides: adopts what the provider has done, declares absent what it has not."""
        doubts = sorted(self.payment.state.doubts)
        name = doubts[0] if doubts else ""
        done = self.payment.provider.by_key.get(name)
        if what == "adopt" and not isinstance(done, Confirmed):
            return
        if what == "absent" and isinstance(done, Confirmed):
            return
        answer = done.answer if isinstance(done, Confirmed) else None
        reference = getattr(answer, "provider_intent", "ref")
        command = commands.Decide(what, "anna", "r", self.payment.now, None, name, reference)
        if what == "put-back":
            owed = [n for n, r in sorted(self.payment.state.refunds.items()) if r.executor != "us"]
            command = commands.Decide("settle", "anna", "r", self.payment.now,
                                      refund_id=owed[-1] if owed else "ref_none")  # fmt: skip
        try:
            self.payment.tell(command)
        except Refused:
            return

    def check(self) -> None:
        for event in self.payment.events[self.seen :]:
            before, self.state = self.state, evolve(self.state, event)
            if isinstance(event, payments.PaymentAuthorisationRequested):
                assert event.amount <= lack(before) - set_aside(before), "set aside twice"
            if isinstance(event, payments.PaymentCaptureRequested):
                assert event.amount <= lack(before), "captured beyond what is due"
            if isinstance(event, payments.PaymentDecided) and event.decision == "settle":
                aside = 0 if before.halted == "capture-failed" else set_aside(before)
                assert event.amount <= max(lack(before) - aside, 0), "forgiven, and set aside"
            if isinstance(event, payments.ShipmentCleared) and event.basis == "captured":
                gone = [one for one in self.state.parcels.values() if one.cleared]
                assert held(self.state) >= cost(self.state, gone) - self.state.waived
        self.seen = len(self.payment.events)
        state = self.payment.state
        assert state == self.state
        assert held(state) <= goal(state), "too much is kept and not on its way back"
        assert held(state) + asked(state) + lack(state) >= goal(state) - state.waived
        assert {one.holder for one in state.captures.values() if one.tender in KINDS} <= {
            one.kind.replace("_", "-") for one in self.vouchers
        }
        for voucher in self.vouchers:
            mine = [one for one in state.captures.values() if one.tender == voucher.kind]
            assert sum(one.amount for one in mine) <= voucher.amount, "redeemed twice"
        books = self.payment.provider
        card = [one for one in state.captures.values() if one.holder == "card"]
        made = sum(one.amount for one in card if one.status == "made")
        maybe = sum(one.amount for one in card if one.status in {"asked", "failed"})
        assert made <= books.captured <= made + maybe
        missing = 0 if state.later or not state.known else uncovered(state)
        rows = waits(state, (), self.payment.now)
        named = sum(one.at_risk_minor for one in rows if one.subject == state.order_id)
        assert missing == named, "what is missing is not what the queue says"
        for one in rows:
            assert (one.reason, one.owner, one.next_action) > ("", "", "")
            assert one.at_risk_minor >= 0

    def quiet(self) -> None:
        """Let every call be answered and every doubt end."""
        self.payment.provider.decline = None
        for _ in range(50):
            if not self.payment.calls:
                break
            for name in sorted(self.payment.calls):
                self.payment.answer(name)
                self.check()
        assert not self.payment.calls


@settings(max_examples=examples(300), deadline=None)
@given(stories, accounts, prices, vouchers, st.booleans())
def test_whatever_happens_the_books_agree_and_nothing_is_taken_twice(
    story: list[Any], terms: Terms, price: int, carried: Any, mandate: bool
) -> None:
    told = Told(terms, price, carried, mandate=mandate)
    for step in story:
        told.step(step)
    told.quiet()
    state, books = told.payment.state, told.payment.provider
    card = [one for one in state.captures.values() if one.holder == "card"]
    unknown = sum(one.amount for one in card if one.status == "asked")
    made = sum(one.amount for one in card if one.status == "made")
    assert made <= books.captured <= made + unknown
    back = [one for one in state.refunds.values() if one.executor == "us" and one.status == "made"]
    sent = sum(one.amount for one in back)
    open_refunds = sum(one.amount for one in state.refunds.values() if one.status == "asked")
    assert sent <= books.refunded <= sent + open_refunds
    given_up = {one.subject for one in state.doubts.values()}
    assert {one.owner for one in state.doubts.values()} <= {"person"}
    assert {key for key, one in state.captures.items() if one.status == "asked"} <= given_up
    assert unpack(PaymentState, pack(state)) == state
    assert reduce(PAYMENT.evolve, told.payment.events, PaymentState()) == state
    open_still = [one for one in state.parcels.values() if not one.cleared and one.units]
    if state.known and (open_still or standing(state)[0] in {"declined", "action_required"}):
        assert waits(state, (), NOW), "something waits and nobody knows"


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=3),
       st.sampled_from(POLICIES), st.sampled_from(["us", "channel_remits_gross"]),
       st.data())  # fmt: skip
def test_any_interleaving_of_statements_and_parcels_ends_alike(
    parcels: list[tuple[int, bool]], policy: Any, custody: Any, data: Any
) -> None:
    """The order wants more from version to version; some parcels are stopped, and it says so."""
    stay = [n for n, stops in parcels if not stops]
    total = sum(n for n, _ in parcels)
    amounts = [max(1, total // 2), total, sum(stay)]
    statements = [
        required(line("a", n, n * 700), revision=revision, charges=99 if n else 0, custody=custody,
                 funds="paid" if custody != "us" else "none", total=total * 700 + 99)
        for revision, n in enumerate(amounts, 1)
    ]  # fmt: skip
    sources: list[list[Any]] = [list(statements)]
    for number, (n, stops) in enumerate(parcels):
        name = f"s{number}"
        sources.append([packed(name, ("a", n)), *([stopped(name, ("a", n))] if stops else [])])
    ends = set()
    for _ in range(2):
        payment = Payment(Terms("card", policy))
        payment.provider.mandate = True
        queues = [list(one) for one in sources]
        while any(queues):
            queue = queues[data.draw(st.sampled_from([n for n, one in enumerate(queues) if one]))]
            payment.fact(queue.pop(0))
        state = payment.state
        live = tuple(sorted(n for n, one in state.parcels.items() if one.cleared and one.units))
        waiting = any(not one.cleared and one.units for one in state.parcels.values())
        ends.add((live, waiting, held(state), goal(state)))
        assert payment.provider.captured - payment.provider.refunded == (
            held(state) if custody == "us" else 0
        )
    assert len(ends) == 1
    [(live, waiting, kept, wanted)] = ends
    assert not waiting
    assert len(live) == len(stay)
    assert kept == wanted


@settings(max_examples=examples(60), deadline=None)
@given(stories, accounts, st.randoms())
def test_rows_are_the_same_for_every_interleaving_of_streams(
    story: list[Any], terms: Terms, rng: Any
) -> None:
    told = Told(terms, 333, (), mandate=True)
    for step in story:
        told.step(step)
    mine = told.payment.log
    other = Payment(terms)
    other.provider.prefix = "pj"
    other.fact(required(line("a", 1, 700), order_id="ord_ffffffffffffffffffff"))
    streams = [list(mine), [_renamed(one) for one in other.log]]
    mixed = []
    while any(streams):
        stream = rng.choice([one for one in streams if one])
        mixed.append(stream.pop(0))
    for projection in (PAYMENTS, CAPTURES, INTENTS, DISAGREEMENTS):
        plain = folded(projection, [*mine, *(_renamed(one) for one in other.log)])
        shuffled = folded(projection, mixed)
        assert _digested(projection, plain) == _digested(projection, shuffled)


def _renamed(one: Any) -> Any:
    return replace(one, stream="payment-ord_ffffffffffffffffffff")


def _digested(projection: Any, rows: dict[Any, Any]) -> Any:
    names = [n for n in projection.row.__struct_fields__ if n not in projection.undigested]
    return {key: [getattr(row, name) for name in names] for key, row in rows.items()}
