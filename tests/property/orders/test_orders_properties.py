"""Invariants of an order under random stories, repeats, and any interleaving of its sources."""

import random
from collections.abc import Sequence
from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import orders
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.states import pack, unpack
from services.orders import commands
from services.orders.completing import done
from services.orders.decider import ORDER
from services.orders.read_model import HISTORY, ORDERS
from services.orders.state import OrderState
from services.orders.units import by_sku, demand, inside, remaining, shipped, shortages
from services.orders.worrying import worries
from tests.examples import examples
from tests.unit.memory import envelope, folded
from tests.unit.orders.samples import (
    HOUR,
    NOW,
    answer,
    cancel,
    cancelled,
    funds,
    line,
    parcel,
    released,
    resolved,
    said,
    told,
)

SKUS = ("MUG", "CUP")
counts = st.integers(1, 3)
versions = st.integers(1, 6)
times = st.integers(0, 100).map(lambda hours: NOW + hours * HOUR)
LINES = (
    st.builds(lambda n: line("a", n, ("MUG", 1)), counts),
    st.builds(lambda n: line("b", n, ("MUG", 2), ("CUP", 1)), counts),
    st.builds(lambda n: line("g", n, kind="gift_card", requires_shipping=False), counts),
    st.builds(lambda n: line("u", n), counts),
)
lines = st.integers(0, 9).flatmap(
    lambda n: st.tuples(*(LINES if n == 0 else LINES[: n % 3 + 1])) if n < 9 else st.just(())
)


def rarely(usual: Any, *rare: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * 7 + list(rare))


placing = st.builds(
    lambda found, version, **fields: told(*found, version=version, **fields),
    lines, versions,
    commitment=st.sampled_from(["committed", "committed", "tentative", "unknown"]),
    shortage=st.sampled_from(["backorder", "split", "cancel"]),
    country=rarely("GB", ""),
    rounding=rarely(0, 1, 90),
    cancelled=rarely(False, True),
    expires_at=st.one_of(st.none(), times),
    at=times,
)  # fmt: skip
others = st.one_of(
    st.builds(funds, st.sampled_from(["paid", "voided", "pending", "unknown"]), versions),
    st.builds(cancelled, versions),
    st.builds(lambda version, n: cancelled(version, ("x-a", n)), versions, counts),
    st.builds(lambda key, n: cancel(f"c{key}", ("a", n)), counts, counts),
    st.builds(lambda key: cancel(f"c{key}"), counts),
    st.builds(lambda n: resolved("u", "CUP", n), counts),
    st.builds(commands.DecideByDeadline, times),
    st.builds(lambda at: commands.RecordHoldExpiry("MUG", at, at), times),
    st.builds(
        commands.DecideShortage,
        st.sampled_from(["retry", "backorder", "cancel"]), st.just(""), st.just("seller"), times,
    ),
    st.builds(
        lambda n, at: commands.PlaceHold(f"h{n}", "manual", "", (), "both", None, "seller", at),
        counts, times,
    ),
    st.builds(lambda n, at: commands.ReleaseHold(f"h{n}", "ok", "seller", at), counts, times),
)  # fmt: skip
statuses = st.sampled_from(
    ["planned", "packed", "dispatched", "delivered", "stopped", "lost", "returned_to_sender"]
)
standings = st.sampled_from(
    ["authorised", "captured", "captured", "not_required", "declined", "in_doubt", "refunded",
     "voided", "authorisation_expired", "disputed", "unknown", "action_required"]
)  # fmt: skip
numbers = st.integers(1, 9)
later = st.one_of(
    st.builds(said, standings, st.integers(0, 400), numbers),
    st.builds(
        lambda status, name, units, key, seen: parcel(status, (name, units), name=key, seen=seen),
        statuses, st.sampled_from("abg"), counts, st.sampled_from(["s1", "s2"]), numbers,
    ),
    st.builds(
        lambda revision, units: released(revision, ("a", units)), numbers, st.integers(0, 2)
    ),
    st.builds(
        commands.DecideConcern,
        st.sampled_from(["reship", "refund", "claim", "accept"]),
        st.sampled_from([None, "s1", "s2"]), st.just("seller"), times,
    ),
)  # fmt: skip
STOCK = "stock"  # stands for an answer that fits what was asked
stock = st.tuples(st.just(STOCK), st.sampled_from(SKUS), st.sampled_from([0, 1, 4, 9, 9]))
steps = st.integers(0, 7).flatmap(lambda n: (placing, others, later, later)[n] if n < 4 else stock)
stories = st.builds(
    lambda first, rest: [first, *rest], placing, st.lists(steps, min_size=4, max_size=20)
)


