"""A carrier's published delivery with its published signature: taken, and nothing near to it."""

import os
from pathlib import Path

import pytest

from libs.security.secrets import Secret
from libs.security.webhooks import BadSignature, verify

FIXTURES = os.environ.get("LONJA_FIXTURES")
SECRET = Secret("sécret")
SIGNATURE = "hmac-sha256-hex=38f3f53c103713df81616a0a186d77141957323ec21d5fe9363db93840f527db"

pytestmark = pytest.mark.skipif(not FIXTURES, reason="LONJA_FIXTURES is not set")


@pytest.fixture
def body() -> bytes:
    """Return EasyPost's example as it was signed: without the newline at its end."""
    path = Path(FIXTURES or "") / "easypost" / "event-body.json"
    return path.read_bytes().removesuffix(b"\n")


def taken(body: bytes, signature: str = SIGNATURE) -> bool:
    try:
        verify("easypost", [SECRET], {"X-Hmac-Signature": signature}, body, 0)
    except BadSignature:
        return False
    return True


def test_easyposts_published_signature_is_good(body: bytes) -> None:
    assert taken(body)


def test_no_byte_of_the_published_body_may_be_another(body: bytes) -> None:
    changed = bytearray(body)
    for place, byte in enumerate(body):
        changed[place] = byte ^ 1
        assert not taken(bytes(changed)), place
        changed[place] = byte
    assert not taken(body + b"\n")
    assert not taken(body[:-1])


def test_no_character_of_the_published_signature_may_be_another(body: bytes) -> None:
    for place, character in enumerate(SIGNATURE):
        other = chr(ord(character) ^ 1)
        assert not taken(body, SIGNATURE[:place] + other + SIGNATURE[place + 1 :]), place
