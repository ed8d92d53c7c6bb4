"""A turn as the arrays that the SQL function `commit_turn` takes: one for each column."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from libs.eventsourcing.decided import Turn
from libs.eventsourcing.states import pack

PARAMETERS = ", ".join(f"${n}" for n in range(1, 63))


def columns(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    """Return the columns of rows that are so many values wide; empty ones of no rows."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def arguments(turn: Turn) -> list[object]:
    """Lay a turn out in the order of the function's parameters."""
    lanes = Counter(event.lane for event in turn.events)
    return [
        *columns(_positions(turn), 8),
        *columns(_replies(turn), 3),
        *columns(turn.inbox, 3),
        *columns(_heads(turn), 6),
        list(turn.read),
        list(turn.read.values()),
        *columns(_timers(turn), 7),
        turn.timers_done,
        *columns(_effects(turn), 8),
        *columns([msgspec.structs.astuple(done) for done in turn.effects_done], 6),
        _parked(turn),
        [p.command for p in turn.parked],
        [p.raw for p in turn.parked],
        turn.unparked,
        list(lanes),
        list(lanes.values()),
        *columns(_events(turn), 11),
        turn.at,
    ]


def _positions(turn: Turn) -> list[tuple[object, ...]]:
    return [
        (p.consumer, p.topic, p.partition, p.epoch, p.next_offset, p.last_pseq, p.last_id,
         p.applied)
        for p in turn.positions.values()
    ]  # fmt: skip


def _replies(turn: Turn) -> list[tuple[object, ...]]:
    # An answer to a fault of ours is not kept: the caller may try again with the same key.
    return [(r.key, r.request_hash, pack(r)) for r in turn.replies if r.request_hash]


def _heads(turn: Turn) -> list[tuple[object, ...]]:
    return [
        (h.stream, h.expected, h.version, h.state, h.fold, msgspec.msgpack.encode(h.notes))
        for h in turn.heads.values()
    ]


def _timers(turn: Turn) -> list[tuple[object, ...]]:
    return [
        (t.id, t.due, t.stream, pack(t.command), t.cause, t.correlation, t.trace)
        for t in turn.timers
    ]


def _effects(turn: Turn) -> list[tuple[object, ...]]:
    return [
        (f.id, f.kind, f.stream, f.request, "suppressed" if f.suppressed else "planned", f.cause,
         f.correlation, f.trace)
        for f in turn.effects
    ]  # fmt: skip


def _parked(turn: Turn) -> str:
    rows = [
        {"id": p.id, "stream": p.stream, "source": p.source, "input_id": p.input_id, "work": p.work,
         "code": p.code, "detail": p.detail, "fingerprint": p.fingerprint, "cause": p.cause,
         "correlation": p.correlation, "trace": p.trace, "history": p.history}
        for p in turn.parked
    ]  # fmt: skip
    return msgspec.json.encode(rows).decode()


def _events(turn: Turn) -> list[tuple[object, ...]]:
    """Return the events, each with its place among those of its lane."""
    ranks: Counter[int] = Counter()
    rows: list[tuple[object, ...]] = []
    for e in turn.events:
        ranks[e.lane] += 1
        rows.append((e.lane, ranks[e.lane], e.id, e.stream, e.version, e.type, e.schema_version,
                     e.data, e.cause, e.correlation, e.trace))  # fmt: skip
    return rows
