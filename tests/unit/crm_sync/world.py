"""crm_sync in memory: its deciders, its reactions over its own topic, its rows, in any interleaving.

A scheduler delivers facts one at a time; only the order within a stream is kept.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import msgspec

from libs.contracts import common, orders
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect
from libs.eventsourcing.projection import Projection
from libs.eventsourcing.states import pack, unpack
from libs.replay.memory import MemoryRows
from libs.runtime.ports import Ports
from libs.runtime.settings import Settings
from libs.security.vault.memory import MemoryVault
from libs.store.store import Call
from libs.values.ids import category
from services.crm_sync import process, read_model
from services.crm_sync.decider import CUSTOMER
from services.crm_sync.erasing import effects
from services.crm_sync.erasure_decider import ERASURE
from services.crm_sync.evidence_decider import EVIDENCE
from services.crm_sync.identity import Identity
from tests.unit.memory import Keyed
from tests.unit.orders.samples import line, order

NOW = 1_780_000_000_000_000
SETTINGS = Settings.model_validate({"channels": {"shop": {"provider": "shopify"}}})
DECIDERS: dict[str, Any] = {d.category: d for d in (CUSTOMER, EVIDENCE, ERASURE)}
REACTS: dict[str, Callable[[Envelope[Any]], Any]] = {
    "orders": process.react_to_orders, "crm_sync": process.react_to_ourselves
}  # fmt: skip


def proof(
    kind: common.EvidenceKind, index: str, strength: common.IdentityStrength = "strong",
    relay: bool = False,
) -> common.Evidence:  # fmt: skip
    return common.Evidence(kind=kind, index=index, strength=strength, relay=relay)


def sealed(subject: str, text: str, clearance: common.Clearance = "contact") -> common.Sealed:
    """Bytes that no vault has sealed: enough to see which row holds them."""
    return common.Sealed(
        subject=subject, clearance=clearance, key_id="key_1", nonce=bytes(12),
        ciphertext=text.encode(),
    )  # fmt: skip


def placed(
    subject: str, *evidence: common.Evidence, number: str = "1", account: str = "shop",
    guest: bool = False, at: int = NOW, contact: common.Sealed | None = None,
    statutory: common.Sealed | None = None,
) -> orders.OrderPlaced:  # fmt: skip
    """An order of this subject, as orders states it."""
    plain = order(line("a", 1, ("MUG", 1)), account=account, external_id=number, placed_at=at)
    customer = msgspec.structs.replace(
        plain.customer, subject=subject, guest=guest, evidence=evidence, contact=contact,
        statutory=statutory,
    )  # fmt: skip
    return orders.OrderPlaced(
        entity="main", occurred_at=at, order_id=f"ord_{account}_{number}", revision=1,
        order=msgspec.structs.replace(plain, customer=customer), decide_by=at,
    )  # fmt: skip


class World:
    """Streams, a log, and what is still to be delivered; each source is one stream."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self.rng = rng or random.Random(0)
        self.vault = MemoryVault()
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self.log: list[Envelope[Any]] = []
        self.waiting: dict[str, list[Envelope[Any]]] = {}
        self.effects: list[Effect] = []
        self.now = NOW
        self.ports = Ports(
            settings=SETTINGS, clock=lambda: self.now, vault=self.vault, commands=Keyed(self.tell, "crm_sync:0:1"),
            inbox=None, rows=self.rows,  # type: ignore[arg-type]
        )  # fmt: skip

    def fact(self, event: Any, service: str = "orders", stream: str = "") -> None:
        """State a fact of another service; it is delivered later."""
        stream = stream or f"order-{event.order_id}"
        self._record(service, stream, event)

    def _record(self, service: str, stream: str, event: Any) -> None:
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        number = len(self.log) + 1
        name = f"lonja.{service}.{type(event).__name__}"
        told = Envelope(event, name, f"id-{stream}-{version}", stream, version, event.occurred_at,
                        service, 0, number, "")  # fmt: skip
        self.log.append(told)
        if service in REACTS:
            self.waiting.setdefault(stream, []).append(told)
        if service == "crm_sync":
            self.effects += [one for one in process.plan(told) if isinstance(one, Effect)]

    def tell(self, stream: str, command: Any) -> list[Any]:
        decider = DECIDERS[category(stream)]
        state = self.states.get(stream, decider.initial)
        assert unpack(decider.commands, pack(command)) == command
        events = list(decider.decide(command, state))
        state = reduce(decider.evolve, events, state)
        assert unpack(decider.state, pack(state)) == state
        assert list(decider.decide(command, state)) == []  # a repeat yields no event
        self.states[stream] = state
        for event in events:
            self._record("crm_sync", stream, event)
        return events

    def step(self) -> bool:
        """Deliver one fact of a stream that the scheduler picks."""
        ready = sorted(name for name, queue in self.waiting.items() if queue)
        if not ready:
            return False
        told = self.waiting[self.rng.choice(ready)].pop(0)
        for stream, command in REACTS[told.service](told):
            self.tell(stream, command)
        return True

    def settle(self) -> None:
        """Deliver until nothing is left."""
        while self.step():
            pass

    async def perform(self) -> None:
        """Do the planned effects, and deliver what follows."""
        await self.answer()
        self.settle()

    async def answer(self) -> None:
        """Do the planned effects, twice, as a worker that died in between would."""
        kinds = {kind.name: kind for kind in effects(self.ports)}
        for effect in self.effects:
            kind = kinds[effect.kind]
            call = Call(effect.id, effect.kind, effect.stream, effect.request, 1, 1, 0, self.now)
            await kind.adapter.perform(call)
            command = kind.tell(call, await kind.adapter.perform(call), self.now)
            if command is not None:
                self.tell(effect.stream, command)
        self.effects.clear()

    def folded(self, projection: Projection[Any], rng: random.Random | None = None) -> Any:
        """Fold the log, or any interleaving of its streams."""
        rows: dict[Any, Any] = {}
        wanted = [one for one in self.log if one.service in projection.topics]
        for one in wanted if rng is None else interleaved(wanted, rng):
            for key in projection.keys(one):
                rows[key] = projection.evolve(rows.get(key), key, one)
        return {key: row for key, row in rows.items() if row is not None}

    def rows(self, projection: Projection[Any]) -> MemoryRows[Any]:
        return MemoryRows(lambda: self.folded(projection))

    def partition(self) -> set[frozenset[str]]:
        """The subjects by person."""

        async def walk() -> set[frozenset[str]]:
            identity, found = Identity(self.ports), set()
            for row in self.folded(read_model.CUSTOMERS).values():
                person = await identity.known(row.customer_id)
                found.add(frozenset(person.subjects))
            return found

        return asyncio.run(walk())


def interleaved(log: Sequence[Envelope[Any]], rng: random.Random) -> list[Envelope[Any]]:
    queues: dict[str, list[Envelope[Any]]] = {}
    for one in log:
        queues.setdefault(one.stream, []).append(one)
    story = []
    while queues:
        name = rng.choice(sorted(queues))
        story.append(queues[name].pop(0))
        if not queues[name]:
            del queues[name]
    return story
