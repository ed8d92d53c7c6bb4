"""A turn in the making: heads as they stand by now, and what is written down so far. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.codec.errors import DecodeError
from libs.contracts import kernel
from libs.eventsourcing.decided import HeadChange, NewEvent, Parked, Recorded, Turn
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.guards import packed, possible
from libs.eventsourcing.inputs import Head, Input
from libs.eventsourcing.mind import Mind
from libs.eventsourcing.process import Effect, Timer
from libs.eventsourcing.states import pack_whatever
from libs.values.ids import category, derive
from libs.values.lanes import lane_of

SMALL_STATE = 8192  # bytes: a state up to this size is stored every turn, a larger one rarely
SAVE_EVERY = 64  # events, or one for so many bytes of the state that was stored:
BYTES_PER_EVENT = 512  # what is written grows with the events, whatever the state's size
KERNEL = "lonja.kernel."


class Draft:
    """One turn. Each decision is made on the heads that the one before it left."""

    def __init__(self, mind: Mind, heads: Mapping[str, Head], at: int) -> None:
        self.mind, self.heads, self.turn = mind, dict(heads), Turn(at)

    def decide(self, given: Input, stream: str, number: int, command: Any) -> list[Envelope[Any]]:
        """Decide one command of an input and write its events down. Raises as the decider does."""
        head = self.heads[stream]
        decider = self.mind.deciders.get(category(stream))
        if decider is None:
            raise Refused("stream-unknown", f"No stream of this service is called {stream}.")
        if head.broken is not None:
            raise DecodeError(head.broken, "stream-unreadable")
        events = decider.decide(command, head.state)
        if not events:
            return []
        state = head.state
        for event in events:
            state = decider.evolve(state, event)
        return self.append(given, stream, events, str(number), state=state)

    def decide_all(self, given: Input) -> list[Recorded]:
        """Decide all commands of a caller's request; where one fails, none has left anything."""
        turn, before = self.turn, {stream: self.heads[stream] for stream, _ in given.work}
        lists: tuple[list[Any], ...] = (turn.events, turn.recorded, turn.timers, turn.effects)
        sizes, done = [len(one) for one in lists], []
        try:
            for number, (stream, command) in enumerate(given.work):
                events = self.decide(given, stream, number, command)
                types = tuple(event.type for event in events)
                done.append(Recorded(stream, self.heads[stream].version, types))
        except Exception:
            self.heads |= before
            for one, size in zip(lists, sizes, strict=True):
                del one[size:]
            raise
        return done

    def append(
        self, given: Input, stream: str, events: Sequence[Any], seed: str, **changes: Any
    ) -> list[Envelope[Any]]:
        """Encode and plan first, then write down: a failure leaves nothing behind."""
        head, turn, codec = self.heads[stream], self.turn, self.mind.codec
        lane = lane_of(stream)
        new: list[NewEvent] = []
        envelopes: list[Envelope[Any]] = []
        planned: list[Timer | Effect] = []
        for ordinal, event in enumerate(events):
            name, schema_version, data = codec.encode(event)
            event_id = derive(self.mind.service, given.id, seed, str(ordinal))
            version = head.version + 1 + ordinal
            new.append(NewEvent(lane, event_id, stream, version, name, schema_version, data,
                                turn.at, given.cause, given.correlation, given.trace))  # fmt: skip
            envelope = Envelope(event, name, event_id, stream, version, turn.at, self.mind.service,
                                lane, 0, given.trace)  # fmt: skip
            envelopes.append(envelope)
            if not name.startswith(KERNEL):
                planned.extend(
                    msgspec.structs.replace(
                        possible(item), cause=event_id, correlation=given.correlation,
                        trace=given.trace,
                    )
                    for item in self.mind.plan(envelope)
                )  # fmt: skip
        turn.events.extend(new)
        turn.recorded.extend(envelopes)
        for item in planned:
            if isinstance(item, Timer):
                turn.timers.append(item)
            else:
                turn.effects.append(msgspec.structs.replace(item, suppressed=given.history))
        self.heads[stream] = msgspec.structs.replace(
            head, version=head.version + len(events), **changes
        )
        return envelopes

    def park(
        self, given: Input, stream: str, number: int, code: str, detail: str,
        command: Any = None, raw: bytes | None = None,
    ) -> None:  # fmt: skip
        """Set a command aside, or a whole input, and note it beside the head of its stream."""
        head = self.heads[stream]
        kept = None if command is None else pack_whatever(command)
        queued = head.notes.get(given.source, 0) + 1
        parked_id = derive(
            self.mind.service, "parked", given.id, str(number), f"{stream}@{head.version}"
        )
        fingerprint = hashlib.sha256(f"{code}\x1f{detail}".encode()).hexdigest()[:12]
        self.turn.parked.append(
            Parked(parked_id, stream, given.source, given.id, number, code, detail, fingerprint,
                   self.turn.at, kept, raw, given.cause, given.correlation, given.trace,
                   given.history)
        )  # fmt: skip
        event = kernel.CommandParked(
            stream=stream, source=given.source, parked_id=parked_id, code=code,
            fingerprint=fingerprint, origin=given.id, queued=queued,
        )  # fmt: skip
        notes = {**head.notes, given.source: queued}
        self.append(given, stream, [event], f"park/{number}", notes=notes)

    def finished(self, before: Mapping[str, Head]) -> Turn:
        """Name the heads that changed, with the states worth storing."""
        turn = self.turn
        for stream, head in self.heads.items():
            old = before[stream]
            if head.version == old.version:
                turn.read[stream] = old.version
                continue
            decider = self.mind.deciders.get(category(stream))
            state = self._state_to_save(old, head) if decider is not None else None
            saved, size = head.saved_version, head.saved_size
            if state is not None:
                saved, size = head.version, len(state)
            fold = self.mind.folds.get(category(stream), "")
            turn.heads[stream] = HeadChange(
                stream, old.version, head.version, state, fold, head.notes
            )
            turn.after[stream] = msgspec.structs.replace(head, saved_version=saved, saved_size=size)
        return turn

    @staticmethod
    def _state_to_save(old: Head, head: Head) -> bytes | None:
        """Return the state where it is small, or due; None where the events are enough."""
        unsaved = head.version - head.saved_version
        due = unsaved >= max(SAVE_EVERY, head.saved_size // BYTES_PER_EVENT)
        small = head.saved_version == old.version and head.saved_size <= SMALL_STATE
        if head.broken is not None or not (due or small):
            return None
        state = packed(head.state)
        if state is not None and len(state) > SMALL_STATE and not due and old.version:
            return None
        return state
