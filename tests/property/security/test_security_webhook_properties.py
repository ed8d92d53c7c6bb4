"""No byte of a signed delivery can be changed, and nothing sent can break the check."""

from hypothesis import given
from hypothesis import strategies as st

from libs.security.secrets import Secret
from libs.security.signing import (
    sign_easypost,
    sign_shopify,
    sign_standard,
    sign_stripe,
    sign_woocommerce,
)
from libs.security.webhooks import BadSignature, Refusal, verify

NOW = 1_780_000_000_000_000
SECRETS = {
    "shopify": Secret("shopify secret"),
    "woocommerce": Secret("woo &amp; secret"),
    "standard": Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw"),
    "stripe": Secret("whsec_a secret that is no base64"),
    "easypost": Secret("sécret"),
}
SIGNATURES = {
    "shopify": "X-Shopify-Hmac-Sha256",
    "woocommerce": "X-WC-Webhook-Signature",
    "standard": "webhook-signature",
    "stripe": "Stripe-Signature",
    "easypost": "X-Hmac-Signature",
}
PROVIDERS = st.sampled_from(sorted(SECRETS))


def signed(provider: str, body: bytes) -> dict[str, str]:
    secret = SECRETS[provider]
    if provider == "shopify":
        return sign_shopify(
            secret, body, topic="orders/create", webhook_id="w", event_id="e", triggered_at=NOW
        )
    if provider == "woocommerce":
        return sign_woocommerce(
            secret, body, source="https://x.invalid/", topic="order.created", webhook_id=1, now=NOW
        )
    if provider == "stripe":
        return sign_stripe(secret, body, now=NOW)
    if provider == "easypost":
        return sign_easypost(secret, body)
    return sign_standard(secret, body, webhook_id="msg_1", now=NOW)


def is_bad(provider: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        verify(provider, [SECRETS[provider]], headers, body, NOW)
    except BadSignature:
        return True
    return False


@given(PROVIDERS, st.binary(max_size=200))
def test_what_is_signed_is_taken(provider: str, body: bytes) -> None:
    assert not is_bad(provider, signed(provider, body), body)


@given(PROVIDERS, st.binary(min_size=1, max_size=200), st.data())
def test_no_byte_of_a_body_can_be_changed_added_or_left_out(
    provider: str, body: bytes, data: st.DataObject
) -> None:
    headers = signed(provider, body)
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda n: n != body[place]))
    assert is_bad(provider, headers, body[:place] + bytes([other]) + body[place + 1 :])
    assert is_bad(provider, headers, body + bytes([other]))
    assert is_bad(provider, headers, body[:-1])


@given(PROVIDERS, st.binary(max_size=50), st.data())
def test_no_character_of_a_signature_can_be_changed(
    provider: str, body: bytes, data: st.DataObject
) -> None:
    headers, name = signed(provider, body), SIGNATURES[provider]
    text = headers[name]
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda n: n != ord(text[place])))
    headers[name] = text[:place] + chr(other) + text[place + 1 :]
    assert is_bad(provider, headers, body)


@given(st.binary(max_size=50), st.sampled_from(["webhook-id", "webhook-timestamp"]), st.data())
def test_no_character_of_a_signed_header_can_be_changed(
    body: bytes, name: str, data: st.DataObject
) -> None:
    headers = signed("standard", body)
    text = headers[name]
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda n: n != ord(text[place])))
    headers[name] = text[:place] + chr(other) + text[place + 1 :]
    assert is_bad("standard", headers, body)


NAMES = st.sampled_from(
    [
        "x-shopify-hmac-sha256", "X-Shopify-Webhook-Id", "x-shopify-webhook-id", "x-shopify-topic",
        "x-shopify-triggered-at", "x-wc-webhook-signature", "x-wc-webhook-topic", "webhook-id",
        "webhook-timestamp", "webhook-signature", "Webhook-Signature", "Stripe-Signature",
    ]
)  # fmt: skip
ANY = st.text(st.characters(), max_size=40)  # lone surrogates too


@given(PROVIDERS, st.dictionaries(NAMES, ANY), st.lists(ANY, max_size=2), st.binary(max_size=40))
def test_strange_headers_and_secrets_raise_a_refusal_or_nothing(
    provider: str, headers: dict[str, str], secrets: list[str], body: bytes
) -> None:
    code = "taken"
    try:
        verify(provider, [Secret(text) for text in secrets], headers, body, NOW)
    except Refusal as refusal:
        code = refusal.code
    assert code in {"bad-signature", "stale-delivery", "malformed-headers"}


@given(PROVIDERS, st.dictionaries(st.binary(max_size=20), st.binary(max_size=40)))
def test_raw_bytes_raise_a_refusal(provider: str, headers: dict[bytes, bytes]) -> None:
    try:
        verify(provider, [SECRETS[provider]], headers, b"", NOW)
    except Refusal:
        return
    raise AssertionError("a delivery without a signature was taken")
