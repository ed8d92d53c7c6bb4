"""Orders and inventory talking: every order ends decided, and both know the same of every unit."""

import random
from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from typing import Any

import pytest

from libs.eventsourcing.decider import Refused
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Timer
from services.inventory import process as inventory_process
from services.inventory.commands import AdjustStock, ReceiveStock
from services.inventory.decider import STOCK
from services.orders import commands, process
from services.orders.decider import ORDER
from services.orders.state import Wait
from services.orders.units import demand, remaining, shortages
from tests.unit.orders.samples import HOUR, NOW, line, order

SKUS = ("MUG", "CUP")


class World:
    """Streams of both services; facts travel per stream in order, streams in any order."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = defaultdict(int)
        self.queues: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self.timers: dict[str, Timer] = {}
        self.rung: set[str] = set()

    def send(self, source: str, stream: str, command: Any) -> None:
        self.queues[source, stream].append(command)

    def tell(self, stream: str, command: Any) -> Sequence[Any]:
        mine: Any = ORDER if stream.startswith("order-") else STOCK
        state = self.states.get(stream, mine.initial)
        try:
            events: Sequence[Any] = mine.decide(command, state)
        except Refused:
            return ()
        self.states[stream] = reduce(mine.evolve, events, state)
        service = "orders" if mine is ORDER else "inventory"
        for event in events:
            self.versions[stream] += 1
            name = f"lonja.{service}.{type(event).__name__}"
            told: Envelope[Any] = Envelope(
                event,
                name,
                "",
                stream,
                self.versions[stream],
                command.at,
                service,
                0,
                0,
                "",
            )
            react, plan = (
                (inventory_process.react_to_orders, process.plan)
                if mine is ORDER
                else (process.react_to_inventory, inventory_process.plan)
            )
            for target, asked in react(told):
                self.send(stream, target, asked)
            for timer in plan(told):
                assert isinstance(timer, Timer)
                if timer.id not in self.rung:  # a name rings once
                    self.timers.setdefault(timer.id, timer)
        return events

    def run(self, steps: int = 100_000) -> None:
        while steps and (open_ones := sorted(key for key, queue in self.queues.items() if queue)):
            key = self.rng.choice(open_ones)
            self.tell(key[1], self.queues[key].pop(0))
            steps -= 1

    def let_time_pass(self, until: int) -> None:
        while due := sorted((t.due, t.id) for t in self.timers.values() if t.due <= until):
            timer = self.timers.pop(due[0][1])
            self.rung.add(timer.id)
            self.tell(timer.stream, timer.command)
            self.run(self.rng.randint(0, 3))
        self.run()


def populate(world: World) -> list[str]:
    """Send versions, payments, cancellations, receipts and losses from sources of their own."""
    rng, streams = world.rng, []
    for n in range(8):
        external = f"e{n}"
        stream = commands.order_stream(commands.order_id("shop", external))
        streams.append(stream)
        policy = rng.choice(["backorder", "split", "cancel"])
        paid = rng.random() < 0.7
        for version in range(1, rng.randint(2, 4)):
            lines = [line("a", rng.randint(1, 4), ("MUG", 1))]
            if rng.random() < 0.5:
                lines.append(line("b", rng.randint(1, 2), ("MUG", 1), ("CUP", 2)))
            told = order(
                *lines, version=version, external_id=external, shortage=policy,
                commitment="committed" if paid or rng.random() < 0.3 else "tentative",
                expires_at=NOW + rng.randint(1, 4) * HOUR,
            )  # fmt: skip
            world.send("channels", stream, commands.RecordVersion(told, NOW, NOW + version))
        if rng.random() < 0.3:
            asked = commands.RequestCancellation("c", (), "seller", "", NOW + 9)
            world.send("api", stream, asked)
    for sku in SKUS:
        for n in range(3):
            units = rng.randint(1, 9)
            got = ReceiveStock("main", sku, "main", True, units, None, None, f"r{n}", "x", NOW + n)
            gone = AdjustStock(
                "main", sku, "main", True, -rng.randint(1, 3), "damage", f"d{n}", "", "x", NOW + n
            )
            world.send("stock", f"stock-{sku}", got)
            world.send("damage", f"stock-{sku}", gone)
    return streams


@pytest.mark.parametrize("block", range(6))
def test_both_agree_on_every_unit_and_every_order_is_decided(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        world = World(seed)
        streams = populate(world)
        world.run(world.rng.randint(0, 60))
        world.let_time_pass(NOW + 2 * HOUR)
        world.let_time_pass(NOW + 400 * HOUR)
        for stream in streams:
            check(world, stream, seed)


def check(world: World, stream: str, seed: int) -> None:
    state, order_id = world.states[stream], stream.partition("-")[2]
    wanted = {} if state.ended is not None else demand(state)
    for sku in SKUS:
        stock = world.states[f"stock-{sku}"].reservations.get(order_id)
        has, lacks = (stock.reserved, stock.waiting) if stock else (0, 0)
        assert has + lacks == wanted.get(sku, 0), (seed, stream, sku)
        if sku in wanted:
            need = state.needs[sku]
            assert (need.reserved, need.short) == (has, lacks), (seed, stream, sku)
    if state.ended is None:
        lacking = shortages(state)
        assert state.committed, (seed, stream)
        assert not state.pending, (seed, stream)
        assert bool(lacking) == (state.wait is not None), (seed, stream)
        if not lacking:
            assert state.confirmed == remaining(state), (seed, stream)
        else:
            assert state.wait.reason == "decision-overdue", (seed, stream)


@pytest.mark.parametrize("expires_at", [NOW + 4 * HOUR, None])
@pytest.mark.parametrize("seed", range(4))
def test_a_hold_that_a_person_renews_ends_again(seed: int, expires_at: int | None) -> None:
    world = World(seed)
    stream = commands.order_stream(commands.order_id("shop", "e1"))
    got = ReceiveStock("main", "MUG", "main", True, 5, None, None, "r", "x", NOW)
    world.tell("stock-MUG", got)
    unknown = order(
        line("a", 5, ("MUG", 1)), external_id="e1", commitment="unknown", funds="unknown",
        expires_at=expires_at,
    )  # fmt: skip
    world.tell(stream, commands.RecordVersion(unknown, NOW, NOW))
    world.run()
    for turn in range(1, 4):
        now = NOW + turn * 100 * HOUR
        world.let_time_pass(now)
        assert world.states["stock-MUG"].free() == 5
        assert world.states[stream].wait.reason == "decision-overdue"
        world.tell(stream, commands.DecideShortage("retry", "", "seller", now))
        world.run()
        world.let_time_pass(now)
        assert world.states["stock-MUG"].free() == 0, "it is held once more"
        assert world.states[stream].wait == Wait(
            "status-unknown", now + commands.DECIDE_WITHIN, 500
        )


def test_a_hold_until_a_time_that_has_passed_ends_however_often_it_is_told() -> None:
    world = World(0)
    stream = commands.order_stream(commands.order_id("shop", "e1"))
    got = ReceiveStock("main", "MUG", "main", True, 5, None, None, "r", "x", NOW)
    world.tell("stock-MUG", got)
    for version in range(1, 4):
        now = NOW + version * 100 * HOUR
        late = order(
            line("a", version, ("MUG", 1)), version=version, external_id="e1",
            commitment="unknown", funds="unknown", expires_at=NOW + HOUR,
        )  # fmt: skip
        world.tell(stream, commands.RecordVersion(late, NOW, now))
        world.run()
        world.let_time_pass(now)
        assert world.states["stock-MUG"].free() == 5
        assert world.states[stream].wait.reason == "decision-overdue"
