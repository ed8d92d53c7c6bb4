"""Bugs of money whose fate nobody knows: asked for twice, or not asked after at all."""

from collections.abc import Sequence
from dataclasses import replace as changed
from typing import Any

from libs.effects.kinds import Absent, EffectKind, Result
from libs.store.store import Call
from services.payments import commands
from services.payments.folding import NEVER
from services.payments.state import PaymentState
from services.payments.stripe_effects import StripeAdapter
from tests.simulation.bugs import Bug, Decide

Kinds = Sequence[EffectKind]
FOR_EVER = 1 << 62  # microseconds


class Presumes(StripeAdapter):
    """Takes for never done whatever it would have to ask for."""

    async def ask(self, call: Call) -> Result:
        del call
        return Absent()


def _presumes(real: Kinds) -> Kinds:
    return [
        changed(one, adapter=Presumes(one.adapter.operation, one.adapter.client, one.adapter.clock))
        if isinstance(one.adapter, StripeAdapter) else one
        for one in real
    ]  # fmt: skip


def _honoured_for_ever(real: Kinds) -> Kinds:
    """The time after which a key means nothing any more is not looked at."""
    return [
        changed(one, honoured=FOR_EVER) if one.name.startswith("stripe.") else one for one in real
    ]


def _captures_anew(real: Decide) -> Decide:
    """A capture in doubt counts as never made, and is asked for again under another key."""

    def decide(command: Any, state: PaymentState) -> Sequence[Any]:
        if not isinstance(command, commands.RecordDoubt) or command.what != "capture":
            return real(command, state)
        never = commands.RecordRefusal(
            command.effect_id, "capture", command.subject, NEVER, "", command.at, absent=True
        )
        return real(never, state)

    return decide


def _captures_twice(real: Decide) -> Decide:
    """A capture in doubt counts as one that came too late: money is set aside anew, and taken."""

    def decide(command: Any, state: PaymentState) -> Sequence[Any]:
        if not isinstance(command, commands.RecordDoubt) or command.what != "capture":
            return real(command, state)
        late = commands.RecordRefusal(
            command.effect_id, "capture", command.subject, "authorisation-expired", "", command.at
        )
        return real(late, state)

    return decide


DOUBTS = (
    Bug("captured-twice", "P3", whole=True, decides={"payment": _captures_twice}),
    Bug("captured-anew-in-doubt", "P3", whole=True, decides={"payment": _captures_anew}),
    Bug("sent-again-without-asking", "P1", whole=True, kinds=_honoured_for_ever),
    Bug("absent-without-asking", "P1", whole=True, kinds=_presumes),
)
