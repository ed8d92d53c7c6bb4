"""The simulated world: services, log, buyers and clerks, and a seeded hand that picks each step."""

from random import Random
from typing import Any

from libs.security.vault.memory import MemoryVault
from libs.store.memory import OPEN
from libs.values.lanes import PARTITIONS
from services.accounting.service import SERVICE as ACCOUNTING
from services.channels.service import SERVICE as CHANNELS
from services.crm_sync.service import SERVICE as CRM_SYNC
from services.fulfilment.service import SERVICE as FULFILMENT
from services.inventory.service import SERVICE as INVENTORY
from services.orders.service import SERVICE as ORDERS
from services.payments.service import SERVICE as PAYMENTS
from services.sandbox.retail.content import State
from services.sandbox.shops.reported import told
from tests.simulation.broker import Broker, MemoryFeed
from tests.simulation.bugs import NONE, Bug
from tests.simulation.callers import Callers
from tests.simulation.clerks import Clerks
from tests.simulation.gate import Gate
from tests.simulation.identities import Identities
from tests.simulation.instance import Around, Instance, durable
from tests.simulation.ledgers import Ledgers
from tests.simulation.loop import VirtualLoop
from tests.simulation.outside import Outside
from tests.simulation.persons import Persons
from tests.simulation.privacy import Privacy
from tests.simulation.promises import Promises
from tests.simulation.shops import MINUTE, SECOND, Buyers, Order
from tests.simulation.terms import settings
from tests.simulation.wares import SKUS

BEGAN = 1_790_000_000_000_000
SERVICES = (CHANNELS, ORDERS, INVENTORY)
WHOLE = (*SERVICES, PAYMENTS, FULFILMENT, ACCOUNTING, CRM_SYNC)
WORK = ("turn", "inbox", "react", "timers", "project", "relay", "effects")
LEAPS = (SECOND, 5 * SECOND, MINUTE, 10 * MINUTE, 35 * MINUTE, 61 * MINUTE, 49 * 60 * MINUTE)


