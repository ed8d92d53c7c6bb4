"""What to do with an effect now, and what a result means for it. Pure; the doubt is ended here."""

import zlib
from typing import Literal, assert_never

from libs.effects.kinds import Absent, Confirmed, EffectKind, NotYet, Rejected, Result, Unknown
from libs.eventsourcing.inputs import FromEffect
from libs.store.store import Call

Step = Literal["perform", "ask", "queue"]

FIRST_WAIT = 1_000_000  # microseconds
LONGEST_WAIT = 3600_000_000
QUEUED = "queued"  # a person decides
FINAL = frozenset(["confirmed", "rejected", "reconciled", QUEUED])


def step(kind: EffectKind, call: Call, now: int) -> Step:
    """Say what this attempt does. An attempt that may have taken effect is never just repeated."""
    if call.attempt > kind.attempts:
        return "queue"
    if not call.doubt_since:
        return "perform"
    match kind.doubt:
        case "repeat":
            return "perform" if now < call.doubt_since + kind.honoured else "ask"
        case "ask":
            return "ask"
        case "queue":
            return "queue"
        case _:
            assert_never(kind.doubt)


def wait(call: Call) -> int:
    """Return the pause before the next attempt: doubling, with jitter that the key decides."""
    longest = min(LONGEST_WAIT, FIRST_WAIT << min(call.attempt - 1, 20))
    return longest // 2 + zlib.crc32(f"{call.id}/{call.attempt}".encode()) % (longest // 2)


def verdict(kind: EffectKind, call: Call, taken: Step, result: Result, now: int) -> FromEffect:
    """Return the effect's new state. `unknown` holds until it is asked for or repeated."""
    doubted = call.doubt_since > 0
    match result:
        case Confirmed() | Rejected():
            state = "confirmed" if isinstance(result, Confirmed) else "rejected"
            error = result.code if isinstance(result, Rejected) else ""
            ended = "reconciled" if doubted and taken == "ask" else state
            return FromEffect(call.id, call.token, ended, error=error)
        case Absent():
            return FromEffect(call.id, call.token, "planned", now)
        case NotYet(code=code, after=after):
            # Of this attempt it is sure; of an earlier one in doubt it says nothing. What the
            # outside asks for is the least: who says "in a second" for hours uses up no attempts.
            pause = max(wait(call), after or 0)
            state = "unknown" if doubted else "planned"
            return FromEffect(call.id, call.token, state, now + pause, doubted, code)
        case Unknown(code=code):
            done = taken == "queue" or kind.doubt == "queue" or call.attempt >= kind.attempts
            state = QUEUED if done else "unknown"
            return FromEffect(call.id, call.token, state, now + wait(call), doubt=True, error=code)
        case _:
            assert_never(result)
