"""The turn: inputs and heads in, everything to be committed out. Pure; the heart of Lonja.

PostgreSQL, memory and the simulator are shells around it: they load, call, and commit what it says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from libs.contracts import kernel
from libs.eventsourcing.decided import Reply, Turn
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.draft import Draft
from libs.eventsourcing.guards import cause, held
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
from libs.eventsourcing.mind import Mind
from libs.eventsourcing.names import UNNAMED, cleaned, nameable
from libs.eventsourcing.states import pack_whatever


def take_turn(mind: Mind, inputs: Sequence[Input], heads: Mapping[str, Head], at: int) -> Turn:
    """Decide the inputs one after the other, each on what the ones before it left.

    `heads` holds every stream that the inputs name; `at` is the time of the turn (microseconds).
    An input that fails contributes nothing but its parking or its answer.
    """
    draft = Draft(mind, heads, at)
    taking = _Taking(draft)
    for given in inputs:
        taking.take(given)
    return draft.finished(heads)


class _Taking:
    def __init__(self, draft: Draft) -> None:
        self.draft, self.heads, self.turn = draft, draft.heads, draft.turn
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
            self.draft.park(given, intake, 0, failure.code, failure.detail, None, failure.raw)
            return
        behind = given.intake and given.source in self.heads[given.intake].notes
        for number, (stream, command) in enumerate(given.work, given.first_work):
            if not nameable(stream):
                self.draft.park(
                    given, UNNAMED, number, "bad-name", "The stream's name cannot be held."
                )
            elif failure is not None:
                self.draft.park(given, stream, number, failure.code, failure.detail, command)
            elif behind:
                detail = f"queued behind an unreadable input for {stream}"
                aside = (stream, pack_whatever(command))
                self.draft.park(given, given.intake, number, "queued", detail, aside)
            elif given.source in self.heads[stream].notes:
                self.draft.park(given, stream, number, "queued", "", command)
            else:
                try:
                    self.draft.decide(given, stream, number, command)
                except Exception as error:
                    self.draft.park(given, stream, number, *cause(error), command)

    def _answer(self, given: Input, origin: FromApi) -> None:
        if not all(nameable(stream) for stream, _ in given.work):
            self.turn.replies.append(Reply(origin.key, origin.request_hash, "", 0, (), "bad-name"))
            return
        stream = given.work[0][0]
        try:
            first, *also = self.draft.decide_all(given)
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
                self.draft.park(given, stream, number, "queued", "", command)
                continue
            try:
                self.draft.decide(given, stream, number, command)
            except Exception as error:
                if len(self.turn.events) == before:
                    return cause(error)[0]
                self.draft.park(given, stream, number, *cause(error), command)
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
        self.draft.append(given, origin.stream, [event], f"clear/{origin.parked_id}", notes=notes)
