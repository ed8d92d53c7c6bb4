"""What must hold after each step, checked on what was committed and sent. Changes nothing."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from libs.bus.records import Arrived
from libs.contracts import orders
from libs.eventsourcing.decided import Turn
from libs.eventsourcing.inputs import Position
from libs.store.memory import MemoryStore
from libs.store.store import StoredEvent
from tests.simulation.broker import Broker
from tests.simulation.money import Money
from tests.simulation.units import Units, expect


class Ledger(Protocol):
    """Sums of its own, kept from all services' events; `note` raises Broken."""

    def note(self, event: Any) -> None: ...


class Promises:
    """Watches commits and sends; raises Broken in the step that breaks a promise."""

    def __init__(self, broker: Broker, reads: Mapping[str, Sequence[str]]) -> None:
        self.broker = broker
        self.reads = reads  # service -> topics whose records it reacts to
        self.units = Units()
        self.idle: dict[str, Callable[[Arrived], bool]] = {}  # by service
        self.ledgers: list[Ledger] = []  # of the whole world
        self.events = 0
        self.holes: dict[tuple[str, int], set[int]] = {}  # numbers lost, by service and lane
        self.reopened: set[str] = set()
        self.story: list[str] = []  # what the last step committed
        self._ids: set[tuple[str, str]] = set()
        self._versions: dict[tuple[str, str], int] = defaultdict(int)
        self._positions: dict[tuple[str, tuple[str, str, int]], Position] = {}
        self._sent: dict[tuple[str, int], int] = defaultdict(int)
        self._sent_versions: dict[str, int] = defaultdict(int)

    def committed(self, service: str, store: MemoryStore, turn: Turn) -> None:
        """Check a turn that has been committed."""
        self._numbered(service, turn)
        self._advanced(service, turn)
        for timer in turn.timers_done:
            self._in_time(service, store, timer)
        for envelope in turn.recorded:
            event = envelope.event
            for ledger in self.ledgers:
                ledger.note(event)
            self.story.append(f"{type(event).__name__} on {envelope.stream}")
            if envelope.type.startswith("lonja.inventory."):
                self.units.note(event)
            elif isinstance(event, orders.StockRequired):
                self.units.ask(event)
            elif isinstance(event, orders.OrderReopened):
                self.reopened.add(event.order_id)
        for parked in turn.parked:
            expect("P7", False, f"{parked.stream} parked {parked.code}: {parked.detail}")
        self.units.hold()
        for ledger in self.ledgers:
            if isinstance(ledger, Money):
                ledger.hold()

    def _numbered(self, service: str, turn: Turn) -> None:
        self.events += len(turn.events)
        for event in turn.events:
            new = (service, event.id) not in self._ids
            expect("P1", new, f"{event.type} on {event.stream} took effect twice")
            self._ids.add((service, event.id))
            last = self._versions[service, event.stream]
            expect("P1", event.version == last + 1,
                   f"{event.stream} has version {event.version} after {last}")  # fmt: skip
            self._versions[service, event.stream] = event.version

    def _advanced(self, service: str, turn: Turn) -> None:
        for key, position in turn.positions.items():
            last = self._positions.get((service, key))
            forward = last is None or (
                position.epoch >= last.epoch
                and position.last_pseq >= last.last_pseq
                and position.applied > last.applied
            )
            expect("P1", forward, f"{service} read {key[1]}/{key[2]} again: {last} {position}")
            self._positions[service, key] = position

    def _in_time(self, service: str, store: MemoryStore, timer: str) -> None:
        """Nothing that was in the topics when a timer became due may come after it.

        What is idle, and what has come before, has nothing to say about it.
        """
        due = store.timers[timer].due
        for topic in self.reads[service]:
            for partition in range(len(store.lanes)):
                end = self.broker.end((topic, partition), due)
                held = store.positions.get((f"{service}.reactor", topic, partition))
                done, known = (held.next_offset, held.last_pseq) if held else (0, 0)
                left = self.broker.partitions[topic, partition][done:end]
                done_with = all(one.mark.pseq <= known or self.idle[service](one) for one in left)
                expect("P7", done_with, f"a timer of {service} came before {topic}/{partition}")

    def sent(
        self, service: str, store: MemoryStore, page: Sequence[StoredEvent], lost: int
    ) -> None:
        """Check a batch that has come to the log, but for a record that the log has lost."""
        for number, event in enumerate(page):
            place = (service, event.lane)
            if number == lost and event.pseq > self._sent[place]:
                self.holes.setdefault(place, set()).add(event.pseq)
            gapless = event.pseq <= self._sent[place] + 1
            expect("P1", gapless, f"{service}/{event.lane} has a gap before {event.pseq}")
            ours = store.lanes[event.lane][event.pseq - 1].id
            expect("P1", event.id == ours, f"{service}/{event.lane} sent another {event.pseq}")
            if event.pseq > self._sent[place]:
                self._sent[place] = event.pseq
                before = self._sent_versions[event.stream]
                expect("P1", event.version == before + 1, f"{event.stream} is out of order")
                self._sent_versions[event.stream] = event.version

    def resent(self, service: str, store: MemoryStore, page: Sequence[StoredEvent]) -> None:
        """Note that a page of a lane was sent again, and with it what was lost of that."""
        place = (service, page[0].lane)
        left = self.holes.pop(place, set()) - {event.pseq for event in page}
        if left:
            self.holes[place] = left
        self.sent(service, store, page, len(page))

    def sent_up_to(self, service: str, lane: int) -> int:
        """Return the highest number of a lane that has come to the log."""
        return self._sent[service, lane]
