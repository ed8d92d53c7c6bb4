"""What time and persons decide on a payment: ends of authorisations, doubts, and queues. Pure."""

from collections.abc import Mapping, Sequence

from libs.contracts import payments
from libs.eventsourcing.decider import Refused
from services.payments import answering, commands, reporting
from services.payments.authorising import decline
from services.payments.capturing import capture_all
from services.payments.evolve import PaymentEvent
from services.payments.expecting import with_terms
from services.payments.folding import NEVER, REFUND_FAILED, may_renew
from services.payments.refunding import again, paid_back, refunded, void, went_another_way
from services.payments.settling import settle
from services.payments.state import Doubt, PaymentState
from services.payments.story import Story
from services.payments.sums import about_what, lack, owed_by_hand, uncovered, unsettled


def expire_soon(command: commands.ExpireSoon, state: PaymentState) -> Sequence[PaymentEvent]:
    """Before an authorisation ends: capture, ask anew, or let go, by the account's policy."""
    intent = state.intents.get(command.intent_id)
    if intent is None or intent.status != "authorised" or intent.amount <= intent.captured:
        return []
    if _under_way(state, command.intent_id):
        return []
    if intent.decide_by is not None and command.at < intent.decide_by:
        return []  # its end was assumed then; by now the provider has told a later one
    story = Story(state, command.at)
    again_possible = may_renew(state, command.at) and state.method is not None
    decision = state.on_expiry
    if decision == "reauthorise" and not again_possible:
        decision = "release"  # without the buyer's consent nothing is asked for, nor for ever
    story.tell(
        payments.AuthorisationExpiring(
            **story.names(), intent_id=command.intent_id,
            capture_before=intent.capture_before or command.at, decision=decision,
        )
    )  # fmt: skip
    if decision == "capture":
        capture_all(story, "expiring", only=command.intent_id)
    else:
        void(story, command.intent_id, "expiring")
    return settle(story)


def authorisation_ends(
    command: commands.AuthorisationEnds, state: PaymentState
) -> Sequence[PaymentEvent]:
    """Take an authorisation as ended when its time is over, unless a capture is under way."""
    intent = state.intents.get(command.intent_id)
    ended = intent is not None and intent.status in {"authorised", "voiding"}
    if not ended or _under_way(state, command.intent_id):
        return []
    story = Story(state, command.at)
    answering.expired(story, command.intent_id)
    return settle(story)


def doubt_overdue(command: commands.DoubtOverdue, state: PaymentState) -> Sequence[PaymentEvent]:
    """Make a doubt that nobody could end in time a person's matter."""
    doubt = state.doubts.get(command.effect_id)
    if doubt is None:
        return []
    overdue = commands.RecordDoubt(
        command.effect_id, doubt.what, doubt.subject, doubt.since, command.at, "overdue"
    )  # fmt: skip
    return answering.doubted(overdue, state)


def action_overdue(command: commands.ActionOverdue, state: PaymentState) -> Sequence[PaymentEvent]:
    """End the buyer's time to act."""
    intent = state.intents.get(command.intent_id)
    if intent is None or intent.status != "action":
        return []
    story = Story(state, command.at)
    decline(story, command.intent_id, intent.amount, "action-overdue", final=False)
    return settle(story)


def _under_way(state: PaymentState, intent_id: str) -> bool:
    """Say whether a capture of the authorisation is asked for."""
    return any(
        one.intent_id == intent_id and one.status == "asked" for one in state.captures.values()
    )


def decide(command: commands.Decide, state: PaymentState) -> Sequence[PaymentEvent]:
    """Do what a person decided; what is not open to a decision is refused with a code."""
    if not state.order_id:
        raise Refused("payment-not-found", "No order with this id has asked for a payment.")
    story = Story(state, command.at)
    match command.decision:
        case "retry":
            _retry(story, command)
        case "capture":
            _decided(story, command, lack(state))
            if not capture_all(story, "all"):
                raise Refused("nothing-authorised", "Nothing that is due is set aside.")
        case "release":
            _release(story, command)
        case "settle" if command.refund_id:
            _put_back(story, command)
        case "settle":
            _settle(story, command)
        case "paid-back":
            _paid_back(story, command)
        case "adopt" | "absent":
            return _end_doubt(story, command)
    return settle(story)


def _decided(story: Story, command: commands.Decide, amount: int) -> None:
    story.tell(
        payments.PaymentDecided(
            **story.names(), decision=command.decision, by=command.by, reason=command.reason,
            effect_id=command.effect_id or None, amount=amount, currency=story.state.currency,
        )
    )  # fmt: skip


def _retry(story: Story, command: commands.Decide) -> None:
    state = story.state
    failed = sorted(name for name, one in state.refunds.items() if one.status == "failed")
    if not state.halted and not failed:
        raise Refused("nothing-to-retry", "No refused call of this payment waits for a decision.")
    if command.terms is not None and state.known:
        with_terms(story, command.terms)
    _decided(story, command, lack(state))
    for name in failed:
        again(story, name)


def _release(story: Story, command: commands.Decide) -> None:
    free = [
        name
        for name, one in sorted(story.state.intents.items())
        if one.status in {"authorised", "action"} and one.provider_intent
        and not _under_way(story.state, name)
    ]  # fmt: skip
    if not free:
        raise Refused("nothing-authorised", "Nothing is set aside that could be given back.")
    _decided(story, command, 0)
    for name in free:
        void(story, name, "released")


