"""Money that goes back: authorisations that are not due, captures above what is due. Pure."""

from libs.contracts import common, payments
from services.payments.commands import PERSON_WITHIN, refund_id
from services.payments.state import BY_DISPUTE, BY_HAND, PAID_TWICE, VOUCHERS, Capture, PaymentState
from services.payments.story import Story
from services.payments.sums import goal, held, lack, twice

_CHANNEL_DID = frozenset({"part_refunded", "refunded"})


def give_back(story: Story) -> None:
    """Ask to void authorisations beyond what is due; the newest first."""
    state = story.state
    spare = _authorised(state) - lack(state)
    for name, one in sorted(state.intents.items(), reverse=True):
        left = one.amount - one.captured
        under_way = any(
            capture.intent_id == name and capture.status == "asked"
            for capture in state.captures.values()
        )
        ours = bool(one.provider_intent) and one.status in {"authorised", "action"}
        if ours and not under_way and 0 < left <= spare:
            spare -= left
            void(story, name, "not-due")


def _authorised(state: PaymentState) -> int:
    return sum(
        one.amount - one.captured
        for one in state.intents.values()
        if one.status in {"authorised", "action"} and not one.outside
    )


def void(story: Story, name: str, reason: str) -> None:
    """Ask the provider to give an authorisation back."""
    state = story.state
    one = state.intents[name]
    story.tell(
        payments.PaymentVoidRequested(
            **story.names(), intent_id=name, amount=one.amount - one.captured,
            currency=state.currency, reason=reason, provider_intent=one.provider_intent,
            holder=one.holder,
        )
    )  # fmt: skip


def due_again(story: Story) -> None:
    """Before more is taken: what a channel was to send back has gone, or is due again.

    Where the channel says what it took in all, that is looked at first.
    """
    state = story.state
    if _guessed(state):
        _channel_did(story)
    elif state.custody == "us" or state.received is None:
        ask_less(story)


def _guessed(state: PaymentState) -> bool:
    """Say whether a channel says that money went back, and not how much.

    Where we take the money, a part of it may be ours; all of it is what the channel redeemed, too.
    """
    words = frozenset({"refunded"}) if state.custody == "us" else _CHANNEL_DID
    return state.returned is None and state.funds in words


def refund(story: Story) -> None:
    """Ask for, or record, the return of what is ours above what is due."""
    if story.state.returned is not None:
        _channel_says(story, story.state.returned)
    state = story.state
    guessed = _guessed(state)
    excess = held(state) - goal(state)
    for name, one in _vouchers_last(state):
        back = min(excess, one.amount - one.refunded)
        if one.status != "made" or back <= 0:
            continue
        excess -= back
        key = refund_id(state.order_id, len(story.state.refunds) + 1)
        executor: common.Executor = (
            "us" if one.custody == "us" and one.holder not in VOUCHERS else "channel"
        )
        intent = state.intents.get(one.intent_id)
        if executor == "channel" and one.holder not in VOUCHERS and guessed:
            refunded(story, key, name, back, "", executor, "channel", "channel-refunded")
            continue
        story.tell(
            payments.RefundRequested(
                **story.names(), refund_id=key, capture_id=name, intent_id=one.intent_id,
                holder=one.holder, amount=back, currency=state.currency, lines=(),
                charges_amount=0, reason="no-longer-due",
                provider_intent=intent.provider_intent if intent else "", executor=executor,
            )
        )  # fmt: skip


def _vouchers_last(state: PaymentState) -> list[tuple[str, Capture]]:
    """Return the captures in the order in which they are given back."""
    return sorted(state.captures.items(), key=lambda item: (item[1].holder in VOUCHERS, item[0]))


def _channel_says(story: Story, back: int) -> None:
    """Take what the channel has sent back in all: first what it was asked for, then the rest."""
    made = [one for one in story.state.refunds.values() if one.status == "made"]
    more = back - sum(one.amount for one in made if one.executor == "channel")
    for name, one in sorted(story.state.refunds.items()):
        part = min(more, one.amount)
        if one.status == "asked" and one.executor == "channel" and part > 0:
            more -= part
            refunded(story, name, one.capture_id, part, "", "channel", "channel",
                     "channel-refunded")  # fmt: skip
    for name, taken in _told_of(story.state):
        part = min(more, taken.amount - taken.refunded)
        if taken.status == "made" and part > 0:
            more -= part
            key = refund_id(story.state.order_id, len(story.state.refunds) + 1)
            refunded(story, key, name, part, "", "channel", "channel", "channel-refunded")


def _told_of(state: PaymentState) -> list[tuple[str, Capture]]:
    """Return the captures that a channel speaks of: all, or what it redeemed where we take money.

    One that then says that it took more speaks of our money, too, and only what was asked counts.
    """
    found = _vouchers_last(state)
    if state.custody != "us":
        return found
    vouchers = [(name, one) for name, one in found if one.holder in VOUCHERS]
    redeemed = sum(one.amount for _, one in vouchers if one.status == "made")
    return vouchers if (state.received or 0) <= redeemed else []


