"""The seven headers of a record: CloudEvents' (binary mode), W3C trace context, and ours.

`lonja` is text, because CloudEvents' own SDK reads every header of a record as UTF-8.
"""

import re
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from libs.codec.errors import DecodeError

_OURS = struct.Struct(">QQ32x")  # pseq, version; cause and correlation stay text
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Headers = list[tuple[str, bytes]]


class EventHeaders(msgspec.Struct, frozen=True, gc=False):
    """What the headers of a record of ours say; `time` in microseconds, ids as UUID texts.

    `links` are the ids of cause and correlation, 32 hexadecimal digits each: few readers want them.
    """

    id: str
    service: str
    type: str
    time: int
    traceparent: str
    pseq: int
    version: int
    links: str

    @property
    def cause(self) -> str:
        """Return the id of what led to the event."""
        return _uuid(self.links[:32])

    @property
    def correlation(self) -> str:
        """Return the id of what everything began with."""
        return _uuid(self.links[32:])


def links(cause: str, correlation: str) -> str:
    """Return two UUID texts as `EventHeaders.links`."""
    return (cause + correlation).replace("-", "")


def _uuid(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _named(event_id: str, pseq: int, version: int) -> str:
    """Return the id of an event that is numbered and named as ours are. Raises ValueError."""
    if not (pseq and version and _ID.fullmatch(event_id)):
        raise ValueError("not of ours")
    return event_id


def time_text(at: int) -> str:
    """Return RFC 3339 for microseconds since the epoch."""
    whole, micros = divmod(at, 1_000_000)
    return f"{_seconds_text(whole)}.{micros:06d}Z"


@lru_cache(maxsize=1024)
def _seconds_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def time_number(text: str) -> int:
    """Return microseconds since the epoch for RFC 3339. Raises ValueError."""
    if len(text) == 27 and text[19] == "." and text[26] == "Z" and text[20:26].isdecimal():
        return _seconds_number(text[:19]) * 1_000_000 + int(text[20:26])  # as `time_text` writes it
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond


@lru_cache(maxsize=1024)
def _seconds_number(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


def build_headers(headers: EventHeaders) -> Headers:
    """Return a record's headers, in order."""
    ours = f"{headers.pseq:016x}{headers.version:016x}{headers.links}".encode()
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", headers.id.encode()),
        ("ce_source", f"/lonja/{headers.service}".encode()),
        ("ce_type", headers.type.encode()),
        ("ce_time", time_text(headers.time).encode()),
        ("traceparent", headers.traceparent.encode()),
        ("lonja", ours),
    ]


def parse_headers(headers: Sequence[tuple[str, bytes]]) -> EventHeaders | None:
    """Read a record's headers; None for a record that is not ours. Raises DecodeError."""
    found = dict(headers)
    ours = found.get("lonja")
    if ours is None:
        return None
    try:
        numbers = ours.decode().lower()
        exact = len(numbers) == 2 * _OURS.size  # blanks would pass by `fromhex`
        pseq, version = _OURS.unpack(bytes.fromhex(numbers) if exact else b"")
        return EventHeaders(
            _named(found["ce_id"].decode(), pseq, version),
            found["ce_source"].decode().removeprefix("/lonja/"),
            found["ce_type"].decode(), time_number(found["ce_time"].decode()),
            found["traceparent"].decode(), pseq, version, numbers[32:],
        )  # fmt: skip
    except (struct.error, KeyError, AttributeError, ValueError) as error:
        raise DecodeError(
            f"The headers cannot be read ({type(error).__name__}).", "bad-headers"
        ) from None
