"""Fills a new table from the topics, from their first offsets to given marks.

Is handed topics and the read database only: no outside effect can come of it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from libs.bus.records import Place
from libs.bus.screening import Cursor, Mark, screen_marks
from libs.bus.tail import Tail
from libs.codec.framing import EventCodec
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.inputs import Position
from libs.eventsourcing.projection import Key
from libs.replay.folding import Parsed, Unreadable, fold, touched
from libs.replay.table import Table
from libs.store.pool import Connection

IN_MEMORY = 300_000  # rows
REPORT = 0.25  # seconds


class RebuildFailed(Exception):  # noqa: N818
    """The copy cannot be made; the live table is untouched. The message says why."""


class Progress(msgspec.Struct, frozen=True):
    """How far a rebuild is: records read of those there are, rate per second, seconds to go."""

    projection: str
    records: int
    total: int
    rate: float
    eta: float


class Filling:
    """A copy in the making: rows in memory while they fit, cursors per partition."""

    def __init__(
        self,
        tail: Tail,
        table: Table[Any],
        codec: EventCodec,
        progress: Callable[[Progress], None] | None = None,
        in_memory: int = IN_MEMORY,
    ) -> None:
        self.tail, self.table, self.codec = tail, table, codec
        self.progress, self.in_memory = progress, in_memory
        self.cursors = {(p.topic, p.partition): Cursor(0, 0, "") for p in tail.parts}
        self.records = 0
        self._total = 0
        self._began = time.monotonic()
        self._reported = 0.0
        self._rows: dict[Key, Any] = {}
        self._spilled = False

    async def to_numbers(self, connection: Connection, numbers: Mapping[Place, int]) -> None:
        """Read until each partition is folded up to exactly this number."""
        ends = await self.tail.ends()
        self._total = max(self._total, sum(ends.values()))
        await self._read(connection, ends, numbers)

    async def to_ends(self, connection: Connection) -> None:
        """Read all that is in the topics now."""
        ends = await self.tail.ends()
        self._total = max(self._total, sum(ends.values()))
        await self._read(connection, ends, None)

    async def length(self) -> int:
        """Return how many records there are now, about."""
        return sum((await self.tail.ends()).values())

    def adopt(self, cursors: Mapping[Place, Cursor], records: int) -> None:
        """Go on behind these cursors, whose rows somebody else has written."""
        for place, cursor in cursors.items():
            self.cursors[place] = cursor
            self.tail.seek(place, cursor.next_offset)
        self.records += records
        self._spilled = True

    async def flush(self, connection: Connection) -> None:
        """Write what is still in memory."""
        if self._spilled:
            await self.table.write(connection, self._rows)
        else:
            await self.table.copy(
                connection, (row for row in self._rows.values() if row is not None)
            )
            self._spilled = True
        self._rows = {}
        self._report(force=True)

    def positions(self) -> list[Position]:
        """Return where the copy stands, as positions of its own."""
        return [
            Position(self.table.name, *place, 1, c.next_offset, c.last_pseq, c.last_id)
            for place, c in self.cursors.items()
        ]

    async def _read(
        self, connection: Connection, ends: Mapping[Place, int], numbers: Mapping[Place, int] | None
    ) -> None:
        while open_ := [p for p in self.cursors if not self._reached(p, ends[p], numbers)]:
            parsed = {}
            for place, records in (await self.tail.get(open_)).items():
                parsed[place] = Parsed(records, self.codec.decode_value)
                await asyncio.sleep(0)  # more is asked for while these are decoded
            await self._fold(connection, parsed, numbers)
            for place in open_:
                self._complain(place, ends[place], numbers)
            self._report()

    def _reached(self, place: Place, end: int, numbers: Mapping[Place, int] | None) -> bool:
        if numbers is not None:
            return self.cursors[place].last_pseq >= numbers.get(place, 0)
        return self.tail.at(place) >= end

    def _complain(self, place: Place, end: int, numbers: Mapping[Place, int] | None) -> None:
        cursor, where = self.cursors[place], f"{place[0]}/{place[1]}"
        if numbers is not None and cursor.last_pseq > numbers.get(place, cursor.last_pseq):
            raise RebuildFailed(f"{where} is out of order around {cursor.last_pseq}.")
        if self.tail.at(place) < end:
            return
        if cursor.skipped_from is not None:
            raise RebuildFailed(f"{where} lacks event {cursor.last_pseq + 1}: resend it first.")
        if numbers is not None and cursor.last_pseq < numbers.get(place, 0):
            raise RebuildFailed(
                f"{where} ends at event {cursor.last_pseq}, the live rows at {numbers[place]}."
            )

    async def _fold(
        self,
        connection: Connection,
        parsed: Mapping[Place, Parsed],
        numbers: Mapping[Place, int] | None,
    ) -> None:
        envelopes = []
        for place, run in parsed.items():
            marks, bound = run.marks, None if numbers is None else numbers.get(place, 0)
            if bound is not None:
                marks = self._up_to(place, bound, marks)
            screened = screen_marks(self.cursors[place], marks)
            if screened.problem == "two-histories":
                raise RebuildFailed(f"{place[0]}/{place[1]} holds two histories.")
            if screened.problem == "filled":
                self.tail.seek(place, screened.cursor.next_offset)
            self.cursors[place] = screened.cursor
            self.records += len(marks)
            envelopes += self._events(run, screened.taken)
            await asyncio.sleep(0)
        pairs = touched(self.table.projection, envelopes)
        if self._spilled:
            missing = {key for key, _ in pairs if key not in self._rows}
            self._rows |= await self.table.load(connection, missing)
        self._rows |= fold(self.table.projection, pairs, self._rows)
        if len(self._rows) > self.in_memory:
            await self.flush(connection)

    def _events(self, run: Parsed, taken: Sequence[int]) -> list[Envelope[Any]]:
        try:
            return run.envelopes(taken)
        except Unreadable as error:
            raise RebuildFailed(f"A record cannot be read: {error}.") from error

    def _up_to(self, place: Place, bound: int, marks: list[Mark]) -> list[Mark]:
        """Leave what lies behind the bound for later, if all before it has come."""
        beyond = next((n for n, mark in enumerate(marks) if mark.pseq > bound), len(marks))
        before = marks[:beyond]
        if (
            beyond == len(marks)
            or screen_marks(self.cursors[place], before).cursor.last_pseq < bound
        ):
            return marks
        self.tail.seek(place, marks[beyond].offset)
        return before

    def _report(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if self.progress is None or (now - self._reported < REPORT and not force):
            return
        self._reported = now
        rate = self.records / max(now - self._began, 1e-6)
        left = max(0, self._total - self.records)
        self.progress(
            Progress(self.table.projection.name, self.records, max(self._total, self.records),
                     rate, left / rate if rate else 0.0)
        )  # fmt: skip
