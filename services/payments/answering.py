"""What a provider answered to a call of ours, or that nobody knows what it answered. Pure."""

from collections.abc import Sequence

from msgspec.structs import replace

from libs.contracts import payments
from services.payments import commands
from services.payments.authorising import authorised, decline, detailed
from services.payments.commands import BUYER_WITHIN, DOUBT_LASTS, PERSON_WITHIN
from services.payments.evolve import PaymentEvent
from services.payments.folding import NEVER
from services.payments.refunding import again, failed, paid_twice, refunded, void
from services.payments.settling import settle
from services.payments.state import Capture, PaymentState
from services.payments.story import Story, intent_of

_RANK = {"policy": 0, "overdue": 1, "person": 2}
_WAITING = frozenset({"asked", "action", "declined"})


def authorisation(
    command: commands.RecordAuthorisation, state: PaymentState
) -> Sequence[PaymentEvent]:
    """Record that money is set aside, or that the buyer must act; once."""
    intent = state.intents.get(command.intent_id)
    story = Story(state, command.at)
    if intent is None:
        return []
    if (command.amount, command.currency) != (intent.amount, state.currency):
        same = command.currency == state.currency
        code = "amount-differs" if same else "currency-differs"
        story.disagree(code, intent.holder, command.provider_intent, command.amount,
                       command.currency, intent.amount)  # fmt: skip
        return story.events
    story.resolve(command.effect_id, command.intent_id, "adopted", by=command.by)
    if intent.status in _WAITING and command.status in {"authorised", "captured"}:
        authorised(story, command.intent_id, command.provider_intent, command.amount,
                   command.capture_before, mandate=command.mandate)  # fmt: skip
        if command.status == "captured":
            capture_outside(story, command.intent_id, command.amount, command.reference)
    elif command.status == "authorised" and command.provider_intent == intent.provider_intent:
        detailed(story, command.intent_id, command.capture_before, mandate=command.mandate)
    elif intent.status == "asked":
        reason = "processing" if command.status == "processing" else "buyer-authentication"
        action(story, command.intent_id, command.provider_intent, reason)
    return settle(story)


def action(story: Story, name: str, provider_intent: str, reason: str) -> None:
    """Tell that the buyer must act, and until when."""
    story.tell(
        payments.PaymentActionRequired(
            **story.names(), intent_id=name, provider_intent=provider_intent, reason=reason,
            deadline=story.at + BUYER_WITHIN,
        )
    )  # fmt: skip


def declined(command: commands.RecordDecline, state: PaymentState) -> Sequence[PaymentEvent]:
    """Record a refusal; a call that left no trace is made again under a new key."""
    intent = state.intents.get(command.intent_id)
    story = Story(state, command.at)
    if intent is None:
        return []
    outcome = "absent" if command.absent else "refused"
    story.resolve(command.effect_id, command.intent_id, outcome, by=command.by)
    if intent.status in {"asked", "action"}:
        decline(story, command.intent_id, intent.amount, command.code, final=command.final,
                provider_code=command.provider_code)  # fmt: skip
    return settle(story)


def captured(command: commands.RecordCapture, state: PaymentState) -> Sequence[PaymentEvent]:
    """Record a capture; another amount than was asked for waits for a person."""
    capture = state.captures.get(command.capture_id)
    story = Story(state, command.at)
    if capture is None:
        return []
    if capture.status != "made":
        if (command.amount, command.currency) != (capture.amount, state.currency):
            code = "capture-differs" if command.currency == state.currency else "currency-differs"
            intent = state.intents[capture.intent_id]
            story.disagree(code, capture.holder, intent.provider_intent, command.amount,
                           command.currency, capture.amount)  # fmt: skip
            return story.events
        story.resolve(command.effect_id, command.capture_id, "adopted", by=command.by)
        made(story, command.capture_id, capture, command.reference,
             (command.settlement_amount, command.settlement_currency))  # fmt: skip
    else:
        story.resolve(command.effect_id, command.capture_id, "adopted", by=command.by)
    return settle(story)


def made(
    story: Story, name: str, one: Capture, reference: str,
    settlement: tuple[int | None, str | None] = (None, None),
) -> None:  # fmt: skip
    """Tell that a capture is made."""
    story.tell(
        payments.PaymentCaptured(
            **story.names(), intent_id=one.intent_id, capture_id=name,
            provider_reference=reference, holder=one.holder, custody=one.custody,
            tender=one.tender, amount=one.amount, currency=story.state.currency,
            settlement_amount=settlement[0], settlement_currency=settlement[1],
            shipment_id=one.shipment_id, lines=one.lines, charges_amount=one.charges,
            final=one.final,
        )
    )  # fmt: skip


def captured_as_told(story: Story, provider_intent: str, amount: int, by: str) -> None:
    """Tell that a capture which is asked for was made with the amount that its provider told.

    It can be no more than was set aside.
    """
    for key, one in sorted(story.state.captures.items()):
        if one.status != "asked":
            continue
        intent = story.state.intents[one.intent_id]
        if intent.provider_intent == provider_intent and 0 < amount <= intent.amount:
            story.resolve("", key, "adopted", by=by)
            taken = replace(one, amount=amount, lines=(), charges=0)
            made(story, key, taken, provider_intent)


