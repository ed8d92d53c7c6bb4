"""What payments shows: each payment as it stands, captures by holder, disagreements. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import payments
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.eventsourcing.states import pack, unpack
from libs.values.ids import category
from services.payments.evolve import PaymentEvent, evolve
from services.payments.standing import Wait, in_doubt, standing, waits
from services.payments.state import ELSEWHERE, PaymentState
from services.payments.sums import set_aside

_OURS = ("payments",)


class PaymentRow(msgspec.Struct, frozen=True):
    """An order's payment; amounts in minor units, times in microseconds.

    `by_hand_minor` is what of `refunded_minor` went back in another way than at its provider.
    `folded` is the decider's own state, so that what is shown is what is decided on.
    """

    order_id: str
    account: str = ""
    holder: str = ""
    custody: str = ""
    standing: str = ""
    reason: str = ""
    since: int = 0
    currency: str = ""
    required_minor: int = 0
    total_minor: int = 0
    authorised_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    unknown_minor: int = 0
    at_risk_minor: int = 0
    waiting: bool = False
    waits: tuple[Wait, ...] = ()
    cleared: tuple[str, ...] = ()
    folded: bytes = b""
    by_hand_minor: int = 0


def _payment_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    ours = isinstance(envelope.event, PaymentEvent) and category(envelope.stream) == "payment"
    return ((envelope.event.order_id,),) if ours else ()


def _payment(row: PaymentRow | None, key: Key, envelope: Envelope[Any]) -> PaymentRow:
    before = row or PaymentRow(str(key[0]))
    was = unpack(PaymentState, before.folded) if before.folded else PaymentState()
    state: PaymentState = evolve(was, envelope.event)
    word, reason = standing(state)
    open_now = waits(state, before.waits, envelope.at)
    same = (before.standing, before.reason) == (word, reason)
    return replace(
        before, account=state.account, holder=state.holder, custody=state.custody, standing=word,
        reason=reason, since=before.since if same else envelope.at, currency=state.currency,
        required_minor=state.amount, total_minor=state.total,
        authorised_minor=set_aside(state),
        captured_minor=sum(c.amount for c in state.captures.values() if c.status == "made"),
        refunded_minor=_gone(state, "made") + _gone(state, "by-hand"),
        unknown_minor=in_doubt(state),
        at_risk_minor=max((one.at_risk_minor for one in open_now), default=0),
        waiting=bool(open_now), waits=open_now,
        cleared=tuple(sorted(name for name, one in state.parcels.items() if one.cleared)),
        folded=pack(state), by_hand_minor=_gone(state, "by-hand"),
    )  # fmt: skip


def _gone(state: PaymentState, status: str) -> int:
    return sum(one.amount for one in state.refunds.values() if one.status == status)


PAYMENTS: Projection[PaymentRow] = Projection(
    name="payments",
    version=7,
    row=PaymentRow,
    key=("order_id",),
    topics=_OURS,
    keys=_payment_keys,
    evolve=_payment,
    indexes=(("standing", "order_id"), ("waiting", "order_id"), ("holder", "order_id")),
    undigested=("folded",),  # the same state; its maps are written in any order
    by_stream=True,
)


class CaptureRow(msgspec.Struct, frozen=True):
    """Money in the hands of its holder, for the comparison with the holder's books.

    `state`: asked, unknown, made, failed. What went back in another way is not in
    `refunded_minor`: its holder knows nothing of it.
    """

    capture_id: str
    order_id: str = ""
    holder: str = ""
    custody: str = ""
    tender: str = ""
    currency: str = ""
    state: str = ""
    amount_minor: int = 0
    refunded_minor: int = 0
    provider_reference: str = ""
    shipment_id: str | None = None
    at: int = 0
    by_hand_minor: int = 0


def _capture_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case (
            payments.PaymentCaptureRequested(capture_id=name)
            | payments.PaymentCaptured(capture_id=name)
            | payments.PaymentCaptureFailed(capture_id=name)
            | payments.RefundMade(capture_id=name)
            | payments.RefundReturned(capture_id=name)
            | payments.PaymentOutcomeUnknown(what="capture", subject=name)
        ):
            return ((name,),)
        case _:
            return ()


def _capture(row: CaptureRow | None, key: Key, envelope: Envelope[Any]) -> CaptureRow:
    row = row or CaptureRow(str(key[0]))
    match envelope.event:
        case payments.PaymentCaptureRequested() as event:
            return replace(
                row, order_id=event.order_id, holder=event.holder, custody="us",
                currency=event.currency, state="asked", amount_minor=event.amount,
                shipment_id=event.shipment_id, at=envelope.at,
            )  # fmt: skip
        case payments.PaymentCaptured() as event:
            return replace(
                row, order_id=event.order_id, holder=event.holder, custody=event.custody,
                tender=event.tender, currency=event.currency, state="made",
                amount_minor=event.amount, provider_reference=event.provider_reference,
                shipment_id=event.shipment_id, at=envelope.at,
            )  # fmt: skip
        case payments.PaymentCaptureFailed():
            return replace(row, state="failed", at=envelope.at)
        case payments.RefundMade(holder=by, amount=amount) if by in ELSEWHERE:
            return replace(row, by_hand_minor=row.by_hand_minor + amount)
        case payments.RefundMade(amount=amount):
            return replace(row, refunded_minor=row.refunded_minor + amount)
        case payments.RefundReturned(amount=amount):
            return replace(row, refunded_minor=row.refunded_minor - amount)
        case payments.PaymentOutcomeUnknown():
            return replace(row, state="unknown", at=envelope.at)
        case _:
            return row


CAPTURES: Projection[CaptureRow] = Projection(
    name="captures",
    version=2,
    row=CaptureRow,
    key=("capture_id",),
    topics=_OURS,
    keys=_capture_keys,
    evolve=_capture,
    indexes=(("holder", "state"), ("order_id",)),
)


class IntentRow(msgspec.Struct, frozen=True):
    """Which order a provider's payment intent belongs to."""

    holder: str
    provider_intent: str
    order_id: str
    intent_id: str


