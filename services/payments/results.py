"""What a provider tells a payment: answers to calls, doubts, and what it tells unasked."""

from typing import Literal

import msgspec

What = Literal["authorise", "capture", "void", "refund"]


class RecordAuthorisation(msgspec.Struct, frozen=True, tag=True):
    """The provider answered: money is set aside, the buyer must act, or it is captured already.

    `effect_id` is empty where the provider told it unasked.
    """

    effect_id: str
    intent_id: str
    status: Literal["authorised", "action", "processing", "captured"]
    provider_intent: str
    reference: str
    amount: int
    currency: str
    capture_before: int | None
    mandate: bool
    at: int
    by: str = "provider"


class RecordDecline(msgspec.Struct, frozen=True, tag=True):
    """The provider refused to set money aside. `absent`: the call never took effect."""

    effect_id: str
    intent_id: str
    code: str
    provider_code: str
    final: bool
    at: int
    absent: bool = False
    by: str = "provider"


class RecordCapture(msgspec.Struct, frozen=True, tag=True):
    """The provider has captured."""

    effect_id: str
    capture_id: str
    reference: str
    amount: int
    currency: str
    at: int
    settlement_amount: int | None = None
    settlement_currency: str | None = None
    by: str = "provider"


class RecordVoid(msgspec.Struct, frozen=True, tag=True):
    """The provider has given an authorisation back."""

    effect_id: str
    intent_id: str
    at: int
    by: str = "provider"


class RecordRefund(msgspec.Struct, frozen=True, tag=True):
    """The provider has sent money back."""

    effect_id: str
    refund_id: str
    reference: str
    amount: int
    currency: str
    at: int
    by: str = "provider"


class RecordRefusal(msgspec.Struct, frozen=True, tag=True):
    """The provider refused a capture, a void or a refund (`subject` is its id)."""

    effect_id: str
    what: What
    subject: str
    code: str
    provider_code: str
    at: int
    absent: bool = False
    by: str = "provider"


class RecordDoubt(msgspec.Struct, frozen=True, tag=True):
    """Nobody knows whether a call took effect.

    `owner`: policy while it is tried again, overdue when that takes too long, person where it
    is given up.
    """

    effect_id: str
    what: What
    subject: str
    since: int
    at: int
    owner: Literal["policy", "overdue", "person"] = "policy"


class RecordIntentSeen(msgspec.Struct, frozen=True, tag=True):
    """A provider told of a payment intent as it is now; amounts in minor units."""

    entity: str
    order_id: str
    holder: str
    intent_id: str
    provider_intent: str
    status: str
    amount: int
    capturable: int
    received: int
    currency: str
    reference: str
    word: str
    capture_before: int | None
    occurred_at: int
    at: int
    mandate: bool = False


class RecordRefundSeen(msgspec.Struct, frozen=True, tag=True):
    """A provider told how much of a charge has gone back in all."""

    entity: str
    order_id: str
    holder: str
    provider_intent: str
    reference: str
    refunded: int
    currency: str
    occurred_at: int
    at: int


class RecordRefundReturned(msgspec.Struct, frozen=True, tag=True):
    """A provider told that a refund of its own failed after it was made; `refund_id` is ours.

    `refund_id` is empty where the refund was none of ours, `provider_intent` is whose money it was.
    """

    entity: str
    order_id: str
    holder: str
    refund_id: str
    reference: str
    amount: int
    currency: str
    word: str
    occurred_at: int
    at: int
    provider_intent: str = ""


class RecordDispute(msgspec.Struct, frozen=True, tag=True):
    """A provider told of a dispute; an `inquiry` is a buyer's question: it takes no money yet.

    `intent_id` is what its intent's metadata, or its row, calls it.
    """

    entity: str
    order_id: str
    holder: str
    provider_intent: str
    dispute_id: str
    state: Literal["open", "won", "lost"]
    amount: int
    currency: str
    reason: str
    due_by: int
    occurred_at: int
    at: int
    inquiry: bool = False
    intent_id: str = ""
