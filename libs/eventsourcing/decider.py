"""What decides: commands and a state in, events out. Pure: no clock, no new ids, no I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A command that may not be done: a stable kebab-case code; details are not personal."""

    def __init__(self, code: str, message: str = "", **details: str | int) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.details = details


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S, E]):
    """One kind of stream: its commands, its state and the two functions between them.

    `category` is the first part of its stream ids ("order-<id>"). `commands` is the union of its
    command structs (tagged), so that a timer or a parked command can be read back. Raise `version`
    whenever `evolve` gives another state for the same events.
    """

    category: str
    commands: Any
    state: type[S]
    initial: S
    decide: Callable[[C, S], Sequence[E]]
    evolve: Callable[[S, E], S]
    version: int = 1
