"""Signatures of deliveries, over the raw bytes and in constant time, by each provider's exact rule.

Sources: Shopify "Verify deliveries"; WooCommerce class-wc-webhook.php; the Standard Webhooks
specification; Stripe "Verify webhook signatures manually"; EasyPost's client libraries
(validate_webhook). Knows nothing of what is inside a body, and reads no clock.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from libs.security.secrets import Secret

TOLERANCE = 300  # seconds, past and future (Standard Webhooks)
# What has no signed time is a replay once its provider does not repeat it any more. Shopify: 8
# retries in 4 hours; WooCommerce: none of its own, its queue (Action Scheduler) may run late or be
# run again by hand; EasyPost: retries for 24 hours ("if the customer's webhook URL goes down").
REPEATED = 48 * 3600 * 1_000_000  # microseconds, with a margin for all three
_TIMELESS = frozenset(["shopify", "woocommerce", "easypost"])
_NOBODY = b"takes as long as a secret would, and proves nothing"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What WordPress's wp_specialchars_decode(…, ENT_QUOTES) decodes, in one pass, and nothing else.
_ENTITY = re.compile(r"&(lt|gt|quot|amp|#0*(?:39|34|60|62|38)|#[xX]0*(?:27|22|26));")
_NAMED = {"lt": "<", "gt": ">", "quot": '"', "amp": "&"}

Headers = Mapping[str, str] | Mapping[bytes, bytes]


class Refusal(Exception):  # noqa: N818
    """A delivery that is not taken; the code is stable."""

    code = "malformed-headers"


class BadSignature(Refusal):
    """The signature is not that of the account's secrets, or there is no such account."""

    code = "bad-signature"


class StaleDelivery(Refusal):
    """The signed time is more than the tolerance away."""

    code = "stale-delivery"


class Malformed(Refusal):
    """A header that the provider always sends is missing, came twice, or cannot be read."""

    code = "malformed-headers"


class Delivery(msgspec.Struct, frozen=True):
    """What the headers of a verified delivery say.

    `key` is the same for every attempt; `sent_at` in microseconds, `event` the provider's event
    id. Shopify and WooCommerce sign the body only: their headers are hints, not proofs.
    """

    key: str
    topic: str
    sent_at: int | None = None
    event: str | None = None


def verify(
    provider: str, secrets: Sequence[Secret], headers: Headers, body: bytes, now: int
) -> Delivery:
    """Verify a delivery and say what its headers say; `now` in microseconds.

    No secrets, or only empty ones, stand for an unknown account: it takes as long as a bad
    signature and looks the same. Raises BadSignature, then Malformed or StaleDelivery.
    """
    seen = _seen(headers)
    tried = [secret.reveal() for secret in secrets]
    match provider:
        case "shopify":
            return _shopify(tried, seen, body)
        case "woocommerce":
            return _woocommerce(tried, seen, body)
        case "standard":
            return _standard(tried, seen, body, now)
        case "stripe":
            return _stripe(tried, seen, body, now)
        case "easypost":
            return _easypost(tried, seen, body)
        case _:
            raise BadSignature


def replayed(provider: str, first: int, now: int) -> bool:
    """Tell a replay from a provider's own retry; `first` is when the key came, in microseconds.

    Who signs a time is believed however late: an old one was refused as stale.
    """
    return provider in _TIMELESS and now - first > REPEATED


def delivery_key(headers: Headers, body: bytes) -> str:
    """Return WooCommerce's key: source, topic and hash of the body. Raises Malformed.

    Its Delivery-ID is no key: two orders in one second share it. Resource id and
    date_modified_gmt are left out, since they stand in the body: equal hashes have equal ones.
    A deletion has no date: an order that is thrown away again is told so in the same words.
    """
    seen = _seen(headers)
    source, topic = _need(seen, "x-wc-webhook-source"), _need(seen, "x-wc-webhook-topic")
    if topic.endswith(".deleted"):
        topic = f"{topic}|{seen.get('x-wc-webhook-delivery-id', '')[:64]}"
    return f"{source}|{topic}|{hashlib.sha256(body).hexdigest()}"[-400:]


def is_creation_ping(headers: Headers, body: bytes) -> bool:
    """Tell WooCommerce's ping at the creation of a webhook: a form `webhook_id=N`, unsigned."""
    seen = _seen(headers)
    kind = seen.get("content-type", "").partition(";")[0].strip().lower()
    return (
        kind == "application/x-www-form-urlencoded"
        and "x-wc-webhook-signature" not in seen
        and re.fullmatch(rb"webhook_id=[0-9]{1,18}", body) is not None
    )


def woocommerce_keys(secret: str) -> list[bytes]:
    """Return the keys that a secret may stand for: decoded as WordPress does, and as it is."""
    decoded = _ENTITY.sub(lambda found: _character(found[1]), secret)
    return [text.encode("utf-8", "surrogatepass") for text in dict.fromkeys((decoded, secret))]


def standard_key(secret: str) -> bytes:
    """Return the key in `whsec_<base64>`, with or without padding; b"" where there is none."""
    text = secret.removeprefix("whsec_").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


def _character(name: str) -> str:
    if name[0] != "#":
        return _NAMED[name]
    digits = name.lstrip("#xX")
    return chr(int(digits, 16 if name[1] in "xX" else 10))


