"""Where a list goes on: the key of the last row shown, as one word that fits an address.

A key of one text is its own cursor; of several columns, none is told from another by a sign that
could stand in it.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
from fastapi import Query

from libs.eventsourcing.names import holdable
from libs.runtime.ports import Rows
from libs.web.problems import Problem

K = TypeVar("K", bound=tuple[str | int, ...])
R = TypeVar("R", bound=msgspec.Struct)
_PAGE = 500
Cursor = Annotated[str | None, Query(max_length=2000, description="What the page before said.")]


def cursor_of(*key: str | int) -> str:
    """Return the cursor that names a row by its key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def place(cursor: str | None, shape: type[K]) -> K | None:
    """Return the key that a cursor names, as a tuple of this shape; None where there is none.

    Raises Problem for what no page has said.
    """
    if not cursor:
        return None
    try:
        told = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = msgspec.json.decode(told, type=shape)
    except (binascii.Error, ValueError):
        raise no_cursor() from None
    if any(not _holdable(part) for part in key):
        raise no_cursor()
    return key


async def every(
    rows: Rows[R], key: Callable[[R], tuple[str | int, ...]], **equal: str | int | bool
) -> list[R]:
    """Return all rows whose columns equal these values, however many, read page by page."""
    found: list[R] = []
    while True:
        after = key(found[-1]) if found else None
        page = await rows.find(after=after, limit=_PAGE, **equal)
        found += page
        if len(page) < _PAGE:
            return found


def no_cursor() -> Problem:
    """Return what whoever made a cursor up is told."""
    return Problem("invalid-request", "A cursor is what the page before said.")


def _holdable(part: str | int) -> bool:
    return holdable(part) if isinstance(part, str) else -(2**63) <= part < 2**63
