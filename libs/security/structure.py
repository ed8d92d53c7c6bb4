"""Whether bytes from outside are JSON of a sensible depth, found out cheaply. Reads no field."""

import re

import msgspec

MAX_DEPTH = 64
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


def sound(body: bytes) -> bool:
    """Say whether the body is JSON in UTF-8, nested at most 64 deep."""
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKET)
    rounds = 0
    while brackets and rounds < MAX_DEPTH:
        shorter = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(shorter) == len(brackets):
            break
        brackets, rounds = shorter, rounds + 1
    if brackets:
        return False
    try:
        body.decode()
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
