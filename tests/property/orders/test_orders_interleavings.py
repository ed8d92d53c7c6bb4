"""Whatever order the facts of four services come in, an order comes to the same end."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.read_model import ORDERS
from services.orders.state import OrderState
from services.orders.worrying import worries
from tests.examples import examples
from tests.property.orders.test_orders_properties import Telling, interleaved
from tests.unit.memory import envelope, folded
from tests.unit.orders.samples import (
    answer,
    cancelled,
    captured,
    funds,
    line,
    parcel,
    released,
    said,
    told,
)

FIRST = told(line("a", 3, ("MUG", 1)), line("b", 2, ("CUP", 1)))
STOCK = [[answer("MUG", 1, 2, 1, 1), answer("MUG", 3, 0, 1, 2)], [answer("CUP", 2)]]
MONEY = [
    [said("action_required"), said("authorised", 500, 2), said("in_doubt", 0, 3),
     said("captured", 300, 4), said("captured", 200, 5)],
    [said("declined"), said("authorised", 500, 2), said("authorisation_expired", 500, 3),
     said("not_required", 0, 4)],
    [captured(500)],
]  # fmt: skip
A, B = ("a", 3), ("b", 2)
PARCELS = [
    [[parcel("planned", A, B), parcel("packed", A, B, seen=2), parcel("dispatched", A, B, seen=3),
      parcel("delivered", A, B, seen=4)]],
    [[parcel("planned", A), parcel("dispatched", A, seen=2), parcel("lost", A, seen=3),
      parcel("delivered", A, seen=4)],
     [parcel("planned", B, name="s2"), parcel("dispatched", B, name="s2", seen=2),
      parcel("returned_to_sender", B, name="s2", seen=3)]],
    [[parcel("planned", A, B), parcel("stopped", B, seen=2), parcel("dispatched", A, seen=3)],
     [parcel("planned", B, name="s2"), parcel("delivered", B, name="s2", seen=2,
                                              reason="untracked")]],
]  # fmt: skip
CHANNEL = [
    [funds("paid", 2)],
    [
        funds("part_paid", 2),
        told(line("a", 3, ("MUG", 1)), line("b", 2, ("CUP", 1)), version=3, funds="paid"),
    ],
    [],
]


def outcome(state: OrderState) -> dict[str, Any]:
    """Return what must not depend on who was heard first; revisions and deadlines may."""
    assert state.bill is not None
    assert state.requested is not None
    return {
        "bill": (dict(state.bill.lines), state.bill.amount, state.bill.terms),
        "requested": (dict(state.requested.lines), state.requested.blocked),
        "payment": (state.payment.standing, state.payment.authorised, state.payment.captured),
        "parcels": {n: (one.status, dict(one.lines)) for n, one in state.parcels.items()},
        "queues": set(state.concerns),
        "completed": state.completed,
        "confirmed": dict(state.confirmed or {}),
        "late": dict(state.late),
    }


def told_in(story: list[Any]) -> tuple[OrderState, list[Any]]:
    telling = Telling()
    for command in story:
        telling.tell(command)
    return telling.state, telling.events


@settings(max_examples=examples(300), deadline=None)
@given(
    st.sampled_from(MONEY), st.sampled_from(PARCELS), st.sampled_from(CHANNEL),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_facts_of_all_services_come_to_the_same_end_in_any_order(
    money: list[Any], parcels: list[list[Any]], channel: list[Any], rng: random.Random
) -> None:
    sources = [*STOCK, money, *parcels, channel]
    usual, _ = told_in([FIRST, *(command for source in sources for command in source)])
    mixed, events = told_in([FIRST, *interleaved(sources, rng)])
    assert outcome(mixed) == outcome(usual)
    assert set(mixed.concerns) == set(worries(mixed))
    log = [envelope(event, n, at=n) for n, event in enumerate(events, 1)]
    [row] = folded(ORDERS, log).values()
    assert set(row.queues) == set(mixed.concerns)
    assert (row.state == "completed") == mixed.completed


@settings(max_examples=examples(200), deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_cancellation_and_a_parcel_meet_in_any_order(rng: random.Random) -> None:
    """What left is named as too late, what stopped is free, and stock is asked for no more."""
    gone = cancelled(2, ("x-a", 3), ("x-b", 2))
    sent = [parcel("planned", A), parcel("dispatched", A, seen=2)]
    kept = [parcel("planned", B, name="s2"), parcel("stopped", B, name="s2", seen=2)]
    start = [FIRST, answer("MUG", 3), answer("CUP", 2), captured(500)]
    state, _ = told_in([*start, *interleaved([[gone], sent, kept], rng)])
    assert state.needs["CUP"].units == 2  # fulfilment may plan them again until it has answered
    state, _ = told_in([*start, *interleaved([[gone, released(2, ("a", 3))], sent, kept], rng)])
    assert dict(state.late) == {"a": 3}
    assert set(state.concerns) == {"edit-too-late"}
    assert state.bill is not None
    assert state.bill.amount == 0
    assert state.needs["CUP"].units == 0
    assert state.requested is not None
    assert state.requested.lines.get("b", 0) == 0
