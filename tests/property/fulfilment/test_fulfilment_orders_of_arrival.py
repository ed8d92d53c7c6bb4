"""The same words and facts in another order end alike: the carrier's, and rows of streams."""

import random
from functools import reduce
from itertools import groupby
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.common import TrackingStatus
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.testing import given as history
from services.fulfilment import shipment_commands, tracker_commands
from services.fulfilment.decider import SHIPMENT, TRACKER
from services.fulfilment.read_model import PROJECTIONS
from services.fulfilment.shipment import Shipment
from tests.examples import examples
from tests.property.fulfilment.test_fulfilment_properties import (
    act,
    finish,
    lines_of,
    policies,
    restock,
)
from tests.property.fulfilment.world import World
from tests.unit.fulfilment.samples import CARRIED, NOW, bought, cleared, line, quoted, seen, share
from tests.unit.fulfilment.samples import SHIPMENT as NAME
from tests.unit.memory import folded

SCANS = st.lists(
    st.tuples(
        st.sampled_from(
            ["pre_transit", "in_transit", "out_for_delivery", "failure", "return_to_sender", "delivered"]
        ),
        st.integers(0, 4),
    ),
    max_size=6, unique=True,
)  # fmt: skip
Scan = tuple[TrackingStatus, int]


def after(*given_commands: shipment_commands.ShipmentCommand) -> Shipment:
    begun = (share(policy=CARRIED), quoted(), bought(), cleared())
    return history(SHIPMENT).when(*begun, *given_commands).state


def end(state: Shipment) -> tuple[Any, ...]:
    return state.status, state.scans, state.verdict(), state.heard_at


@given(SCANS, st.randoms(use_true_random=False))
def test_the_carriers_words_end_alike_in_any_order_and_repeated(
    scans: list[Scan], rng: random.Random
) -> None:
    words = [seen(status, NOW + at) for status, at in scans]
    other = words + words[: len(words) // 2]
    rng.shuffle(other)
    assert end(after(*words)) == end(after(*other))


@given(SCANS, st.integers(0, 6), st.randoms(use_true_random=False))
def test_words_reach_their_parcel_whenever_its_tracker_becomes_known(
    scans: list[Scan], place: int, rng: random.Random
) -> None:
    heard: list[tracker_commands.TrackerCommand] = [
        tracker_commands.HearTracker(
            "main", "post", "RoyalMail", "trk_1", "TRACK1", status, status, "", NOW + at, NOW
        )
        for status, at in scans
    ]
    rng.shuffle(heard)
    heard.insert(
        min(place, len(heard)), tracker_commands.LinkTracker("main", "post", "trk_1", NAME, NOW)
    )
    state, matched = TRACKER.initial, list[Any]()
    for command in heard:
        decided = TRACKER.decide(command, state)
        assert not TRACKER.decide(command, reduce(TRACKER.evolve, decided, state))
        state = reduce(TRACKER.evolve, decided, state)
        matched += [e for e in decided if type(e).__name__ == "TrackingMatched"]
    words = [seen(one.status, one.occurred_at) for one in matched]
    assert end(after(*words)) == end(after(*(seen(s, NOW + at) for s, at in scans)))


def shuffled(log: list[Envelope[Any]], rng: random.Random) -> list[Envelope[Any]]:
    """The same events in another interleaving of streams."""
    ordered = sorted(log, key=lambda one: one.stream)
    queues = [list(found) for _, found in groupby(ordered, key=lambda one: one.stream)]
    mixed: list[Envelope[Any]] = []
    while queues:
        queue = rng.choice(queues)
        mixed.append(queue.pop(0))
        queues = [one for one in queues if one]
    return mixed


@settings(deadline=None, max_examples=examples(40))
@given(st.integers(0, 2**48))
def test_rows_are_the_same_for_every_interleaving_and_say_what_the_streams_say(seed: int) -> None:
    rng = random.Random(seed)
    world = World(rng, policies(rng))
    for order in ("ord_1", "ord_2"):
        world.request(order, lines_of(rng) or (line("mug", 1, ("MUG", 1)),))
        restock(world, order)
    for _ in range(rng.randint(0, 60)):
        act(world, rng.choice(sorted(world.lines)))
    if rng.random() < 0.5:
        finish(world)
    other = shuffled(world.log, rng)
    for projection in PROJECTIONS:
        assert folded(projection, world.log) == folded(projection, other), projection.name
    _agree(world)


def _agree(world: World) -> None:
    shipments, _, handovers, _ = (folded(one, world.log) for one in PROJECTIONS)
    for name, state in world.shipments().items():
        row = shipments[name,]
        assert row.state == state.status
        held = {order: {} for order, _ in state.active()}  # type: dict[str, dict[str, int]]
        for one in state.rows():
            held[one.order_id][one.line_id] = one.quantity
        assert row.orders == held
        assert set(row.cleared) == {order for order, part in state.active() if part.cleared}
        assert bool(row.stops) == state.stopping()
        assert row.waiting == (state.status not in {"dispatched", "delivered", "cancelled"}) or (
            row.reason in {"label-in-doubt", "label-void"}
        )
        assert not row.waiting or (row.reason and row.owner and row.next_action and row.since)
    for stream, handover in world.handovers().items():
        if handover.taken is None:
            continue
        row = handovers[stream.removeprefix("handover-"),]
        for shipment, part in handover.shares.items():
            assert row.parcels[shipment] == {one.line_id: one.quantity for one in part.held}
        assert set(row.parcels) == set(handover.shares)
        assert bool(row.left) == row.waiting
