"""Handovers, parcels and trackers with everybody around them; facts of one stream stay in order."""

import contextlib
import random
from collections import defaultdict
from functools import reduce
from typing import Any

from libs.contracts import fulfilment as events
from libs.contracts import inventory, orders, payments
from libs.contracts.common import Allocation, FulfilmentLine
from libs.eventsourcing.decider import Decider, Refused
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Timer
from libs.values.ids import category
from services.fulfilment import process
from services.fulfilment import shipment_commands as commands
from services.fulfilment.decider import DECIDERS
from services.fulfilment.handover import Handover
from services.fulfilment.shipment import Shipment
from tests.unit.fulfilment.samples import NOW, customer

MINDS: dict[str, Decider[Any, Any, Any]] = {decider.category: decider for decider in DECIDERS}


class World:
    """Fulfilment's real streams, a model of inventory and of payments, and a carrier's desk."""

    def __init__(self, rng: random.Random, places: process.Places) -> None:
        self.rng, self.places = rng, places
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = defaultdict(int)
        self.queues: dict[tuple[str, str], list[tuple[str, Any]]] = defaultdict(list)
        self.log: list[Envelope[Any]] = []
        self.reacts = process.reactions(places)
        self.timers: list[Timer] = []
        self.effects: list[Effect] = []
        self.bought: dict[str, int] = defaultdict(int)
        self.kept: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        self.revisions: dict[str, int] = defaultdict(int)
        self.lines: dict[str, tuple[FulfilmentLine, ...]] = {}
        self.to_clear: list[tuple[str, str]] = []
        self.cleared: set[tuple[str, str]] = set()
        self.refusing = True

    # What others say

    def publish(self, service: str, stream: str, event: Any) -> None:
        self.versions[stream] += 1
        told: Envelope[Any] = Envelope(
            event, f"lonja.{service}.{type(event).__name__}", "", stream, self.versions[stream],
            NOW, service, 0, 0, "",
        )  # fmt: skip
        for target, command in self.reacts[service](told):
            self.queues[service, stream].append((target, command))

    def request(self, order: str, lines: tuple[FulfilmentLine, ...], **changes: Any) -> None:
        """Ask for units in all; inventory then keeps exactly what is wanted and has not left."""
        self.lines[order] = lines
        self.revisions[order] += 1
        given: dict[str, Any] = {
            "entity": "main", "occurred_at": NOW, "order_id": order, "account": "shop",
            "revision": self.revisions[order], "lines": lines, "blocked": None,
            "one_parcel": False, "customer": customer(), "declared_value": 1000,
            "currency": "GBP",
        }  # fmt: skip
        self.publish("orders", f"order-{order}", orders.FulfilmentRequested(**{**given, **changes}))

    def reserve(self, order: str, sku: str, location: str, units: int) -> None:
        """Keep units for an order (or take some back, units below 0)."""
        there = self.kept[order, sku]
        units = max(units, -there.get(location, 0))
        if not units:
            return
        there[location] = there.get(location, 0) + units
        one = (Allocation(location=location, units=abs(units)),)
        common: dict[str, Any] = {
            "entity": "main", "occurred_at": NOW, "sku": sku, "reservation_id": f"{order}:{sku}",
            "order_id": order, "revision": 1, "allocations": one, "units": abs(units),
            "reserved": sum(there.values()), "short": 0,
        }  # fmt: skip
        event: Any
        if units > 0:
            event = inventory.StockReserved(
                **common, wanted=0, priority=1, placed_at=NOW, decide_by=NOW,
                reservation_class="commitment", from_waiting_list=False,
            )  # fmt: skip
        else:
            event = inventory.StockReleased(**common, waiting=0, reason="cancelled")
        self.publish("inventory", f"stock-{sku}", event)

    def reallocate(self, order: str, sku: str, source: str, target: str, units: int) -> None:
        there = self.kept[order, sku]
        units = min(units, there.get(source, 0))
        if units <= 0 or source == target:
            return
        there[source] -= units
        there[target] = there.get(target, 0) + units
        moved = inventory.StockReallocated(
            entity="main", occurred_at=NOW, sku=sku, reservation_id=f"{order}:{sku}",
            order_id=order, taken=(Allocation(location=source, units=units),),
            given=(Allocation(location=target, units=units),),
        )  # fmt: skip
        self.publish("inventory", f"stock-{sku}", moved)

    def _shipped(self, event: events.ShipmentDispatched) -> None:
        for one in event.units:
            there, left = self.kept[one.order_id, one.sku], one.units
            takes = []
            for place in sorted(there, key=lambda name: (name != event.location, name)):
                take = min(left, there[place])
                if take:
                    there[place] -= take
                    takes.append(Allocation(location=place, units=take))
                    left -= take
            gone = inventory.StockShipped(
                entity="main", occurred_at=NOW, sku=one.sku, location=event.location,
                quantity=one.units, order_id=one.order_id, shipment_id=event.shipment_id,
                from_reservation=one.units - left, allocations=tuple(takes),
                reserved=sum(there.values()), short=0, revision=1,
            )  # fmt: skip
            self.publish("inventory", f"stock-{one.sku}", gone)

    def clear(self, shipment: str, order: str) -> None:
        self.cleared.add((shipment, order))
        fact = payments.ShipmentCleared(
            entity="main", occurred_at=NOW, order_id=order, shipment_id=shipment, basis="captured",
            amount=1, currency="GBP",
        )  # fmt: skip
        self.publish("payments", f"payment-{order}", fact)

    # What fulfilment does

    def tell(self, stream: str, command: Any) -> list[Any]:
        """Give a command to a stream; the same one again changes nothing."""
        mind = MINDS[category(stream)]
        before = self.states.get(stream, mind.initial)
        decided = list(mind.decide(command, before))
        after = reduce(mind.evolve, decided, before)
        self.states[stream] = after
        with contextlib.suppress(Refused):
            assert not mind.decide(command, after), f"{command} repeated"
        for event in decided:
            self._told(stream, event)
        return decided

    def _told(self, stream: str, event: Any) -> None:
        self.versions[stream] += 1
        told: Envelope[Any] = Envelope(
            event, f"lonja.fulfilment.{type(event).__name__}", "", stream, self.versions[stream],
            NOW, "fulfilment", 0, 0, "",
        )  # fmt: skip
        self.log.append(told)
        for target, command in self.reacts["fulfilment"](told):
            self.queues["fulfilment", stream].append((target, command))
        for item in process.plan(told):
            (self.timers if isinstance(item, Timer) else self.effects).append(item)  # type: ignore[arg-type]
        if isinstance(event, events.ShipmentPacked):
            orders_in = sorted({row.order_id for row in event.rows})
            self.to_clear += [(event.shipment_id, order) for order in orders_in]
        if isinstance(event, events.ShipmentDispatched):
            self._shipped(event)

    def deliver(self) -> bool:
        """Deliver the next fact of some stream; False if nothing waits."""
        waiting = sorted(name for name, queue in self.queues.items() if queue)
        if not waiting:
            return False
        self.tell(*self.queues[self.rng.choice(waiting)].pop(0))
        return True

    def settle(self) -> None:
        while self.deliver():
            pass

    def handovers(self) -> dict[str, Handover]:
        return {k: s for k, s in self.states.items() if isinstance(s, Handover)}

    def shipments(self) -> dict[str, Shipment]:
        return {
            k.removeprefix("shipment-"): s
            for k, s in self.states.items()
            if isinstance(s, Shipment) and s.status
        }

    # The carrier's desk: what a model of it answers to an effect

    def carry(self, effect: Effect) -> None:
        """Answer one effect; a purchase is counted where the carrier sold it."""
        name = effect.stream.removeprefix("shipment-")
        label = effect.id.partition(":")[0]
        match effect.kind:
            case process.CREATE if self.refusing and self.rng.random() < 0.1:
                self._answer(effect, commands.RefuseLabel("main", name, label, "address", NOW))
            case process.CREATE:
                self._answer(
                    effect,
                    commands.QuoteLabel("main", name, label, f"ep_{label}", "r", 5, "GBP", NOW),
                )
            case process.BUY:
                if self.rng.random() < 0.3:
                    self._answer(effect, commands.DoubtLabel("main", name, label, NOW))
                self.bought[label] += 1
                self._answer(
                    effect,
                    commands.RecordLabel(
                        "main", name, label, f"ep_{label}", f"T{label}", f"trk_{label}", "C", "S",
                        5, "GBP", NOW,
                    ),
                )  # fmt: skip
            case process.VOID:
                self._answer(effect, commands.RecordVoid("main", name, label, True, NOW))
            case _:
                pass

    def _answer(self, effect: Effect, command: Any) -> None:
        self.queues["carrier", effect.id].append((effect.stream, command))

    def by_hand(self, name: str, command: Any) -> None:
        """Do what a person does; a refusal is an answer."""
        try:
            self.tell(commands.shipment_stream(name), command)
        except Refused:
            return
