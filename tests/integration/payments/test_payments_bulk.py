"""Twenty thousand payments, a third of them in doubt, on processes that are killed all the time."""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from libs.contracts import payments
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.inputs import FromTopic, Input
from libs.eventsourcing.states import unpack
from libs.values.ids import derive, short
from services.payments import process
from services.payments.commands import Decide, Terms, payment_stream
from services.payments.state import PaymentState
from services.payments.stripe_effects import stripe_kinds
from tests.integration.payments.bulk_provider import HOUR, SECOND, BulkStripe
from tests.integration.payments.bulk_world import NAME, Process, World
from tests.simulation.loop import VirtualLoop
from tests.simulation.quiet import quiet
from tests.unit.payments.samples import NOW, line, packed, required

COUNT = int(os.environ.get("LONJA_BULK_PAYMENTS", "20000"))
SEED = int(os.environ.get("LONJA_BULK_SEED", "1"))
PROCESSES = 3
PER_SECOND = 30
TERMS = {"each": Terms("card", "capture_all"), "last": Terms("card", "one_parcel")}


@pytest.fixture
def silence() -> Iterator[None]:
    """Lines of the log about every doubt would be most of what this test does."""
    before, state = structlog.get_config(), random.getstate()
    quiet()
    random.seed(SEED)  # the jitter of repeated turns
    yield
    structlog.configure(**before)
    random.setstate(state)


class Orders:
    """The orders that are paid, what each costs, and how each is to end."""

    def __init__(self, world: World, count: int) -> None:
        self.world, self.react = world, process.reacting_to_orders(lambda name: TERMS[name])
        self.amount: dict[str, int] = {}
        self.ends: dict[str, str] = {}
        facts: list[tuple[int, str, Any]] = []
        for number in range(count):
            facts += self._order("ord_" + short("bulk", str(number)), number, world.rng)
        facts.sort(key=lambda fact: fact[0])
        world.facts = [(at, self._input(n, *fact)) for n, (at, *fact) in enumerate(facts)]

    def _order(self, name: str, number: int, rng: Random) -> list[tuple[int, str, Any]]:
        lines = [line(f"l{n}", rng.randrange(1, 4), rng.randrange(50, 90_000)) for n in (1, 2)]
        at = NOW + number * SECOND // PER_SECOND
        end = rng.choices(("paid", "cancelled", "declined"), (94, 3, 3))[0]
        given: dict[str, Any] = {
            "account": rng.choice(sorted(TERMS)),
            "order_id": name,
            "occurred_at": at,
        }
        given["method"] = "pm_lost" if end == "declined" else "pm_card_visa"
        told = required(*lines, charges=rng.choice((0, 350)), **given)
        self.amount[name], self.ends[name] = told.amount, end
        facts: list[tuple[int, str, Any]] = [(at, name, told)]
        later = [at + rng.randrange(10 * 60 * SECOND) for _ in range(2)]
        if end == "cancelled":
            facts.append((later[0], name, required(revision=2, **given)))
        elif rng.random() < 0.8:
            units = [(one.line_id, one.quantity) for one in lines]
            facts.append((later[0], name, packed("shp_" + name[4:], *units)))
        else:
            for one, when in zip(lines, later, strict=True):
                parcel = packed(f"shp_{one.line_id}{name[4:]}", (one.line_id, one.quantity))
                facts.append((when, name, parcel))
        return facts

    def _input(self, number: int, name: str, fact: Any) -> Input:
        key = derive("bulk", str(number))
        service = type(fact).__module__.rpartition(".")[2]
        if service == "fulfilment":
            fact = replace(fact, rows=tuple(replace(row, order_id=name) for row in fact.rows))
        envelope = Envelope(fact, "", key, name, 1, NOW, service, 0, number, "")
        react = self.react if service == "orders" else process.react_to_fulfilment
        position = self.world.store.positions[NAME]
        return Input(FromTopic(position), f"payments<{key}", f"{service}/{name}", key, key, "",
                     tuple(react(envelope)), intake="intake-facts/0")  # fmt: skip


