"""What every request must be before a route sees it: texts that can be held, one reading of a body.

Knows no route. Deliveries have doors of their own: their bodies are read there, and kept as sent.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.types import Message, Receive, Scope

from libs.eventsourcing.names import holdable
from libs.security.structure import sound
from libs.web.deliveries import raw_body
from libs.web.problems import Problem
from libs.web.tokens import OPEN

MOST = 1024 * 1024  # bytes of a body
_LONE_PERCENT = re.compile(rb"%(?![0-9a-fA-F]{2})")
_JSON = re.compile(r"application/([^\s;/]+\+)?json\s*(;.*)?", re.IGNORECASE)


async def checked(scope: Scope, receive: Receive) -> Receive:
    """Return where the route reads the body from, once address and body are sound.

    Raises Problem: bad-request, body-too-large, content-encoding-not-supported,
    content-type-not-supported, malformed-json or invalid-request.
    """
    check_address(scope.get("raw_path", b""), scope["query_string"])
    if scope["method"] != "POST" or scope["path"].startswith(OPEN):
        return receive
    request = Request(scope, receive)
    body = await raw_body(request, MOST)
    if body:
        check_type(request.headers.get("content-type", ""))
        check_body(body)
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def check_address(*parts: bytes) -> None:
    """Refuse what is not UTF-8 behind its percent signs, or holds U+0000. Raises Problem."""
    for part in parts:
        try:
            fits = not _LONE_PERCENT.search(part) and holdable(unquote_to_bytes(part).decode())
        except UnicodeDecodeError:
            fits = False
        if not fits:
            text = "The address is not UTF-8 behind its percent signs, or holds U+0000."
            raise Problem("bad-request", text)


def check_type(told: str) -> None:
    """Refuse a body that does not say that it is JSON, as a page's form cannot. Raises Problem."""
    if not _JSON.fullmatch(told.strip()):
        text = "The body is taken as JSON only: send Content-Type: application/json."
        raise Problem("content-type-not-supported", text)


def check_body(body: bytes) -> None:
    """Refuse what is no JSON, what two readers may read in two ways, and what nothing can hold.

    A name twice in one object, a number beyond 64 bits, U+0000. Raises Problem.
    """
    if not sound(body):  # nor is one with half of a surrogate pair in it
        raise Problem("malformed-json", "The body is not JSON in UTF-8 of a sensible depth.")
    value = json.loads(
        body, object_pairs_hook=_object, parse_int=_integer, parse_float=_number,
        parse_constant=_beyond,
    )  # fmt: skip
    if b"\\u0000" in body and not _held(value):
        raise Problem("invalid-request", "A text holds U+0000.")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem("invalid-request", "A name stands twice in one object.")
    return found


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        _beyond(text)
    return int(text)


def _number(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        _beyond(text)
    return found


def _beyond(_: str) -> NoReturn:
    raise Problem("invalid-request", "A number is beyond 64 bits.")


def _held(value: Any) -> bool:
    match value:
        case str():
            return holdable(value)
        case list():
            return all(map(_held, value))
        case dict():
            return all(_held(key) and _held(one) for key, one in value.items())
        case _:
            return True