class World:
    """Everything, at one moment. `trace` tells what happened, a line per step."""

    def __init__(self, seed: int, bug: Bug = NONE, *, whole: bool = False) -> None:
        self.seed, self.rng, self.bug, self.whole = seed, Random(seed), bug, whole
        rng = self.rng
        self.loop, self.gate = VirtualLoop(BEGAN), Gate()
        self.settings = settings(rng, whole=whole)
        services = [
            bug.service(one.configured(self.settings) if one.configured else one)
            for one in (WHOLE if whole else SERVICES)
        ]
        reads = {one.name: [f"{name}.events" for name in one.reacts] for one in services}
        topics = {one.name for one in services} | {name for one in services for name in one.reacts}
        self.broker = Broker(f"{name}.events" for name in sorted(topics))
        self.promises = Promises(self.broker, reads)
        skus = SKUS[: rng.randint(2, 4)]
        self.buyers = Buyers(rng, skus, rng.randint(3, 8 if whole else 12), whole)
        self.outside = Outside(self.loop, rng, seed, self.buyers) if whole else None
        self.around = Around(self.loop, self.gate, self.broker, MemoryVault(), self.settings,
                             self.promises, rng, bug, self.outside)  # fmt: skip
        self.durables = {one.name: durable(one, bug) for one in services}
        self.promises.idle = {n: one.interpreter.idle for n, one in self.durables.items()}
        self.tables = {name: one.tables for name, one in self.durables.items()}
        self.clerks = Clerks(rng, skus, rng.randint(3, 8))
        self.ledgers = Ledgers(self.outside, self.promises) if self.outside else None
        self.late = rng.randint(0, 8) if whole else 0  # changes of mind when all seems settled
        self.persons = Persons(rng, self.clerks, self.tables) if whole else None
        self.privacy = Privacy(rng, self.clerks, self.tables, self.around.vault) if whole else None
        self.identities = Identities(rng, self.clerks, self.tables) if whole else None
        self.promises.ledgers += [one for one in (self.privacy, self.identities) if one]
        self.callers = Callers(self)
        self.trace: list[str] = []
        self.born = 0
        self.instances: list[Instance] = []
        self.leaders: dict[str, Instance] = {}
        self.stale: list[tuple[Instance, MemoryFeed, list[Any]]] = []
        for name in self.durables:
            for _ in range(2):
                self._born(name)
        for name in self.durables:
            self.lead(name)
            self.assign(name)
        if rng.random() < 0.8:
            self.say(self.clerks.define())
        for sku in skus:
            if rng.random() < 0.9:
                self.say(self.clerks.receive(sku, rng.randint(1, 8)))

    def say(self, what: str) -> None:
        self.trace.append(f"{(self.loop.now - BEGAN) / SECOND:12.3f} {what}")

    def _born(self, name: str) -> Instance:
        self.born += 1
        instance = Instance(f"{name}#{self.born}", self.durables[name], self.around)
        self.instances.append(instance)
        return instance

    def of(self, service: str) -> list[Instance]:
        return [one for one in self.instances if one.durable.name == service]

    def lead(self, service: str) -> None:
        self.leaders[service] = self.rng.choice(self.of(service))

    def assign(self, service: str, *, told: bool = True) -> None:
        """Share the partitions of the service's groups out; who loses some may learn it late."""
        own = self.of(service)
        home = self.durables[service].service
        shown = {name for projection in home.projections for name in projection.topics}
        for group, names in (("reads", sorted(home.reacts)), ("projector", sorted(shown))):
            parts: dict[Instance, list[Any]] = {one: [] for one in own}
            for name in names:
                for partition in range(PARTITIONS):
                    parts[self.rng.choice(own)].append((f"{name}.events", partition))
            for one, places in parts.items():
                feed = one.reads if group == "reads" else one.projector.feed
                if feed is None:
                    continue
                self.stale = [late for late in self.stale if late[1] is not feed]
                if told or self.rng.random() < 0.5:
                    feed.assign(places)
                else:
                    self.stale.append((one, feed, places))

    def notice(self) -> bool:
        """Let somebody learn of a rebalance."""
        if not self.stale:
            return False
        one, feed, places = self.stale.pop(0)
        if one in self.instances:
            feed.assign(places)
            self.say(f"{one.name} learns what it reads")
        return True

    def crash(self, one: Instance) -> None:
        """End an instance between any two of its moments; what is under way may still arrive."""
        for op in self.gate.of(one):
            self.gate.ops.remove(op)
            if self.rng.random() < 0.5:
                self.say(f"{one.name} {op.kind}: {op.perform(lost='after')} as it dies")
                self.tell()
        one.stop()
        self.loop.run_ready()
        self.instances.remove(one)
        for op in self.gate.of(one):
            self.gate.ops.remove(op)
        service = one.durable.name
        new = self._born(service)
        self.stale = [late for late in self.stale if late[0] is not one]
        if self.leaders[service] is one:
            self.lead(service)
        self.assign(service, told=False)
        new_feeds = [late for late in self.stale if late[0] is new]
        for late in new_feeds:
            late[1].assign(late[2])
            self.stale.remove(late)
        self.say(f"{one.name} crashes; {new.name} starts")

    def tell(self) -> None:
        """Write down what has been committed since."""
        for line in self.promises.story:
            self.trace.append(f"{'':12}   + {line}")
        self.promises.story.clear()

    def advance(self, to: int) -> None:
        """Let time pass; who would have hung up by then is answered, or not, before that."""
        while overdue := self.gate.overdue(to):
            self.perform(overdue[0], self.rng.choice(("before", "after", "")))
        self.loop.advance(to)
        if self.outside is not None:
            self.outside.pass_time()

    def perform(self, number: int, lost: str = "") -> None:
        """Let one request through to its server."""
        op = self.gate.ops.pop(number)
        if op.deadline is not None and op.answer.done():
            self.say(f"{op.owner.name} {op.kind}: hung up unheard")
            return
        ended = op.perform(lost=lost)
        self.say(f"{op.owner.name} {op.kind}: {ended}")
        self.tell()
        self.loop.run_ready()

    def begin(self, one: Instance, what: str) -> bool:
        """Let an instance begin something."""
        if one.paused or not one.begin(what, leads=self.leaders[one.durable.name] is one):
            return False
        self.say(f"{one.name} begins: {what}")
        self.loop.run_ready()
        return True

    def disturb(self) -> bool:
        """Let somebody change their mind late."""
        if self.persons is None or self.rng.random() > 0.05:
            return False
        if not self.late or self.rng.random() < 0.5:
            return self.meddle()
        self.late -= 1
        change = self.rng.random() < 0.4
        told = self.buyers.act(self.loop.now, late=True) if change else self.persons.disturb()
        self.say(told or "nobody changes their mind")
        return told is not None

    def meddle(self) -> bool:
        """Let somebody do at the provider what nobody here asked for."""
        told = self.outside.dashboard.act() if self.outside is not None else None
        if told:
            self.say(told)
        return told is not None

    def mend(self) -> bool:
        """Let a person send again what the log has lost."""
        for (service, lane), lost in sorted(self.promises.holes.items()):
            one = self.of(service)[0]
            if not one.paused and not one.busy("resend"):
                one.start("resend", one.relay.resend(one, one.clock, lane, min(lost) - 1))
                self.say(f"{one.name} begins: resend {lane} from {min(lost)}")
                self.loop.run_ready()
                return True
        return False

    def shown(self, order: Order) -> State:
        """Return an order as its shop shows it: with what the seller told of it."""
        reports = self.outside.desks.reports(order) if self.outside is not None else ()
        return told(order.now, reports) if reports else order.now

    def next_due(self) -> int | None:
        """Return when the next timer, delivery, effect or happening outside is due."""
        found = [due for one in self.leaders.values() for due in one.next_delivery()]
        for home in self.durables.values():
            found += [timer.due for timer in home.store.due_now(2**62, 1)]
            if self.outside is not None:
                open_now = (one for one in home.store.effects.values() if one.state in OPEN)
                found += [one.open_at() for one in open_now]
        outside = self.outside.next_due() if self.outside is not None else None
        return min([*found, *([] if outside is None else [outside])], default=None)