class Telling:
    """An order that is told a story; inventory answers each SKU in order, or loses units."""

    def __init__(self) -> None:
        self.state: OrderState = ORDER.initial
        self.events: list[Any] = []
        self.versions = dict.fromkeys(SKUS, 0)

    def command(self, step: Any) -> Any:
        if not isinstance(step, tuple):
            return step
        _, sku, free = step
        self.versions[sku] += 1
        need = self.state.needs.get(sku)
        if need is None:
            return answer(sku, 1, seen=self.versions[sku])
        if need.answered == self.state.asked and free == 0:
            return commands.RecordShortfall(sku, 1, self.versions[sku], NOW, NOW)
        reserved = min(free, need.units)
        return answer(sku, reserved, need.units - reserved, self.state.asked, self.versions[sku])

    def tell(self, command: Any) -> Sequence[Any]:
        try:
            events = ORDER.decide(command, self.state)
        except Refused:
            return []
        self.state = reduce(ORDER.evolve, events, self.state)
        self.events.extend(events)
        return events


@settings(max_examples=examples(400), deadline=None)
@given(stories)
def test_a_repeated_command_yields_no_event(story: list[Any]) -> None:
    telling = Telling()
    for step in story:
        command = telling.command(step)
        telling.tell(command)
        if isinstance(command, commands.DecideShortage) and command.decision == "backorder":
            continue  # a later backorder is a new deadline; its repeat is tested by itself
        assert list(telling.tell(command)) == []


@settings(max_examples=examples(400), deadline=None)
@given(stories)
def test_the_ledger_the_demand_and_the_confirmation_always_agree(story: list[Any]) -> None:
    telling = Telling()
    for step in story:
        events = telling.tell(telling.command(step))
        state = telling.state
        check_ledger(state)
        check_demand(state)
        check_money(state)
        for event in events:
            if isinstance(event, orders.OrderConfirmed) and not event.partial:
                assert not state.pending
                assert not shortages(state)
                assert not state.holds
                assert state.committed
        if state.placed and state.ended is None:
            check_that_nothing_is_stuck(state)
        assert unpack(ORDER.state, pack(state)) == state


def check_demand(state: OrderState) -> None:
    """The demand is what is wanted; units in parcels may keep it higher, and only these."""
    stated = {sku: need.units for sku, need in state.needs.items() if need.units}
    wanted = {} if state.ended is not None else demand(state)
    held = by_sku(state, inside(state))
    for sku in stated.keys() | wanted.keys():
        units, needed = stated.get(sku, 0), wanted.get(sku, 0)
        assert needed <= units <= max(needed, held.get(sku, 0))


def check_money(state: OrderState) -> None:
    if state.bill is not None:
        amounts = sum(amount for _, amount in state.bill.lines.values())
        assert state.bill.amount == amounts + state.bill.charges
        assert 0 <= state.bill.amount <= state.total or state.confirmed is None
    if state.requested is not None:
        gone = shipped(state)
        for name, units in state.requested.lines.items():
            line = state.lines.get(name)
            kept = line.remaining + line.resent if line is not None else 0
            assert units <= max(kept, gone.get(name, 0))
    if state.completed:
        assert done(state)
    risks = {reason: found.value for reason, found in worries(state).items()}
    assert {reason: one.value for reason, one in state.concerns.items()} == risks


def check_ledger(state: OrderState) -> None:
    left = remaining(state)
    for one in state.lines.values():
        assert 0 <= one.cancelled <= one.quantity
    for name, units in (state.confirmed or {}).items():
        assert units <= left.get(name, 0)


