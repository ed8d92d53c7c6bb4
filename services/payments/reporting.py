"""What a provider tells unasked: in any order, twice, late, or of the unknown. Pure."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from libs.contracts import payments
from services.payments import commands
from services.payments.answering import action, capture_outside, expired, made
from services.payments.authorising import authorised, decline, detailed
from services.payments.evolve import PaymentEvent
from services.payments.refunding import paid_twice, refunded
from services.payments.settling import settle
from services.payments.state import Capture, Intent, PaymentState
from services.payments.story import Story
from services.payments.sums import room

# What went back of a capture that is in dispute, or beside a refund of ours that is under way.
TOLD_EARLY = "refund-told-early"


def intent_seen(command: commands.RecordIntentSeen, state: PaymentState) -> Sequence[PaymentEvent]:
    """Take a payment intent as it is now; what does not fit waits for a person, whole."""
    story = story_of(state, command.order_id, command.entity, command.at)
    intent = state.intents.get(command.intent_id)
    reference = command.provider_intent
    if intent is None or intent.outside:
        story.disagree("payment-unknown", command.holder, reference, command.amount,
                       command.currency, 0)  # fmt: skip
        return story.events
    if command.currency != state.currency:
        story.disagree("currency-differs", command.holder, reference, command.amount,
                       command.currency, intent.amount)  # fmt: skip
        return story.events
    if command.amount != intent.amount:
        story.disagree("amount-differs", command.holder, reference, command.amount,
                       command.currency, intent.amount)  # fmt: skip
        return story.events
    match command.status:
        case "requires_capture":
            _set_aside(story, command, intent)
        case "succeeded":
            _succeeded(story, command, intent)
        case "canceled":
            _cancelled(story, command, intent)
        case "requires_action" if intent.status == "asked":
            action(story, command.intent_id, reference, "buyer-authentication")
        case "requires_payment_method" if intent.status in {"asked", "action"} and command.word:
            story.resolve("", command.intent_id, "refused")
            decline(story, command.intent_id, intent.amount, "declined", final=False,
                    provider_code=command.word)  # fmt: skip
        case _:
            return story.events
    return settle(story)


def story_of(state: PaymentState, order_id: str, entity: str, at: int) -> Story:
    """Begin with a payment of which the provider may tell before its order does."""
    return Story(
        replace(state, order_id=state.order_id or order_id, entity=state.entity or entity), at
    )


def _set_aside(story: Story, command: commands.RecordIntentSeen, intent: Intent) -> None:
    if intent.status in {"asked", "action", "declined"}:
        story.resolve("", command.intent_id, "adopted")
        authorised(story, command.intent_id, command.provider_intent, command.amount,
                   command.capture_before, mandate=command.mandate,
                   since=min(command.occurred_at, command.at))  # fmt: skip
    elif command.provider_intent == intent.provider_intent:
        detailed(story, command.intent_id, command.capture_before, mandate=command.mandate)


def _succeeded(story: Story, command: commands.RecordIntentSeen, intent: Intent) -> None:
    """Match what was received with what was asked for; else record, or disagree."""
    ours = {k: c for k, c in story.state.captures.items() if c.intent_id == command.intent_id}
    done = sum(one.amount for one in ours.values() if one.status == "made")
    waiting = {key: one for key, one in sorted(ours.items()) if one.status == "asked"}
    more = command.received - done
    if more <= 0:
        return
    if command.received > intent.amount:
        _differs(story, command, "capture-above-authorisation", intent.amount)
    elif waiting and more != sum(one.amount for one in waiting.values()):
        _differs(story, command, "capture-differs", done + sum(c.amount for c in waiting.values()))
    elif waiting:
        for key, one in waiting.items():
            story.resolve("", key, "adopted")
            made(story, key, one, command.reference)
    else:
        _set_aside(story, command, intent)
        capture_outside(story, command.intent_id, more, command.reference)


def _differs(story: Story, command: commands.RecordIntentSeen, code: str, expected: int) -> None:
    story.disagree(code, command.holder, command.provider_intent, command.received,
                   command.currency, expected)  # fmt: skip


def _cancelled(story: Story, command: commands.RecordIntentSeen, intent: Intent) -> None:
    name = command.intent_id
    by_time = command.word in {"automatic", "expired"}
    if intent.status in {"asked", "action"}:
        story.resolve("", name, "refused")
        decline(story, name, intent.amount, "cancelled-at-provider", final=False,
                provider_code=command.word)  # fmt: skip
    elif intent.status == "authorised" and by_time:
        expired(story, name)
    elif intent.status in {"authorised", "voiding"}:
        asked = intent.status == "voiding"
        story.resolve("", name, "adopted")
        story.tell(
            payments.PaymentVoided(
                **story.names(), intent_id=name, amount=intent.amount - intent.captured,
                currency=story.state.currency, reason="asked" if asked else "provider",
            )
        )  # fmt: skip


def refund_seen(command: commands.RecordRefundSeen, state: PaymentState) -> Sequence[PaymentEvent]:
    """Take what went back of a charge in all: our own refunds first, then somebody else's.

    A refund that was refused is still owed: what somebody sends back is taken for it first, also
    where it is only a part. What fits nothing waits for a person.
    """
    story = story_of(state, command.order_id, command.entity, command.at)
    ours = of_intent(state, command.provider_intent)
    if code := _misfit(command, state, ours):
        _differ(story, command, code, sum(one.amount for one in ours.values()))
        return story.events
    back = [one for one in state.refunds.values() if one.capture_id in ours]
    # What came back since is in what is told here, and has not reached the buyer.
    since = (one for one in state.came_back.values() if one.at >= command.occurred_at)
    more = command.refunded - sum(one.amount for one in back if one.status == "made")
    more -= sum(one.amount for one in since if not one.capture_id or one.capture_id in ours)
    more = _our_own(story, command, ours, more)
    more = _still_owed(story, command, ours, more)
    more = _paid_by_hand(story, command, ours, more)
    more = somebody_elses(story, command, ours, more)
    if more > 0:
        code = TOLD_EARLY if being_refunded(story.state, ours) else "amount-differs"
        _differ(story, command, code, command.refunded - more)
    return settle(story)


def _misfit(
    command: commands.RecordRefundSeen, state: PaymentState, ours: Mapping[str, Capture]
) -> str:
    """Return the code of what cannot be known yet, or does not fit."""
    if not ours:
        return TOLD_EARLY if _knows(state, command.provider_intent) else "payment-unknown"
    if command.currency != state.currency:
        return "currency-differs"
    known = sum(one.amount for one in ours.values())
    return "amount-differs" if command.refunded > known else ""


def _knows(state: PaymentState, provider_intent: str) -> bool:
    names = {one.provider_intent for one in state.intents.values()}
    return provider_intent in names - {""}


def _differ(story: Story, command: commands.RecordRefundSeen, code: str, expected: int) -> None:
    reference = command.provider_intent if code == TOLD_EARLY else command.reference
    story.disagree(code, command.holder, reference, command.refunded, command.currency, expected)


def being_refunded(state: PaymentState, ours: Mapping[str, Capture]) -> bool:
    """Say whether a refund of ours is under way, so that nobody knows yet what else went back."""
    return any(
        one.capture_id in ours and one.status == "asked" and one.executor == "us"
        for one in state.refunds.values()
    )


def _our_own(
    story: Story, command: commands.RecordRefundSeen, ours: Mapping[str, Capture], more: int
) -> int:
    """Take what went back as the refunds that we have asked for; return the rest."""
    for name, one in sorted(story.state.refunds.items()):
        if one.capture_id in ours and one.status == "asked" and one.amount <= more:
            more -= one.amount
            story.resolve("", name, "adopted")
            refunded(story, name, one.capture_id, one.amount, command.reference, one.executor,
                     "us", "no-longer-due")  # fmt: skip
    return more


def _still_owed(
    story: Story, command: commands.RecordRefundSeen, ours: Mapping[str, Capture], more: int
) -> int:
    """Take what went back for refunds that were refused: the whole ones first, then a part."""
    owed = {
        name: one
        for name, one in story.state.refunds.items()
        if one.capture_id in ours and one.status == "failed"
    }
    for name, one in sorted(owed.items(), key=lambda item: (item[1].amount > more, item[0])):
        part = min(more, one.amount)
        if part > 0:
            more -= part
            refunded(story, name, one.capture_id, part, command.reference, one.executor,
                     "provider_dashboard", "provider-dashboard", command.occurred_at)  # fmt: skip
    return more


def _paid_by_hand(
    story: Story, command: commands.RecordRefundSeen, ours: Mapping[str, Capture], more: int
) -> int:
    """Take what went back for refunds that a person had paid back by then; return the rest."""
    for name, one in sorted(story.state.refunds.items()):
        if one.capture_id in ours and one.status == "by-hand":
            more -= paid_twice(story, name, more, command.reference, command.occurred_at)
    return more


def somebody_elses(
    story: Story, command: commands.RecordRefundSeen | commands.RecordRefundReturned,
    ours: Mapping[str, Capture], more: int,
) -> int:  # fmt: skip
    """Take what went back as refunds that nobody here has asked for; return the rest."""
    for key in sorted(ours):
        part = min(more, room(story.state, key))
        if part > 0:
            more -= part
            name = commands.refund_id(command.order_id, len(story.state.refunds) + 1)
            refunded(story, name, key, part, command.reference, "us", "provider_dashboard",
                     "provider-dashboard", command.occurred_at)  # fmt: skip
    return more


def of_intent(state: PaymentState, provider_intent: str) -> dict[str, Capture]:
    """Return what was captured of an authorisation, by the provider's name of it."""
    names = {n for n, one in state.intents.items() if one.provider_intent == provider_intent}
    return {
        key: one
        for key, one in state.captures.items()
        if one.status == "made" and one.intent_id in names and provider_intent
    }


