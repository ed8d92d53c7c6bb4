"""The headers of a delivery, signed by each provider's rule; the sandbox's own code on purpose.

It shares nothing with the receiver, so that a mistake there cannot hide here.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from html import unescape

from msgspec import Struct
from standardwebhooks.webhooks import Webhook

from services.sandbox.retail.mischief import Delivery
from services.sandbox.shops.shapes import zulu

SHOPIFY_API_VERSION = "2026-04"


class Shop(Struct, frozen=True):
    """An account's webhook subscription: `secret` as the provider hands it out."""

    account: str
    provider: str
    secret: str
    webhook_id: int = 1

    @property
    def host(self) -> str:
        return f"{self.account}.example.invalid"


def _hmac_base64(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def shopify(shop: Shop, delivery: Delivery, body: bytes, now: int) -> dict[str, str]:
    """HMAC-SHA256 of the raw body under the app's secret; Webhook-Id is the same on a retry."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Shopify-Captain-Hook",
        "X-Shopify-Topic": delivery.topic,
        "X-Shopify-Hmac-Sha256": _hmac_base64(shop.secret, body),
        "X-Shopify-Shop-Domain": shop.host,
        "X-Shopify-API-Version": SHOPIFY_API_VERSION,
        "X-Shopify-Webhook-Id": delivery.key,
        "X-Shopify-Event-Id": delivery.event,
        "X-Shopify-Triggered-At": zulu(now),
    }


def woocommerce(shop: Shop, delivery: Delivery, body: bytes, now: int) -> dict[str, str]:
    """The key is the secret after HTML-entity decoding.

    Delivery-ID is a hash of the webhook and the second: two deliveries may share it.
    """
    resource, _, event = delivery.topic.partition(".")
    second = f"{shop.webhook_id}{now // 1_000_000}"
    return {
        "Content-Type": "application/json",
        "User-Agent": "WooCommerce/9.4.2 Hookshot (WordPress/6.7)",
        "X-WC-Webhook-Source": f"https://{shop.host}/",
        "X-WC-Webhook-Topic": delivery.topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-Signature": _hmac_base64(unescape(shop.secret), body),
        "X-WC-Webhook-ID": str(shop.webhook_id),
        "X-WC-Webhook-Delivery-ID": hashlib.sha256(second.encode()).hexdigest()[:32],
    }


def standard(shop: Shop, delivery: Delivery, body: bytes, now: int) -> dict[str, str]:
    """Standard Webhooks: the id is the same on a retry, the timestamp is the attempt's."""
    message = f"msg_{delivery.key.replace('-', '')}"
    moment = datetime.fromtimestamp(now // 1_000_000, tz=UTC)
    return {
        "Content-Type": "application/json",
        "User-Agent": "lonja-sandbox-store/1",
        "webhook-id": message,
        "webhook-timestamp": str(now // 1_000_000),
        "webhook-signature": Webhook(shop.secret).sign(message, moment, body.decode()),
    }
