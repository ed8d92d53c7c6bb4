"""Whatever comes in whatever order: no parcel leaves twice or uncleared, no unit is lost."""

import random
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts import fulfilment as events
from libs.contracts.common import FulfilmentLine
from libs.eventsourcing.decider import Refused
from services.fulfilment import handover_commands, process, shipment_commands
from services.fulfilment.handover import quantities
from services.fulfilment.planning import open_units
from tests.examples import examples
from tests.property.fulfilment.world import World
from tests.unit.fulfilment.samples import DAY, NOW, customer, line

LOCATIONS = ("east", "west")
KINDS = (
    line("mug", 1, ("MUG", 1)), line("kit", 1, ("MUG", 2), ("CUP", 1)), line("file", 1, carried=False)
)  # fmt: skip
ORDERS = ("ord_1", "ord_2")
SEEDED = (Phase.explicit, Phase.reuse, Phase.generate)  # a smaller seed is no simpler story


def policies(rng: random.Random) -> process.Places:
    def policy() -> shipment_commands.Policy:
        return shipment_commands.Policy(
            carrier=rng.choice(["self", "post"]),
            packing=rng.choice(["automatic", "by-hand"]),
            hand_over=rng.choice(["automatic", "by-hand"]),
        )

    return process.Places({name: policy() for name in LOCATIONS}, {}, "east")


def lines_of(rng: random.Random) -> tuple[FulfilmentLine, ...]:
    """A plain line, a kit, and something that nobody carries; some of each, or none."""
    found = [
        replace(kind, quantity=rng.randint(0, most))
        for kind, most in zip(KINDS, (3, 2, 1), strict=True)
    ]
    return tuple(one for one in found if one.quantity)


def gone(world: World, order: str) -> dict[str, int]:
    """What has left, by line."""
    found: dict[str, int] = {}
    for told in world.log:
        if isinstance(told.event, events.ShipmentDispatched):
            for row in told.event.rows:
                if row.order_id == order:
                    found[row.line_id] = found.get(row.line_id, 0) + row.quantity
    return found


def whole(world: World, order: str) -> tuple[FulfilmentLine, ...]:
    """What is wanted as orders states it: units that have left stay included."""
    left = gone(world, order)
    asked = {one.line_id: one.quantity for one in world.lines[order]}
    lines = (
        replace(kind, quantity=max(left.get(kind.line_id, 0), asked.get(kind.line_id, 0)))
        for kind in KINDS
    )
    return tuple(one for one in lines if one.quantity)


def restock(world: World, order: str, place: str | None = None) -> None:
    """Let inventory keep what the order needs and has not shipped."""
    left, need = gone(world, order), dict[str, int]()
    for one in whole(world, order):
        for part in one.components:
            units = part.units * (one.quantity - left.get(one.line_id, 0))
            need[part.sku] = need.get(part.sku, 0) + units
    for sku in ("MUG", "CUP"):
        there = world.kept[order, sku]
        lacks = need.get(sku, 0) - sum(there.values())
        for location in LOCATIONS if lacks < 0 else ():
            take = min(-lacks, there.get(location, 0))
            world.reserve(order, sku, location, -take)
            lacks += take
        if lacks > 0:
            world.reserve(order, sku, place or world.rng.choice(LOCATIONS), lacks)


def act(world: World, order: str) -> None:
    """Let somebody do something."""
    rng = world.rng
    match rng.randrange(9):
        case 0:
            world.request(order, lines_of(rng))
            restock(world, order)
        case 1:
            source, target = rng.sample(LOCATIONS, 2)
            world.reallocate(order, "MUG", source, target, rng.randint(1, 3))
        case 2 if world.to_clear:
            world.clear(*world.to_clear.pop(rng.randrange(len(world.to_clear))))
        case 3 if world.effects:
            world.carry(world.effects.pop(rng.randrange(len(world.effects))))
        case 4 if world.shipments():
            person(world, rng.choice(sorted(world.shipments())))
        case 5:
            blocked = rng.choice([None, "fraud-review"])
            world.request(order, world.lines[order], blocked=blocked)
        case 6:
            world.request(order, world.lines[order], customer=customer(rng.choice([b"a", b"b"])))
        case 7 if len(world.shipments()) > 1:
            join(world)
        case _:
            for _ in range(rng.randint(1, 5)):
                world.deliver()