def capture_outside(story: Story, intent_id: str, amount: int, reference: str) -> None:
    """Tell of a capture that nobody here has asked for."""
    state = story.state
    name = commands.capture_id(state.order_id, len(state.captures) + 1)
    one = Capture(intent_id, amount, state.intents[intent_id].holder, state.custody, state.tender,
                  "asked", None)  # fmt: skip
    made(story, name, one, reference)


def voided(command: commands.RecordVoid, state: PaymentState) -> Sequence[PaymentEvent]:
    """Record that an authorisation was given back."""
    intent = state.intents.get(command.intent_id)
    story = Story(state, command.at)
    if intent is None:
        return []
    story.resolve(command.effect_id, command.intent_id, "adopted", by=command.by)
    if intent.status == "voiding":
        story.tell(
            payments.PaymentVoided(
                **story.names(), intent_id=command.intent_id,
                amount=intent.amount - intent.captured, currency=state.currency, reason="asked",
            )
        )  # fmt: skip
    return settle(story)


def refund_made(command: commands.RecordRefund, state: PaymentState) -> Sequence[PaymentEvent]:
    """Record that money went back."""
    one = state.refunds.get(command.refund_id)
    story = Story(state, command.at)
    if one is None:
        return []
    story.resolve(command.effect_id, command.refund_id, "adopted", by=command.by)
    # What was told as failed meanwhile is owed, though it was made as the answer says.
    if command.reference in state.came_back:
        return settle(story)
    if one.status == "by-hand":
        paid_twice(story, command.refund_id, one.amount, command.reference, command.at)
    elif one.status != "made":
        refunded(story, command.refund_id, one.capture_id, one.amount, command.reference,
                 one.executor, "us", "no-longer-due")  # fmt: skip
    return settle(story)


def refused(command: commands.RecordRefusal, state: PaymentState) -> Sequence[PaymentEvent]:
    """Record that a capture, void or refund was refused."""
    story = Story(state, command.at)
    outcome = "absent" if command.absent else "refused"
    story.resolve(command.effect_id, command.subject, outcome, by=command.by)
    match command.what:
        case "capture":
            _capture_refused(story, command)
        case "void":
            _void_refused(story, command)
        case "refund":
            one = state.refunds.get(command.subject)
            if one is not None and one.status == "asked":
                failed(story, command.subject, command.code, command.provider_code)
                if command.absent:
                    again(story, command.subject)
    return settle(story)


def _capture_refused(story: Story, command: commands.RecordRefusal) -> None:
    state = story.state
    one = state.captures.get(command.subject)
    if one is None or one.status != "asked":
        return
    story.tell(
        payments.PaymentCaptureFailed(
            **story.names(), intent_id=one.intent_id, capture_id=command.subject,
            shipment_id=one.shipment_id, amount=one.amount, currency=state.currency,
            code=NEVER if command.absent else command.code, provider_code=command.provider_code,
            deadline=story.at + PERSON_WITHIN,
        )
    )  # fmt: skip
    if command.code == "authorisation-expired":
        expired(story, one.intent_id)


def expired(story: Story, name: str) -> None:
    """Tell, once, that an authorisation has ended; a capture that is under way will fail."""
    intent = story.state.intents[name]
    if intent.status not in {"authorised", "voiding"}:
        return
    captures = story.state.captures.values()
    made = sum(one.amount for one in captures if one.intent_id == name and one.status == "made")
    story.tell(
        payments.AuthorisationExpired(
            **story.names(), intent_id=name, amount=intent.amount - made,
            currency=story.state.currency,
        )
    )  # fmt: skip


def _void_refused(story: Story, command: commands.RecordRefusal) -> None:
    intent = story.state.intents.get(command.subject)
    if intent is None or intent.status != "voiding":
        return
    if command.absent:
        void(story, command.subject, "retry")
        return
    story.disagree("void-refused", intent.holder, intent.provider_intent,
                   intent.amount - intent.captured, story.state.currency, 0)  # fmt: skip


def doubted(command: commands.RecordDoubt, state: PaymentState) -> Sequence[PaymentEvent]:
    """Record that nobody knows what became of a call, unless that is known by now."""
    known = state.doubts.get(command.effect_id)
    amount = _open_amount(state, command.what, command.subject)
    if amount is None or (known is not None and _RANK[known.owner] >= _RANK[command.owner]):
        return []
    story = Story(state, command.at)
    since = known.since if known is not None else command.since
    story.tell(
        payments.PaymentOutcomeUnknown(
            **story.names(), effect_id=command.effect_id, what=command.what,
            intent_id=intent_of(state, command.what, command.subject), amount=amount,
            currency=state.currency, since=since, deadline=since + DOUBT_LASTS,
            subject=command.subject, owner=command.owner,
        )
    )  # fmt: skip
    return settle(story)


def _open_amount(state: PaymentState, what: str, subject: str) -> int | None:
    """Return what is at stake in a call, None where its outcome is known."""
    if what in {"authorise", "void"}:
        intent = state.intents.get(subject)
        wanted = "asked" if what == "authorise" else "voiding"
        return intent.amount if intent is not None and intent.status == wanted else None
    one = state.captures.get(subject) if what == "capture" else state.refunds.get(subject)
    return one.amount if one is not None and one.status == "asked" else None
