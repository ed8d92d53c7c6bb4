"""Bugs in what a provider or a shop tells unasked: it is not heard, or not to its end."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from services.channels.commands import RecordDeletion, RecordOrder
from services.crm_sync.commands import BY_ERASURE, PartCustomer
from services.payments import commands
from services.payments.evolve import evolve
from services.payments.refunding import again
from services.payments.state import PAID_TWICE, PaymentState
from services.payments.story import Story
from tests.simulation.bugs import Bug, Decide


def _deaf(hears: Callable[[Any], bool]) -> Callable[[Decide], Decide]:
    """What is not heard changes nothing."""

    def planted(real: Decide) -> Decide:
        def decide(command: Any, state: Any) -> Sequence[Any]:
            return real(command, state) if hears(command) else []

        return decide

    return planted


def _no_refund_returns(command: Any) -> bool:
    return not isinstance(command, commands.RecordRefundReturned)


def _no_refund_by_hand(command: Any) -> bool:
    return not isinstance(command, commands.RecordRefundSeen)


def _no_dispute_ends(command: Any) -> bool:
    return not isinstance(command, commands.RecordDispute) or command.state == "open"


def _no_stranger(command: Any) -> bool:
    return not isinstance(command, commands.Disagree)


def _no_deletion(command: Any) -> bool:
    return not isinstance(command, RecordDeletion)


def _no_return(command: Any) -> bool:
    return not isinstance(command, RecordOrder) or not command.restored


def _no_parting(command: Any) -> bool:
    return not isinstance(command, PartCustomer) or command.by == BY_ERASURE


def _pays_back_twice(real: Decide) -> Decide:
    """What a person has paid back is asked of the provider as well."""

    def decide(command: Any, state: PaymentState) -> Sequence[Any]:
        events = real(command, state)
        if not isinstance(command, commands.Decide) or command.decision != "paid-back":
            return events
        story = Story(reduce(evolve, events, state), command.at)
        again(story, command.refund_id)
        return [*events, *story.events]

    return decide


def _tells_nobody(real: Decide) -> Decide:
    """What went back by hand and at the provider, too, is in no queue."""

    def decide(command: Any, state: PaymentState) -> Sequence[Any]:
        told = real(command, state)
        return [one for one in told if getattr(one, "code", "") != PAID_TWICE]

    return decide


UNASKED = (
    Bug("deletion-unheard", "P1", decides={"channelorder": _deaf(_no_deletion)}),
    Bug("order-never-restored", "P1", decides={"channelorder": _deaf(_no_return)}),
    Bug("refund-never-returns", "P3", whole=True, decides={"payment": _deaf(_no_refund_returns)}),
    Bug("refund-by-hand-unheard", "P3", whole=True, decides={"payment": _deaf(_no_refund_by_hand)}),
    Bug("paid-back-twice", "P1", whole=True, decides={"payment": _pays_back_twice}),
    Bug("paid-twice-unseen", "P3", whole=True, decides={"payment": _tells_nobody}),
    Bug("dispute-never-ends", "P3", whole=True, decides={"payment": _deaf(_no_dispute_ends)}),
    Bug("parted-by-word-alone", "P8", whole=True, decides={"evidence": _deaf(_no_parting)}),
    Bug("stranger-unheard", "P7", whole=True, decides={"disagreement": _deaf(_no_stranger)}),
)  # fmt: skip
