"""An event as an outsider reads it, and what an audit finds. Shares no code with the services."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a topic: its headers, its place, and its value as plain data."""

    service: str
    type: str
    stream: str
    version: int
    pseq: int
    id: str
    at: int
    partition: int
    offset: int
    data: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Return where it lies, for whoever wants to look."""
        return f"{self.service}.events/{self.partition}@{self.offset} {self.type} {self.id}"


@dataclass(frozen=True, order=True)
class Finding:
    """A promise that is not kept: a stable code, the sentence, and the events behind it."""

    promise: str
    code: str
    subject: str
    text: str
    events: tuple[str, ...] = field(default=(), compare=False)


class Check(Protocol):
    """One promise, folded from the topics in any interleaving of their partitions.

    What several services tell is compared as far as it happened before `settled` (microseconds):
    what happened since may be on its way from one to the other.
    """

    def see(self, record: Record) -> None:
        """Take in one record; records of one partition come in their order."""
        ...

    def findings(self) -> Iterable[Finding]:
        """Return what is not as promised, when everything was seen."""
        ...

    def figures(self) -> Mapping[str, Any]:
        """Return what was counted, so that a clean audit can be believed."""
        ...
