"""Events into rows: records decoded once, folded per key. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from libs.bus.records import Records
from libs.codec.errors import UNKNOWN, DecodeError
from libs.codec.framing import EventCodec
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection

R = TypeVar("R", bound=msgspec.Struct)
Pairs = Sequence[tuple[Key, Envelope[Any]]]


class Unreadable(Exception):  # noqa: N818
    """A record of ours that cannot be decoded: skipping it would make a row wrong."""


class Unknown(Unreadable):
    """A record of ours with a schema that a newer release has, and this one has not."""


class Parsed:
    """A run of records of one partition: marks to screen, events to fold, each decoded once."""

    def __init__(self, records: Records, codec: EventCodec) -> None:
        self.records, self.codec = records, codec
        self.marks = [record.mark for record in records]
        self._envelopes: dict[int, Envelope[Any]] = {}

    def envelopes(self, taken: Iterable[int]) -> list[Envelope[Any]]:
        """Return the events at these indices, without foreign records. Raises Unreadable."""
        return [self._envelope(n) for n in taken if self.marks[n].pseq]

    def _envelope(self, n: int) -> Envelope[Any]:
        known = self._envelopes.get(n)
        if known is None:
            record = self.records[n]
            headers = record.headers
            assert headers is not None
            try:
                contract, event = self.codec.decode_value(record.value)
                stream = record.key.decode()
            except Exception as error:
                place = f"{record.topic}/{record.partition}@{record.offset}"
                newer = isinstance(error, DecodeError) and error.code == UNKNOWN
                kind = Unknown if newer else Unreadable
                raise kind(f"{place}: {type(error).__name__}") from error
            known = Envelope(event, contract.name, headers.id, stream, headers.version,
                             headers.time, headers.service, record.partition, headers.pseq,
                             headers.cause, headers.correlation, headers.traceparent)  # fmt: skip
            self._envelopes[n] = known
        return known


def touched(projection: Projection[Any], envelopes: Iterable[Envelope[Any]]) -> Pairs:
    """Return every key that the events touch, with the event, in order."""
    return [(key, envelope) for envelope in envelopes for key in projection.keys(envelope)]


def fold(
    projection: Projection[R], pairs: Pairs, rows: Mapping[Key, R | None]
) -> dict[Key, R | None]:
    """Return the rows after these events (None: no row), given those before."""
    changed: dict[Key, R | None] = {}
    evolve, missing = projection.evolve, rows.get
    for key, envelope in pairs:
        before = changed[key] if key in changed else missing(key)
        changed[key] = evolve(before, key, envelope)
    return changed
