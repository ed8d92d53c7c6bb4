"""What every door for deliveries does: size, encoding, signature; its answers are counted.

Nothing is understood here.
"""

from collections.abc import Awaitable, Sequence

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from libs.eventsourcing.decider import Refused
from libs.security.secrets import Secret
from libs.security.webhooks import BadSignature, Delivery, Refusal, replayed, verify
from libs.telemetry.metrics import DELIVERIES
from libs.web.problems import Problem


async def raw_body(request: Request, cap: int) -> bytes:
    """Return the body as it was sent, at most `cap` bytes. Raises Problem.

    What says that it is longer is not read at all, and an encoded one is not decoded.
    """
    told = request.headers.get("content-length")
    if told is not None and told.isascii() and told.isdigit() and int(told[:20]) > cap:
        raise Problem("body-too-large", f"At most {cap} bytes.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > cap:
            raise Problem("body-too-large", f"At most {cap} bytes.")
        parts.append(part)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("content-encoding-not-supported", "Send the body as it is.")
    return b"".join(parts)


def verified(
    provider: str, secrets: Sequence[Secret], request: Request, body: bytes, now: int
) -> Delivery:
    """Return what the provider's signature over the raw bytes vouches for. Raises Problem.

    `now` in microseconds. No secrets, as of an account that does not exist, look like a bad
    signature.
    """
    try:
        return verify(provider, secrets, request.headers, body, now)
    except BadSignature:
        raise Problem("bad-signature", "The signature is not the account's.") from None
    except Refusal as refusal:
        raise Problem(refusal.code, "The delivery's headers cannot be accepted.") from None


def taken(provider: str, first: int | None, now: int) -> str:
    """Say how a delivery was taken; None is new, else when its key first came. Raises Problem."""
    if first is None:
        return "accepted"
    if replayed(provider, first, now):
        raise Problem("replayed", "This delivery came long ago; its provider repeats it no more.")
    return "known"


async def counted(
    service: str, account: str, answer: Awaitable[str], *, configured: bool
) -> Response:
    """Answer 200 and how the delivery was taken, or raise the Problem; count either.

    An account that is not configured is no label: strangers would choose them.
    """
    shown = account if configured else "unknown"
    try:
        found = await answer
    except Exception as error:
        code = error.code if isinstance(error, Problem | Refused) else "error"
        DELIVERIES.labels(service, shown, code).inc()
        raise
    DELIVERIES.labels(service, shown, found).inc()
    return JSONResponse({"status": found})
