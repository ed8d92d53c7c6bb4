"""Signatures of deliveries, over the raw bytes and in constant time, by each provider's exact rule.

Sources: Shopify "Verify deliveries"; WooCommerce class-wc-webhook.php; the Standard Webhooks
specification. Knows nothing of what is inside a body.
"""

import base64
import binascii
import hashlib
import hmac
import html
from collections.abc import Mapping, Sequence

import msgspec

from libs.security.secrets import Secret

TOLERANCE = 300  # seconds, past and future (Standard Webhooks)
_NOBODY = Secret("whsec_bm9ib2R5LWtub3dzLXRoaXMtc2VjcmV0LWF0LWFsbA==")


class Refusal(Exception):  # noqa: N818
    """A delivery that is not taken; the code is stable."""

    code = "malformed-headers"


class BadSignature(Refusal):
    """The signature is not that of the account's secrets, or there is no such account."""

    code = "bad-signature"


class StaleDelivery(Refusal):
    """The signed time is more than the tolerance away."""

    code = "stale-delivery"


class MalformedHeaders(Refusal):
    """A header that the provider always sends is missing or cannot be read."""

    code = "malformed-headers"


class Signed(msgspec.Struct, frozen=True):
    """What the headers of a verified delivery say: its own key, and what it is about."""

    key: str
    topic: str
    sent_at: int | None = None


def verify(
    provider: str,
    secrets: Sequence[Secret],
    headers: Mapping[str, str],
    body: bytes,
    now: int,
) -> Signed:
    """Verify a delivery and return its key; `now` in microseconds, header names in lower case.

    Without secrets a dummy is tried, so that an unknown account takes as long and looks the same.
    Raises BadSignature, StaleDelivery or MalformedHeaders.
    """
    tried = [secret.reveal() for secret in secrets] or [_NOBODY.reveal()]
    match provider:
        case "shopify":
            signed = _shopify(tried, headers, body)
        case "woocommerce":
            signed = _woocommerce(tried, headers, body)
        case "standard":
            signed = _standard(tried, headers, body, now)
        case _:
            raise BadSignature
    if not secrets:
        raise BadSignature
    return signed


def _matches(secrets: Sequence[bytes], message: bytes, given: Sequence[str]) -> bool:
    """Compare base64 signatures with every secret's, without leaving early."""
    found = False
    for secret in secrets:
        wanted = base64.b64encode(hmac.digest(secret, message, hashlib.sha256))
        for one in given:
            found |= hmac.compare_digest(wanted, one.encode("utf-8", "surrogateescape"))
    return found


def _need(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value or len(value) > 512 or not value.isascii() or not value.isprintable():
        raise MalformedHeaders(name)
    return value


def _shopify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> Signed:
    given = headers.get("x-shopify-hmac-sha256", "")
    if not _matches([s.encode() for s in secrets], body, [given]):
        raise BadSignature
    return Signed(_need(headers, "x-shopify-webhook-id"), _need(headers, "x-shopify-topic"))


def _woocommerce(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> Signed:
    """Delivery-ID is no key: two orders in one second share it. The body's hash is in the key."""
    keys = [html.unescape(s).encode() for s in secrets]
    if not _matches(keys, body, [headers.get("x-wc-webhook-signature", "")]):
        raise BadSignature
    topic = _need(headers, "x-wc-webhook-topic")
    source = _need(headers, "x-wc-webhook-source")
    digest = hashlib.sha256(body).hexdigest()
    return Signed(f"{source}|{topic}|{digest}"[-400:], topic)


def _standard(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: int
) -> Signed:
    name = headers.get("webhook-id", "")
    time = headers.get("webhook-timestamp", "")
    given = [
        part[3:] for part in headers.get("webhook-signature", "")[:2048].split(" ") if part[:3] == "v1,"
    ]
    message = f"{name}.{time}.".encode("utf-8", "surrogateescape") + body
    if not _matches([_standard_key(s) for s in secrets], message, given):
        raise BadSignature
    _need(headers, "webhook-id")
    if not time.isascii() or not time.isdigit() or len(time) > 12:
        raise MalformedHeaders("webhook-timestamp")
    if abs(now // 1_000_000 - int(time)) > TOLERANCE:
        raise StaleDelivery
    return Signed(name, "", int(time) * 1_000_000)


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()
