"""What a payment can be told: by orders, by fulfilment, by a provider, by time, by a person."""

from typing import Literal

import msgspec

from libs.contracts import common
from libs.values.ids import short

HOUR = 3_600_000_000  # microseconds
DOUBT_LASTS = 24 * HOUR  # an outcome that is unknown for longer is a person's matter
PERSON_WITHIN = 48 * HOUR  # a person's time for what waits for one
BUYER_WITHIN = 48 * HOUR  # the buyer's time to act

SecondParcel = Literal["capture_all", "one_parcel", "capture_then_reauthorise"]
OnExpiry = Literal["capture", "reauthorise", "release"]
What = Literal["authorise", "capture", "void", "refund"]
Decision = Literal["retry", "capture", "release", "adopt", "absent", "settle"]


class Terms(msgspec.Struct, frozen=True):
    """What the configuration says of the account that charges: it enters with the message.

    `holder` is its name, empty where a channel has none. `margin` in microseconds,
    `accept_risk` in minor units.
    """

    holder: str = ""
    second_parcel: SecondParcel = "one_parcel"
    on_expiry: OnExpiry = "release"
    margin: int = 24 * HOUR
    accept_risk: int = 0


class ExpectPayment(msgspec.Struct, frozen=True, tag=True):
    """An order states, whole, what it costs from this revision on."""

    entity: str
    order_id: str
    revision: int
    account: str
    custody: common.Custody
    funds: common.Funds
    currency: str
    amount: int
    total: int
    lines: tuple[common.LineAmount, ...]
    charges_amount: int
    tenders: tuple[common.Tender, ...]
    method: str | None
    decide_by: int
    terms: Terms
    occurred_at: int
    at: int


class ClearParcel(msgspec.Struct, frozen=True, tag=True):
    """A parcel with units of the order is packed and asks whether it may go."""

    entity: str
    order_id: str
    shipment_id: str
    lines: tuple[common.LineQuantity, ...]
    occurred_at: int
    at: int


class WithdrawUnits(msgspec.Struct, frozen=True, tag=True):
    """Units of a parcel were stopped and stay; `version` is the shipment's, known repeats by."""

    shipment_id: str
    version: int
    lines: tuple[common.LineQuantity, ...]
    reason: str
    occurred_at: int
    at: int


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
    """Nobody knows whether a call took effect. `owner` is person where it is not tried again."""

    effect_id: str
    what: What
    subject: str
    since: int
    at: int
    owner: Literal["policy", "person"] = "policy"


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


class RecordDispute(msgspec.Struct, frozen=True, tag=True):
    """A provider told of a dispute; `state` is open, won or lost."""

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


class ExpireSoon(msgspec.Struct, frozen=True, tag=True):
    """An authorisation ends soon."""

    intent_id: str
    at: int


class AuthorisationEnds(msgspec.Struct, frozen=True, tag=True):
    """The time up to which an authorisation could be captured has come."""

    intent_id: str
    at: int


class DoubtOverdue(msgspec.Struct, frozen=True, tag=True):
    """The time in which an unknown outcome should have been found out is over."""

    effect_id: str
    at: int


class ActionOverdue(msgspec.Struct, frozen=True, tag=True):
    """The buyer's time to act is over."""

    intent_id: str
    at: int


class Decide(msgspec.Struct, frozen=True, tag=True):
    """A person decides on what waits.

    `reference` is what the provider calls an adopted intent or charge. `terms` are the
    account's as they are now, for a retry after the configuration was mended.
    """

    decision: Decision
    by: str
    reason: str
    at: int
    terms: Terms | None = None
    effect_id: str = ""
    reference: str = ""


PaymentCommand = (
    ExpectPayment
    | ClearParcel
    | WithdrawUnits
    | RecordAuthorisation
    | RecordDecline
    | RecordCapture
    | RecordVoid
    | RecordRefund
    | RecordRefusal
    | RecordDoubt
    | RecordIntentSeen
    | RecordRefundSeen
    | RecordDispute
    | ExpireSoon
    | AuthorisationEnds
    | DoubtOverdue
    | ActionOverdue
    | Decide
)


class Disagree(msgspec.Struct, frozen=True, tag=True):
    """A provider told something of a payment that nobody here knows."""

    entity: str
    holder: str
    reference: str
    code: str
    amount: int
    currency: str
    occurred_at: int
    at: int


class SettleDisagreement(msgspec.Struct, frozen=True, tag=True):
    """A person has settled it outside."""

    decision: str
    by: str
    at: int


DisagreementCommand = Disagree | SettleDisagreement


def payment_stream(order_id: str) -> str:
    """Return the stream of an order's payment."""
    return f"payment-{order_id}"


def disagreement_stream(holder: str, reference: str) -> str:
    """Return the stream of what a provider says and nobody here knows."""
    return f"disagreement-{holder}:{reference}"[:240]


def intent_id(order_id: str, number: int) -> str:
    """Return our id of an order's n-th authorisation."""
    return "pay_" + short(order_id, "intent", str(number))


def capture_id(order_id: str, number: int) -> str:
    """Return our id of an order's n-th capture."""
    return "cap_" + short(order_id, "capture", str(number))


def refund_id(order_id: str, number: int) -> str:
    """Return our id of an order's n-th refund."""
    return "ref_" + short(order_id, "refund", str(number))
