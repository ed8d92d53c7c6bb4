"""Sealing and opening with a key in hand: AES-256-GCM. The nonce comes from the caller."""

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.contracts.common import Clearance, Sealed


class VaultError(Exception):
    """A value that cannot be sealed or opened; the code is stable."""

    code = "unreadable-sealed-value"


class Unreadable(VaultError):  # noqa: N818
    """The value was changed, or belongs to another subject, clearance or field."""


class Shredded(VaultError):  # noqa: N818
    """The subject's key is gone, as it was asked for: nobody can open this any more."""

    code = "subject-erased"


class Key:
    """A subject's data key for one clearance; it cannot be printed."""

    __slots__ = ("_cipher", "clearance", "key_id", "subject")

    def __init__(self, subject: str, clearance: Clearance, key_id: str, secret: bytes) -> None:
        self.subject, self.clearance, self.key_id = subject, clearance, key_id
        self._cipher = AESGCM(secret)

    def __repr__(self) -> str:
        return f"Key({self.key_id}, ***)"

    def encrypt(self, field: str, plaintext: bytes, nonce: bytes) -> bytes:
        """Encrypt; the subject, clearance and field are bound to the value."""
        return self._cipher.encrypt(nonce, plaintext, self._bound(field))

    def decrypt(self, field: str, ciphertext: bytes, nonce: bytes) -> bytes:
        """Decrypt. Raises Unreadable."""
        try:
            return self._cipher.decrypt(nonce, ciphertext, self._bound(field))
        except (InvalidTag, ValueError) as error:
            raise Unreadable(f"A sealed value of {self.key_id} cannot be opened.") from error

    def _bound(self, field: str) -> bytes:
        return f"{self.subject}|{self.clearance}|{field}".encode()


def seal(key: Key, field: str, plaintext: bytes, nonce: bytes) -> Sealed:
    """Seal a value under a key. A nonce (12 bytes) may serve one plain text of a key only."""
    return Sealed(
        subject=key.subject, clearance=key.clearance, key_id=key.key_id, nonce=nonce,
        ciphertext=key.encrypt(field, plaintext, nonce),
    )  # fmt: skip


def decode_sealed(data: bytes) -> Sealed:
    """Read a sealed value that was stored as bytes."""
    return msgspec.msgpack.decode(data, type=Sealed)
