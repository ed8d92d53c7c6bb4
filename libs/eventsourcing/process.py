"""What a service does when facts arrive, and what it plans when it has decided. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from libs.eventsourcing.envelope import Envelope


class Timer(msgspec.Struct, frozen=True):
    """A command to this stream that becomes due (microseconds). The same id is planned once.

    A timer is never taken back: a decider answers one that no longer matters with no event.
    `cause`, `correlation` and `trace` are those of the event that planned it; the turn sets them.
    """

    id: str
    due: int
    stream: str
    command: Any
    cause: str = ""
    correlation: str = ""
    trace: str = ""


class Effect(msgspec.Struct, frozen=True):
    """Something to do outside, once: the kind names the adapter, the id is its idempotency key.

    A suppressed one is written down and never done: it belongs to the time before the service.
    This, `cause`, `correlation` and `trace` are set by the turn.
    """

    id: str
    kind: str
    stream: str
    request: bytes
    suppressed: bool = False
    cause: str = ""
    correlation: str = ""
    trace: str = ""


Reactions = Sequence[tuple[str, Any]]  # (stream id, command)
React = Callable[[Envelope[Any]], Reactions]


@dataclass(frozen=True)
class Reaction:
    """What is done about some kinds of facts of a service. All others are passed over, unread."""

    react: React
    facts: frozenset[type]

    def __call__(self, envelope: Envelope[Any]) -> Reactions:
        """Return the commands that a fact leads to."""
        return self.react(envelope) if type(envelope.event) in self.facts else ()


def reacting(*facts: type) -> Callable[[React], Reaction]:
    """Say to which facts a function reacts."""
    return lambda react: Reaction(react, frozenset(facts))


Plan = Callable[[Envelope[Any]], Sequence[Timer | Effect]]


def plan_nothing(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    """Plan nothing, whatever was decided."""
    del envelope
    return ()
