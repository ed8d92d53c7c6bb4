"""The door for deliveries: cheap checks in a fixed order, then the inbox. Understands nothing.

Order: size, content encoding, signature over the raw bytes, freshness, structure. Whether an
account exists cannot be told from outside: an unknown one looks like a bad signature.
"""

from fastapi import Request, Response

from libs.runtime.ports import Ports
from libs.security.secrets import Secret
from libs.web.deliveries import counted, raw_body, taken, verified
from libs.web.problems import Problem
from libs.web.writes import traceparent
from services.channels.adapters.parsing import ChannelDataError, check_structure


class Door:
    """Takes in deliveries for the accounts of the configuration."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._cap = ports.settings.limits.webhook_bytes
        self._secrets: dict[tuple[str, str], tuple[Secret, ...]] = {
            (account.provider, name): account.secrets()
            for name, account in ports.settings.channels.items()
        }

    async def take(self, provider: str, account: str, request: Request) -> Response:
        """Answer 200 when the delivery is committed, or raise the Problem; count either."""
        answer = self._answered(provider, account, request)
        configured = (provider, account) in self._secrets
        return await counted("channels", account, answer, configured=configured)

    async def _answered(self, provider: str, account: str, request: Request) -> str:
        body = await raw_body(request, self._cap)
        if provider == "woocommerce" and is_ping(request, body):
            return "pong"
        secrets = self._secrets.get((provider, account), ())
        signed = verified(provider, secrets, request, body, self._ports.clock())
        try:
            check_structure(body)
        except ChannelDataError as error:
            raise Problem(error.code, "The body is not JSON of a sensible depth.") from None
        first = await self._ports.inbox.accept(
            provider=provider, account=account, key=signed.key, topic=signed.topic, body=body,
            trace=traceparent(request),
        )  # fmt: skip
        return taken(provider, first, self._ports.clock())


def is_ping(request: Request, body: bytes) -> bool:
    """Tell WooCommerce's ping at the creation of a webhook: `webhook_id=N`, unsigned."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        kind == "application/x-www-form-urlencoded"
        and len(body) < 64
        and body.startswith(b"webhook_id=")
        and body[11:].isdigit()
    )
