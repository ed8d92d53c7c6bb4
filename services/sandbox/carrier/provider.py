"""The carrier with its books, clock and faults: one request at a time, booked in one line."""

from collections import Counter
from typing import Any

from msgspec import convert, json, to_builtins

from services.sandbox.books import Books
from services.sandbox.carrier import commands, objects
from services.sandbox.carrier.config import Settings
from services.sandbox.carrier.parcels import Parcel, Parcels
from services.sandbox.chance import Fault, fault_of, identifier
from services.sandbox.clock import Clock
from services.sandbox.hooks import Hook

Json = dict[str, Any]


class Provider:
    """What the carrier is between two requests; everything is folded from the books."""

    def __init__(self, settings: Settings, books: Books, clock: Clock) -> None:
        self.settings = settings
        self.parcels = Parcels(settings)
        self.clock = clock
        self.faulted: dict[str, Fault] = {}
        self.events: dict[str, Json] = {}
        self.acked: dict[str, set[int]] = {}
        self.calls: Counter[str] = Counter()
        self._books = books
        self._anchored = False
        for record in books.records():
            self._apply(record)

    def _book(self, *record: Any) -> None:
        self._books.write(*record)
        self._apply(record)

    def _apply(self, record: Any) -> None:
        match record:
            case ["parcel", parcel, event]:
                self.parcels.apply(convert(parcel, Parcel))
                if event is not None:
                    self.events[event["id"]] = event
            case ["fault", subject, fault]:
                self.faulted[subject] = fault
            case ["ack", event, copy]:
                self.acked.setdefault(event, set()).add(copy)
            case ["clock", *_]:
                self.clock.apply(list(record))
                self._anchored = True
            case _:
                raise ValueError(f"the books hold a record of an unknown kind: {record[:1]}")

    def start(self) -> None:
        """Book the clock of a first start; a restart goes on with the one that was booked."""
        if not self._anchored:
            self.anchor()

    def anchor(self, advance: float = 0.0, speed: float | None = None) -> None:
        """Set the clock and book it, so that a restart goes on from there."""
        self._book(*self.clock.change(advance, speed))

    def meets(self, action: str, subject: str) -> Fault | None:
        """The seeded fault of a request, once for its subject: booked before it strikes."""
        name = f"{action}:{subject}"
        if not subject or name in self.faulted:
            return None
        fault = fault_of(self.settings.faults, self.settings.seed, name)
        if fault is not None:
            self._book("fault", name, fault)
        return fault

    def _keep(self, parcel: Parcel, event: Json | None = None) -> Json:
        self._book("parcel", to_builtins(parcel), event)
        return self.parcels.shown(parcel, self.clock.now())

    def create(self, given: Json) -> Json:
        """A shipment's body. Raises Refused; so do the others."""
        return self._keep(commands.create(self.parcels, given, int(self.clock.now())))

    def buy(self, number: str, given: Json) -> Json:
        parcel = commands.found(self.parcels, number)
        return self._keep(commands.buy(self.parcels, parcel, given, int(self.clock.now())))

    def give_back(self, number: str) -> Json:
        parcel = commands.found(self.parcels, number)
        return self._keep(commands.give_back(self.parcels, parcel, int(self.clock.now())))

    def hand_over(self, codes: list[str]) -> int:
        """How many of the parcels were not with the carrier yet."""
        taken = 0
        for code in codes:
            number = self.parcels.by_code.get(code)
            parcel = number and commands.hand_over(
                self.parcels.by_id[number], int(self.clock.now())
            )
            if parcel:
                self._keep(parcel)
                taken += 1
        return taken

    def fall_due(self) -> list[Json]:
        """The events of the scans that time has brought since it was last asked."""
        told: list[Json] = []
        while found := self.parcels.due(self.clock.now()):
            for parcel, seen in found:
                before = seen[-2].status if len(seen) > 1 else "unknown"
                number = identifier(self.settings.seed, "evt_", len(self.events) + 1, 32)
                tracker = self.parcels.tracker_of(parcel, seen)
                event = objects.event(number, tracker, before, seen[-1].at)
                self._keep(parcel, event)
                told.append(event)
        return told

    def hook(self, event: Json) -> Hook:
        path = self.settings.path.format(account=self.settings.account)
        return Hook(event["id"], path, json.encode(event))

    def acknowledged(self, hook: Hook, copy: int, status: int) -> None:
        del status
        self._book("ack", hook.id, copy)

    def untold(self) -> list[tuple[Hook, set[int]]]:
        """All events with the copies that were acknowledged, as a restart takes them up."""
        return [(self.hook(one), self.acked.get(one["id"], set())) for one in self.events.values()]
