"""W3C trace context at the edge: a caller's trace goes on, where there is none a new one begins.

The only place that makes what is random in it; turns, reactors and projections hand it on as it is.
Source: https://www.w3.org/TR/trace-context/ (version 00).
"""

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


def continued(header: str) -> str:
    """Return the traceparent of what a request leads to.

    The caller's trace and flags with a span of ours; a trace of our own where the header is
    missing, malformed, all zeros or of a version that is none (`ff`).
    """
    found = _PARENT.fullmatch(header.strip()) if len(header) <= 512 else None
    span = os.urandom(8).hex()
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return f"00-{os.urandom(16).hex()}-{span}-01"
    if found[2] == _NO_TRACE or found[3] == _NO_SPAN:
        return f"00-{os.urandom(16).hex()}-{span}-01"
    return f"00-{found[2]}-{span}-{found[4]}"


def header_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return an ASGI request's traceparent; empty where there is none, or more than one."""
    found = [value for name, value in headers if name == b"traceparent"]
    return found[0].decode("latin-1") if len(found) == 1 else ""


class Parent(NamedTuple):
    """A traceparent's parts: 32 and 16 hexadecimal digits, and whether its trace is recorded."""

    trace: str
    span: str
    sampled: bool


def parent_of(traceparent: str) -> Parent | None:
    """Return the parts of a traceparent; None where it is none."""
    found = _PARENT.fullmatch(traceparent)
    if found is None or found[2] == _NO_TRACE or found[3] == _NO_SPAN:
        return None
    return Parent(found[2], found[3], bool(int(found[4], 16) & 1))


def trace_id(traceparent: str) -> str:
    """Return the 32 hexadecimal digits that name the trace; empty where there is none."""
    found = _PARENT.fullmatch(traceparent)
    return found[2] if found is not None else ""
