"""Deliveries are taken by each provider's rule, and refused without telling why too much."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from libs.security.secrets import Secret
from libs.security.signing import sign_shopify, sign_standard, sign_stripe, sign_woocommerce
from libs.security.webhooks import (
    BadSignature,
    Headers,
    Malformed,
    Refusal,
    StaleDelivery,
    delivery_key,
    is_creation_ping,
    verify,
)

NOW = 1_780_000_000_000_000
SECOND = 1_000_000
BODY = '{"id": 1, "note": "ñ"}'.encode()
OLD, NEW = Secret("old secret"), Secret("new secret")
STORE = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw")


def shopify(secret: Secret = NEW, body: bytes = BODY) -> dict[str, str]:
    return sign_shopify(
        secret, body, topic="orders/create", webhook_id="w-1", event_id="e-1", triggered_at=NOW
    )


def woo(secret: Secret = NEW, body: bytes = BODY) -> dict[str, str]:
    return sign_woocommerce(
        secret, body, source="https://shop.invalid/", topic="order.updated", webhook_id=7, now=NOW
    )


def standard(at: int = NOW, name: str = "msg_1") -> dict[str, str]:
    return sign_standard(STORE, BODY, webhook_id=name, now=at)


def code(provider: str, secrets: list[Secret], headers: Headers, body: bytes = BODY) -> str:
    """Return "taken" or the refusal's code; any other exception fails the test."""
    try:
        verify(provider, secrets, headers, body, NOW)
    except Refusal as refusal:
        return refusal.code
    return "taken"


def test_shopify_gives_its_webhook_id_as_key_and_its_event_beside_it() -> None:
    found = verify("shopify", [NEW], shopify(), BODY, NOW)
    assert (found.key, found.topic, found.sent_at, found.event) == (
        "w-1", "orders/create", NOW, "e-1",
    )  # fmt: skip


def test_a_signature_is_what_openssl_computes() -> None:
    # printf '{}' | openssl dgst -sha256 -hmac hush -binary | base64
    known = "UFwgrGBPZilFtmKh8TqcovA78LGYb1BdWu9I4Q2oyRg="
    assert shopify(Secret("hush"), b"{}")["X-Shopify-Hmac-Sha256"] == known
    assert code("shopify", [Secret("hush")], shopify(Secret("hush"), b"{}"), b"{}") == "taken"


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_both_secrets_are_good_during_a_rotation(secret: Secret) -> None:
    assert code("shopify", [NEW, OLD], shopify(secret)) == "taken"
    assert code("woocommerce", [NEW, OLD], woo(secret)) == "taken"


def test_a_secret_that_was_taken_away_is_good_no_more() -> None:
    assert code("shopify", [NEW], shopify(OLD)) == "bad-signature"


def test_header_names_are_found_in_any_case_and_as_bytes() -> None:
    raw = {name.upper().encode(): value.encode() for name, value in shopify().items()}
    assert code("shopify", [NEW], raw) == "taken"


def test_a_header_that_comes_twice_is_refused() -> None:
    twice = shopify() | {"x-shopify-webhook-id": "w-2"}
    assert code("shopify", [NEW], twice) == "malformed-headers"
    twice = shopify() | {"x-shopify-hmac-sha256": "AAAA"}
    assert code("shopify", [NEW], twice) == "bad-signature"


@pytest.mark.parametrize("bad", ["", "é", "\ud800", "日本", "\x00", "a" * 10_000, "v1,é", "v1,"])
def test_a_strange_signature_is_a_bad_one_and_nothing_else(bad: str) -> None:
    assert code("shopify", [NEW], shopify() | {"X-Shopify-Hmac-Sha256": bad}) == "bad-signature"
    assert code("woocommerce", [NEW], woo() | {"X-WC-Webhook-Signature": bad}) == "bad-signature"
    assert code("standard", [STORE], standard() | {"webhook-signature": bad}) == "bad-signature"


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("shopify", "X-Shopify-Webhook-Id"),
        ("shopify", "X-Shopify-Topic"),
        ("woocommerce", "X-WC-Webhook-Topic"),
        ("woocommerce", "X-WC-Webhook-Source"),
    ],
)
def test_unsigned_headers_that_are_missing_or_odd_are_malformed(provider: str, name: str) -> None:
    whole = shopify() if provider == "shopify" else woo()
    for value in (None, "", "é", "x" * 600, "a\x00b", "a\nb"):
        headers = {k: v for k, v in whole.items() if k != name}
        if value is not None:
            headers[name] = value
        assert code(provider, [NEW], headers) == "malformed-headers"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"])
