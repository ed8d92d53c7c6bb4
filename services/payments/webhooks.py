"""The door for a provider's deliveries: cheap checks in a fixed order, then the inbox.

Order: size, content encoding, signature over the raw bytes, freshness, structure. An account that
does not exist looks like a bad signature.
"""

import msgspec
from fastapi import Request, Response

from libs.runtime.ports import Ports
from libs.security.secrets import Secret
from libs.security.structure import sound
from libs.web.deliveries import counted, raw_body, taken, verified
from libs.web.problems import Problem
from libs.web.writes import traceparent


class _Named(msgspec.Struct, frozen=True):
    id: str
    type: str = ""


class Door:
    """Takes in deliveries for the payments accounts of the configuration."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._cap = ports.settings.limits.webhook_bytes
        self._secrets: dict[tuple[str, str], tuple[Secret, ...]] = {
            (account.provider, name): account.secrets()
            for name, account in ports.settings.payments.items()
        }

    async def take(self, provider: str, account: str, request: Request) -> Response:
        """Answer 200 when the delivery is committed, or raise the Problem; count either."""
        answer = self._answered(provider, account, request)
        configured = (provider, account) in self._secrets
        return await counted("payments", account, answer, configured=configured)

    async def _answered(self, provider: str, account: str, request: Request) -> str:
        body = await raw_body(request, self._cap)
        secrets = self._secrets.get((provider, account), ())
        verified(provider, secrets, request, body, self._ports.clock())
        event = _named(body)
        first = await self._ports.inbox.accept(
            provider=provider, account=account, key=event.id, topic=event.type[:100], body=body,
            trace=traceparent(request),
        )  # fmt: skip
        return taken(provider, first, self._ports.clock())


def _named(body: bytes) -> _Named:
    """Read the event's id, which is the same for every attempt, and its type."""
    if sound(body):
        try:
            event = msgspec.json.decode(body, type=_Named)
        except (msgspec.DecodeError, UnicodeDecodeError):
            event = _Named("")
        if event.id and event.id.isascii() and event.id.isprintable() and len(event.id) <= 200:
            return event
    raise Problem("malformed-json", "The body is not an event of the provider.")
