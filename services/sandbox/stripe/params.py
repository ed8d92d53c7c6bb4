"""The parameters of Stripe's calls, checked: what is missing, unknown or out of range is refused.

Source: docs.stripe.com/api; minimum amounts from docs.stripe.com/currencies.
"""

from collections.abc import Collection, Mapping
from typing import Any

from services.sandbox.stripe.refusals import Invalid, invalid, missing, unknown

Json = dict[str, Any]
MINIMUM: Mapping[str, int] = {"gbp": 30, "eur": 50, "usd": 50, "chf": 50, "sek": 300, "dkk": 250}
_LARGEST = 99_999_999
CREATE = frozenset(
    {
        *("amount", "automatic_payment_methods", "capture_method", "confirm", "currency"),
        *("customer", "description", "error_on_requires_action", "expand", "mandate", "metadata"),
        *("off_session", "payment_method", "payment_method_options", "payment_method_types"),
        *("receipt_email", "return_url", "setup_future_usage", "shipping", "statement_descriptor"),
        *("statement_descriptor_suffix", "transfer_group", "confirmation_method"),
        *("mandate_data", "radar_options"),
    }
)
CONFIRM = frozenset(
    {
        *("payment_method", "off_session", "error_on_requires_action", "expand", "return_url"),
        *("mandate", "setup_future_usage", "capture_method", "receipt_email"),
    }
)
CAPTURE = frozenset({"amount_to_capture", "final_capture", "metadata", "expand"})
CANCEL = frozenset({"cancellation_reason", "expand"})
REFUND = frozenset({"amount", "charge", "payment_intent", "metadata", "reason", "expand"})
REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer", "abandoned"})


def only(given: Json, known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise unknown(name)


def text(given: Json, name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(name, f"Invalid string: {name}")
    return value or None


def flag(given: Json, name: str) -> bool:
    value = given.get(name, "false")
    if value not in {"true", "false"}:
        raise invalid(name, f"Invalid boolean: {str(value)[:40]}", "parameter_invalid_boolean")
    return bool(value == "true")


def amount(given: Json, name: str) -> int | None:
    value = text(given, name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit():
        raise invalid(name, f"Invalid integer: {value[:40]}", "parameter_invalid_integer")
    if not 1 <= int(value) <= _LARGEST:
        code = "amount_too_large" if int(value) else "parameter_invalid_integer"
        raise invalid(name, f"Invalid amount: {value[:40]}", code)
    return int(value)


def metadata(given: Json) -> dict[str, str]:
    """At most 50 names of 40 characters with values of 500."""
    found = given.get("metadata") or {}
    if not isinstance(found, dict) or len(found) > 50:
        raise invalid("metadata", "Metadata must be a set of at most 50 key-value pairs.")
    for name, value in found.items():
        if len(name) > 40 or not isinstance(value, str) or len(value) > 500:
            raise invalid(f"metadata[{name[:40]}]", "Metadata names or values are too long.")
    return {name: value for name, value in found.items() if value}


def new_intent(given: Json) -> Json:
    """The fields of a new intent. Raises Invalid."""
    only(given, CREATE)
    wanted, currency = amount(given, "amount"), text(given, "currency")
    if wanted is None:
        raise missing("amount")
    if currency is None:
        raise missing("currency")
    if currency.lower() not in MINIMUM:
        raise invalid("currency", f"Invalid currency: {currency[:10]}")
    _enough(wanted, currency.lower())
    way = text(given, "capture_method") or "automatic"
    if way not in {"automatic", "automatic_async", "manual"}:
        raise invalid("capture_method", f"Invalid capture_method: {way[:20]}")
    return {
        "amount": wanted,
        "currency": currency.lower(),
        "capture_method": "manual" if way == "manual" else "automatic",
        "metadata": metadata(given),
        **{
            name: text(given, name)
            for name in ("customer", "description", "setup_future_usage", "transfer_group")
        },
    }


def _enough(wanted: int, currency: str) -> None:
    if wanted < MINIMUM[currency]:
        text_ = f"Amount must be at least {MINIMUM[currency]} minor units of {currency}"
        raise Invalid(400, "invalid_request_error", "amount_too_small", text_, param="amount")


def off_session(given: Json) -> bool:
    """Whether nobody is there to act. Stripe also takes `one_off` and `recurring`."""
    if given.get("off_session") in {"one_off", "recurring"}:
        return True
    return flag(given, "off_session") or flag(given, "error_on_requires_action")
