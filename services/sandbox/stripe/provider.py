"""The account with its books, keys, clock and faults: one request at a time, booked in one line.

What the books hold is what happened; the answer to a request may still be lost after that.
"""

from collections import Counter
from typing import Any

from msgspec import Struct, convert, json, to_builtins

from services.sandbox.books import Books
from services.sandbox.chance import Fault, fault_of
from services.sandbox.clock import Clock
from services.sandbox.hooks import Hook
from services.sandbox.stripe import commands, intents, queries
from services.sandbox.stripe.account import Account, Turn
from services.sandbox.stripe.config import Settings
from services.sandbox.stripe.keys import Kept, Keys

Json = dict[str, Any]
BROKEN: Json = {"error": {"message": "An unknown error occurred", "type": "api_error"}}
LIMITED: Json = {
    "error": {
        "code": "rate_limit",
        "message": "Request rate limit exceeded. Retry with exponential backoff.",
        "type": "invalid_request_error",
    }
}


class Call(Struct, frozen=True):
    """A POST: its endpoint, its parameters, its key (None: none) and its fingerprint."""

    path: str
    given: Json
    key: str | None
    request: str
    number: str


class Provider:
    """What a Stripe account is between two requests; everything is folded from the books."""

    def __init__(self, settings: Settings, books: Books, clock: Clock) -> None:
        self.settings = settings
        self.account = Account(settings)
        self.keys = Keys(settings.key_seconds)
        self.clock = clock
        self.faulted: dict[str, Fault] = {}
        self.calls: Counter[str] = Counter()
        self.acked: dict[str, set[int]] = {}
        self._books = books
        self._anchored = False
        for record in books.records():
            self._apply(record)

    def _book(self, *record: Any) -> None:
        self._books.write(*record)
        self._apply(record)

    def _apply(self, record: Any) -> None:
        match record:
            case ["did", change, key, kept]:
                self.account.apply(change)
                if key is not None:
                    self.keys.apply(key, convert(kept, Kept))
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

    def meets(self, call: Call) -> Fault | None:
        """The seeded fault of a request, once for its subject: booked before it strikes."""
        turn = Turn(self.account, self.clock.now())
        subject = commands.subject(turn, call.path, call.given) or call.key
        if subject is None or subject in self.faulted:
            return None
        fault = fault_of(self.settings.faults, self.settings.seed, subject)
        if fault is not None:
            self._book("fault", subject, fault)
        return fault

    def perform(self, call: Call, fault: Fault | None) -> tuple[int, Json, list[Json]]:
        """Status, body and the events to tell. Raises Invalid: nothing began, nothing is kept."""
        now = self.clock.now()
        told = {"id": call.number, "idempotency_key": call.key}
        turn = Turn(self.account, now, told)
        if fault == "error":
            status, body = 500, BROKEN
        else:
            status, body = commands.perform(turn, call.path, call.given)
            if fault == "error_after" and status == 200:
                status, body = 500, BROKEN
        self.calls[f"{call.path.rsplit('/', 1)[-1]}:{status}"] += 1
        kept = None
        if call.key is not None:
            kept = to_builtins(Kept(call.request, now, status, body))
        return status, body, self._done(turn, call.key, kept)

    def _done(self, turn: Turn, key: str | None = None, kept: Json | None = None) -> list[Json]:
        change = turn.record()
        self._book("did", change, key, kept)
        events = [one for one in change["puts"] if one["object"] == "event"]
        return [one for one in events if self._enabled(one)]

    def fall_due(self) -> list[Json]:
        """What time has done since it was last asked; the events to tell."""
        now = self.clock.now()
        events: list[Json] = []
        for when, what, number in self.account.due(now):
            turn = Turn(self.account, max(when, 0))
            intents.fall_due(turn, what, number)
            if not turn.empty:
                events += self._done(turn)
        return events

    def answer(self, path: str, given: Json) -> Json:
        """A GET's body. Raises Refused."""
        return queries.answer(self.account, path, given, self.clock.now())

    def _enabled(self, event: Json) -> bool:
        """Whether the endpoint asked for events of this type."""
        chosen = self.settings.enabled_events
        return "*" in chosen or event["type"] in chosen

    def hook(self, event: Json) -> Hook:
        path = self.settings.path.format(account=self.settings.account)
        return Hook(event["id"], path, json.encode(event))

    def acknowledged(self, hook: Hook, copy: int, status: int) -> None:
        del status
        self._book("ack", hook.id, copy)

    def untold(self) -> list[tuple[Hook, set[int]]]:
        """All events with the copies that were acknowledged, as a restart takes them up."""
        return [
            (self.hook(one), self.acked.get(one["id"], set()))
            for one in self.account.objects["event"].values()
            if self._enabled(one)
        ]
