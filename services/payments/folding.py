"""The folds of a payment's larger events, one function each. Pure, and never raises."""

from immutables import Map
from msgspec.structs import replace

from libs.contracts import common, payments
from services.payments.commands import UNATTENDED_LASTS, What
from services.payments.state import (
    BY_DISPUTE,
    ELSEWHERE,
    CameBack,
    Capture,
    Intent,
    Parcel,
    PaymentState,
    Refund,
)
from services.payments.sums import goal

NEVER = "never-took-effect"  # the code of a call that is known to have left no trace
REFUND_FAILED = "refund-failed"
BY_HAND_FAILED = "refund-by-hand-failed"  # somebody's own, who sends it again or does not
RENEWED_FOR = 30 * 86_400_000_000  # microseconds that a buyer's money is held anew, unused
REMEMBERED = 32  # disagreements of a payment
_ATTEMPTS = 5  # calls in a row that left no trace, then a person looks


def disagreement(code: str, reference: str, amount: int, currency: str) -> str:
    """Return the text by which a disagreement is known again."""
    return f"{code}:{reference}:{amount}:{currency}"


def expected(state: PaymentState, event: payments.PaymentExpected) -> PaymentState:
    another = event.method != state.method
    fresh = another or event.holder != state.holder
    stated = replace(
        state, order_id=event.order_id, entity=event.entity, revision=event.revision,
        account=event.account, holder=event.holder, custody=event.custody, funds=event.funds,
        currency=event.currency, amount=event.amount, total=event.total,
        lines=Map({one.line_id: (one.quantity, one.amount) for one in event.lines}),
        charges=event.charges_amount, gift=event.gift_amount, credit=event.credit_amount,
        tender=event.tender, method=event.method, decide_by=event.decide_by,
        second_parcel=event.second_parcel, on_expiry=event.on_expiry,
        margin=event.expiry_margin, accept_risk=event.accept_risk,
        halted="" if fresh else state.halted, later=False, received=event.received,
        returned=event.refunded, lasts=event.authorisation_lasts,
        unused=state.unused or another, mandate=state.mandate and not another,
    )  # fmt: skip
    less = max(goal(state) - goal(stated), 0)  # what need not be paid need not be waived
    return replace(stated, waived=max(state.waived - less, 0))


def intent(state: PaymentState, name: str, status: str) -> PaymentState:
    if name not in state.intents:
        return state
    intent = replace(state.intents[name], status=status)
    return replace(state, intents=state.intents.set(name, intent))


def asked(state: PaymentState, event: payments.PaymentAuthorisationRequested) -> PaymentState:
    lasts = min(state.lasts, UNATTENDED_LASTS) if event.off_session else state.lasts
    intent = Intent(
        event.amount, event.holder, "asked", asked_at=event.occurred_at, lasts=lasts
    )  # fmt: skip
    return replace(state, intents=state.intents.set(event.intent_id, intent), unused=False)


def authorised(state: PaymentState, event: payments.PaymentAuthorised) -> PaymentState:
    before = state.intents.get(event.intent_id, Intent(event.amount, event.holder, "asked"))
    intent = replace(
        before, amount=event.amount, status="authorised", provider_intent=event.provider_intent,
        capture_before=event.capture_before, single=event.single_capture, mandate=event.mandate,
        outside=not event.provider_intent, decide_by=event.decide_by,
    )  # fmt: skip
    return replace(
        state, intents=state.intents.set(event.intent_id, intent),
        mandate=state.mandate or event.mandate, halted="",
    )  # fmt: skip


def may_renew(state: PaymentState, at: int) -> bool:
    """Say whether an authorisation that ends may be asked for anew, with the buyer's consent."""
    lately = state.renewed is None or at < state.renewed + RENEWED_FOR
    return state.on_expiry == "reauthorise" and state.mandate and lately


def renewed(state: PaymentState, at: int) -> PaymentState:
    return replace(state, renewed=at if state.renewed is None else state.renewed)


def action(state: PaymentState, event: payments.PaymentActionRequired) -> PaymentState:
    intent = state.intents.get(event.intent_id)
    if intent is None:
        return replace(state, halted=event.reason)
    intent = replace(intent, status="action", provider_intent=event.provider_intent)
    return replace(state, intents=state.intents.set(event.intent_id, intent))


def declined(state: PaymentState, event: payments.PaymentDeclined) -> PaymentState:
    state = intent(state, event.intent_id, "declined")
    traceless = sum(one.status == "declined" for one in state.intents.values())
    again = event.code == NEVER and traceless < _ATTEMPTS
    return state if again else replace(state, halted=event.code)


def capture_asked(state: PaymentState, event: payments.PaymentCaptureRequested) -> PaymentState:
    intent = state.intents[event.intent_id]
    capture = Capture(
        event.intent_id, event.amount, intent.holder, state.custody, state.tender, "asked",
        event.shipment_id, event.lines, event.charges_amount, event.final,
    )  # fmt: skip
    intent = replace(intent, captured=intent.captured + event.amount)
    return replace(
        state, captures=state.captures.set(event.capture_id, capture),
        intents=state.intents.set(event.intent_id, intent),
    )  # fmt: skip


def captured(state: PaymentState, event: payments.PaymentCaptured) -> PaymentState:
    known = state.captures.get(event.capture_id)
    made = Capture(
        event.intent_id, event.amount, event.holder, event.custody, event.tender, "made",
        event.shipment_id, event.lines, event.charges_amount, event.final,
    )  # fmt: skip
    state = replace(state, captures=state.captures.set(event.capture_id, made), renewed=None)
    intent = state.intents.get(event.intent_id)
    if intent is None:
        return state
    counted = known.amount if known is not None and known.status != "failed" else 0
    captured = intent.captured - counted + event.amount
    over = captured >= intent.amount or (event.final and intent.single)
    status = "closed" if over else intent.status
    intent = replace(intent, captured=captured, status=status)
    return replace(state, intents=state.intents.set(event.intent_id, intent))


