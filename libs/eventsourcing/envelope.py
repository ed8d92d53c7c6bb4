"""An event as it was recorded: the event and what the log knows about it."""

from typing import Generic, TypeVar

import msgspec

E = TypeVar("E")


class Envelope(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """A recorded event.

    `at` is when we recorded it (microseconds); `service` whose topic it is on; `lane` the partition
    and `pseq` its gapless number there; `version` its number in its stream, from 1. `id` is
    a UUID text; `trace` is a W3C traceparent or empty.
    """

    event: E
    type: str
    id: str
    stream: str
    version: int
    at: int
    service: str
    lane: int
    pseq: int
    trace: str
