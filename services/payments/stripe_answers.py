"""Stripe's answers and objects as data, and what their words mean. Pure: reads, calls nothing.

Sources: Stripe's API reference ("Errors", "PaymentIntents", "Decline codes").
"""

import msgspec

from libs.effects.http import Answered, retry_after
from libs.effects.kinds import Confirmed, NotYet, Rejected, Result, Unknown
from services.payments import calls
from services.payments.stripe_money import from_stripe

SECOND = 1_000_000  # microseconds

# Declines after which the same means of payment will not do (docs.stripe.com/declines/codes).
_FINAL = frozenset(
    {
        "card_not_supported", "currency_not_supported", "expired_card", "fraudulent",
        "incorrect_number", "invalid_account", "invalid_cvc", "invalid_expiry_month",
        "invalid_expiry_year", "invalid_number", "lost_card", "merchant_blacklist",
        "new_account_information_available", "not_permitted", "pickup_card", "restricted_card",
        "revocation_of_all_authorizations", "revocation_of_authorization", "security_violation",
        "service_not_allowed", "stolen_card", "stop_payment_order", "testmode_decline",
        "transaction_not_allowed",
    }
)  # fmt: skip
_ACTION = frozenset({"authentication_required", "authentication_not_handled"})
_OURS = {
    "insufficient_funds": "insufficient-funds", "expired_card": "card-expired",
    "amount_too_small": "below-provider-minimum", "fraudulent": "suspected-fraud",
    "lost_card": "card-blocked", "stolen_card": "card-blocked", "pickup_card": "card-blocked",
    "charge_expired_for_capture": "authorisation-expired",
    "charge_already_refunded": "already-refunded", "charge_disputed": "disputed",
    "insufficient_balance": "balance-insufficient",
}  # fmt: skip


class Card(msgspec.Struct, frozen=True):
    capture_before: int | None = None


class MethodDetails(msgspec.Struct, frozen=True):
    card: Card | None = None


class Charge(msgspec.Struct, frozen=True):
    """A charge, as far as it matters here."""

    id: str
    amount: int = 0
    amount_captured: int = 0
    amount_refunded: int = 0
    captured: bool = False
    currency: str = ""
    payment_intent: str | None = None
    metadata: dict[str, str] = {}
    payment_method_details: MethodDetails | None = None

    @property
    def sent_back(self) -> int:
        """Return what went back of what was captured: Stripe counts what a capture left, too."""
        left = self.amount - self.amount_captured if self.amount_captured else 0
        return max(0, self.amount_refunded - left)


class Fault(msgspec.Struct, frozen=True):
    """An error's own words."""

    type: str = ""
    code: str | None = None
    decline_code: str | None = None


class Intent(msgspec.Struct, frozen=True):
    """A payment intent, as far as it matters here; amounts as Stripe's, currency lower case."""

    id: str
    amount: int
    currency: str
    status: str
    amount_capturable: int | None = None
    amount_received: int | None = None
    latest_charge: str | Charge | None = None
    customer: str | None = None
    setup_future_usage: str | None = None
    cancellation_reason: str | None = None
    last_payment_error: Fault | None = None
    metadata: dict[str, str] = {}

    @property
    def capturable(self) -> int:
        """Return what is set aside; all of it, where it is not told."""
        return self.amount if self.amount_capturable is None else self.amount_capturable

    @property
    def received(self) -> int:
        """Return what is captured; all of it, where it is not told and has succeeded."""
        done = self.amount if self.status == "succeeded" else 0
        return done if self.amount_received is None else self.amount_received

    @property
    def reference(self) -> str:
        """Return the id of the charge that moved the money, else the intent's."""
        charge = self.latest_charge
        return self.id if charge is None else charge if isinstance(charge, str) else charge.id

    @property
    def capture_before(self) -> int | None:
        """Return until when it can be captured, microseconds, where that is told."""
        details = None
        if isinstance(self.latest_charge, Charge):
            details = self.latest_charge.payment_method_details
        if details is None or details.card is None or details.card.capture_before is None:
            return None
        return details.card.capture_before * SECOND

    @property
    def mandate(self) -> bool:
        """Return whether the buyer's method is kept and may be charged again."""
        return self.customer is not None and self.setup_future_usage == "off_session"