def capture_failed(state: PaymentState, event: payments.PaymentCaptureFailed) -> PaymentState:
    capture = replace(state.captures[event.capture_id], status="failed")
    captures = state.captures.set(event.capture_id, capture)
    intent = state.intents[event.intent_id]
    intents = state.intents.set(
        event.intent_id, replace(intent, captured=max(intent.captured - event.amount, 0))
    )
    failed = sum(one.status == "failed" for one in captures.values())
    again = event.code == NEVER and failed < _ATTEMPTS
    # Where its end was heard of before, that has said what follows.
    ended = event.code == "authorisation-expired" and intent.status == "expired"
    halted = state.halted if again or ended else "capture-failed"
    return replace(state, captures=captures, intents=intents, halted=halted)


def refund(state: PaymentState, event: payments.RefundRequested) -> PaymentState:
    known = state.refunds.get(event.refund_id)  # tried again, or asked for anew: counted already
    since = 0 if known is None else event.occurred_at
    asked = Refund(event.capture_id, event.amount, event.executor, "asked", since)
    refunds = state.refunds.set(event.refund_id, asked)
    counted = 0 if known is None else known.amount
    return gone(replace(state, refunds=refunds), event.capture_id, event.amount - counted)


def refund_made(state: PaymentState, event: payments.RefundMade) -> PaymentState:
    known = state.refunds.get(event.refund_id)
    since = 0 if known is None else known.since
    since = event.occurred_at if event.origin == "provider_dashboard" else since
    ours = known is not None or event.origin in {"us", "channel"}
    waived = 0 if ours else event.amount
    status = "by-hand" if event.holder in ELSEWHERE else "made"
    if event.holder == BY_DISPUTE and (dispute := state.disputes.get(event.provider_reference)):
        left = replace(dispute, amount=dispute.amount - event.amount)
        state = replace(state, disputes=state.disputes.set(event.provider_reference, left))
    refund = Refund(event.capture_id, event.amount, event.executor, status, since, waived)
    refunds = state.refunds.set(event.refund_id, refund)
    state = replace(state, refunds=refunds, waived=state.waived + waived)
    counted = 0 if known is None else known.amount  # a channel may send back less than was asked
    return gone(state, event.capture_id, event.amount - counted)


def refund_returned(state: PaymentState, event: payments.RefundReturned) -> PaymentState:
    known = state.refunds[event.refund_id]
    earlier = state.came_back.get(event.provider_reference)
    placed = earlier is not None and earlier.capture_id
    amount = event.amount + (earlier.amount if earlier is not None and placed else 0)
    returned = CameBack(event.capture_id, amount, event.occurred_at)
    state = replace(state, came_back=state.came_back.set(event.provider_reference, returned))
    if event.code != BY_HAND_FAILED:
        failed = replace(known, status="failed")
        return replace(state, refunds=state.refunds.set(event.refund_id, failed))
    back = min(event.amount, known.waived)
    left = replace(known, amount=known.amount - event.amount, waived=known.waived - back)
    refunds = state.refunds.set(event.refund_id, left)
    state = replace(state, refunds=refunds, waived=max(state.waived - back, 0))
    return gone(state, event.capture_id, -event.amount)


def disagreed(state: PaymentState, event: payments.PaymentDisagreed) -> PaymentState:
    """Note what is told; a refund that failed is remembered, whatever is known of its capture."""
    name, told = event.provider_reference, (event.code, event.currency)
    if told == (REFUND_FAILED, state.currency) and name not in state.came_back:
        failed = CameBack("", event.amount, event.occurred_at)
        state = replace(state, came_back=state.came_back.set(name, failed))
    text = disagreement(event.code, name, event.amount, event.currency)
    return replace(
        state, disagreed=(*state.disagreed, text)[-REMEMBERED:],
        order_id=state.order_id or event.order_id or "", entity=state.entity or event.entity,
    )  # fmt: skip


def gone(state: PaymentState, capture_id: str, amount: int) -> PaymentState:
    capture = state.captures.get(capture_id)
    if capture is None or not amount:
        return state
    capture = replace(capture, refunded=capture.refunded + amount)
    return replace(state, captures=state.captures.set(capture_id, capture))


def looked_at(
    state: PaymentState, event: payments.ShipmentCleared | payments.ClearanceDelayed
) -> PaymentState:
    known = state.parcels.get(event.shipment_id, Parcel(Map()))
    parcel = replace(known, units=units(event.lines), share=event.amount)
    if isinstance(event, payments.ShipmentCleared):
        parcel = replace(parcel, cleared=True, reason="", deadline=None)
    else:
        parcel = replace(parcel, reason=event.reason, deadline=event.deadline)
    return replace(
        state, parcels=state.parcels.set(event.shipment_id, parcel),
        order_id=state.order_id or event.order_id, entity=state.entity or event.entity,
    )  # fmt: skip


def units(lines: tuple[common.LineAmount, ...]) -> Map[str, int]:
    return Map({one.line_id: one.quantity for one in lines if one.quantity})


def what(word: str) -> What:
    match word:
        case "authorise" | "capture" | "void":
            return word
        case _:
            return "refund"


def decided(state: PaymentState, event: payments.PaymentDecided) -> PaymentState:
    match event.decision:
        case "retry":
            return replace(state, halted="", renewed=None)
        case "release":
            return replace(state, halted="released")
        case "settle" if event.amount:
            return replace(state, waived=state.waived + event.amount, halted="")
        case _:
            return state