def person(world: World, name: str) -> None:
    command: Any = world.rng.choice(
        [
            shipment_commands.Pack("main", name, 100, "w", NOW),
            shipment_commands.HandOver("main", name, "w", NOW),
            shipment_commands.AnswerStop("main", name, world.rng.random() < 0.7, "w", NOW),
            shipment_commands.RetryLabel("main", name, None, None, "w", NOW),
            shipment_commands.DecideAddress("main", name, world.rng.random() < 0.5, "w", NOW),
            shipment_commands.DecideLabel(
                "main", name, world.rng.random() < 0.5, "T1", 5, "w", NOW + DAY
            ),
            shipment_commands.DecideVoid("main", name, world.rng.random() < 0.5, "w", NOW + DAY),
        ]
    )
    world.by_hand(name, command)


def join(world: World) -> None:
    """Put one order's parcel into another's, as the route does."""
    source, into = world.rng.sample(sorted(world.shipments()), 2)
    for order, _ in world.shipments()[source].active():
        command = handover_commands.JoinShipment("main", order, source, into, "w", NOW)
        try:
            world.tell(handover_commands.handover_stream(order), command)
        except Refused:
            continue


def finish(world: World) -> None:
    """Let everybody do their part until nothing is left to do."""
    world.refusing = False
    for order in world.lines:
        world.request(order, world.lines[order])
    for turn in range(12):
        world.settle()
        for order in world.lines:
            if whole(world, order) != world.lines[order] or not turn:
                world.request(order, whole(world, order))
            restock(world, order, "east")
            for sku in ("MUG", "CUP"):
                world.reallocate(order, sku, "west", "east", 100)
        while world.effects:
            world.carry(world.effects.pop())
        while world.to_clear:
            world.clear(*world.to_clear.pop())
        world.settle()
        for name, one in world.shipments().items():
            if one.stopping():
                world.by_hand(name, shipment_commands.AnswerStop("main", name, True, "w", NOW))
            world.by_hand(name, shipment_commands.Pack("main", name, 100, "w", NOW))
            world.by_hand(name, shipment_commands.RetryLabel("main", name, None, None, "w", NOW))
            world.by_hand(name, shipment_commands.HandOver("main", name, "w", NOW))


def check_always(world: World) -> None:
    """What must be true at every moment."""
    gone: set[str] = set()
    cleared: set[tuple[str, str]] = set()
    labels: set[str] = set()
    for told in world.log:
        match told.event:
            case events.ShipmentClearanceRecorded() as event:
                cleared.add((event.shipment_id, event.order_id))
            case events.LabelBought() as event:
                labels.add(event.shipment_id)
            case events.ShipmentDispatched() as event:
                assert event.shipment_id not in gone, "left twice"
                gone.add(event.shipment_id)
                assert event.rows
                for row in event.rows:
                    assert (event.shipment_id, row.order_id) in cleared, "left uncleared"
                assert event.carrier == "self" or event.shipment_id in labels
            case events.DispatchStopped() as event if event.reason != "parcel-closed":
                assert event.shipment_id not in gone, "stopped after it left"
    assert all(count == 1 for count in world.bought.values()), "a label was bought twice"


def check_end(world: World) -> None:
    """Each unit that is wanted is in exactly one parcel, and has left."""
    for stream, state in world.handovers().items():
        order = stream.removeprefix("handover-")
        in_parcels: dict[str, int] = {}
        for parcel in world.shipments().values():
            for row in parcel.rows():
                if row.order_id == order:
                    in_parcels[row.line_id] = in_parcels.get(row.line_id, 0) + row.quantity
        held = quantities(row for share in state.shares.values() for row in share.held)
        assert held == in_parcels, "an order and its parcels say the same"
        assert not open_units(state), f"{order} still has units in no parcel"
        for one in world.lines[order]:
            assert in_parcels.get(one.line_id, 0) >= one.quantity
    for name, shipment in world.shipments().items():
        assert shipment.status in {"cancelled", "dispatched", "delivered"}, (name, shipment)
        label = shipment.label
        if shipment.status == "cancelled" and label is not None:
            assert label.state in {"requested", "refused", "voided"}, "a label paid for nothing"


@settings(deadline=None, max_examples=examples(200), phases=SEEDED)
@given(st.integers(0, 2**48))
def test_every_unit_leaves_once_in_one_cleared_parcel(seed: int) -> None:
    rng = random.Random(seed)
    world = World(rng, policies(rng))
    for order in ORDERS[: rng.randint(1, 2)]:
        world.request(order, lines_of(rng) or (line("mug", 1, ("MUG", 1)),))
        restock(world, order)
    for _ in range(rng.randint(0, 60)):
        act(world, rng.choice(sorted(world.lines)))
    check_always(world)
    finish(world)
    check_always(world)
    check_end(world)
