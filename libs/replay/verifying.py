"""Whether two tables of a projection hold the same, by digests in key order. Writes nothing."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from libs.eventsourcing.projection import Key
from libs.replay.table import Table
from libs.store.pool import Connection

NAMED = 20
PAGE = 2000


class Comparison(msgspec.Struct, frozen=True):
    """Rows and digest (SHA-256, hexadecimal) of live and copy; `differing` names the first keys."""

    rows: int
    copy_rows: int
    digest: str
    copy_digest: str
    differing: tuple[Key, ...]

    @property
    def equal(self) -> bool:
        """Say whether live and copy hold the same."""
        return self.digest == self.copy_digest


class _Side:
    """One table, read in key order."""

    def __init__(self, connection: Connection, table: Table[Any]) -> None:
        self.rows = 0
        self.hash = hashlib.sha256()
        self.head: tuple[Key, bytes] | None = None
        self._pages = self._read(connection, table)

    async def _read(self, connection: Connection, table: Table[Any]) -> AsyncIterator[Any]:
        async for record in connection.cursor(table.digests, prefetch=PAGE, timeout=table.patience):
            yield tuple(record)[1:], record[0]

    async def advance(self) -> None:
        self.head = await anext(self._pages, None)
        if self.head is not None:
            self.rows += 1
            self.hash.update(self.head[1])


async def compare(
    live_connection: Connection, live: Table[Any], copy_connection: Connection, copy: Table[Any]
) -> Comparison:
    """Compare two tables; each connection must be in a transaction."""
    left, right = _Side(live_connection, live), _Side(copy_connection, copy)
    differing: list[Key] = []
    await left.advance()
    await right.advance()
    while left.head is not None or right.head is not None:
        keys = [_order(side.head[0]) for side in (left, right) if side.head is not None]
        first = min(keys)
        mine = left.head if left.head and _order(left.head[0]) == first else None
        theirs = right.head if right.head and _order(right.head[0]) == first else None
        if mine != theirs and len(differing) < NAMED:
            differing.append((mine or theirs or ((), b""))[0])
        if mine is not None:
            await left.advance()
        if theirs is not None:
            await right.advance()
    return Comparison(
        left.rows, right.rows, left.hash.hexdigest(), right.hash.hexdigest(), tuple(differing)
    )


def _order(key: Key) -> tuple[Any, ...]:
    """Return a key as the tables order it: texts by their UTF-8 bytes."""
    return tuple(part.encode() if isinstance(part, str) else part for part in key)
