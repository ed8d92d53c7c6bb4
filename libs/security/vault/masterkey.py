"""The key that wraps all others: from the environment, a file, or made once for a checkout."""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.runtime.errors import ConfigurationError


class MasterKey:
    """Wraps data keys, and gives the separate key of blind indexes. Cannot be printed."""

    __slots__ = ("index_key", "kek_id", "_wrap")

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
        """Decrypt a data key."""
        return self._wrap.decrypt(wrapped[:12], wrapped[12:], key_id.encode())


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, purpose).derive(secret)


def load_master_key(data: Path, environ: Mapping[str, str] | None = None) -> MasterKey:
    """Read LONJA_VAULT_KEY (base64, 32 bytes), or LONJA_VAULT_KEY_FILE, or make `vault.key` once.

    Raises ConfigurationError where what is given is not a key.
    """
    environ = os.environ if environ is None else environ
    text = environ.get("LONJA_VAULT_KEY")
    if text is None:
        path = Path(environ.get("LONJA_VAULT_KEY_FILE", data / "vault.key"))
        if not path.exists() and "LONJA_VAULT_KEY_FILE" not in environ:
            _make(path)
        text = path.read_text()
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise ConfigurationError("The vault's master key is not 32 bytes in base64.")
    return MasterKey(secret)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(32)))
    try:
        os.link(fresh, path)  # whoever is second takes the first one's key
    except FileExistsError:
        path.chmod(0o600)
    finally:
        fresh.unlink()
