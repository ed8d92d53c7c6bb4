"""What a turn decided, as data: what is appended, moved, planned, parked and answered."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.inputs import FromEffect, Head, Position
from libs.eventsourcing.process import Effect, Timer


class NewEvent(msgspec.Struct, frozen=True, gc=False):
    """An event to be appended; its number in the lane is given by the commit."""

    lane: int
    id: str
    stream: str
    version: int
    type: str
    schema_version: int
    data: bytes
    at: int
    cause: str
    correlation: str
    trace: str


class HeadChange(msgspec.Struct, frozen=True):
    """A stream's new head; the commit fails where its version is no longer `expected`."""

    stream: str
    expected: int
    version: int
    state: bytes | None
    fold: str
    notes: dict[str, int]


class Parked(msgspec.Struct, frozen=True):
    """A command, or a whole input that could not be understood, set aside for a person."""

    id: str
    stream: str
    source: str
    input_id: str
    work: int
    code: str
    detail: str
    fingerprint: str
    at: int
    command: bytes | None
    raw: bytes | None
    cause: str
    correlation: str
    trace: str
    history: bool = False


class Recorded(msgspec.Struct, frozen=True):
    """What a command recorded in its stream: the types, and the version behind them."""

    stream: str
    version: int
    events: tuple[str, ...]


class Reply(msgspec.Struct, frozen=True):
    """What a caller is told and what is stored under its key; `refused` is the code of a no.

    `also` is what the further commands of the same request recorded.
    """

    key: str
    request_hash: bytes
    stream: str
    version: int
    events: tuple[str, ...] = ()
    refused: str | None = None
    message: str = ""
    details: dict[str, str | int] = {}
    also: tuple[Recorded, ...] = ()


@dataclass
class Turn:
    """What a turn decided, as data; `read` are versions of heads that it used and left alone."""

    at: int
    events: list[NewEvent] = field(default_factory=list)
    recorded: list[Envelope[Any]] = field(default_factory=list)
    heads: dict[str, HeadChange] = field(default_factory=dict)
    after: dict[str, Head] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    positions: dict[tuple[str, str, int], Position] = field(default_factory=dict)
    inbox: list[tuple[int, str, str | None]] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    timers_done: list[str] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    effects_done: list[FromEffect] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    unparked: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    operator: dict[str, str | None] = field(default_factory=dict)  # parked id -> code of the no
