"""Given these events, when this command, then those: the sentence deciders are tested in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Generic, TypeVar

from libs.eventsourcing.decider import Decider, Refused

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True)
class Outcome(Generic[S, E]):
    """What a command led to."""

    events: Sequence[E]
    refused: Refused | None
    state: S

    def then(self, *expected: E) -> "Outcome[S, E]":
        """Expect exactly these events, in order."""
        assert self.refused is None, f"refused: {self.refused}"
        assert list(self.events) == list(expected)
        return self

    def then_refused(self, code: str) -> None:
        """Expect a refusal with this code."""
        assert self.refused is not None, f"not refused, but {self.events}"
        assert self.refused.code == code


@dataclass(frozen=True)
class Given(Generic[C, S, E]):
    """A stream with a history."""

    decider: Decider[C, S, E]
    state: S

    def when(self, *commands: C) -> Outcome[S, E]:
        """Give the commands one after the other; the outcome is that of the last."""
        state, events = self.state, []
        for command in commands:
            try:
                events = list(self.decider.decide(command, state))
            except Refused as refused:
                return Outcome([], refused, state)
            state = reduce(self.decider.evolve, events, state)
        return Outcome(events, None, state)


def given(decider: Decider[C, S, Any], *events: Any) -> Given[C, S, Any]:
    """Start from a history."""
    return Given(decider, reduce(decider.evolve, events, decider.initial))