def _settle(story: Story, command: commands.Decide) -> None:
    state = story.state
    due = 0 if any(one.status == "asked" for one in state.captures.values()) else uncovered(state)
    open_still = _to_be_settled(state)
    if not due and not open_still:
        raise Refused("nothing-to-settle", "Nothing is due that could be settled outside.")
    _decided(story, command, due)
    for (code, reference), amount in open_still.items():
        story.tell(
            payments.PaymentDisagreementSettled(
                **story.names(), holder=state.holder, provider_reference=reference, code=code,
                decision=command.reason, by=command.by,
            )
        )  # fmt: skip
        if code == "capture-differs":
            answering.captured_as_told(story, reference, amount, command.by)
    _refunded_as_told(story, open_still)


def _to_be_settled(state: PaymentState) -> dict[tuple[str, str], int]:
    """Return the open disagreements, by code and reference; what is told early waits for more."""
    found: dict[tuple[str, str], int] = {}
    for code, reference, amount in map(about_what, unsettled(state)):
        early = code == reporting.TOLD_EARLY
        ours = reporting.of_intent(state, reference) if early else {}
        if not reporting.being_refunded(state, ours):
            found[code, reference] = max(amount, found.get((code, reference), 0))
    return found


def _refunded_as_told(story: Story, settled: Mapping[tuple[str, str], int]) -> None:
    """Take what was told too early to have gone back as gone, less what failed of it since."""
    at, came_back = story.at, story.state.came_back
    told = [(*about, amount) for about, amount in settled.items()]
    unplaced = {name for name, one in came_back.items() if not one.capture_id}
    failed = sum(n for code, name, n in told if code == REFUND_FAILED and name in unplaced)
    for code, intent, amount in told:
        if code == reporting.TOLD_EARLY:
            state = story.state
            back = commands.RecordRefundSeen(
                state.entity, state.order_id, state.holder, intent, intent,
                max(amount - failed, 0), state.currency, at, at,
            )  # fmt: skip
            for event in reporting.refund_seen(back, state):
                story.tell(event)


def _put_back(story: Story, command: commands.Decide) -> None:
    """Take a refund as made that somebody has put back on its voucher in the channel."""
    one = story.state.refunds.get(command.refund_id)
    if one is None or not owed_by_hand(story.state, one):
        raise Refused("nothing-to-settle", "No refund with this id waits to be put back by hand.")
    _decided(story, command, 0)
    refunded(story, command.refund_id, one.capture_id, one.amount, "", "channel", "channel",
             "put-back-by-hand")  # fmt: skip


def _paid_back(story: Story, command: commands.Decide) -> None:
    """Take a refund that its provider refuses as paid back by a transfer, in cash, by cheque."""
    one = story.state.refunds.get(command.refund_id)
    if one is None or one.status != "failed":
        raise Refused("nothing-to-pay-back", "No refund with this id was refused and waits.")
    if not command.reference:
        raise Refused("reference-missing", "Name the payment with which it went back.")
    amount = went_another_way(story.state, command.refund_id, command.reference)
    if not amount:
        raise Refused("dispute-used-up", "That dispute took nothing that is not counted already.")
    _decided(story, command, amount)
    paid_back(story, command.refund_id, command.reference)


def _end_doubt(story: Story, command: commands.Decide) -> Sequence[PaymentEvent]:
    doubt = story.state.doubts.get(command.effect_id)
    if doubt is None:
        raise Refused("not-in-doubt", "The outcome of this call is known.")
    if command.decision == "absent" and doubt.owner != "person":
        raise Refused("still-being-tried", "The call is still tried; it may yet take effect.")
    if command.decision == "adopt" and not command.reference and doubt.what != "void":
        raise Refused("reference-missing", "Name what the provider calls it.")
    _decided(story, command, 0)
    answer = _adopted if command.decision == "adopt" else _absent
    return [*story.events, *answer(story.state, command, doubt)]


def _adopted(state: PaymentState, command: commands.Decide, doubt: Doubt) -> Sequence[PaymentEvent]:
    name, reference, by = command.effect_id, command.reference, command.by
    match doubt.what:
        case "authorise":
            amount = state.intents[doubt.subject].amount
            return answering.authorisation(
                commands.RecordAuthorisation(
                    name, doubt.subject, "authorised", reference, "", amount, state.currency,
                    None, mandate=False, at=command.at, by=by,
                ), state,
            )  # fmt: skip
        case "capture":
            amount = state.captures[doubt.subject].amount
            return answering.captured(
                commands.RecordCapture(
                    name, doubt.subject, reference, amount, state.currency, command.at, by=by
                ), state,
            )  # fmt: skip
        case "refund":
            amount = state.refunds[doubt.subject].amount
            return answering.refund_made(
                commands.RecordRefund(
                    name, doubt.subject, reference, amount, state.currency, command.at, by=by
                ), state,
            )  # fmt: skip
        case _:
            return answering.voided(
                commands.RecordVoid(name, doubt.subject, command.at, by=by), state
            )


def _absent(state: PaymentState, command: commands.Decide, doubt: Doubt) -> Sequence[PaymentEvent]:
    if doubt.what == "authorise":
        return answering.declined(
            commands.RecordDecline(
                command.effect_id, doubt.subject, NEVER, "", final=False, at=command.at,
                absent=True, by=command.by,
            ), state,
        )  # fmt: skip
    return answering.refused(
        commands.RecordRefusal(
            command.effect_id, doubt.what, doubt.subject, NEVER, "",
            command.at, absent=True, by=command.by,
        ), state,
    )  # fmt: skip
