"""Events that this process has just committed, by lane, so that the relay need not read them again.

Only a memory: what is missing here, or was written by another process, is read from the store.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from libs.eventsourcing.decided import NewEvent

ROOM = 2000  # events of a lane; a relay that is further behind reads pages anyway


class Outgoing(NamedTuple):
    """An event as the relay sends it: the columns of the store, in the order of its statement."""

    lane: int
    pseq: int
    id: str
    stream: str
    version: int
    type: str
    schema_version: int
    data: bytes
    at: int
    cause: str
    correlation: str
    trace: str


class Recent:
    """The newest events of each lane, without gaps."""

    def __init__(self) -> None:
        self._lanes: dict[int, list[Outgoing]] = {}

    def add(self, events: Sequence[NewEvent], heads: Mapping[int, int]) -> None:
        """Take in what one commit appended; `heads` are the lanes' heads behind it."""
        added: dict[int, list[NewEvent]] = {}
        for event in events:
            added.setdefault(event.lane, []).append(event)
        for lane, mine in added.items():
            first = heads[lane] - len(mine) + 1
            kept = self._lanes.setdefault(lane, [])
            if kept and (kept[-1].pseq + 1 != first or len(kept) + len(mine) > ROOM):
                kept.clear()
            kept.extend(
                Outgoing(lane, first + n, e.id, e.stream, e.version, e.type, e.schema_version,
                         e.data, e.at, e.cause, e.correlation, e.trace)
                for n, e in enumerate(mine)
            )  # fmt: skip

    def behind(self, lane: int, sent: int, limit: int) -> Sequence[Outgoing]:
        """Return the events that follow number `sent`; none where the store has to be asked."""
        kept = self._lanes.get(lane)
        if not kept or kept[-1].pseq <= sent:
            return ()
        skipped = sent + 1 - kept[0].pseq
        return kept[skipped : skipped + limit] if skipped >= 0 else ()

    def forget(self, lane: int, sent: int) -> None:
        """Drop what is acknowledged."""
        kept = self._lanes.get(lane)
        if kept:
            del kept[: max(0, sent + 1 - kept[0].pseq)]