def check_that_nothing_is_stuck(state: OrderState) -> None:
    done = state.confirmed == remaining(state) and state.confirmed_for == state.asked
    assert done or state.pending or state.holds or state.wait is not None
    if state.pending:
        assert state.decide_by > 0
    elif state.committed and not state.holds and state.wait is not None:
        assert state.wait.reason not in {"payment", "status-unknown"}


@settings(max_examples=examples(300), deadline=None)
@given(stories)
def test_the_revisions_of_questions_only_grow(story: list[Any]) -> None:
    telling = Telling()
    for step in story:
        telling.tell(telling.command(step))
    asked = [e.revision for e in telling.events if isinstance(e, orders.StockRequired)]
    assert asked == sorted(set(asked))


@settings(max_examples=examples(300), deadline=None)
@given(stories)
def test_the_row_says_what_the_decider_knows(story: list[Any]) -> None:
    telling = Telling()
    for step in story:
        telling.tell(telling.command(step))
        log = [envelope(event, n, at=n) for n, event in enumerate(telling.events, 1)]
        rows = folded(ORDERS, log)
        assert len(folded(HISTORY, log)) == len(log)
        state = telling.state
        assert bool(rows) == state.placed
        for row in rows.values():
            left = {one.line_id: one.quantity - one.cancelled for one in row.lines}
            assert {name: units for name, units in left.items() if units} == dict(remaining(state))
            sure = {one.line_id: one.confirmed for one in row.lines if one.confirmed}
            assert sure == {n: units for n, units in (state.confirmed or {}).items() if units}
            assert all(o.reserved == max(0, o.confirmed - o.shipped) for o in row.lines)
            assert set(row.holds) == set(state.holds)
            assert row.waits_for == (state.wait.reason if state.wait else "")
            ended = state.ended is not None and not state.concerns
            assert (row.state == "cancelled") == ended
            assert set(row.queues) == set(state.concerns)
            assert (row.completed_at is not None) == state.completed
            if row.state == "confirmed":
                assert not state.pending
                assert state.confirmed is not None
            assert row.next_action or row.state in {"cancelled", "completed"}


def answers_of(sku: str, units: int, first: int) -> list[Any]:
    """Inventory's facts of one SKU: first some, then all."""
    return [answer(sku, first, units - first, 1, 1), answer(sku, units, 0, 1, 2)]


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 2), st.integers(0, 1), st.randoms(use_true_random=False))
def test_an_order_is_confirmed_whatever_the_order_of_answers_links_and_releases(
    mugs: int, cups: int, rng: random.Random
) -> None:
    first = told(line("a", 2, ("MUG", 1)), line("b", 1, ("CUP", 1)), rounding=50)
    hold = next(iter(run([first]).holds))
    sources: list[list[Any]] = [
        [first],
        answers_of("MUG", 2, mugs),
        answers_of("CUP", 1, cups),
        [commands.ReleaseHold(hold, "checked", "seller", NOW)],
    ]
    # Answers and the release can only follow the order itself.
    story = [first, *interleaved(sources[1:], rng)]
    state = run(story)
    assert dict(state.confirmed or {}) == {"a": 2, "b": 1}
    assert state.wait is None
    assert not state.holds


@settings(max_examples=examples(200), deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_link_and_the_channels_facts_meet_in_any_order(rng: random.Random) -> None:
    channel = [told(line("u", 2)), told(line("u", 3), version=2), funds("paid", 3)]
    story = interleaved([channel, [resolved("u", "CUP")], [commands.DecideByDeadline(NOW)]], rng)
    state = run(story)
    assert demand(state) == {"CUP": 3}
    assert not state.holds
    assert (state.funds, state.asked_class) == ("paid", "commitment")


def interleaved(sources: Sequence[list[Any]], rng: random.Random) -> list[Any]:
    queues = [list(source) for source in sources]
    story: list[Any] = []
    while left := [queue for queue in queues if queue]:
        story.append(rng.choice(left).pop(0))
    return story


def run(story: Sequence[Any]) -> OrderState:
    telling = Telling()
    for command in story:
        telling.tell(command)
    return telling.state
