"""What a turn lets through to the store, and what it says of a failure. Pure; holds no state."""

from typing import Any

import msgspec

from libs.codec.errors import CodecError, EncodeError
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.inputs import Input
from libs.eventsourcing.names import cleaned, holdable, nameable, renamed
from libs.eventsourcing.process import Effect, Timer
from libs.eventsourcing.states import pack


def packed(state: Any) -> bytes | None:
    """Return a state as bytes; None where it cannot be written: it is only a copy of the events."""
    try:
        return pack(state)
    except (OverflowError, UnicodeEncodeError):
        return None


def held(given: Input) -> Input:
    """Replace what the store cannot hold of an input's own names."""
    if nameable(given.source) and holdable(given.id) and holdable(given.trace):
        return given
    return msgspec.structs.replace(
        given,
        id=given.id if holdable(given.id) else renamed(given.id),
        source=given.source if nameable(given.source) else renamed(given.source),
        trace=given.trace if holdable(given.trace) else "",
    )


def possible(item: Timer | Effect) -> Timer | Effect:
    """Let a plan pass that the store can hold. Raises EncodeError."""
    names = (item.id, item.stream, item.kind if isinstance(item, Effect) else item.id)
    if not all(nameable(name) for name in names):
        raise EncodeError("A planned name cannot be held.", "bad-name")
    if isinstance(item, Timer):
        if not 0 <= item.due < 2**63:
            raise EncodeError("A timer's time is beyond 64 bits.")
        pack(item.command)
    return item


def cause(error: Exception) -> tuple[str, str]:
    """Return the stable code and a sentence without personal data for what went wrong."""
    match error:
        case Refused():
            return cleaned(error.code), cleaned(error.message)
        case CodecError():
            return error.code, cleaned(str(error))
        case _:
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_name}:{place.tb_lineno}" if place else "?"
            return "fault", f"{type(error).__name__} in {where}"
