"""The store in memory, for tests and the simulator: passes the same contract suite as PostgreSQL's.

Its work is done by plain methods (`*_now`), so that a simulator needs no event loop.
"""

from collections.abc import Mapping, Sequence

import msgspec

from libs.eventsourcing.decided import HeadChange, Parked, Turn
from libs.eventsourcing.inputs import FromEffect, Position
from libs.eventsourcing.states import pack
from libs.store.store import (
    Call,
    Conflict,
    Delivery,
    DueTimer,
    Fenced,
    Repeated,
    Settled,
    StoredEvent,
    StoredHead,
    StoredReply,
)
from libs.values.lanes import PARTITIONS

OPEN = ("planned", "in-flight", "unknown")  # states of an effect that is not at its end


class InboxEntry(msgspec.Struct):
    """A row of the inbox."""

    delivery: Delivery
    state: str = "received"
    reason: str | None = None
    finished: int = 0
    deliveries: int = 1


class EffectEntry(msgspec.Struct):
    """A row of the effects' work list."""

    kind: str
    stream: str
    request: bytes
    cause: str = ""
    correlation: str = ""
    trace: str = ""
    state: str = "planned"
    planned_at: int = 0
    attempt: int = 0
    token: int = 0
    lease_till: int = 0
    next_at: int = 0
    doubt_since: int = 0
    last_error: str = ""

    def open_at(self) -> int:
        """Return from when on it may be taken."""
        return self.lease_till if self.state == "in-flight" else self.next_at

    def taken(self, now: int, lease_till: int) -> None:
        """Let an attempt begin."""
        self.state, self.lease_till = "in-flight", lease_till
        self.attempt, self.token = self.attempt + 1, self.token + 1
        self.doubt_since = self.doubt_since or now

    def ended(self, done: FromEffect) -> None:
        """Let an attempt have its result."""
        self.state, self.lease_till, self.next_at = done.state, 0, done.next_at
        self.last_error = done.error
        self.doubt_since = self.doubt_since if done.doubt else 0