class Run:
    """Processes that work until nothing is left to do, killed in between."""

    def __init__(self, seed: int, count: int) -> None:
        self.rng, self.loop = Random(seed), VirtualLoop(NOW)
        self.world = World(self.loop, self.rng)
        self.provider = BulkStripe(self.rng, self.world.clock, doubtful=0.22)
        client: Any = self.provider
        self.world.kinds = lambda: stripe_kinds(client, self.world.clock)
        self.orders = Orders(self.world, count)
        self.processes = [Process(self.world) for _ in range(PROCESSES)]
        self.decided = 0

    def states(self) -> dict[str, PaymentState]:
        store = self.world.store
        return {
            name: unpack(PaymentState, store.streams[payment_stream(name)].state or b"")
            for name in self.orders.amount
        }

    def work(self) -> None:
        """Let time pass until every fact is taken, every call is at its end, nothing is under way."""
        kill = self.loop.now + 10 * SECOND
        while True:
            self.loop.run_ready()
            for number, one in enumerate(self.processes):
                while one.begin(reacts=number == 0):
                    self.loop.run_ready()
            after = self._next()
            if after is None:
                return
            self.loop.advance(min(after, kill))
            if self.loop.now >= kill:
                self._kill()
                busy = self.loop.now < self.world.facts[-1][0] + 20 * 60 * SECOND
                kill = self.loop.now + self.rng.randrange(5, 30) * SECOND * (1 if busy else 100)

    def _next(self) -> int | None:
        world, now = self.world, self.loop.now
        done = world.store.positions[NAME].applied
        looks = min(one.looked for one in self.processes)
        times = [max(world.store.next_effect(), looks), self.loop.next_due() or 2**62]
        if done < len(world.facts):
            times.append(world.facts[done][0])
        if min(times) == 2**62:
            return None
        return max(min(*times, world.store.next_timer()), now + SECOND // 50)

    def _kill(self) -> None:
        self.world.kills += 1
        victim = self.rng.randrange(PROCESSES)
        self.processes[victim].kill()
        self.loop.run_ready()
        self.processes[victim] = Process(self.world)

    def decide(self) -> bool:
        """Let a person look into the provider's books and end the doubts that are left to them."""
        told = []
        for name, state in self.states().items():
            for effect, doubt in state.doubts.items():
                assert doubt.owner == "person", (name, doubt)
                told.append(self._decision(name, state, effect))
        for stream, command in told:
            at_desk = self.processes[-1].commands
            key = f"person-{command.effect_id}"
            task = self.loop.create_task(at_desk.execute(stream, command, key=key, request=b""))
            while not task.done():
                self.loop.run_ready()
                self.processes[-1].begin(reacts=False)
                self.loop.advance(self.loop.now + SECOND // 50)
            assert task.result()
        self.decided += len(told)
        return bool(told)

    def _decision(self, name: str, state: PaymentState, effect: str) -> tuple[str, Decide]:
        doubt, books = state.doubts[effect], self.provider
        if doubt.what == "authorise":
            found = books.by_effect.get(effect, [])
            done, reference = bool(found), found[0] if found else ""
        else:
            subject = doubt.subject
            if doubt.what == "capture":
                subject = state.captures[subject].intent_id
            intent = books.intents[state.intents[subject].provider_intent]
            done = intent["status"] == ("succeeded" if doubt.what == "capture" else "canceled")
            reference = "ch_" + intent["id"]
        decision = Decide("adopt" if done else "absent", "anna", "the provider's books", self.loop.now,
                          None, effect, reference)  # fmt: skip
        return payment_stream(name), decision


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("silence")
def test_no_payment_is_taken_twice_lost_or_left_in_doubt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = time.perf_counter()
    run = Run(SEED, COUNT)
    run.work()
    while run.decide():
        run.work()
    told = _log(run)
    with capsys.disabled():
        sys.stdout.write("\n" + _said(run, told, time.perf_counter() - began) + "\n")
    _check(run, told)


def _log(run: Run) -> list[Any]:
    decode = run.world.mind.codec.decode
    return [
        decode(one.type, one.schema_version, one.data)
        for lane in run.world.store.lanes
        for one in lane
    ]


def _said(run: Run, told: list[Any], seconds: float) -> str:
    kinds = Counter(type(event).__name__ for event in told)
    ends = Counter(one.outcome for one in told if isinstance(one, payments.PaymentOutcomeResolved))
    fates = Counter(run.provider.fates[key] for key in run.provider.doubts)
    days = (run.loop.now - NOW) / 24 / HOUR
    return (
        f"{len(run.orders.amount):,} payments, {run.provider.calls:,} calls, {run.world.kills}"
        f" kills, {run.world.cut} answers of the store lost, {days:.1f} days in {seconds:.0f} s:"
        f" {dict(kinds)}; doubts ended {dict(ends)}, {run.decided} by a person; {dict(fates)}"
    )


def _check(run: Run, told: list[Any]) -> None:
    provider, amount, ends = run.provider, run.orders.amount, run.orders.ends
    made: Counter[str] = Counter()
    for event in told:
        if isinstance(event, payments.PaymentCaptured):
            made[event.order_id] += event.amount
            assert event.provider_reference.startswith("ch_")
    doubted = {one.order_id for one in told if isinstance(one, payments.PaymentOutcomeUnknown)}
    assert len(doubted) >= 0.3 * len(amount)
    assert not run.world.store.aside
    assert provider.most_at_once.keys() <= amount.keys()
    assert not [name for name, most in provider.most_at_once.items() if most > amount[name]]
    for name, state in run.states().items():
        books = [provider.intents[one] for one in provider.of_order.get(name, ())]
        assert made[name] == provider.captured.get(name, 0), f"{name}: the books differ"
        assert not state.doubts, f"{name}: in doubt"
        assert not [one for one in books if one["status"] == "requires_capture"], f"{name}: held"
        assert made[name] == (amount[name] if ends[name] == "paid" else 0), f"{name}: {ends[name]}"
        if ends[name] == "paid":
            assert all(one.cleared for one in state.parcels.values()), f"{name}: not cleared"
        if ends[name] == "declined":
            assert state.halted, f"{name}: declined, and nobody knows"
