"""Refunds that failed after they were made: ours are owed again, others have never been. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from libs.contracts import payments
from services.payments import commands
from services.payments.commands import PERSON_WITHIN
from services.payments.evolve import PaymentEvent
from services.payments.folding import BY_HAND_FAILED, REFUND_FAILED
from services.payments.refunding import refunded
from services.payments.reporting import of_intent, somebody_elses, story_of
from services.payments.settling import settle
from services.payments.state import Capture, PaymentState, Refund
from services.payments.story import Story
from services.payments.sums import room, twice

_SKEW = 60_000_000  # microseconds that the provider's clock and ours may differ


def refund_returned(
    command: commands.RecordRefundReturned, state: PaymentState
) -> Sequence[PaymentEvent]:
    """Take a refund that came back, whatever else is told of it, and when."""
    story = story_of(state, command.order_id, command.entity, command.at)
    one = state.refunds.get(command.refund_id)
    if command.reference in state.came_back:
        return settle(story)
    if one is not None and one.status != "by-hand":
        _ours(story, command, one)
        return settle(story)
    if one is None or twice(state, command.refund_id):
        story.disagree(REFUND_FAILED, command.holder, command.reference, command.amount,
                       command.currency, 0, command.occurred_at)  # fmt: skip
    if command.currency == state.currency:
        _by_hand(story, command)
    return settle(story)


def _ours(story: Story, command: commands.RecordRefundReturned, one: Refund) -> None:
    if _of_an_older_try(command, one):
        return
    if one.status != "made":  # it was made, whatever our call's answer says, or has said
        story.resolve("", command.refund_id, "adopted")
        refunded(story, command.refund_id, one.capture_id, one.amount, command.reference,
                 one.executor, "us", "no-longer-due")  # fmt: skip
    _returned(story, command, command.refund_id, one.amount, REFUND_FAILED)


def _of_an_older_try(command: commands.RecordRefundReturned, one: Refund) -> bool:
    """Say whether it failed before it was tried again, or sent back by somebody else."""
    return command.occurred_at + _SKEW < one.since


def _by_hand(story: Story, command: commands.RecordRefundReturned) -> None:
    """Take back what somebody sent back at the provider, as far as it is known.

    It may come before the word of its charge, which then tells of nothing more.
    """
    ours = of_intent(story.state, command.provider_intent)
    known = sum(one.amount for _, one in _made(story.state, ours))
    left = command.amount
    if known < left:
        spare = sum(room(story.state, name) for name in ours)
        left = known + min(left - known, spare)
        somebody_elses(story, command, ours, left - known)
    for name, one in sorted(_made(story.state, ours), key=lambda found: _unlike(command, *found)):
        part = min(left, one.amount)
        if part > 0:
            left -= part
            _returned(story, command, name, part, BY_HAND_FAILED)


def _made(state: PaymentState, ours: Mapping[str, Capture]) -> Iterator[tuple[str, Refund]]:
    for name, one in state.refunds.items():
        if one.capture_id in ours and one.status == "made" and one.executor == "us":
            yield name, one


def _unlike(
    command: commands.RecordRefundReturned, name: str, one: Refund
) -> tuple[bool, bool, bool, str]:
    """Rank refunds by whose they are: what nobody here asked for, what was owed, then our own."""
    return not one.waived, not one.since, one.amount != command.amount, name


def _returned(
    story: Story, command: commands.RecordRefundReturned, name: str, amount: int, code: str
) -> None:
    story.tell(
        payments.RefundReturned(
            **story.names(command.occurred_at), refund_id=name,
            capture_id=story.state.refunds[name].capture_id,
            provider_reference=command.reference, holder=command.holder, amount=amount,
            currency=story.state.currency, code=code, provider_code=command.word,
            deadline=story.at + PERSON_WITHIN,
        )
    )  # fmt: skip
