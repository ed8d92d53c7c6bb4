"""Orders, inventory, payments and fulfilment as they are, with people and a carrier around them.

Facts of one stream reach each service in their order; streams and services go in any order.
"""

import random
from collections import defaultdict
from functools import reduce
from typing import Any

from libs.contracts import fulfilment as parcels
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Timer
from libs.runtime.ports import Service
from libs.values.ids import category
from services.fulfilment import process as fulfilment_process
from services.fulfilment import service as fulfilment_service
from services.fulfilment import shipment_commands as fulfilment
from services.fulfilment.shipment import LEFT, Shipment
from services.inventory import service as inventory_service
from services.orders import commands as orders
from services.orders import service as orders_service
from services.orders.state import OrderState
from services.payments import service as payments_service
from tests.unit.orders.samples import NOW

SERVICES: dict[str, Service] = {
    one.SERVICE.name: one.SERVICE
    for one in (orders_service, inventory_service, payments_service, fulfilment_service)
}
MINDS = {mind.category: (name, mind) for name, one in SERVICES.items() for mind in one.deciders}


class Market:
    """Streams of four services; `log` is all that was decided, `refused` what a person was told."""

    def __init__(self, rng: random.Random, places: fulfilment_process.Places) -> None:
        self.rng = rng
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = defaultdict(int)
        self.queues: dict[tuple[str, str], list[tuple[str, Any]]] = defaultdict(list)
        self.timers: dict[str, Timer] = {}
        self.effects: list[Effect] = []
        self.log: list[Envelope[Any]] = []
        self.reacts = {name: dict(one.reacts) for name, one in SERVICES.items()}
        self.reacts["fulfilment"] = dict(fulfilment_process.reactions(places))

    def tell(self, stream: str, command: Any) -> list[Any]:
        """Give a command to a stream; a fact is never refused, a person may be."""
        service, mind = MINDS[category(stream)]
        before = self.states.get(stream, mind.initial)
        decided = list(mind.decide(command, before))
        self.states[stream] = reduce(mind.evolve, decided, before)
        for event in decided:
            self.versions[stream] += 1
            name = f"lonja.{service}.{type(event).__name__}"
            told: Envelope[Any] = Envelope(
                event, name, f"{stream}/{self.versions[stream]}", stream, self.versions[stream],
                NOW, service, 0, 0, "",
            )  # fmt: skip
            self.log.append(told)
            for reader, reacts in self.reacts.items():
                if service in reacts:
                    self.queues[stream, reader] += reacts[service](told)
            for item in SERVICES[service].plan(told):
                if isinstance(item, Timer):
                    self.timers.setdefault(item.id, item)
                else:
                    self.effects.append(item)
        return decided

    def ask(self, stream: str, command: Any) -> str:
        """Do what a person does; return the code of a refusal."""
        try:
            self.tell(stream, command)
        except Refused as refusal:
            return refusal.code
        return ""

    def step(self) -> bool:
        waiting = sorted(key for key, queue in self.queues.items() if queue)
        if waiting:
            self.tell(*self.queues[self.rng.choice(waiting)].pop(0))
        return bool(waiting)

    def settle(self) -> None:
        while self.step():
            pass

    def orders(self) -> dict[str, OrderState]:
        return {n: one for n, one in self.states.items() if isinstance(one, OrderState)}

    def shipments(self) -> dict[str, Shipment]:
        found = {n: one for n, one in self.states.items() if isinstance(one, Shipment)}
        return {n.removeprefix("shipment-"): one for n, one in found.items() if one.status}

    def carry(self) -> None:
        """Let the carrier answer one call."""
        effect = self.effects.pop(self.rng.randrange(len(self.effects)))
        name, label = effect.stream.removeprefix("shipment-"), effect.id.partition(":")[0]
        given = ("main", name, label)
        match effect.kind:
            case fulfilment_process.CREATE:
                answer: Any = fulfilment.QuoteLabel(*given, f"ep_{label}", "r", 5, "GBP", NOW)
            case fulfilment_process.BUY:
                answer = fulfilment.RecordLabel(
                    *given, f"ep_{label}", f"T{label}", f"trk_{label}", "C", "S", 5, "GBP", NOW
                )
            case fulfilment_process.VOID:
                answer = fulfilment.RecordVoid(*given, True, NOW)
            case _:
                return
        self.tell(effect.stream, answer)

    def work(self, name: str, *, stopped: bool = True) -> None:
        """Let the warehouse do what one parcel waits for."""
        stream = fulfilment.shipment_stream(name)
        self.ask(stream, fulfilment.DecideAddress("main", name, stopped, "w", NOW))
        if self.shipments()[name].stopping():
            self.ask(stream, fulfilment.AnswerStop("main", name, stopped, "w", NOW))
        self.ask(stream, fulfilment.Pack("main", name, 100, "w", NOW))
        self.ask(stream, fulfilment.HandOver("main", name, "w", NOW))

    def scan(self, name: str, status: Any, at: int) -> None:
        """Let the carrier see a parcel that has left."""
        label = self.shipments()[name].label
        if label is not None and self.shipments()[name].status in LEFT:
            seen = fulfilment.RecordTracking(
                "main", name, label.tracking_code, status, status, "", "webhook", at, at
            )
            self.tell(fulfilment.shipment_stream(name), seen)

    def finish(self, arrived: int = NOW) -> None:
        """Let everybody do their part, parcels arrive, until nothing is left to do."""
        for round_ in range(1, 40):
            self.settle()
            before = len(self.log)
            while self.effects:
                self.carry()
                self.settle()
            for name in sorted(self.shipments()):
                self.work(name)
                self.settle()
                if self.shipments()[name].status == "dispatched":
                    self.scan(name, "delivered", arrived + round_)
            for timer in sorted(self.timers):
                if timer.startswith("assume:"):
                    due = self.timers.pop(timer)
                    self.tell(due.stream, due.command)
            self.settle()
            if len(self.log) == before:
                return
        raise AssertionError("it never ends")

    def left(self, stream: str) -> dict[str, int]:
        """Return the units by line of an order that a carrier was given."""
        found: dict[str, int] = defaultdict(int)
        for told in self.log:
            if isinstance(told.event, parcels.ShipmentDispatched):
                for row in told.event.rows:
                    if orders.order_stream(row.order_id) == stream:
                        found[row.line_id] += row.quantity
        return dict(found)
