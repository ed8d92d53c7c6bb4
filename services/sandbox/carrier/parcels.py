"""The carrier's shipments and parcels: quoted, bought once, given back, scanned. No I/O.

A change is booked as one record and only then applied, so that the state is what the books fold to.
No address is kept: the books hold countries only.
"""

import heapq
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from services.sandbox.carrier import journey, objects
from services.sandbox.carrier.config import Settings
from services.sandbox.carrier.journey import Scan

Json = dict[str, Any]


class Parcel(Struct, frozen=True):
    """A shipment with its purchase. `cost` is minor units; times are the carrier's seconds.

    `told` is how many scans were announced; `start` the moment from which the parcel could be
    picked up (None: nobody handed it over yet).
    """

    id: str
    reference: str | None
    body: Json
    at: int
    cost: int = 0
    bought_at: int | None = None
    code: str | None = None
    tracker: str | None = None
    start: int | None = None
    given_back_at: int | None = None
    told: int = 0


class Parcels:
    """All parcels by id, with what falls due."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.by_id: dict[str, Parcel] = {}
        self.by_code: dict[str, str] = {}
        self.by_tracker: dict[str, str] = {}
        self._due: list[tuple[int, str]] = []

    def apply(self, parcel: Parcel) -> None:
        self.by_id[parcel.id] = parcel
        if parcel.code is not None and parcel.tracker is not None:
            self.by_code[parcel.code] = self.by_tracker[parcel.tracker] = parcel.id
            upcoming = self._next(parcel)
            if upcoming is not None:
                heapq.heappush(self._due, (upcoming.at, parcel.id))

    def scans(self, parcel: Parcel) -> tuple[Scan, ...]:
        """Every scan that a parcel has or will have; one that was given back gets no more."""
        assert parcel.bought_at is not None
        first = (journey.created(parcel.bought_at),)
        if parcel.start is None:
            return first
        way = journey.scans(self.settings, parcel.reference or parcel.id, parcel.start)
        return first + tuple(one for one in way if self._travels(parcel, one))

    @staticmethod
    def _travels(parcel: Parcel, scan: Scan) -> bool:
        return parcel.given_back_at is None or scan.at <= parcel.given_back_at

    def _next(self, parcel: Parcel) -> Scan | None:
        scans = self.scans(parcel)
        return scans[parcel.told] if parcel.told < len(scans) else None

    def due(self, now: float) -> list[tuple[Parcel, tuple[Scan, ...]]]:
        """Parcels with a scan to be announced by now, each with its scans up to that one."""
        found: dict[str, tuple[Parcel, tuple[Scan, ...]]] = {}
        while self._due and self._due[0][0] <= now:
            at, number = heapq.heappop(self._due)
            parcel = self.by_id[number]
            upcoming = self._next(parcel)
            # A parcel that changed meanwhile stands here twice; the later scans follow on booking.
            if upcoming is not None and upcoming.at == at and number not in found:
                told = replace(parcel, told=parcel.told + 1)
                found[number] = (told, self.scans(parcel)[: told.told])
        return list(found.values())

    def under_way(self) -> int:
        """How many parcels the carrier has still something to say of."""
        bought = (one for one in self.by_id.values() if one.bought_at is not None)
        return sum(self._next(one) is not None for one in bought)

    def seen(self, parcel: Parcel, now: float) -> tuple[Scan, ...]:
        return tuple(one for one in self.scans(parcel) if one.at <= now)

    def shown(self, parcel: Parcel, now: float) -> Json:
        """The shipment as EasyPost shows it."""
        if parcel.bought_at is None:
            return parcel.body
        tracker = self.tracker(parcel, now)
        return parcel.body | {
            "status": tracker["status"],
            "updated_at": tracker["updated_at"],
            "tracker": tracker,
            "refund_status": self.refund_status(parcel, now),
        }

    def tracker(self, parcel: Parcel, now: float) -> Json:
        return self.tracker_of(parcel, self.seen(parcel, now))

    @staticmethod
    def tracker_of(parcel: Parcel, seen: tuple[Scan, ...]) -> Json:
        assert parcel.tracker is not None
        assert parcel.code is not None
        days = parcel.body["selected_rate"]["delivery_days"]
        promised = None if parcel.start is None else parcel.start + days * 86_400
        return objects.tracker(parcel.tracker, parcel.code, parcel.id, seen, promised)

    def refund_status(self, parcel: Parcel, now: float) -> str | None:
        if parcel.given_back_at is None:
            return None
        done = now - parcel.given_back_at >= self.settings.refund_seconds
        return "refunded" if done else "submitted"
