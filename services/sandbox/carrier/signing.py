"""EasyPost's webhook signatures; the sandbox's own code on purpose.

`X-Hmac-Signature` is HMAC-SHA256 of the raw body under the NFKD-normalised secret; the second
form signs timestamp, method, path and body, so that a replay shows.
"""

import hashlib
import hmac
import unicodedata
from email.utils import formatdate


def headers(secret: str, path: str, body: bytes, now: float) -> dict[str, str]:
    """The headers of one attempt at `now`, in seconds of our real clock."""
    key = unicodedata.normalize("NFKD", secret).encode()
    at = formatdate(now, localtime=False)
    return {
        "Content-Type": "application/json",
        "User-Agent": "EasyPost Webhook",
        "X-Hmac-Signature": _signed(key, body),
        "X-Timestamp": at,
        "X-Path": path,
        "X-Hmac-Signature-V2": _signed(key, f"{at}POST{path}".encode() + body),
    }


def _signed(key: bytes, body: bytes) -> str:
    return "hmac-sha256-hex=" + hmac.new(key, body, hashlib.sha256).hexdigest()
