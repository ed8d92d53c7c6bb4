"""A record as a consumer hands it on: what came, and where its partition stands behind it."""

from collections.abc import Sequence

import msgspec

from libs.codec.errors import DecodeError
from libs.codec.headers import EventHeaders, parse_headers
from libs.eventsourcing.inputs import Position


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it came from a topic of `service`; `headers` is None where it is not ours.

    `after` is where its partition stands once the record is dealt with.
    """

    service: str
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: EventHeaders | None
    after: Position


def headers_of(service: str, headers: Sequence[tuple[str, bytes]]) -> EventHeaders | None:
    """Read a record's headers; None where this service did not write it."""
    try:
        found = parse_headers(headers)
    except DecodeError:
        return None
    return found if found is not None and found.service == service else None
