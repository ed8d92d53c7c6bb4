"""The turn: inputs and heads in, everything to be committed out. Pure; the heart of Lonja.

PostgreSQL, memory and the simulator are shells around it: they load, call, and commit what it says.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.codec.errors import DecodeError
from libs.codec.framing import EventCodec
from libs.contracts import kernel
from libs.eventsourcing.decided import HeadChange, NewEvent, Parked, Recorded, Reply, Turn
from libs.eventsourcing.decider import Decider, Refused
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.guards import cause, held, packed, possible
from libs.eventsourcing.inputs import (
    FromApi,
    FromEffect,
    FromInbox,
    FromOperator,
    FromTimer,
    FromTopic,
    Head,
    Input,
)
from libs.eventsourcing.names import UNNAMED, cleaned, nameable
from libs.eventsourcing.process import Effect, Plan, Timer
from libs.eventsourcing.states import fold_fingerprint, pack_whatever
from libs.values.ids import category, derive
from libs.values.lanes import lane_of

SMALL_STATE = 8192  # bytes: a state up to this size is stored every turn, a larger one rarely
SAVE_EVERY = 64  # events, or one for so many bytes of the state that was stored:
BYTES_PER_EVENT = 512  # what is written grows with the events, whatever the state's size
KERNEL = "lonja.kernel."


class Mind:
    """What a service is made of for a turn: its deciders by category, its codec and its plan."""

    def __init__(
        self,
        service: str,
        deciders: Sequence[Decider[Any, Any, Any]],
        codec: EventCodec,
        plan: Plan,
    ) -> None:
        self.service = service
        self.deciders: Mapping[str, Decider[Any, Any, Any]] = {d.category: d for d in deciders}
        self.folds = {d.category: fold_fingerprint(d) for d in deciders}
        self.codec = codec
        self.plan = plan


def take_turn(mind: Mind, inputs: Sequence[Input], heads: Mapping[str, Head], at: int) -> Turn:
    """Decide the inputs one after the other, each on what the ones before it left.

    `heads` holds every stream that the inputs name; `at` is the time of the turn (microseconds).
    An input that fails contributes nothing but its parking or its answer.
    """
    taking = _Taking(mind, dict(heads), Turn(at))
    for given in inputs:
        taking.take(given)
    return taking.finished(heads)


class _Taking:
    def __init__(self, mind: Mind, heads: dict[str, Head], turn: Turn) -> None:
        self.mind, self.heads, self.turn = mind, heads, turn
        self.stopped: set[tuple[str, str]] = set()  # (stream, source) whose redrive has failed

    def take(self, given: Input) -> None:
        turn, given = self.turn, held(given)
        match given.origin:
            case FromTopic(after=after):
                turn.positions[after.consumer, after.topic, after.partition] = after
                self._fact(given)
            case FromInbox(seq=seq, ignored=ignored):
                self._fact(given)
                unread = given.failure is not None and not given.work
                state = "ignored" if ignored else "parked" if unread else "done"
                why = given.failure.code if given.failure is not None else ignored
                turn.inbox.append((seq, state, cleaned(why) if why is not None else None))
            case FromApi() as origin:
                self._answer(given, origin)
            case FromTimer(id=timer):
                self._fact(given)
                turn.timers_done.append(timer)
            case FromEffect() as origin:
                self._fact(given)
                turn.effects_done.append(origin)
            case FromOperator() as origin:
                self._operator(given, origin)

    def _fact(self, given: Input) -> None:
        """Apply or park: whatever came from outside is never lost."""
        failure = given.failure
        if failure is not None and not given.work:
            intake = given.intake or UNNAMED
            self._park(given, intake, 0, failure.code, failure.detail, None, failure.raw)
            return
        behind = given.intake and given.source in self.heads[given.intake].notes
        for number, (stream, command) in enumerate(given.work, given.first_work):
            if not nameable(stream):
                self._park(given, UNNAMED, number, "bad-name", "The stream's name cannot be held.")
            elif failure is not None:
                self._park(given, stream, number, failure.code, failure.detail, command)
            elif behind:
                detail = f"queued behind an unreadable input for {stream}"
                aside = (stream, pack_whatever(command))
                self._park(given, given.intake, number, "queued", detail, aside)
            elif given.source in self.heads[stream].notes:
                self._park(given, stream, number, "queued", "", command)
            else:
                try:
                    self._decide(given, stream, number, command)
                except Exception as error:
                    self._park(given, stream, number, *cause(error), command)

    def _answer(self, given: Input, origin: FromApi) -> None:
        if not all(nameable(stream) for stream, _ in given.work):
            self.turn.replies.append(Reply(origin.key, origin.request_hash, "", 0, (), "bad-name"))
            return
        stream = given.work[0][0]
        try:
            first, *also = self._all(given)
        except Refused as no:
            details = {k: cleaned(v) if isinstance(v, str) else v for k, v in no.details.items()}
            reply = Reply(origin.key, origin.request_hash, stream, self.heads[stream].version,
                          (), cleaned(no.code), cleaned(no.message), details)  # fmt: skip
        except Exception as error:
            code, detail = cause(error)
            reply = Reply(origin.key, b"", stream, 0, (), code, detail)
        else:
            reply = Reply(origin.key, origin.request_hash, first.stream, first.version,
                          first.events, also=tuple(also))  # fmt: skip
        self.turn.replies.append(reply)

    def _all(self, given: Input) -> list[Recorded]:
        """Decide all commands of a caller's request; where one fails, none has left anything."""
        turn, before = self.turn, {stream: self.heads[stream] for stream, _ in given.work}
        lists: tuple[list[Any], ...] = (turn.events, turn.recorded, turn.timers, turn.effects)
        sizes, done = [len(one) for one in lists], []
        try:
            for number, (stream, command) in enumerate(given.work):
                events = self._decide(given, stream, number, command)
                types = tuple(event.type for event in events)
                done.append(Recorded(stream, self.heads[stream].version, types))
        except Exception:
            self.heads |= before
            for one, size in zip(lists, sizes, strict=True):
                del one[size:]
            raise
        return done

    def _operator(self, given: Input, origin: FromOperator) -> None:
        """Try a parked command again, or give it up; the first failure stops its source's queue."""
        queue = (origin.stream, origin.source)
        code: str | None = None
        if queue in self.stopped:
            code = "queued"
        elif origin.source not in self.heads[origin.stream].notes:
            code = "not-parked"
        elif origin.discard is None:
            code = given.failure.code if given.failure else self._again(given, origin)
            if code is not None:
                self.stopped.add(queue)
        if code is None:
            self._clear(given, origin)
        self.turn.operator[origin.parked_id] = code

    def _again(self, given: Input, origin: FromOperator) -> str | None:
        """Apply parked work; the code of the first failure, as long as nothing was recorded."""
        before = len(self.turn.events)
        for number, (stream, command) in enumerate(given.work, given.first_work):
            if not nameable(stream):
                return "bad-name"
            if stream != origin.stream and given.source in self.heads[stream].notes:
                self._park(given, stream, number, "queued", "", command)
                continue
            try:
                self._decide(given, stream, number, command)
            except Exception as error:
                if len(self.turn.events) == before:
                    return cause(error)[0]
                self._park(given, stream, number, *cause(error), command)
        return None

    def _clear(self, given: Input, origin: FromOperator) -> None:
        head = self.heads[origin.stream]
        queued = head.notes[origin.source] - 1
        notes = {k: v for k, v in head.notes.items() if k != origin.source}
        if queued:
            notes[origin.source] = queued
        names = {"stream": origin.stream, "source": origin.source, "parked_id": origin.parked_id,
                 "by": cleaned(origin.by)}  # fmt: skip
        event: Any = (
            kernel.ParkedCommandRedriven(**names, queued=queued)
            if origin.discard is None
            else kernel.ParkedCommandDiscarded(
                **names, reason=cleaned(origin.discard), queued=queued
            )
        )
        self.turn.unparked.append(origin.parked_id)
        self._append(given, origin.stream, [event], f"clear/{origin.parked_id}", notes=notes)

    def _decide(self, given: Input, stream: str, number: int, command: Any) -> list[Envelope[Any]]:
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
        return self._append(given, stream, events, str(number), state=state)

    def _append(
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

    def _park(
        self, given: Input, stream: str, number: int, code: str, detail: str,
        command: Any = None, raw: bytes | None = None,
    ) -> None:  # fmt: skip
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
        self._append(given, stream, [event], f"park/{number}", notes=notes)

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
