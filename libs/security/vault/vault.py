"""The vault: keys per subject and clearance. Without the key a sealed value is noise, for ever."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from libs.contracts.common import Clearance, Sealed
from libs.security.vault.sealing import Key

Wanted = tuple[str, Clearance]


class Vault(Protocol):
    """Gives keys, opens values, and forgets."""

    async def keys_for(self, wanted: Sequence[Wanted]) -> Mapping[tuple[str, str], Key]:
        """Return the keys of these subjects, creating missing ones. Raises Shredded."""
        ...

    async def open(self, sealed: Sealed, field: str) -> bytes:
        """Open a value. Raises Shredded or Unreadable."""
        ...

    async def shred(self, subject: str, clearance: Clearance) -> bool:
        """Destroy a key; False where there was none."""
        ...

    async def destroy_inbox_keys(self, before: str) -> int:
        """Destroy the day keys of days before this one (`YYYY-MM-DD`)."""
        ...

    def blind_index(self, kind: str, value: str) -> str:
        """Return an opaque name under which equal values can be found: not reversible."""
        ...


def subject_id(account: str, customer: str) -> str:
    """Name a buyer by a channel account and that channel's own customer id."""
    return _opaque("customer", account, customer)


def guest_subject(account: str, external_order_id: str) -> str:
    """Name a guest: a subject of its own per order."""
    return _opaque("guest", account, external_order_id)


def _opaque(*parts: str) -> str:
    return "sub_" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def inbox_day(at: int) -> str:
    """Return the subject of the day key for a time in microseconds."""
    return f"inbox:{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%d}"


def normalised(kind: str, value: str) -> str:
    """Return the form in which two writings of one e-mail or phone are equal."""
    if kind == "email":
        return value.strip().casefold()
    return "".join(c for c in value if c.isdigit())


def blind(index_key: bytes, kind: str, value: str) -> str:
    """Return the keyed, truncated hash of a value (HMAC-SHA-256, 128 bits)."""
    message = f"{kind}\x1f{normalised(kind, value)}".encode()
    return "bi_" + hmac.digest(index_key, message, hashlib.sha256)[:16].hex()
