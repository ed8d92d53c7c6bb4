"""The key that wraps all others: from the environment, a file, or made once for a checkout."""

import base64
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.runtime.errors import ConfigurationError
from libs.security.vault.sealing import Unreadable


class MasterKey:
    """Wraps data keys, and gives the separate key of blind indexes. Cannot be printed."""

    __slots__ = ("_wrap", "index_key", "kek_id")

    def __init__(self, secret: bytes) -> None:
        self._wrap = AESGCM(_derived(secret, b"lonja vault wrap"))
        self.index_key = _derived(secret, b"lonja vault blind index")
        self.kek_id = _derived(secret, b"lonja vault key id")[:4].hex()

    def __repr__(self) -> str:
        return "MasterKey(***)"

    def wrap(self, key_id: str, secret: bytes) -> bytes:
        """Encrypt a data key."""
        nonce = os.urandom(12)
        return nonce + self._wrap.encrypt(nonce, secret, key_id.encode())

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Decrypt a data key. Raises Unreadable where another master key wrapped it."""
        try:
            return self._wrap.decrypt(wrapped[:12], wrapped[12:], key_id.encode())
        except (InvalidTag, ValueError) as error:
            raise Unreadable(f"{key_id} was wrapped by another master key.") from error


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, purpose).derive(secret)


def load_master_key(data: Path, environ: Mapping[str, str] | None = None) -> MasterKey:
    """Read LONJA_VAULT_KEY (base64, 32 bytes), or LONJA_VAULT_KEY_FILE, or make `vault.key` once.

    Raises ConfigurationError where what is given is not a key.
    """
    environ = os.environ if environ is None else environ
    text = environ.get("LONJA_VAULT_KEY")
    try:
        text = _read(data, environ) if text is None else text
        secret = base64.b64decode(text.strip(), validate=True)
    except OSError as error:
        raise ConfigurationError(f"The vault's master key cannot be read: {error}.") from error
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise ConfigurationError("The vault's master key is not 32 bytes in base64.")
    return MasterKey(secret)


def _read(data: Path, environ: Mapping[str, str]) -> str:
    given = environ.get("LONJA_VAULT_KEY_FILE")
    path = data / "vault.key" if given is None else Path(given)
    if given is None and not path.exists():
        _make(path)
    return path.read_text(encoding="ascii")


def _make(path: Path) -> None:
    """Write a fresh key; it must be on the disk before anything is wrapped with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # whoever is second takes the first one's key
            os.link(fresh, path)
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