def _shopify(secrets: Sequence[str], seen: Mapping[str, str], body: bytes) -> Delivery:
    keys = [secret.encode("utf-8", "surrogatepass") for secret in secrets]
    if not _genuine(keys, 2, body, [seen.get("x-shopify-hmac-sha256", "")]):
        raise BadSignature
    return Delivery(
        _need(seen, "x-shopify-webhook-id"),
        _need(seen, "x-shopify-topic"),
        _instant(seen.get("x-shopify-triggered-at", "")),
        _need(seen, "x-shopify-event-id") if "x-shopify-event-id" in seen else None,
    )


def _woocommerce(secrets: Sequence[str], seen: Mapping[str, str], body: bytes) -> Delivery:
    keys = [key for secret in secrets for key in woocommerce_keys(secret)]
    if not _genuine(keys, 4, body, [seen.get("x-wc-webhook-signature", "")]):
        raise BadSignature
    return Delivery(delivery_key(seen, body), _need(seen, "x-wc-webhook-topic"))


def _standard(secrets: Sequence[str], seen: Mapping[str, str], body: bytes, now: int) -> Delivery:
    name, time = seen.get("webhook-id", ""), seen.get("webhook-timestamp", "")
    parts = seen.get("webhook-signature", "")[:2048].split(" ")
    given = [part[3:] for part in parts if part.startswith("v1,")]
    message = f"{name}.{time}.".encode("utf-8", "surrogatepass") + body
    if not _genuine([standard_key(secret) for secret in secrets], 2, message, given):
        raise BadSignature
    # With a dot in the id, parts of id, time and body could be exchanged under one signature.
    if "." in _need(seen, "webhook-id"):
        raise Malformed("webhook-id")
    if re.fullmatch(r"[0-9]{1,12}", time) is None:
        raise Malformed("webhook-timestamp")
    if abs(now - int(time) * 1_000_000) > TOLERANCE * 1_000_000:
        raise StaleDelivery
    return Delivery(name, "", int(time) * 1_000_000)


def _stripe(secrets: Sequence[str], seen: Mapping[str, str], body: bytes, now: int) -> Delivery:
    """Take `t=…,v1=…`, of which there may be several; other schemes are no proof.

    The key is the body's hash: the event's id stands in the body, for whoever reads that.
    """
    parts = [part.partition("=") for part in seen.get("stripe-signature", "")[:4096].split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value for name, _, value in parts if name.strip() == "v1"][:16]
    time = times[0] if len(times) == 1 else ""
    keys = [secret.encode("utf-8", "surrogatepass") for secret in secrets]
    message = f"{time}.".encode("utf-8", "surrogatepass") + body
    if not _genuine(keys, 2, message, given, _hexadecimal):
        raise BadSignature
    if re.fullmatch(r"[0-9]{1,12}", time) is None:
        raise Malformed("stripe-signature")
    if abs(now - int(time) * 1_000_000) > TOLERANCE * 1_000_000:
        raise StaleDelivery
    return Delivery(hashlib.sha256(body).hexdigest(), "", int(time) * 1_000_000)


def _hexadecimal(digest: bytes) -> bytes:
    return digest.hex().encode()


def easypost_key(secret: str) -> bytes:
    """Return the key that a secret stands for: its text in Unicode's form NFKD."""
    return unicodedata.normalize("NFKD", secret).encode("utf-8", "surrogatepass")


def _easypost(secrets: Sequence[str], seen: Mapping[str, str], body: bytes) -> Delivery:
    """Verify `X-Hmac-Signature: hmac-sha256-hex=<hex>`: no time is signed, so none is checked."""
    given = seen.get("x-hmac-signature", "")
    kind, _, digits = given.partition("=")
    if kind != "hmac-sha256-hex" or re.fullmatch("[0-9a-f]{64}", digits) is None:
        digits = ""
    text = base64.b64encode(bytes.fromhex(digits)).decode() if digits else ""
    if not _genuine([easypost_key(secret) for secret in secrets], 2, body, [text]):
        raise BadSignature
    return Delivery(hashlib.sha256(body).hexdigest(), "")


def _genuine(
    keys: Sequence[bytes], places: int, message: bytes, given: Sequence[str],
    written: Callable[[bytes], bytes] = base64.b64encode,
) -> bool:  # fmt: skip
    """Compare the text (which is canonical) with every key's, without leaving early.

    At least `places` signatures are made, so that accounts with none, one or two secrets take
    equally long. An empty key is none: anybody could sign with it.
    """
    real = [key for key in keys if key]
    texts = [one.encode("latin-1", "replace") for one in given]
    found = False
    for place, key in enumerate([*real, *[_NOBODY] * (places - len(real))]):
        wanted = written(hmac.digest(key, message, "sha256"))
        for text in texts:
            found |= hmac.compare_digest(wanted, text) and place < len(real)
    return found


def _seen(headers: Headers) -> dict[str, str]:
    """Return names in lower case; one that came twice is empty: nobody knows which is meant."""
    seen: dict[str, str] = {}
    for name, value in headers.items():
        lower = _text(name).lower()
        seen[lower] = "" if lower in seen else _text(value)
    return seen


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _need(seen: Mapping[str, str], name: str) -> str:
    value = seen.get(name, "")
    if not value or len(value) > 512 or not value.isascii() or not value.isprintable():
        raise Malformed(name)
    return value


def _instant(text: str) -> int | None:
    """Read an ISO 8601 time with its offset; it is a hint, so what cannot be read is None."""
    try:
        at = datetime.fromisoformat(text)
        return (at - _EPOCH) // timedelta(microseconds=1) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
