"""What the result of a call is to the payment that asked for it. Pure."""

from libs.effects.kinds import Absent, Confirmed, NotYet, Rejected, Result, Unknown
from libs.store.store import Call
from services.payments import calls, commands
from services.payments.folding import NEVER


def tell(call: Call, result: Result, at: int) -> commands.PaymentCommand | None:
    """Return the command that a result is, None where nobody need know (yet)."""
    request = calls.decode(call.request)
    match result:
        case Confirmed(answer=answer):
            return _confirmed(call.id, request, answer, at)
        case Rejected(code=code, answer=answer):
            refusal = answer if isinstance(answer, calls.Refusal) else calls.Refusal()
            return _rejected(call.id, request, code, refusal, at)
        case Unknown(code=code):
            over = code in {"in-doubt", "attempts-used-up"}
            since = call.doubt_since or at
            what, subject = _about(request)
            return commands.RecordDoubt(
                call.id, what, subject, since, at, "person" if over else "policy"
            )
        case NotYet() | Absent():
            return None


def _about(request: calls.Request) -> tuple[commands.What, str]:
    match request:
        case calls.Authorise():
            return "authorise", request.intent_id
        case calls.Capture():
            return "capture", request.capture_id
        case calls.Void():
            return "void", request.intent_id
        case calls.Refund():
            return "refund", request.refund_id


def _confirmed(
    effect: str, request: calls.Request, answer: object, at: int
) -> commands.PaymentCommand:
    match request:
        case calls.Authorise():
            assert isinstance(answer, calls.Authorised)
            return commands.RecordAuthorisation(
                effect, request.intent_id, answer.status, answer.provider_intent,
                answer.reference, answer.amount, answer.currency, answer.capture_before,
                answer.mandate, at,
            )  # fmt: skip
        case calls.Capture():
            assert isinstance(answer, calls.Done)
            return commands.RecordCapture(
                effect, request.capture_id, answer.reference, answer.amount, answer.currency, at
            )
        case calls.Void():
            return commands.RecordVoid(effect, request.intent_id, at)
        case calls.Refund():
            assert isinstance(answer, calls.Done)
            return commands.RecordRefund(
                effect, request.refund_id, answer.reference, answer.amount, answer.currency, at
            )


def _rejected(
    effect: str, request: calls.Request, code: str, refusal: calls.Refusal, at: int
) -> commands.PaymentCommand:
    what, subject = _about(request)
    absent = code == NEVER
    if what == "authorise":
        return commands.RecordDecline(
            effect, subject, code, refusal.word, refusal.final, at, absent
        )
    return commands.RecordRefusal(effect, what, subject, code, refusal.word, at, absent)
