"""The relay's ways on the memory log: read back, send a batch, forget all after any doubt."""

from collections.abc import Callable
from random import Random

from libs.bus.readback import Found, Known, resume_after
from libs.codec.framing import frame
from libs.codec.headers import EventHeaders, build_headers, links
from libs.codec.registry import Registry
from libs.store.memory import MemoryStore
from libs.store.store import StoredEvent
from libs.values.lanes import PARTITIONS
from tests.simulation.broker import Broker
from tests.simulation.gate import Gate
from tests.simulation.promises import Promises

CHUNK = 100


class MemoryRelay:
    """Sends a service's lanes; `sent` is empty until the topic's ends have been looked at."""

    def __init__(
        self, service: str, store: MemoryStore, broker: Broker, gate: Gate, rng: Random,
        registry: Registry, promises: Promises, too_late: int = 0,
    ) -> None:  # fmt: skip
        self.service, self.topic, self.store = service, f"{service}.events", store
        self.broker, self.gate, self.rng, self.registry = broker, gate, rng, registry
        self.promises, self.too_late = promises, too_late
        self.sent: dict[int, int] = {}
        self.hole: list[int] = []  # the next batch loses this record, though it is acknowledged

    def lag(self) -> list[int]:
        """Return the lanes with something to send."""
        return [n for n, lane in enumerate(self.store.lanes) if len(lane) > self.sent.get(n, 0)]

    def start(self) -> None:
        """Find, by the product's own rule, behind which number to go on."""
        for lane in range(PARTITIONS):
            found = self._end(lane)
            at = found.pseq - 1
            known = self.store.lanes[lane][at].id if 0 <= at < len(self.store.lanes[lane]) else None
            stored = Known(len(self.store.lanes[lane]), known, 0)
            sent, _ = resume_after(self.topic, self.service, lane, found, stored)
            self.sent[lane] = sent + self.too_late

    def _end(self, lane: int) -> Found:
        log = self.broker.partitions[self.topic, lane]
        best = Found(0, len(log))
        for record in log[-CHUNK:]:
            headers = record.headers
            if headers is not None and headers.pseq >= best.pseq:
                best = Found(0, len(log), headers.pseq, headers.id)
        return best

    async def resend(self, owner: object, clock: Callable[[], int], lane: int, after: int) -> None:
        """Send what a hole in the log has cost once more, as a person tells it to."""
        page = self.store.read_now(lane, after, 500)
        batch = [self._record(event) for event in page]
        place = (self.topic, lane)
        await self.gate.pass_(
            owner, "resend", lambda: self.broker.append(place, batch, clock()),
            lambda _: self.promises.resent(self.service, self.store, page),
        )  # fmt: skip

    async def step(self, owner: object, clock: Callable[[], int]) -> None:
        """Send a batch of one lane."""
        if not self.sent:
            self.start()
        due = self.lag()
        if not due:
            return
        lane = self.rng.choice(due)
        page = self.store.read_now(lane, self.sent[lane], self.rng.randint(1, 12))
        batch = [self._record(event) for event in page]

        lost = self.hole.pop() if self.hole else len(page)

        def send() -> None:
            kept = [one for n, one in enumerate(batch) if n != lost]
            self.broker.append((self.topic, lane), kept, clock())

        def watch(_: None) -> None:
            self.promises.sent(self.service, self.store, page, lost)

        try:
            await self.gate.pass_(owner, "send", send, watch)
        except ConnectionError:
            self.sent = {}
        else:
            self.sent[lane] = max(self.sent[lane], page[-1].pseq)

    def _record(self, event: StoredEvent) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
        headers = EventHeaders(event.id, self.service, event.type, event.at, event.trace,
                               event.pseq, event.version, links(event.cause, event.correlation))  # fmt: skip
        number = self.registry.ids[event.type, event.schema_version]
        return event.stream.encode(), frame(number, event.data), build_headers(headers)
