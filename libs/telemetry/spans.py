"""Spans: what a trace is made of, told at the edges; where nobody wants any, a call does nothing.

Only names, codes, counts and ids of ours are told: attributes are allow-listed as log keys are, and
nothing else has the form of a value. No record changes for it: an event's span has the event's id,
so whoever is given the record knows the parent of its own span (decision 0017).
"""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from libs.eventsourcing.decided import Reply, Turn
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.inputs import FromEffect, FromInbox, Input
from libs.eventsourcing.projection import Key
from libs.telemetry.tracing import parent_of
from libs.values.ids import category

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Said = Mapping[str, str | int]

# What is not here is dropped, and so is a text that is neither a name, a code, a route nor an id.
ALLOWED = frozenset(
    [
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "lonja.attempt",
        "lonja.batch",
        "lonja.code",
        "lonja.correlation",
        "lonja.event.id",
        "lonja.event.type",
        "lonja.lane",
        "lonja.outcome",
        "lonja.projection",
        "lonja.provider",
        "lonja.stream.kind",
    ]
)
_PLAIN = re.compile(r"[A-Za-z0-9_./{}:<>-]{1,120}")
_LOW = 2**64


class Span(msgspec.Struct, frozen=True, gc=False):
    """A part of a trace: `trace`, `id` and `parent` in hexadecimal, times in microseconds.

    `parent` is empty where a trace begins.
    """

    service: str
    name: str
    kind: Kind
    trace: str
    id: str
    parent: str
    start: int
    end: int
    said: Said
    failed: bool


class Spans:
    """Tells what one service did. `put` takes the spans (None: nobody does) of a `share` of traces.

    Whether a trace is in the share is said by its id, so every process takes the same ones.
    """

    def __init__(
        self, service: str, put: Callable[[Span], None] | None = None, share: float = 1.0
    ) -> None:
        self.service, self._put, self._bound = service, put, int(share * _LOW)

    def now(self) -> int:
        """Return when something begins (microseconds); 0 where nobody wants to know."""
        return 0 if self._put is None else time.time_ns() // 1000

    def request(
        self, traceparent: str, caller: str, method: str, route: str, status: int, began: int
    ) -> None:
        """Tell of a request, by the route that took it; `caller` is the traceparent it came with.

        Paths are not told: strangers write them. The span is the one that the trace goes on with.
        """
        if self._put is None or not route:
            return
        ours, theirs = parent_of(traceparent), parent_of(caller)
        parent = theirs.span if ours and theirs and theirs.trace == ours.trace else ""
        said: Said = {"http.request.method": method, "http.route": route,
                      "http.response.status_code": status}  # fmt: skip
        self._tell(traceparent, f"{method} {route}", "server", began, said,
                   own=ours.span if ours else "", parent=parent, failed=status >= 500)  # fmt: skip

    def interpreted(self, inputs: Sequence[Input], began: int) -> None:
        """Tell of deliveries that were understood and have taken effect, or were parked."""
        if self._put is None:
            return
        for given in inputs:
            failure, origin = given.failure, given.origin
            said: dict[str, str | int] = {"lonja.batch": len(inputs), "lonja.outcome": "understood"}
            if failure is not None:
                said |= {"lonja.outcome": "parked", "lonja.code": failure.code}
            elif isinstance(origin, FromInbox) and origin.ignored:
                said |= {"lonja.outcome": "ignored", "lonja.code": origin.ignored}
            self._tell(given.trace, "interpret delivery", "consumer", began, said,
                       own=span_id(given.cause), failed=failure is not None)  # fmt: skip

    def commanded(self, given: Input, reply: Reply, began: int) -> None:
        """Tell of a caller's command (of several, the first one) that was decided."""
        if self._put is None:
            return
        stream, command = given.work[0]
        said: Said = {"lonja.stream.kind": category(stream),
                      "lonja.outcome": "refused" if reply.refused else "decided",
                      "lonja.code": reply.refused or ""}  # fmt: skip
        self._tell(given.trace, f"decide {type(command).__name__}", "internal", began, said,
                   own=span_id(given.cause), failed=not reply.request_hash)  # fmt: skip

    def recorded(self, turn: Turn) -> None:
        """Tell of the events of a turn that is committed: each from the turn's time until now."""
        if self._put is None:
            return
        for event in turn.events:
            said: Said = {"lonja.event.id": event.id, "lonja.event.type": event.type,
                          "lonja.stream.kind": category(event.stream), "lonja.lane": event.lane,
                          "lonja.correlation": event.correlation,
                          "lonja.batch": len(turn.events)}  # fmt: skip
            self._tell(event.trace, f"record {_short(event.type)}", "producer", turn.at, said,
                       own=span_id(event.id), parent=span_id(event.cause))  # fmt: skip

    def applied(
        self, projection: str, pairs: Sequence[tuple[Key, Envelope[Any]]], began: int
    ) -> None:
        """Tell of events that were folded into a read model in one batch, each of them once."""
        if self._put is None:
            return
        events = {envelope.id: envelope for _, envelope in pairs}
        for envelope in events.values():
            said: Said = {"lonja.projection": projection, "lonja.event.type": envelope.type,
                          "lonja.event.id": envelope.id, "lonja.lane": envelope.lane,
                          "lonja.batch": len(events)}  # fmt: skip
            self._tell(envelope.trace, f"apply {_short(envelope.type)}", "consumer", began, said,
                       parent=span_id(envelope.id))  # fmt: skip

    def called(self, given: Input, what: str, provider: str, attempt: int, began: int) -> None:
        """Tell of a call to the outside. A refusal's code is theirs, so it is not told."""
        origin = given.origin
        if self._put is None or not isinstance(origin, FromEffect):
            return
        code = "" if origin.state in {"rejected", "reconciled"} else origin.error
        said: Said = {"lonja.provider": provider, "lonja.attempt": attempt,
                      "lonja.outcome": origin.state, "lonja.code": code}  # fmt: skip
        self._tell(given.trace, what, "client", began, said, parent=span_id(given.cause),
                   failed=origin.state not in {"confirmed", "reconciled"})  # fmt: skip

    def _tell(
        self, traceparent: str, title: str, kind: Kind, began: int, said: Said, *,
        own: str = "", parent: str | None = None, failed: bool = False,
    ) -> None:  # fmt: skip
        """Put a span of a trace that is recorded; `parent` None is the span of its request."""
        found = parent_of(traceparent)
        if self._put is None or found is None or not found.sampled:
            return
        if int(found.trace[16:], 16) >= self._bound:
            return
        kept = {k: v for k, v in said.items()
                if k in ALLOWED and (isinstance(v, int) or _PLAIN.fullmatch(v))}  # fmt: skip
        self._put(
            Span(self.service, title, kind, found.trace, own or os.urandom(8).hex(),
                 found.span if parent is None else parent, began, max(began, self.now()), kept,
                 failed)
        )  # fmt: skip


def span_id(event_id: str) -> str:
    """Return the span that an event, or what it came of, is in its trace: its id's low half."""
    return event_id[19:23] + event_id[24:]


def _short(event_type: str) -> str:
    return event_type.rpartition(".")[2]


OFF = Spans("")