def disputed(command: commands.RecordDispute, state: PaymentState) -> Sequence[PaymentEvent]:
    """Record a dispute and how it ended; an end may come before the beginning.

    An inquiry takes nothing, and may become a dispute that does.
    """
    story = story_of(state, command.order_id, command.entity, command.at)
    ours = state.intents.get(command.intent_id)
    if (ours is None or ours.outside) and not _knows(state, command.provider_intent):
        story.disagree("payment-unknown", command.holder, command.dispute_id, command.amount,
                       command.currency, 0)  # fmt: skip
        return story.events
    disputed = state.disputes.get(command.dispute_id)
    known = disputed.word if disputed is not None else None
    taken = 0 if command.inquiry and known != "open" else command.amount
    names = {
        **story.names(command.occurred_at), "dispute_id": command.dispute_id,
        "holder": command.holder, "amount": taken, "currency": command.currency,
    }  # fmt: skip
    if known is None or (known == "inquiry" and taken):
        story.tell(
            payments.DisputeOpened(
                **names, provider_reference=command.provider_intent, reason=command.reason,
                deadline=command.due_by,
            )
        )  # fmt: skip
    if command.state != "open" and known in {None, "inquiry", "open"}:
        ended = payments.DisputeWon if command.state == "won" else payments.DisputeLost
        story.tell(ended(**names))
    return story.events
