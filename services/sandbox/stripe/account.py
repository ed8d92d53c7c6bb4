"""A Stripe account: its objects, the changes to them, and what becomes due. No I/O.

A change is worked out first (`Turn`), booked as one record and only then applied, so that the
account is always what the books fold to.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from services.sandbox.chance import identifier
from services.sandbox.stripe import objects
from services.sandbox.stripe.config import Settings

Json = dict[str, Any]
_PREFIXES = {
    "payment_intent": "pi_",
    "charge": "ch_",
    "refund": "re_",
    "balance_transaction": "txn_",
    "event": "evt_",
}


class Account:
    """Objects by kind and id, in the order in which they were made."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in _PREFIXES}
        self._of_intent: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._by_metadata: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._due: list[tuple[int, str, str]] = []

    def apply(self, record: Json) -> None:
        """Take over a booked change: `puts` and `due`."""
        for one in record["puts"]:
            kind, number = one["object"], one["id"]
            if number not in self.objects[kind]:
                self._index(kind, one)
            self.objects[kind][number] = one
        for when, what, number in record["due"]:
            heapq.heappush(self._due, (when, what, number))

    def _index(self, kind: str, one: Json) -> None:
        if kind in {"charge", "refund"}:
            self._of_intent[kind, one["payment_intent"]].append(one["id"])
        if kind == "payment_intent":
            for name, value in one["metadata"].items():
                self._by_metadata[name, value].append(one["id"])

    def find(self, kind: str, number: str) -> Json | None:
        return self.objects[kind].get(number)

    def of_intent(self, kind: str, intent: str) -> list[Json]:
        return [self.objects[kind][one] for one in self._of_intent.get((kind, intent), [])]

    def with_metadata(self, name: str, value: str) -> list[Json]:
        found = self._by_metadata.get((name, value), [])
        return [self.objects["payment_intent"][one] for one in found]

    def due(self, now: float) -> Iterator[tuple[int, str, str]]:
        """What has become due, each once: (when, what, intent's id)."""
        while self._due and self._due[0][0] <= now:
            yield heapq.heappop(self._due)


class Turn:
    """One change in the making: reads see what it has put so far."""

    def __init__(self, account: Account, at: float, request: Json | None = None) -> None:
        self.account = account
        self.settings = account.settings
        self.at = int(at)
        self._request = request or {"id": None, "idempotency_key": None}
        self._puts: dict[str, Json] = {}
        self._new: dict[str, int] = defaultdict(int)
        self._due: list[tuple[int, str, str]] = []

    def id(self, kind: str) -> str:
        """The id of the next object of a kind."""
        self._new[kind] += 1
        number = len(self.account.objects[kind]) + self._new[kind]
        return identifier(self.settings.seed, _PREFIXES[kind], number)

    def put(self, one: Json) -> Json:
        self._puts[one["id"]] = one
        return one

    def get(self, kind: str, number: str) -> Json | None:
        return self._puts.get(number) or self.account.find(kind, number)

    def later(self, when: int, what: str, intent: str) -> None:
        self._due.append((when, what, intent))

    def tell(self, kind: str, one: Json) -> None:
        """An event about an object as it stands now."""
        self.put(objects.event(self.id("event"), kind, one, self.at, self._request))

    def drop(self) -> None:
        """Nothing happened after all."""
        self._puts.clear()
        self._due.clear()
        self._new.clear()

    @property
    def empty(self) -> bool:
        return not self._puts

    def record(self) -> Json:
        return {"puts": list(self._puts.values()), "due": self._due}
