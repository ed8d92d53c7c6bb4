"""Errors as problem details (RFC 9457): the one place where a code meets an HTTP status."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from libs.eventsourcing.decider import Refused

# Codes that are not here are refusals of a decider: 409, the state does not allow it.
STATUS: Mapping[str, int] = {
    "not-found": 404,
    "method-not-allowed": 405,
    "bad-request": 400,
    "invalid-request": 422,
    "unknown-parameter": 422,
    "idempotency-key-missing": 400,
    "bad-idempotency-key": 400,
    "bad-delivery-key": 400,
    "bad-name": 400,
    "idempotency-key-reused": 409,
    "bad-signature": 401,
    "stale-delivery": 400,
    "replayed": 400,
    "malformed-headers": 400,
    "body-too-large": 413,
    "headers-too-large": 431,
    "request-too-slow": 408,
    "content-encoding-not-supported": 415,
    "content-type-not-supported": 415,
    "unauthorised": 401,
    "forbidden": 403,
    "not-ready": 503,
    "try-again": 503,
    "read-model-rebuilt": 503,
    "newer-release": 503,
    "after-not-reached": 504,
    "internal-error": 500,
    "order-not-found": 404,
    "hold-not-found": 404,
    "shipment-not-found": 404,
    "handover-not-found": 404,
    "tracking-not-found": 404,
    "carrier-unknown": 422,
    "carrier-away": 503,
    "label-not-there": 404,
    "line-not-found": 404,
    "location-unknown": 422,
    "bad-token": 400,
    "malformed-json": 400,
    "item-not-found": 404,
    "posting-not-held": 404,
    "value-not-possible": 422,
    "payment-not-found": 404,
    "disagreement-not-found": 404,
    "reference-missing": 422,
    "tracking-code-missing": 422,
    "report-not-found": 404,
    "expired": 410,
    "customer-not-found": 404,
    "contact-unknown": 404,
    "subject-erased": 410,
    "unreadable-sealed-value": 500,
}

_SHOWN = 500  # characters of a text that may hold what the caller sent


class Problem(Exception):  # noqa: N818 - an answer, not a fault
    """An answer that is an error: stable code, a sentence, members that are not personal."""

    def __init__(self, code: str, detail: str, **members: str | int) -> None:
        super().__init__(code)
        self.code, self.detail, self.members = code, detail, members


def problem(code: str, detail: str, **members: object) -> JSONResponse:
    """Return the response for a code."""
    status = STATUS.get(code, 409)
    body = {"type": f"urn:lonja:problem:{code}", "title": code.replace("-", " "), "status": status}
    body |= {"code": code, "detail": detail[:_SHOWN], **members}
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def answer_problem(_: Request, error: Exception) -> JSONResponse:
    """Turn what a route raised into its problem."""
    match error:
        case Problem():
            return problem(error.code, error.detail, **error.members)
        case Refused():
            return problem(error.code, error.message, **error.details)
        case RequestValidationError():
            faults = [
                {"where": ".".join(map(str, fault["loc"]))[:_SHOWN], "why": fault["msg"][:_SHOWN]}
                for fault in error.errors()
            ]
            return problem("invalid-request", "The request does not fit.", faults=faults[:20])
        case HTTPException(status_code=404):
            return problem("not-found", "There is nothing here.")
        case HTTPException(status_code=405):
            return problem("method-not-allowed", "This method is not allowed here.")
        case HTTPException():
            return problem("bad-request", "The request cannot be read.")
        case _:
            return problem("internal-error", "This is our fault; it is logged. Try again.")
