"""What a turn is given: inputs of every kind in one form, and heads of the streams they touch."""

from typing import Any

import msgspec

from libs.eventsourcing.names import UNNAMED, nameable


class Position(msgspec.Struct, frozen=True, gc=False):
    """How far a consumer has applied a partition, and the epoch of whoever owns it.

    `applied` counts the inputs that have taken effect: it grows with each, whatever offsets do.
    """

    consumer: str
    topic: str
    partition: int
    epoch: int
    next_offset: int
    last_pseq: int
    last_id: str
    applied: int = 0


class FromTopic(msgspec.Struct, frozen=True, tag=True):
    """A Kafka record; `after` is where the partition stands once this input is committed."""

    after: Position


class FromInbox(msgspec.Struct, frozen=True, tag=True):
    """A delivery, by its row in the inbox; `ignored` is the named reason why it means nothing."""

    seq: int
    ignored: str | None = None


class FromApi(msgspec.Struct, frozen=True, tag=True):
    """A caller's command, by its idempotency key; the hash is of the request it stood for."""

    key: str
    request_hash: bytes


class FromTimer(msgspec.Struct, frozen=True, tag=True):
    """A timer that is due."""

    id: str


class FromEffect(msgspec.Struct, frozen=True, tag=True):
    """The result of an effect; the token fences off an attempt whose lease has ended.

    `next_at` is when it is taken up again (microseconds), where the state is not final. `doubt`
    says that an attempt so far may have taken effect; `error` is a code.
    """

    id: str
    token: int
    state: str
    next_at: int = 0
    doubt: bool = False
    error: str = ""


class FromOperator(msgspec.Struct, frozen=True, tag=True):
    """A parked command that is tried again (or given up, with a reason), by a person."""

    parked_id: str
    stream: str
    source: str
    by: str
    discard: str | None = None


Origin = FromTopic | FromInbox | FromApi | FromTimer | FromEffect | FromOperator


class Failure(msgspec.Struct, frozen=True):
    """Why an input is parked whole.

    It could not be understood (`raw` is what came, sealed), or the commit fails whenever its work
    is in it.
    """

    code: str
    detail: str
    raw: bytes


class Input(msgspec.Struct, frozen=True):
    """One input of a turn.

    `id` is unique for ever and the same on redelivery: event ids derive from it. `source` is the
    parking key: what must stay in order among itself. `work` are commands to streams, numbered
    from `first_work`. An input with a `failure` is parked in the stream `intake`. One with
    `history` was there before the service first started: what it would do outside is suppressed.
    """

    origin: Origin
    id: str
    source: str
    cause: str
    correlation: str
    trace: str
    work: tuple[tuple[str, Any], ...] = ()
    first_work: int = 0
    intake: str = ""
    failure: Failure | None = None
    history: bool = False

    def streams(self) -> list[str]:
        """Return the streams whose heads the turn needs for this input."""
        named = [stream if nameable(stream) else UNNAMED for stream, _ in self.work]
        if self.intake:
            named.append(self.intake)
        if isinstance(self.origin, FromOperator):
            named.append(self.origin.stream)
        return named if named or self.failure is None else [UNNAMED]


class Head(msgspec.Struct, frozen=True):
    """A stream as a turn sees it.

    `notes` counts the parked commands of each source; every change of it is an event of the kernel
    in the stream, so the version guards it. `broken` is set where the history cannot be folded.
    `saved_version` is the version whose state is stored, `saved_size` that state's bytes. `newer`
    says that it is broken because a newer release has written an event.
    """

    stream: str
    version: int
    state: Any
    notes: dict[str, int]
    saved_version: int
    broken: str | None = None
    saved_size: int = 0
    newer: bool = False
