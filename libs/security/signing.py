"""The headers of a signed delivery, as each provider would send them, for tests and load."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

from libs.security.secrets import Secret
from libs.security.webhooks import easypost_key, standard_key, woocommerce_keys


def sign_shopify(
    secret: Secret, body: bytes, *, topic: str, webhook_id: str, event_id: str, triggered_at: int
) -> dict[str, str]:
    """Sign with the app's client secret; `webhook_id` stays on a retry; time in microseconds."""
    at = datetime.fromtimestamp(triggered_at // 1_000_000, UTC)
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Webhook-Id": webhook_id,
        "X-Shopify-Event-Id": event_id,
        "X-Shopify-Triggered-At": f"{at:%Y-%m-%dT%H:%M:%S}.{triggered_at % 1_000_000:06}Z",
        "X-Shopify-Hmac-Sha256": _hmac(secret.reveal().encode(), body),
    }


def sign_woocommerce(
    secret: Secret, body: bytes, *, source: str, topic: str, webhook_id: int, now: int
) -> dict[str, str]:
    """Sign with the decoded secret; the Delivery-ID is that of the second, as WooCommerce's is."""
    resource, _, event = topic.partition(".")
    second = f"{webhook_id}{now // 1_000_000}".encode()
    return {
        "X-WC-Webhook-Source": source,
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-ID": str(webhook_id),
        "X-WC-Webhook-Delivery-ID": hashlib.sha256(second).hexdigest()[:32],
        "X-WC-Webhook-Signature": _hmac(woocommerce_keys(secret.reveal())[0], body),
    }


def sign_standard(secret: Secret, body: bytes, *, webhook_id: str, now: int) -> dict[str, str]:
    """Sign id, time of the attempt (`now`, in microseconds) and body; the id stays on a retry."""
    time = str(now // 1_000_000)
    message = f"{webhook_id}.{time}.".encode() + body
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": time,
        "webhook-signature": "v1," + _hmac(standard_key(secret.reveal()), message),
    }


def sign_stripe(secret: Secret, body: bytes, *, now: int) -> dict[str, str]:
    """Sign the time of the attempt (`now`, in microseconds) and the body, in hexadecimal."""
    time = str(now // 1_000_000)
    digest = hmac.digest(secret.reveal().encode(), f"{time}.".encode() + body, "sha256")
    return {"Stripe-Signature": f"t={time},v1={digest.hex()}"}


def sign_easypost(secret: Secret, body: bytes) -> dict[str, str]:
    """Sign the body with the webhook's secret, in hexadecimal digits."""
    digest = hmac.new(easypost_key(secret.reveal()), body, hashlib.sha256).hexdigest()
    return {"X-Hmac-Signature": f"hmac-sha256-hex={digest}"}


def _hmac(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.digest(key, message, "sha256")).decode()
