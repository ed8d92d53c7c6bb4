"""What a store is: the port that PostgreSQL and memory implement, and what can go wrong there."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from libs.eventsourcing.decided import Parked, Turn
from libs.eventsourcing.inputs import Position


class Fenced(Exception):  # noqa: N818
    """A partition has a newer owner: nothing was committed."""


class Conflict(Exception):  # noqa: N818
    """A stream has moved since it was read: nothing was committed, decide again."""


class Repeated(Exception):  # noqa: N818
    """An input has already taken effect: nothing was committed, ask which."""


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as it lies in the store (bare Avro)."""

    lane: int
    pseq: int
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


class StoredHead(msgspec.Struct, frozen=True):
    """A stream's head: the version, and a state folded at `state_version` by `fold`."""

    stream: str
    version: int
    state: bytes | None
    state_version: int
    fold: str
    notes: dict[str, int]


class StoredReply(msgspec.Struct, frozen=True):
    """What was answered under a key."""

    request_hash: bytes
    reply: bytes


class DueTimer(msgspec.Struct, frozen=True):
    """A timer whose time has come."""

    id: str
    due: int
    stream: str
    command: bytes
    cause: str = ""
    correlation: str = ""
    trace: str = ""


class Call(msgspec.Struct, frozen=True):
    """An effect that was claimed: this attempt's number and the token that fences off others.

    `doubt_since` is when an earlier attempt may first have taken effect, 0 where none may.
    """

    id: str
    kind: str
    stream: str
    request: bytes
    attempt: int
    token: int
    doubt_since: int
    planned_at: int
    cause: str = ""
    correlation: str = ""
    trace: str = ""


class Delivery(msgspec.Struct, frozen=True):
    """A delivery to be kept in the inbox, its body sealed."""

    provider: str
    account: str
    key: str
    topic: str
    received_at: int
    body: bytes
    trace: str


class Settled(msgspec.Struct, frozen=True):
    """Which inputs have taken effect, asked under the locks that a commit takes."""

    positions: Mapping[tuple[str, str, int], Position]
    replies: Mapping[str, StoredReply]
    inbox: frozenset[int]
    timers: frozenset[str]
    effects: frozenset[tuple[str, int]]  # with the token: an older attempt may have ended alone
    unparked: frozenset[str]


class Store(Protocol):
    """An event store that is also the outbox: one commit holds everything a turn decided."""

    async def heads(self, streams: Sequence[str]) -> Mapping[str, StoredHead]:
        """Return the heads of those streams that exist."""
        ...

    async def history(self, stream: str, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return a page of a stream's events behind a version, in order."""
        ...

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        """Commit a turn; the new head by lane. Raises Fenced, Conflict or Repeated, or is lost."""
        ...

    async def settled(self, turn: Turn) -> Settled:
        """Say which of a turn's inputs have taken effect, waiting for whoever still holds them."""
        ...

    async def claim(self, consumer: str, topic: str, partition: int) -> Position:
        """Become the owner of a partition: raises its epoch."""
        ...

    async def read(self, lane: int, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return a page of a lane behind a number, in order."""
        ...

    async def lane_head(self, lane: int) -> int:
        """Return the last number given in a lane."""
        ...

    async def accept(self, deliveries: Sequence[Delivery]) -> Sequence[int | None]:
        """Keep deliveries; None for a new one, for a known key when it was first received."""
        ...

    async def received(self, busy: Sequence[int], limit: int) -> Sequence[tuple[int, Delivery]]:
        """Return deliveries that have not taken effect, oldest first, except the busy ones."""
        ...

    async def reopen(self, input_id: str) -> None:
        """Let a parked delivery be taken again."""
        ...

    async def due(self, now: int, limit: int) -> Sequence[DueTimer]:
        """Return timers that are due, the longest due first."""
        ...

    async def claim_effects(
        self, kinds: Sequence[str], now: int, lease_till: int, limit: int
    ) -> Sequence[Call]:
        """Take effects that are to be tried now, for as long as the lease; nobody else has them."""
        ...

    async def replies(self, keys: Sequence[str]) -> Mapping[str, StoredReply]:
        """Return the stored answers to these keys."""
        ...

    async def parked(self, stream: str | None, source: str | None, limit: int) -> Sequence[Parked]:
        """Return what is parked, oldest first."""
        ...
