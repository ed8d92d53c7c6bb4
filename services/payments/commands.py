"""What a payment can be told: by orders, by fulfilment, by a provider, by time, by a person."""

from typing import Literal

import msgspec

from libs.contracts import common
from libs.values.ids import short
from services.payments.results import RecordAuthorisation as RecordAuthorisation
from services.payments.results import RecordCapture as RecordCapture
from services.payments.results import RecordDecline as RecordDecline
from services.payments.results import RecordDispute as RecordDispute
from services.payments.results import RecordDoubt as RecordDoubt
from services.payments.results import RecordIntentSeen as RecordIntentSeen
from services.payments.results import RecordRefund as RecordRefund
from services.payments.results import RecordRefundReturned as RecordRefundReturned
from services.payments.results import RecordRefundSeen as RecordRefundSeen
from services.payments.results import RecordRefusal as RecordRefusal
from services.payments.results import RecordVoid as RecordVoid
from services.payments.results import What as What

HOUR = 3_600_000_000  # microseconds
DOUBT_LASTS = 24 * HOUR  # an outcome that is unknown for longer is a person's matter
PERSON_WITHIN = 48 * HOUR  # a person's time for what waits for one
BUYER_WITHIN = 48 * HOUR  # the buyer's time to act
# How long card networks keep money set aside, where the provider does not say until when: seven
# days online, and Visa without the buyer four days and 18 hours
# (docs.stripe.com/payments/place-a-hold-on-a-payment-method, "Authorization validity windows").
AUTHORISATION_LASTS = 7 * 24 * HOUR
UNATTENDED_LASTS = 114 * HOUR

SecondParcel = Literal["capture_all", "one_parcel", "capture_then_reauthorise"]
OnExpiry = Literal["capture", "reauthorise", "release"]
Decision = Literal["retry", "capture", "release", "adopt", "absent", "settle", "paid-back"]


class Terms(msgspec.Struct, frozen=True):
    """What the configuration says of the account that charges: it enters with the message.

    `holder` is its name, empty where a channel has none. `margin` in microseconds,
    `accept_risk` in minor units. `lasts` is how long an authorisation lasts of which the
    provider does not tell the end, microseconds.
    """

    holder: str = ""
    second_parcel: SecondParcel = "one_parcel"
    on_expiry: OnExpiry = "release"
    margin: int = 24 * HOUR
    accept_risk: int = 0
    lasts: int = AUTHORISATION_LASTS


class ExpectPayment(msgspec.Struct, frozen=True, tag=True):
    """An order states, whole, what it costs from this revision on.

    `received` and `refunded` are what its channel says that it took in all and gave back, minor
    units; None where it does not say.
    """

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
    received: int | None = None
    refunded: int | None = None


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

    `reference` is what the provider calls an adopted intent or charge, or names the payment of
    what was paid back in another way. `terms` are the account's as they are now, for a retry after
    the configuration was mended. `refund_id` names what `settle` is of where somebody has put
    money back by hand, and what `paid-back` is of.
    """

    decision: Decision
    by: str
    reason: str
    at: int
    terms: Terms | None = None
    effect_id: str = ""
    reference: str = ""
    refund_id: str = ""


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
    | RecordRefundReturned
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