class Refunded(msgspec.Struct, frozen=True):
    """A refund. It may fail days after it was made: docs.stripe.com/refunds, "Failed refunds"."""

    id: str
    amount: int
    currency: str
    status: str | None = None
    metadata: dict[str, str] = {}
    payment_intent: str | None = None
    failure_reason: str | None = None

    @property
    def undone(self) -> bool:
        """Whether the money never reached the buyer."""
        return self.status in {"failed", "canceled"}


class Refunds(msgspec.Struct, frozen=True):
    data: list[Refunded] = []


class Intents(msgspec.Struct, frozen=True):
    data: list[Intent] = []
    has_more: bool = False


class _Error(msgspec.Struct, frozen=True):
    error: Fault


def decline(word: str) -> tuple[str, bool]:
    """Return our code for a provider's word, and whether the method will never do."""
    return _OURS.get(word, "declined"), word in _FINAL


def understood(answer: Answered, now: int) -> Result | None:
    """Say what an answer means whatever was asked; None where it is a success to be read.

    `now` in microseconds.
    """
    status = answer.status
    if 200 <= status < 300:
        return None
    if status == 429:
        return NotYet("throttled", retry_after(answer, now) or 2 * SECOND)
    if status == 409:
        return NotYet("in-progress")  # the same key is being worked on
    if status in {401, 403}:
        return NotYet("provider-refuses-key")
    if status in {400, 402, 404}:
        return _refused(answer)
    return Unknown(f"status-{status}")


def _refused(answer: Answered) -> Result:
    try:
        fault = msgspec.convert(answer.body, _Error).error
    except msgspec.ValidationError:
        return Unknown("malformed-answer")
    if fault.type == "idempotency_error":
        return Unknown("idempotency-mismatch")  # something was done under this key: ask
    word = fault.decline_code or fault.code or fault.type
    code, final = decline(word)
    if fault.type == "card_error" or answer.status == 402:
        if word in _ACTION:
            code = "authentication-required"
        return Rejected(code, calls.Refusal(word, final))
    code = _OURS.get(word, "provider-refused")
    return Rejected(code, calls.Refusal(word, final=True))


def authorised(intent: Intent) -> Result:
    """Say how an authorisation stands by its intent."""
    currency = intent.currency.upper()
    match intent.status:
        case "requires_capture":
            return Confirmed(
                calls.Authorised(
                    "authorised", intent.id, intent.reference,
                    from_stripe(intent.capturable, currency), currency, intent.capture_before,
                    intent.mandate,
                )
            )  # fmt: skip
        case "succeeded":
            return Confirmed(
                calls.Authorised(
                    "captured", intent.id, intent.reference,
                    from_stripe(intent.received, currency), currency, None, intent.mandate,
                )
            )  # fmt: skip
        case "requires_action" | "processing":
            return Confirmed(
                calls.Authorised(
                    "action" if intent.status == "requires_action" else "processing", intent.id,
                    intent.reference, from_stripe(intent.amount, currency), currency,
                )
            )  # fmt: skip
        case "canceled":
            return Rejected(
                "cancelled-at-provider", calls.Refusal(intent.cancellation_reason or "")
            )
        case "requires_payment_method":
            fault = intent.last_payment_error or Fault()
            word = fault.decline_code or fault.code or ""
            code, final = decline(word)
            return Rejected(code, calls.Refusal(word, final))
        case _:
            return Unknown("status-not-understood")


def captured(intent: Intent, amount: int) -> Result | None:
    """Say how a capture of so many minor units stands by its intent; None: nothing is captured."""
    match intent.status:
        case "succeeded":
            told, currency = intent.amount_received, intent.currency.upper()
            received = amount if told is None else from_stripe(told, currency)
            return Confirmed(calls.Done(intent.reference, received, currency))
        case "requires_capture":
            return None
        case "canceled":
            return Rejected(
                "authorisation-expired", calls.Refusal(intent.cancellation_reason or "")
            )
        case _:
            return Unknown("status-not-understood")