def _channel_did(story: Story) -> None:
    """Take what the channel was to send back as sent: it says that it did, not how much."""
    for name, one in sorted(story.state.refunds.items()):
        if one.status == "asked" and one.executor == "channel" and one.amount:
            refunded(story, name, one.capture_id, one.amount, "", "channel", "channel",
                     "channel-refunded")  # fmt: skip


def ask_less(story: Story) -> None:
    """Ask a channel for less back, or nothing, where an order costs more again than it did.

    What is given back last, gift cards and store credit, is kept first.
    """
    captures = story.state.captures
    debts = [
        (captures[one.capture_id].holder not in VOUCHERS, name, one)
        for name, one in story.state.refunds.items()
        if one.status == "asked" and one.executor == "channel"
    ]
    for _, name, one in sorted(debts, key=lambda debt: debt[:2]):
        less = min(lack(story.state), one.amount)
        if less:
            story.tell(
                payments.RefundRequested(
                    **story.names(), refund_id=name, capture_id=one.capture_id, intent_id="",
                    holder=captures[one.capture_id].holder, amount=one.amount - less,
                    currency=story.state.currency, lines=(), charges_amount=0, reason="due-again",
                    provider_intent="", executor="channel",
                )
            )  # fmt: skip


def refunded(
    story: Story, name: str, capture: str, amount: int, reference: str,
    executor: common.Executor, origin: common.RefundOrigin, reason: str, at: int | None = None,
    holder: str = "",
) -> None:  # fmt: skip
    """Tell that money went back, and when where a provider says that (microseconds)."""
    one = story.state.captures[capture]
    story.tell(
        payments.RefundMade(
            **story.names(at), refund_id=name, capture_id=capture, provider_reference=reference,
            holder=holder or one.holder, executor=executor, origin=origin, amount=amount,
            currency=story.state.currency, lines=(), charges_amount=0, reason=reason,
            tender=one.tender,
        )
    )  # fmt: skip


def went_another_way(state: PaymentState, name: str, reference: str) -> int:
    """Return what of a refund a payment of ours, or a dispute that we lost, has paid back."""
    amount, dispute = state.refunds[name].amount, state.disputes.get(reference)
    lost = dispute is not None and dispute.word == "lost"
    return min(amount, dispute.amount) if dispute is not None and lost else amount


def paid_back(story: Story, name: str, reference: str) -> None:
    """Tell that a refund went back in another way than through the holder of its capture.

    With a dispute that we lost, the buyer's bank took it, so much as that was about; the rest is
    owed on. Else it is a payment of somebody here.
    """
    state = story.state
    one, dispute = state.refunds[name], state.disputes.get(reference)
    lost = dispute is not None and dispute.word == "lost"
    amount = went_another_way(state, name, reference)
    refunded(story, name, one.capture_id, amount, reference, one.executor, "us",
             "paid-back-by-dispute" if lost else "paid-back-by-hand",
             holder=BY_DISPUTE if lost else BY_HAND)  # fmt: skip


def paid_twice(story: Story, name: str, most: int, reference: str, at: int) -> int:
    """Tell that what was paid back by hand went back at its provider, too; return how much.

    It is a refund of its own that nobody here asks for, and a person has to see it.
    """
    state = story.state
    one, known = state.refunds[name], twice(state, name)
    part = min(most, one.amount - known)
    if part <= 0:
        return 0
    key = refund_id(state.order_id, len(state.refunds) + 1)
    refunded(story, key, one.capture_id, part, reference, one.executor, "provider_dashboard",
             PAID_TWICE, at)  # fmt: skip
    holder = state.captures[one.capture_id].holder
    story.disagree(PAID_TWICE, holder, name, known + part, state.currency, 0)
    return part


def failed(story: Story, name: str, code: str, provider_code: str) -> None:
    """Tell that the provider refused a refund; the money is still owed."""
    one = story.state.refunds[name]
    story.tell(
        payments.RefundFailed(
            **story.names(), refund_id=name, capture_id=one.capture_id, amount=one.amount,
            currency=story.state.currency, code=code, provider_code=provider_code,
            deadline=story.at + PERSON_WITHIN,
        )
    )  # fmt: skip


def again(story: Story, name: str) -> None:
    """Ask for a refund once more, under a new key; it is known to have left no trace."""
    state = story.state
    one = state.refunds[name]
    capture = state.captures[one.capture_id]
    intent = state.intents.get(capture.intent_id)
    story.tell(
        payments.RefundRequested(
            **story.names(), refund_id=name, capture_id=one.capture_id,
            intent_id=capture.intent_id, holder=capture.holder, amount=one.amount,
            currency=state.currency, lines=(), charges_amount=0, reason="retry",
            provider_intent=intent.provider_intent if intent else "", executor=one.executor,
        )
    )  # fmt: skip
