"""Folds a payment's own events into what its decisions need. Validates nothing, raises nothing."""

from typing import assert_never

from immutables import Map
from msgspec.structs import replace

from libs.contracts import payments
from services.payments import folding
from services.payments.state import Dispute, Doubt, Parcel, PaymentState
from services.payments.sums import about_what, unsettled

PaymentEvent = (
    payments.PaymentExpected
    | payments.PaymentNotRequired
    | payments.PaymentAuthorisationRequested
    | payments.PaymentAuthorised
    | payments.AuthorisationDetailed
    | payments.PaymentActionRequired
    | payments.PaymentDeclined
    | payments.AuthorisationExpiring
    | payments.AuthorisationExpired
    | payments.PaymentCaptureRequested
    | payments.PaymentCaptured
    | payments.PaymentCaptureFailed
    | payments.PaymentVoidRequested
    | payments.PaymentVoided
    | payments.RefundRequested
    | payments.RefundMade
    | payments.RefundFailed
    | payments.RefundReturned
    | payments.PaymentOutcomeUnknown
    | payments.PaymentOutcomeResolved
    | payments.ShipmentCleared
    | payments.ClearanceDelayed
    | payments.ClearanceWithdrawn
    | payments.DisputeOpened
    | payments.DisputeWon
    | payments.DisputeLost
    | payments.PaymentDisagreed
    | payments.PaymentDisagreementSettled
    | payments.PaymentDecided
)


def evolve(state: PaymentState, event: PaymentEvent) -> PaymentState:
    """Fold one event."""
    match event:
        case payments.PaymentExpected():
            return folding.expected(state, event)
        case payments.PaymentNotRequired(reason=reason):
            later = reason in {"on_account", "on_delivery"}
            return replace(state, not_required=event.revision, later=later)
        case payments.PaymentAuthorisationRequested():
            return folding.asked(state, event)
        case payments.PaymentAuthorised():
            return folding.authorised(state, event)
        case payments.AuthorisationDetailed(intent_id=name, mandate=mandate):
            intent = replace(
                state.intents[name], capture_before=event.capture_before, mandate=mandate,
                decide_by=event.decide_by,
            )  # fmt: skip
            mandated = state.mandate or mandate
            return replace(state, intents=state.intents.set(name, intent), mandate=mandated)
        case payments.PaymentActionRequired():
            return folding.action(state, event)
        case payments.PaymentDeclined():
            return folding.declined(state, event)
        case payments.AuthorisationExpiring(decision="release"):
            return replace(state, halted="authorisation-expired")
        case payments.AuthorisationExpiring(decision="reauthorise", occurred_at=at):
            return folding.renewed(state, at)
        case payments.AuthorisationExpiring():
            return state
        case payments.AuthorisationExpired(occurred_at=at):
            expired = folding.intent(state, event.intent_id, "expired")
            if folding.may_renew(state, at):
                return replace(folding.renewed(expired, at), halted="")
            return replace(expired, halted="authorisation-expired")
        case payments.PaymentCaptureRequested():
            return folding.capture_asked(state, event)
        case payments.PaymentCaptured():
            return folding.captured(state, event)
        case payments.PaymentCaptureFailed():
            return folding.capture_failed(state, event)
        case payments.PaymentVoidRequested():
            return folding.intent(state, event.intent_id, "voiding")
        case payments.PaymentVoided(reason=reason):
            halted = "voided-outside" if reason == "provider" else state.halted
            return replace(folding.intent(state, event.intent_id, "voided"), halted=halted)
        case payments.RefundRequested():
            return folding.refund(state, event)
        case payments.RefundMade():
            return folding.refund_made(state, event)
        case payments.RefundFailed():
            refund = replace(state.refunds[event.refund_id], status="failed")
            return replace(state, refunds=state.refunds.set(event.refund_id, refund))
        case payments.RefundReturned():
            return folding.refund_returned(state, event)
        case payments.PaymentOutcomeUnknown():
            doubt = Doubt(folding.what(event.what), event.subject, event.since, event.owner)
            return replace(state, doubts=state.doubts.set(event.effect_id, doubt))
        case payments.PaymentOutcomeResolved(effect_id=name):
            left = state.doubts.delete(name) if name in state.doubts else state.doubts
            return replace(state, doubts=left)
        case payments.ShipmentCleared() | payments.ClearanceDelayed():
            return folding.looked_at(state, event)
        case payments.ClearanceWithdrawn():
            known = state.parcels.get(event.shipment_id, Parcel(Map()))
            left_in = replace(known, units=folding.units(event.lines), seen=event.shipment_version)
            return replace(state, parcels=state.parcels.set(event.shipment_id, left_in))
        case payments.DisputeOpened() | payments.DisputeWon() | payments.DisputeLost():
            return _disputed(state, event)
        case payments.PaymentDisagreed():
            return folding.disagreed(state, event)
        case payments.PaymentDisagreementSettled():
            about = (event.code, event.provider_reference)
            ended = tuple(one for one in unsettled(state) if about_what(one)[:2] == about)
            return replace(state, settled=(*state.settled, *ended)[-folding.REMEMBERED :])
        case payments.PaymentDecided():
            return folding.decided(state, event)
        case _:
            assert_never(event)


def _disputed(
    state: PaymentState,
    event: payments.DisputeOpened | payments.DisputeWon | payments.DisputeLost,
) -> PaymentState:
    amount = event.amount if event.currency == state.currency else 0
    match event:
        case payments.DisputeOpened(deadline=deadline):
            now = Dispute("open" if event.amount else "inquiry", amount, deadline)
        case payments.DisputeWon():
            now = Dispute("won")
        case payments.DisputeLost():
            now = Dispute("lost", amount)
    return replace(state, disputes=state.disputes.set(event.dispute_id, now))
