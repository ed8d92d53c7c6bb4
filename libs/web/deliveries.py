"""The door for a provider's deliveries: cheap checks in a fixed order, then the inbox.

Order: size, content encoding, signature over the raw bytes, freshness, structure. Whether an
account exists cannot be told from outside: an unknown one looks like a bad signature. Nothing is
understood here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from libs.eventsourcing.decider import Refused
from libs.runtime.ports import Ports
from libs.security.secrets import Secret
from libs.security.webhooks import (
    BadSignature,
    Delivery,
    Refusal,
    is_creation_ping,
    replayed,
    verify,
)
from libs.telemetry.metrics import DELIVERIES
from libs.web.problems import Problem
from libs.web.writes import traceparent

Naming = Callable[[Delivery, bytes], Delivery]


class Account(Protocol):
    """What a door must know of an account."""

    @property
    def provider(self) -> str:
        """Return who delivers."""
        ...

    def secrets(self) -> tuple[Secret, ...]:
        """Return what deliveries may be signed with, the newest first."""
        ...


class Door:
    """Takes in deliveries for a service's accounts of the configuration.

    `named` looks at the structure of a body and returns the delivery under the key and topic that
    the body gives it; raises Problem.
    """

    def __init__(
        self, service: str, ports: Ports, accounts: Mapping[str, Account], named: Naming
    ) -> None:
        self._service, self._ports, self._named = service, ports, named
        self._cap = ports.settings.limits.webhook_bytes
        self._secrets = {(one.provider, name): one.secrets() for name, one in accounts.items()}

    async def take(self, provider: str, account: str, request: Request) -> Response:
        """Answer 200 when the delivery is committed, or raise the Problem; count either."""
        answer = self._answered(provider, account, request)
        configured = (provider, account) in self._secrets
        return await _counted(self._service, account, answer, configured=configured)

    async def _answered(self, provider: str, account: str, request: Request) -> str:
        body = await raw_body(request, self._cap)
        if provider == "woocommerce" and is_creation_ping(request.headers, body):
            return "pong"
        secrets = self._secrets.get((provider, account), ())
        signed = _verified(provider, secrets, request, body, self._ports.clock())
        found = self._named(signed, body)
        first = await self._ports.inbox.accept(
            provider=provider, account=account, key=found.key, topic=found.topic, body=body,
            trace=traceparent(request),
        )  # fmt: skip
        return _taken(provider, first, self._ports.clock())


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


def _verified(
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


def _taken(provider: str, first: int | None, now: int) -> str:
    """Say how a delivery was taken; None is new, else when its key first came. Raises Problem."""
    if first is None:
        return "accepted"
    if replayed(provider, first, now):
        raise Problem("replayed", "This delivery came long ago; its provider repeats it no more.")
    return "known"


async def _counted(
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
