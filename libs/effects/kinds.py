"""What an effect is to whoever adds one: its adapter, its results, and how a doubt ends.

Says nothing of how effects are claimed and kept; an adapter only calls out and never stores.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from libs.store.store import Call


class Confirmed(msgspec.Struct, frozen=True):
    """It has taken effect; `answer` is what the outside said, as the kind's own struct."""

    answer: Any = None


class Rejected(msgspec.Struct, frozen=True):
    """It has not taken effect and never will: the outside refused it, with this code."""

    code: str
    answer: Any = None


class Unknown(msgspec.Struct, frozen=True):
    """It may have taken effect: a timeout, a reset, an answer of 5xx or of nonsense."""

    code: str


class NotYet(msgspec.Struct, frozen=True):
    """It has surely not taken effect and may be tried again: throttled, or nobody was reached.

    `after` is what the outside asked us to wait (microseconds), where it did: that at least.
    """

    code: str
    after: int | None = None


class Absent(msgspec.Struct, frozen=True):
    """Asked for it, the outside does not know it: no earlier attempt has taken effect."""


Result = Confirmed | Rejected | Unknown | NotYet | Absent


class Adapter(Protocol):
    """The outside, for one kind. What raises is taken as `Unknown`; each call has a deadline."""

    async def perform(self, call: Call) -> Result:
        """Do it, with `call.id` as the idempotency key."""
        ...

    async def ask(self, call: Call) -> Result:
        """Find out what became of earlier attempts: Confirmed, Rejected, Absent or Unknown."""
        ...


@runtime_checkable
class Closing(Protocol):
    """An adapter that keeps connections."""

    async def close(self) -> None:
        """Give them back; no call is under way any more."""
        ...


@dataclass(frozen=True)
class EffectKind:
    """One kind of effect.

    `tell` is pure: the command that a final result (or a first doubt) is to the effect's stream,
    None where nobody need know; the last argument is the time in microseconds. `doubt` is how an
    attempt ends that may have taken effect: `repeat` the call with the same key while the provider
    honours it (`honoured` microseconds since the first attempt) and then ask; `ask` before every
    further attempt; or, done at most once, `queue` it for a person. `attempts` in all, then it is
    in the queue. `timeout` bounds a call, in seconds. `per_second` is the budget of calls that the
    `provider` (a name shared by kinds) allows, `burst` how many may come at once. Behind `several`
    outsides with quotas of their own, which the adapter keeps, one that throttles pauses no other.
    """

    name: str
    adapter: Adapter
    tell: Callable[[Call, Result, int], Any | None]
    doubt: Literal["repeat", "ask", "queue"]
    provider: str
    honoured: int = 0
    attempts: int = 12
    timeout: float = 20.0
    per_second: float = 10.0
    burst: int = 10
    several: bool = False
