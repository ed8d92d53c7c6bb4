"""Events into rows: records decoded once, folded per key. No I/O."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from libs.bus.records import Arrived, Records
from libs.bus.screening import Cursor, Screened, screen_marks
from libs.codec.contract import Contract
from libs.codec.errors import UNKNOWN, DecodeError
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection

R = TypeVar("R", bound=msgspec.Struct)
Decode = Callable[[bytes], tuple[Contract[Any], Any]]
Pairs = Sequence[tuple[Key, Envelope[Any]]]


class Unreadable(Exception):  # noqa: N818
    """A record of ours that cannot be decoded: skipping it would make a row wrong."""

    def __init__(self, record: Arrived, cause: Exception) -> None:
        self.place, self.offset = (record.topic, record.partition), record.offset
        where = f"{record.topic}/{record.partition}@{record.offset}"
        super().__init__(f"{where}: {type(cause).__name__}")


class Unknown(Unreadable):
    """A record of ours with a schema that a newer release has, and this one has not."""


class Parsed:
    """A run of records of one partition: marks to screen, events to fold, each decoded once.

    `decode` is one of the two ways that a codec has for a record's value. Read models that stand
    at the same place share what is found there.
    """

    def __init__(self, records: Records, decode: Decode) -> None:
        self.records, self._decode = records, decode
        self.marks = [record.mark for record in records]
        self._envelopes: dict[int, Envelope[Any]] = {}
        self._screened: dict[Cursor, Screened] = {}
        self._events: dict[Cursor, list[Envelope[Any]]] = {}

    def screened(self, cursor: Cursor) -> Screened:
        """Say what is to be done with the run behind a cursor."""
        known = self._screened.get(cursor)
        if known is None:
            known = self._screened[cursor] = screen_marks(cursor, self.marks)
        return known

    def events(self, cursor: Cursor) -> Sequence[Envelope[Any]]:
        """Return the events that are to be applied behind a cursor. Raises Unreadable."""
        known = self._events.get(cursor)
        if known is None:
            known = self._events[cursor] = self.envelopes(self.screened(cursor).taken)
        return known

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
                contract, event = self._decode(record.value)
                stream = record.key.decode()
            except Exception as error:
                newer = isinstance(error, DecodeError) and error.code == UNKNOWN
                kind = Unknown if newer else Unreadable
                raise kind(record, error) from error
            known = Envelope(event, contract.name, headers.id, stream, headers.version,
                             headers.time, headers.service, record.partition, headers.pseq,
                             headers.traceparent)  # fmt: skip
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
