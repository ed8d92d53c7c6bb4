"""What a payment's events call for outside and in time, and what results mean for it. Pure."""

from collections.abc import Sequence
from typing import Any

from libs.contracts import payments
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Timer
from libs.values.ids import derive
from services.payments import calls, commands


def plan(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    """Plan calls to the provider, each under an id of its own, and the deadlines."""
    stream = envelope.stream
    match envelope.event:
        case payments.PaymentAuthorisationRequested() as event:
            return (_call(envelope, "authorise", _authorise(event)),)
        case payments.PaymentCaptureRequested() as event:
            return (_call(envelope, "capture", _capture(event)),)
        case payments.PaymentVoidRequested() as event:
            void = calls.Void(event.order_id, event.intent_id, event.holder, event.provider_intent)
            return (_call(envelope, "void", void),)
        case payments.RefundRequested(executor="us") as event:
            refund = calls.Refund(
                event.order_id, event.refund_id, event.holder, event.provider_intent,
                event.amount, event.currency, event.reason == "retry",
            )  # fmt: skip
            return (_call(envelope, "refund", refund),)
        case payments.PaymentAuthorised() | payments.AuthorisationDetailed() as event:
            return _ends(stream, event)
        case payments.PaymentOutcomeUnknown(owner="policy", effect_id=name, deadline=due):
            return (_timer(stream, due, commands.DoubtOverdue(name, due), "doubt", name),)
        case payments.PaymentActionRequired(intent_id=name, deadline=due) if name:
            return (_timer(stream, due, commands.ActionOverdue(name, due), "action", name),)
        case _:
            return ()


def _ends(
    stream: str, event: payments.PaymentAuthorised | payments.AuthorisationDetailed
) -> Sequence[Timer]:
    """Plan the time to decide, and the end where the provider told one: an assumed one is none."""
    name, end, soon = event.intent_id, event.capture_before, event.decide_by
    timers = []
    if end is not None:
        timers.append(_timer(stream, end, commands.AuthorisationEnds(name, end), "ends", name))
    if soon is not None and (end is None or soon < end):
        timers.append(_timer(stream, soon, commands.ExpireSoon(name, soon), "soon", name))
    return timers


def _authorise(event: payments.PaymentAuthorisationRequested) -> calls.Authorise:
    return calls.Authorise(
        event.order_id, event.intent_id, event.holder, event.amount, event.currency,
        event.method or "", event.off_session, event.keep_method,
    )  # fmt: skip


def _capture(event: payments.PaymentCaptureRequested) -> calls.Capture:
    return calls.Capture(
        event.order_id, event.capture_id, event.holder, event.provider_intent, event.amount,
        event.currency, event.final,
    )  # fmt: skip


def _call(envelope: Envelope[Any], kind: str, request: calls.Request) -> Effect:
    name = derive("payments", "effect", envelope.id)
    return Effect(name, f"stripe.{kind}", envelope.stream, calls.encode(request))


def _timer(stream: str, due: int, command: Any, kind: str, name: str) -> Timer:
    return Timer(derive(kind, stream, name, str(due)), due, stream, command)