def test_a_trigger_time_that_cannot_be_read_is_only_a_lost_hint(text: str) -> None:
    headers = shopify() | {"X-Shopify-Triggered-At": text}
    assert verify("shopify", [NEW], headers, BODY, NOW).sent_at is None


def test_an_unknown_account_looks_like_a_bad_signature_whatever_is_sent() -> None:
    stale, dotted = standard(NOW - 301 * SECOND), standard(name="a.b")
    for headers in (standard(), stale, dotted, {}):
        assert code("standard", [], headers) == "bad-signature"
        assert code("standard", [Secret("whsec_b3RoZXI=")], headers) == "bad-signature"
    assert code("shopify", [], {}) == code("woocommerce", [], {}) == "bad-signature"
    assert code("amazon", [NEW], shopify()) == "bad-signature"


def test_the_stand_in_for_a_missing_secret_proves_nothing() -> None:
    from libs.security import webhooks  # noqa: PLC0415

    dummy = Secret(webhooks._NOBODY.decode())
    for secrets in ([], [NEW], [NEW, OLD]):
        assert code("shopify", secrets, shopify(dummy)) == "bad-signature"


@pytest.mark.parametrize("empty", ["", "whsec_", "whsec_===", "whsec_!!"])
def test_an_empty_secret_is_no_secret(empty: str) -> None:
    nothing = base64.b64encode(hmac.digest(b"", BODY, "sha256")).decode()
    for provider, headers in (("shopify", shopify()), ("woocommerce", woo())):
        forged = {k: v if v[-1] != "=" else nothing for k, v in headers.items()}
        assert code(provider, [Secret("")], forged) == "bad-signature"
    message = f"msg_1.{NOW // SECOND}.".encode() + BODY
    forged = standard() | {
        "webhook-signature": "v1," + base64.b64encode(hmac.digest(b"", message, "sha256")).decode()
    }
    assert code("standard", [Secret(empty)], forged) == "bad-signature"


@pytest.mark.parametrize(
    ("kept", "key"),
    [
        ("a&amp;b", "a&b"),
        ("a&#039;b&quot;", "a'b\""),
        ("&lt;&#62;&#x26;", "<>&"),
        ("&amp;lt;", "&lt;"),
        ("x&notb&copy=1", "x&notb&copy=1"),  # HTML would decode these, WordPress does not
        ("plain", "plain"),
        ("a&amp;b", "a&amp;b"),
    ],
)
def test_woocommerce_secrets_are_decoded_as_wordpress_does(kept: str, key: str) -> None:
    signature = base64.b64encode(hmac.digest(key.encode(), BODY, hashlib.sha256)).decode()
    assert (
        code("woocommerce", [Secret(kept)], woo() | {"X-WC-Webhook-Signature": signature})
        == "taken"
    )


def test_woocommerces_key_tells_two_orders_of_one_second_apart() -> None:
    one, two = woo(body=b'{"id":1}'), woo(body=b'{"id":2}')
    assert one["X-WC-Webhook-Delivery-ID"] == two["X-WC-Webhook-Delivery-ID"]
    assert delivery_key(one, b'{"id":1}') != delivery_key(two, b'{"id":2}')


def test_woocommerces_key_is_the_same_for_the_same_delivery_sent_again_later() -> None:
    again = woo() | {"X-WC-Webhook-Delivery-ID": "another second"}
    assert delivery_key(woo(), BODY) == delivery_key(again, BODY)
    assert verify("woocommerce", [NEW], again, BODY, NOW).key == delivery_key(again, BODY)


def test_woocommerces_key_tells_a_second_deletion_of_an_order_from_the_first() -> None:
    first = woo(body=b'{"id":1}') | {"X-WC-Webhook-Topic": "order.deleted"}
    second = first | {"X-WC-Webhook-Delivery-ID": "another second"}
    assert delivery_key(first, b'{"id":1}') != delivery_key(second, b'{"id":1}')
    assert delivery_key(first, b'{"id":1}') == delivery_key(dict(first), b'{"id":1}')


def test_the_ping_at_the_creation_of_a_webhook_is_recognised() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert is_creation_ping(form, b"webhook_id=12")
    assert not is_creation_ping(form, b"webhook_id=12&x=1")
    assert not is_creation_ping(form, b"webhook_id=")
    assert not is_creation_ping({"Content-Type": "application/json"}, b"webhook_id=12")
    assert not is_creation_ping(form | {"X-WC-Webhook-Signature": "x"}, b"webhook_id=12")


