"""Bugs in what a provider or a shop tells unasked: it is not heard, or not to its end."""

from collections.abc import Callable, Sequence
from typing import Any

from services.channels.commands import RecordDeletion, RecordOrder
from services.crm_sync.commands import BY_ERASURE, PartCustomer
from services.payments import commands
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


UNASKED = (
    Bug("deletion-unheard", "P1", decides={"channelorder": _deaf(_no_deletion)}),
    Bug("order-never-restored", "P1", decides={"channelorder": _deaf(_no_return)}),
    Bug("refund-never-returns", "P3", whole=True, decides={"payment": _deaf(_no_refund_returns)}),
    Bug("refund-by-hand-unheard", "P3", whole=True, decides={"payment": _deaf(_no_refund_by_hand)}),
    Bug("dispute-never-ends", "P3", whole=True, decides={"payment": _deaf(_no_dispute_ends)}),
    Bug("parted-by-word-alone", "P8", whole=True, decides={"evidence": _deaf(_no_parting)}),
    Bug("stranger-unheard", "P7", whole=True, decides={"disagreement": _deaf(_no_stranger)}),
)  # fmt: skip