class MemoryStore:
    """A service's store that lives as long as the object."""

    def __init__(self) -> None:
        self.lanes: list[list[StoredEvent]] = [[] for _ in range(PARTITIONS)]
        self.streams: dict[str, StoredHead] = {}
        self.histories: dict[str, list[StoredEvent]] = {}
        self.positions: dict[tuple[str, str, int], Position] = {}
        self.answers: dict[str, StoredReply] = {}
        self.inbox: list[InboxEntry] = []
        self.keys: dict[tuple[str, str, str], int] = {}
        self.timers: dict[str, DueTimer] = {}
        self.timers_done: set[str] = set()
        self.effects: dict[str, EffectEntry] = {}
        self.aside: dict[str, Parked] = {}

    def commit_now(self, turn: Turn) -> Mapping[int, int]:
        """Check everything, then write everything: all or nothing."""
        self._check(turn)
        for key, position in turn.positions.items():
            self.positions[key] = position
        for reply in turn.replies:
            if reply.request_hash:
                self.answers[reply.key] = StoredReply(reply.request_hash, pack(reply))
        for seq, state, reason in turn.inbox:
            entry = self.inbox[seq - 1]
            entry.state, entry.reason = state, reason
            entry.finished += state != "parked"
        for change in turn.heads.values():
            self._move_head(change)
        for timer in turn.timers:
            row = DueTimer(timer.id, timer.due, timer.stream, pack(timer.command), timer.cause,
                           timer.correlation, timer.trace)  # fmt: skip
            self.timers.setdefault(timer.id, row)
        self.timers_done.update(turn.timers_done)
        for effect in turn.effects:
            state = "suppressed" if effect.suppressed else "planned"
            planned = EffectEntry(effect.kind, effect.stream, effect.request, effect.cause,
                                  effect.correlation, effect.trace, state, turn.at)  # fmt: skip
            self.effects.setdefault(effect.id, planned)
        for done in turn.effects_done:
            self.effects[done.id].ended(done)
        for gone in turn.unparked:
            self._given_up(self.aside.pop(gone))
        for parked in turn.parked:
            self.aside[parked.id] = parked
        return self._append(turn)

    def _given_up(self, parked: Parked) -> None:
        """End a delivery that nobody will read again; one that is tried again has been opened."""
        if any(one.input_id == parked.input_id for one in self.aside.values()):
            return
        for entry in self._parked_entries(parked.input_id):
            entry.state, entry.reason = "ignored", "discarded"
            entry.finished += 1

    def _parked_entries(self, input_id: str) -> Sequence[InboxEntry]:
        return [
            entry
            for entry in self.inbox
            if entry.state == "parked"
            and input_id == "/".join(("inbox", *self._named(entry.delivery)))
        ]

    @staticmethod
    def _named(delivery: Delivery) -> tuple[str, str, str]:
        return delivery.provider, delivery.account, delivery.key

    def _check(self, turn: Turn) -> None:
        for key, position in turn.positions.items():
            held = self.positions.get(key)
            if held is None or held.epoch != position.epoch:
                raise Fenced
        if any(self.positions[key].applied >= p.applied for key, p in turn.positions.items()):
            raise Repeated
        if any(r.request_hash and r.key in self.answers for r in turn.replies):
            raise Repeated
        if any(self.inbox[seq - 1].state != "received" for seq, _, _ in turn.inbox):
            raise Repeated
        for change in turn.heads.values():
            head = self.streams.get(change.stream)
            if (head.version if head else 0) != change.expected:
                raise Conflict
        for stream, version in turn.read.items():
            head = self.streams.get(stream)
            if (head.version if head else 0) != version:
                raise Conflict
        if any(timer in self.timers_done or timer not in self.timers for timer in turn.timers_done):
            raise Repeated
        for done in turn.effects_done:
            if not self._in_flight(done):
                raise Repeated
        if any(gone not in self.aside for gone in turn.unparked):
            raise Repeated

    def _in_flight(self, done: FromEffect) -> bool:
        effect = self.effects.get(done.id)
        return effect is not None and (effect.state, effect.token) == ("in-flight", done.token)

    def _move_head(self, change: HeadChange) -> None:
        old = self.streams.get(change.stream)
        if change.state is not None and (old is None or change.fold[:4] >= old.fold[:4]):
            head = StoredHead(change.stream, change.version, change.state, change.version,
                              change.fold, change.notes)  # fmt: skip
        elif old is None:
            head = StoredHead(change.stream, change.version, None, 0, change.fold, change.notes)
        else:
            head = msgspec.structs.replace(old, version=change.version, notes=change.notes)
        self.streams[change.stream] = head

    def _append(self, turn: Turn) -> Mapping[int, int]:
        heads: dict[int, int] = {}
        for e in turn.events:
            lane = self.lanes[e.lane]
            stored = StoredEvent(e.lane, len(lane) + 1, e.id, e.stream, e.version, e.type,
                                 e.schema_version, e.data, turn.at, e.cause, e.correlation,
                                 e.trace)  # fmt: skip
            lane.append(stored)
            self.histories.setdefault(e.stream, []).append(stored)
            heads[e.lane] = stored.pseq
        return heads

    def heads_now(self, streams: Sequence[str]) -> Mapping[str, StoredHead]:
        """Return the heads of those streams that exist."""
        return {name: self.streams[name] for name in streams if name in self.streams}

    def history_now(self, stream: str, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return a page of a stream behind a version."""
        return self.histories.get(stream, [])[after : after + limit]

    def read_now(self, lane: int, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return a page of a lane behind a number."""
        return self.lanes[lane][after : after + limit]

    def settled_now(self, turn: Turn) -> Settled:
        """Say which of a turn's inputs have taken effect."""
        return Settled(
            {key: self.positions[key] for key in turn.positions if key in self.positions},
            {r.key: self.answers[r.key] for r in turn.replies if r.key in self.answers},
            frozenset(
                s for s, _, _ in turn.inbox if self.inbox[s - 1].state != "received"
            ),
            frozenset(
                t for t in turn.timers_done if t in self.timers_done or t not in self.timers
            ),
            frozenset((d.id, d.token) for d in turn.effects_done if not self._in_flight(d)),
            frozenset(gone for gone in turn.unparked if gone not in self.aside),
        )  # fmt: skip

    def claim_now(self, consumer: str, topic: str, partition: int) -> Position:
        """Raise the epoch of a partition's position."""
        key = (consumer, topic, partition)
        held = self.positions.get(key)
        claimed = (
            msgspec.structs.replace(held, epoch=held.epoch + 1)
            if held
            else Position(consumer, topic, partition, 1, 0, 0, "")
        )
        self.positions[key] = claimed
        return claimed

    def accept_now(self, deliveries: Sequence[Delivery]) -> Sequence[int | None]:
        """Keep deliveries that are not known by their key."""
        answers: list[int | None] = []
        for delivery in deliveries:
            key = self._named(delivery)
            if key in self.keys:
                entry = self.inbox[self.keys[key] - 1]
                entry.deliveries += 1
                answers.append(entry.delivery.received_at)
            else:
                self.inbox.append(InboxEntry(delivery))
                self.keys[key] = len(self.inbox)
                answers.append(None)
        return answers

    def received_now(self, busy: Sequence[int], limit: int) -> Sequence[tuple[int, Delivery]]:
        """Return deliveries that have not taken effect."""
        rows = [
            (seq, entry.delivery)
            for seq, entry in enumerate(self.inbox, 1)
            if entry.state == "received" and seq not in busy
        ]
        return rows[:limit]

    def reopen_now(self, input_id: str) -> None:
        """Let a parked delivery be taken again."""
        for entry in self._parked_entries(input_id):
            entry.state = "received"

    def due_now(self, now: int, limit: int) -> Sequence[DueTimer]:
        """Return timers that are due."""
        rows = [t for t in self.timers.values() if t.due <= now and t.id not in self.timers_done]
        return sorted(rows, key=lambda t: (t.due, t.id))[:limit]

    def claim_effects_now(
        self, kinds: Sequence[str], now: int, lease_till: int, limit: int
    ) -> Sequence[Call]:
        """Take effects that are to be tried now."""
        rows = [
            (entry.next_at, name) for name, entry in self.effects.items()
            if entry.state in OPEN and entry.kind in kinds and entry.open_at() <= now
        ]  # fmt: skip
        calls = []
        for _, name in sorted(rows)[:limit]:
            e = self.effects[name]
            doubt = e.doubt_since
            e.taken(now, lease_till)
            calls.append(
                Call(
                    name,
                    e.kind,
                    e.stream,
                    e.request,
                    e.attempt,
                    e.token,
                    doubt,
                    e.planned_at,
                    e.cause,
                    e.correlation,
                    e.trace,
                )
            )
        return calls

    async def claim_effects(
        self, kinds: Sequence[str], now: int, lease_till: int, limit: int
    ) -> Sequence[Call]:
        return self.claim_effects_now(kinds, now, lease_till, limit)

    async def heads(self, streams: Sequence[str]) -> Mapping[str, StoredHead]:
        return self.heads_now(streams)

    async def history(self, stream: str, after: int, limit: int) -> Sequence[StoredEvent]:
        return self.history_now(stream, after, limit)

    async def read(self, lane: int, after: int, limit: int) -> Sequence[StoredEvent]:
        return self.read_now(lane, after, limit)

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        return self.commit_now(turn)

    async def settled(self, turn: Turn) -> Settled:
        return self.settled_now(turn)

    async def claim(self, consumer: str, topic: str, partition: int) -> Position:
        return self.claim_now(consumer, topic, partition)

    async def lane_head(self, lane: int) -> int:
        return len(self.lanes[lane])

    async def accept(self, deliveries: Sequence[Delivery]) -> Sequence[int | None]:
        return self.accept_now(deliveries)

    async def received(self, busy: Sequence[int], limit: int) -> Sequence[tuple[int, Delivery]]:
        return self.received_now(busy, limit)

    async def reopen(self, input_id: str) -> None:
        self.reopen_now(input_id)

    async def due(self, now: int, limit: int) -> Sequence[DueTimer]:
        return self.due_now(now, limit)

    async def replies(self, keys: Sequence[str]) -> Mapping[str, StoredReply]:
        return {key: self.answers[key] for key in keys if key in self.answers}

    async def parked(self, stream: str | None, source: str | None, limit: int) -> Sequence[Parked]:
        rows = [
            p for p in self.aside.values()
            if stream in {None, p.stream} and source in {None, p.source}
        ]  # fmt: skip
        return rows[:limit]