@pytest.mark.parametrize(
    ("age", "told"), [(300, "taken"), (301, "stale"), (-300, "taken"), (-301, "stale")]
)
def test_the_signed_time_may_be_five_minutes_away_either_way(age: int, told: str) -> None:
    expected = "taken" if told == "taken" else "stale-delivery"
    assert code("standard", [STORE], standard(NOW - age * SECOND)) == expected


def test_a_time_outside_the_tolerance_raises_stale_only_when_the_signature_is_good() -> None:
    with pytest.raises(StaleDelivery):
        verify("standard", [STORE], standard(0), BODY, NOW)
    with pytest.raises(BadSignature):
        verify("standard", [STORE], standard(0) | {"webhook-id": "x"}, BODY, NOW)


@pytest.mark.parametrize("name", ["", "a.b", "é", "x" * 600])
def test_an_id_that_is_signed_but_unusable_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        verify("standard", [STORE], standard(name=name), BODY, NOW)


@pytest.mark.parametrize("time", ["", "-1", "1e9", "٣", "1" * 13, "soon"])
def test_a_signed_time_that_is_no_number_is_malformed(time: str) -> None:
    key = base64.b64decode(STORE.reveal().removeprefix("whsec_"))
    signature = hmac.digest(key, f"m.{time}.".encode() + BODY, "sha256")
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": time,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }
    assert code("standard", [STORE], headers) == "malformed-headers"


def test_one_good_signature_among_several_is_enough() -> None:
    good = standard()["webhook-signature"]
    among = standard() | {"webhook-signature": f"v1a,zzz v1,AAAA {good} v2,x"}
    assert code("standard", [NEW, STORE], among) == "taken"
    other_version = standard() | {"webhook-signature": good.replace("v1,", "v2,")}
    assert code("standard", [STORE], other_version) == "bad-signature"


def test_what_the_standard_library_signs_is_taken() -> None:
    at = datetime.fromtimestamp(NOW // SECOND, UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW // SECOND),
        "webhook-signature": Webhook(STORE.reveal()).sign("msg_1", at, BODY.decode()),
    }
    found = verify("standard", [STORE], headers, BODY, NOW)
    assert (found.key, found.topic, found.sent_at) == ("msg_1", "", NOW)


def test_the_standard_library_takes_what_we_sign() -> None:
    now = int(datetime.now(UTC).timestamp()) * SECOND
    headers = sign_standard(STORE, BODY, webhook_id="msg_1", now=now)
    assert Webhook(STORE.reveal()).verify(BODY, headers) == {"id": 1, "note": "ñ"}
    with pytest.raises(WebhookVerificationError):
        Webhook(STORE.reveal()).verify(BODY + b" ", headers)


def test_a_secret_without_padding_is_the_same_secret() -> None:
    headers = sign_standard(Secret("whsec_c2VjcmV0MQ=="), BODY, webhook_id="m", now=NOW)
    assert code("standard", [Secret("whsec_c2VjcmV0MQ")], headers) == "taken"
    assert code("standard", [Secret("c2VjcmV0MQ==")], headers) == "taken"


def stripe(at: int = NOW, secret: Secret = NEW) -> dict[str, str]:
    return sign_stripe(secret, BODY, now=at)


def test_stripe_signs_time_and_body_in_hexadecimal() -> None:
    found = verify("stripe", [NEW], stripe(), BODY, NOW)
    assert (found.sent_at, found.key) == (NOW, hashlib.sha256(BODY).hexdigest())
    # printf '1700000000.{}' | openssl dgst -sha256 -hmac hush
    known = hmac.new(b"hush", b"1700000000.{}", hashlib.sha256).hexdigest()
    assert sign_stripe(Secret("hush"), b"{}", now=1_700_000_000_000_000) == {
        "Stripe-Signature": f"t=1700000000,v1={known}"
    }


def test_stripe_may_sign_with_two_secrets_at_once_and_with_schemes_of_no_meaning() -> None:
    old, new = stripe(secret=OLD)["Stripe-Signature"], stripe()["Stripe-Signature"]
    both = {"Stripe-Signature": f"{new},{old.partition(',')[2]},v0=00"}
    assert code("stripe", [OLD], both) == code("stripe", [NEW], both) == "taken"
    forged = {"Stripe-Signature": new.replace("v1=", "v0=")}
    assert code("stripe", [NEW], forged) == "bad-signature"
    assert code("stripe", [NEW], {"Stripe-Signature": f"t=1,{new}"}) == "bad-signature"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_stripe_is_refused_when_too_old_and_when_too_new(seconds: int) -> None:
    assert code("stripe", [NEW], stripe(NOW + seconds * SECOND)) == "stale-delivery"
    assert code("stripe", [NEW], stripe(NOW + seconds // 301 * 300 * SECOND)) == "taken"
