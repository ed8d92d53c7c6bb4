"""Stripe's test payment methods and what the issuer says to each of them. Pure.

Source: docs.stripe.com/testing, "Declined payments" and "3D Secure authentication"; both the
present names (`pm_card_visa_…`) and the older ones without the brand are known.
"""

from collections.abc import Mapping

from msgspec import Struct


class Verdict(Struct, frozen=True):
    """`approved`, `declined` with a code and a decline code, or `action`: the buyer must act."""

    kind: str
    code: str = ""
    decline: str = ""
    message: str = ""
    brand: str = "visa"
    last4: str = "4242"


def _declined(code: str, decline: str, message: str, last4: str) -> Verdict:
    return Verdict("declined", code, decline, message, last4=last4)


AUTHENTICATION = Verdict(
    "declined",
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    last4="3184",
)
_DECLINED = "Your card was declined."
_DECLINES: Mapping[str, Verdict] = {
    "chargeDeclined": _declined("card_declined", "generic_decline", _DECLINED, "0002"),
    "chargeDeclinedInsufficientFunds": _declined(
        "card_declined", "insufficient_funds", "Your card has insufficient funds.", "9995"
    ),
    "chargeDeclinedLostCard": _declined("card_declined", "lost_card", _DECLINED, "9987"),
    "chargeDeclinedStolenCard": _declined("card_declined", "stolen_card", _DECLINED, "9979"),
    "chargeDeclinedFraudulent": _declined("card_declined", "fraudulent", _DECLINED, "0019"),
    "chargeDeclinedExpiredCard": _declined(
        "expired_card", "expired_card", "Your card has expired.", "0069"
    ),
    "chargeDeclinedIncorrectCvc": _declined(
        "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "0127"
    ),
    "chargeDeclinedProcessingError": _declined(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
        "0119",
    ),
}
_APPROVED = {"visa": "4242", "mastercard": "4444", "amex": "8431", "visa_debit": "5556"}
_ACTION = frozenset({"authenticationRequired", "threeDSecure2Required", "threeDSecureRequired"})


def verdict(method: str) -> Verdict | None:
    """What the issuer of a test payment method says; None where Stripe knows no such method."""
    if not method.startswith("pm_card_"):
        return None
    name = method.removeprefix("pm_card_")
    if name in _APPROVED:
        return Verdict("approved", brand=name.split("_", maxsplit=1)[0], last4=_APPROVED[name])
    if name in _ACTION:
        return Verdict("action", last4="3184")
    return _DECLINES.get(name.removeprefix("visa_"))
