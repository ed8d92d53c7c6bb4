"""Runs one seed: chance picks the steps while there are faults, then all is let come to its end."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.bugs import NONE, Bug
from tests.simulation.conclusion import conclude
from tests.simulation.shops import DELETED
from tests.simulation.units import Broken, expect
from tests.simulation.world import LEAPS, WORK, World

MOST = 20_000  # steps in which everything must have come to its end
SECOND = 1_000_000


@dataclass(frozen=True)
class Outcome:
    """What became of a seed: `broken` names the promise, None where all were kept."""

    seed: int
    steps: int
    events: int
    broken: str | None
    trace: list[str]


class Run:
    """One seed on its way."""

    def __init__(self, seed: int, bug: Bug, *, whole: bool = False) -> None:
        self.world = World(seed, bug, whole=whole)
        self.most = MOST * (3 if whole else 1)
        self.rng = self.world.rng
        self.extra = self.rng.randint(*((300, 900) if whole else (50, 250)))
        self.steps = 0
        moves: list[tuple[int, Callable[[], bool]]] = [
            (40, self.op), (45, self.work), (10, self.deliver), (4, self.buy), (3, self.wish),
            (3, self.call), (2, self.lose), (1, self.crash), (1, self.rebalance),
            (2, self.world.notice), (1, self.pause), (2, self.leap),
            (1, self.hole), (2, self.world.mend), (1, self.hush), (1, self.forget), (1, self.join),
            (1, self.world.meddle),
        ]  # fmt: skip
        self.moves = [move for _, move in moves]
        self.weights = [weight for weight, _ in moves]

    def play(self) -> None:
        """Let chance pick, as long as there is something new and a little longer."""
        world, extra = self.world, self.extra
        while extra:
            news = world.buyers.coming or world.clerks.coming
            extra -= not news
            self._tick()
            (move,) = self.rng.choices(self.moves, self.weights)
            if not move():
                self.op()

    def _tick(self) -> None:
        self.steps += 1
        expect("P7", self.steps < self.most, "nothing comes to its end")
        self.world.advance(self.world.loop.now + self.rng.randint(0, 30_000))
        for one in self.world.instances:
            one.paused -= bool(one.paused)

    def op(self) -> bool:
        ops = self.world.gate.ops
        ready = [n for n, op in enumerate(ops) if not op.owner.paused]
        if not ready:
            return False
        self.world.perform(self.rng.choice(ready))
        return True

    def work(self) -> bool:
        for _ in range(6):
            if self.world.begin(self.rng.choice(self.world.instances), self.rng.choice(WORK)):
                return True
        return False

    def deliver(self) -> bool:
        webhooks = self.world.buyers.webhooks
        if not webhooks:
            return False
        new = [one for one in webhooks if not one.acknowledged]
        chosen = self.rng.choice(new if new and self.rng.random() < 0.8 else webhooks)
        if chosen.acknowledged and chosen.topic == DELETED:
            return False  # its shop tells of that once
        self.world.callers.deliver(chosen)
        return True

    def buy(self) -> bool:
        told = self.world.buyers.act(self.world.loop.now)
        if told:
            self.world.say(told)
        return told is not None

    def wish(self) -> bool:
        world = self.world
        if world.persons is not None and self.rng.random() < 0.5:
            told = world.persons.act()
        else:
            told = world.clerks.act(world.buyers, world.tables)
        if told:
            self.world.say(told)
        return told is not None

    def call(self) -> bool:
        wishes = self.world.clerks.open()
        if not wishes:
            return False
        self.world.callers.call(self.rng.choice(wishes))
        return True

    def lose(self) -> bool:
        ops = self.world.gate.ops
        if not ops:
            return False
        lost = self.rng.choice(("before", "after", "after"))
        self.world.perform(self.rng.randrange(len(ops)), lost)
        return True

    def crash(self) -> bool:
        self.world.crash(self.rng.choice(self.world.instances))
        return True

    def rebalance(self) -> bool:
        world = self.world
        service = self.rng.choice(sorted(world.durables))
        world.assign(service, told=False)
        if self.rng.random() < 0.5:
            world.lead(service)
        world.say(f"{service} is shared out anew")
        return True

    def pause(self) -> bool:
        one = self.rng.choice(self.world.instances)
        one.paused = self.rng.randint(10, 80)
        self.world.say(f"{one.name} stands still")
        return True

    def hole(self) -> bool:
        one = self.rng.choice(self.world.instances)
        one.relay.hole = [self.rng.randint(0, 2)]
        return True

    def hush(self) -> bool:
        world = self.world
        if world.outside is None or not world.outside.silence:
            return False
        world.outside.hush(world.loop.now)
        world.say("the bank falls silent")
        return True

    def forget(self) -> bool:
        told = self.world.privacy.ask() if self.world.privacy is not None else None
        if told:
            self.world.say(told)
        return told is not None

    def join(self) -> bool:
        told = self.world.identities.act() if self.world.identities is not None else None
        if told:
            self.world.say(told)
        return told is not None

    def leap(self) -> bool:
        self.world.advance(self.world.loop.now + self.rng.choice(LEAPS[: self.rng.randint(2, 7)]))
        self.world.say("time passes")
        return True

    def drain(self) -> None:
        """No more faults: everything that is there comes to its end, and time with it."""
        world = self.world
        while world.notice():
            pass
        for one in world.instances:
            one.paused = 0
        while True:
            self._settle()
            if world.persons is not None and (told := world.persons.work()):
                world.say("; ".join(told))
                continue
            due = world.next_due()
            if due is None:
                return
            world.advance(max(world.loop.now, due))
            world.say("time passes")

    def _settle(self) -> None:
        """Do what can be done until nothing can."""
        world, patience = self.world, 0
        while patience < 100:
            moved = False
            while world.gate.ops:
                self._tick()
                world.perform(0)
                moved = True
            for one in world.instances:
                for what in WORK:
                    moved |= world.begin(one, what)
            moved |= self._ask() or world.mend() or world.disturb()
            if moved:
                self._tick()
                patience = 0
            elif self._asleep():
                world.advance(world.loop.next_due() or world.loop.now)
                patience += 1
            else:
                return
        expect("P7", False, "something sleeps and does not wake")

    def _asleep(self) -> bool:
        """Say whether somebody waits for time alone; partitions are claimed again after one."""
        world = self.world
        if any(one.under_way() for one in world.instances):
            return world.loop.next_due() is not None
        feeds = [feed for one in world.instances for feed in (one.reads, one.projector.feed)]
        behind = any(feed and feed.behind() for feed in feeds) or any(
            one.reactor and one.reactor.source.unwritten for one in world.instances
        )
        if behind:
            world.advance(world.loop.now + SECOND)
        return behind

    def _ask(self) -> bool:
        world = self.world
        found = False
        for webhook in world.buyers.webhooks:
            if not webhook.acknowledged and world.callers.idle(webhook):
                world.callers.deliver(webhook)
                found = True
        for wish in world.clerks.open():
            if world.callers.idle(wish):
                world.callers.call(wish)
                found = True
        return found


def run(seed: int, bug: Bug = NONE, *, whole: bool = False) -> Outcome:
    """Play a seed to its end, in the world of three services or in the whole one."""
    random.seed(seed)  # the product's own jitter
    play = Run(seed, bug, whole=whole or bug.whole)
    world, broken = play.world, None
    try:
        play.play()
        play.drain()
        conclude(world)
    except Broken as error:
        broken = str(error)
    except Exception as error:
        broken = f"fault: {type(error).__name__}: {error}"
    world.tell()
    return Outcome(seed, play.steps, world.promises.events, broken, world.trace)
