"""Who may do what: bearer tokens by role. On loopback without tokens everything is open."""

import hmac
import re

from fastapi import Request, Response

from libs.runtime.settings import ConfigurationError, Server
from libs.web.problems import problem

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# What the API is like is no secret, and a browser that is to show it has no token yet.
DESCRIBED = frozenset({"/", "/docs", "/openapi.json"})
# Webhooks are open by signature.
OPEN = ("/health/", "/channels/webhooks/", "/payments/webhooks/", "/fulfilment/webhooks/")
READS = frozenset({"GET", "HEAD", "OPTIONS"})
PERSONAL = re.compile(r"/customers/[^/]+/(contact|statutory)/?")  # reading these takes an operator


def check_listening(server: Server) -> None:
    """Refuse to listen beyond loopback without tokens."""
    if server.host not in LOOPBACK and not server.tokens:
        raise ConfigurationError(
            f"server.host is {server.host}: beyond loopback, [server.tokens] must name at least "
            "one bearer token and its role."
        )


def permitted(server: Server, request: Request) -> Response | None:
    """Return the refusal of a request, or None where it may pass."""
    path = request.url.path
    if not server.tokens or path in DESCRIBED or path.startswith(OPEN):
        return None
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        for token, role in server.tokens.items():
            if hmac.compare_digest(token.encode(), given.encode()):
                personal = PERSONAL.fullmatch(path) is not None
                if role == "operator" or (request.method in READS and not personal):
                    return None
                return problem("forbidden", "This token may only read, and nothing personal.")
    return problem("unauthorised", "Send a bearer token.")
