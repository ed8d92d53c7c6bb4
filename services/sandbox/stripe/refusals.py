"""Stripe's error objects. `Refused` is an answer that Stripe keeps under the key; `Invalid` is not.

Source: docs.stripe.com/api/errors and /api/idempotent_requests: "a result is only saved if the
execution of an endpoint begins", which a request with invalid parameters does not.
"""

from typing import Any

Json = dict[str, Any]


class Refused(Exception):  # noqa: N818 - the trade's word
    """A refusal with its HTTP status and error object."""

    def __init__(self, status: int, kind: str, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        error: Json = {"type": kind, "message": message}
        if code:
            error |= {"code": code, "doc_url": f"https://stripe.com/docs/error-codes/{code}"}
        self.body: Json = {"error": error | more}


class Invalid(Refused):
    """Parameters that no endpoint begins to work on."""


def invalid(param: str, message: str, code: str = "parameter_invalid") -> Invalid:
    return Invalid(400, "invalid_request_error", code, message, param=param)


def missing(param: str) -> Invalid:
    return invalid(param, f"Missing required param: {param}.", "parameter_missing")


def unknown(param: str) -> Invalid:
    return invalid(param, f"Received unknown parameter: {param}", "parameter_unknown")


def no_such(kind: str, wanted: str, param: str = "intent") -> Refused:
    text = f"No such {kind}: '{wanted[:80]}'"
    return Refused(404, "invalid_request_error", "resource_missing", text, param=param)


def unexpected_state(intent: Json, action: str) -> Refused:
    text = (
        f"This PaymentIntent could not be {action} because it has a status of {intent['status']}."
    )
    code = "payment_intent_unexpected_state"
    return Refused(400, "invalid_request_error", code, text, payment_intent=intent)


def card_error(verdict: Any, intent: Json, charge: str | None) -> Json:
    """The error object of a declined card, as in a 402 and in `last_payment_error`."""
    error: Json = {
        "type": "card_error",
        "code": verdict.code,
        "decline_code": verdict.decline,
        "doc_url": f"https://stripe.com/docs/error-codes/{verdict.code.replace('_', '-')}",
        "message": verdict.message,
        "payment_method": {"id": intent["payment_method"], "object": "payment_method"},
    }
    return error | ({"charge": charge} if charge else {})