def _intent_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case payments.PaymentAuthorised(holder=holder, provider_intent=name) if name:
            return ((holder, name),)
        case _:
            return ()


def _intent(row: IntentRow | None, key: Key, envelope: Envelope[Any]) -> IntentRow:
    del row
    return IntentRow(str(key[0]), str(key[1]), envelope.event.order_id, envelope.event.intent_id)


INTENTS: Projection[IntentRow] = Projection(
    name="payment_intents",
    version=1,
    row=IntentRow,
    key=("holder", "provider_intent"),
    topics=_OURS,
    keys=_intent_keys,
    evolve=_intent,
)


class DisagreementRow(msgspec.Struct, frozen=True):
    """What a provider said that does not fit; `settled` by whom, empty while it waits."""

    stream: str
    provider_reference: str
    code: str
    holder: str = ""
    order_id: str | None = None
    amount_minor: int = 0
    currency: str = ""
    expected_minor: int = 0
    expected_currency: str = ""
    since: int = 0
    deadline: int = 0
    settled: str = ""
    decision: str = ""


def _disagreement_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case payments.PaymentDisagreed() | payments.PaymentDisagreementSettled() as event:
            return ((envelope.stream, event.provider_reference, event.code),)
        case _:
            return ()


def _disagreement(
    row: DisagreementRow | None, key: Key, envelope: Envelope[Any]
) -> DisagreementRow | None:
    match envelope.event:
        case payments.PaymentDisagreed() as event:
            return DisagreementRow(
                str(key[0]), str(key[1]), str(key[2]), holder=event.holder, order_id=event.order_id,
                amount_minor=event.amount, currency=event.currency,
                expected_minor=event.expected_amount, expected_currency=event.expected_currency,
                since=envelope.at, deadline=event.deadline,
            )  # fmt: skip
        case payments.PaymentDisagreementSettled(by=by, decision=decision) if row is not None:
            return replace(row, settled=by, decision=decision)
        case _:
            return row


DISAGREEMENTS: Projection[DisagreementRow] = Projection(
    name="payment_disagreements",
    version=1,
    row=DisagreementRow,
    key=("stream", "provider_reference", "code"),
    topics=_OURS,
    keys=_disagreement_keys,
    evolve=_disagreement,
    indexes=(("settled",),),
)
