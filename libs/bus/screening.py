"""Which records of a partition are to be applied: decided by their gapless numbers alone. Pure."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

Problem = Literal["gap", "filled", "two-histories"]


class Mark(NamedTuple):
    """A record as it is screened: a `pseq` of 0 says that it is not ours, -1 that none is there."""

    offset: int
    pseq: int
    id: str


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """How far a partition is applied.

    In a gap, `skipped_from` is the offset of the first record that came too early and `skipped` the
    lowest number among those; they are remembered by the reader only.
    """

    next_offset: int
    last_pseq: int
    last_id: str
    skipped_from: int | None = None
    skipped: int = 0


class Screened(msgspec.Struct, frozen=True):
    """What is to be done with a run of records.

    `taken` are indices of the records to apply (ours in order, and foreign ones), `after` the
    cursor behind each, `cursor` the one behind all that was read, skipped ones included.

    `gap`: a number is missing; read on, nothing behind it is taken until it comes. `filled`: it
    came; read again from the cursor's offset. `two-histories`: the partition must stop.
    """

    taken: Sequence[int]
    after: Sequence[Cursor]
    cursor: Cursor
    problem: Problem | None


def screen_marks(cursor: Cursor, marks: Sequence[Mark]) -> Screened:
    """Screen a run of records of one partition, in offset order."""
    last, last_id, place = cursor.last_pseq, cursor.last_id, cursor.next_offset
    early, lowest = cursor.skipped_from, cursor.skipped
    taken: list[int] = []
    after: list[Cursor] = []
    for index, (offset, pseq, event_id) in enumerate(marks):
        if pseq == last and pseq and last_id and event_id != last_id:
            here = Cursor(place, last, last_id, early, lowest)
            return Screened(taken, after, here, "two-histories")
        if pseq > last + 1:
            early, lowest = (offset, pseq) if early is None else (early, min(lowest, pseq))
        elif early is None:
            place = offset + 1
            if pseq and pseq <= last:
                continue
            if pseq:
                last, last_id = pseq, event_id
            taken.append(index)
            after.append(Cursor(place, last, last_id))
        elif pseq == last + 1:
            last, last_id = pseq, event_id
            taken.append(index)
            if last + 1 >= lowest:
                here = Cursor(early, last, last_id)
                return Screened(taken, [*after, here], here, "filled")
            after.append(Cursor(early, last, last_id, early, lowest))
    here = Cursor(place, last, last_id, early, lowest)
    return Screened(taken, after, here, None if early is None else "gap")
