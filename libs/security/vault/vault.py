"""The vault: keys per subject and clearance. Without the key a sealed value is noise, for ever."""

import hmac
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol, assert_never

from libs.contracts.common import Clearance, Sealed
from libs.security.vault.sealing import Key, VaultError, seal

Wanted = tuple[str, Clearance]
Kind = Literal["email", "phone", "name"]
DAY = 86_400_000_000  # microseconds
RETENTION = 30  # days that bodies in an inbox can be opened


class Vault(Protocol):
    """Gives keys, opens values, and forgets."""

    async def keys_for(self, wanted: Sequence[Wanted]) -> Mapping[tuple[str, str], Key]:
        """Return the keys of these subjects, creating missing ones.

        Raises Shredded if one of them was destroyed; the others are cached by then.
        """
        ...

    async def open(self, sealed: Sealed, field: str) -> bytes:
        """Open a value. Raises Shredded or Unreadable."""
        ...

    async def open_many(self, items: Sequence[tuple[Sealed, str]]) -> Sequence[bytes | VaultError]:
        """Open values (each with its field's name) with one question; an error stands in place."""
        ...

    async def shred(self, subject: str, clearance: Clearance) -> bool:
        """Destroy a key for good; False where there was none, and none is ever made then."""
        ...

    async def retain(self, subject: str, until: int) -> int | None:
        """Let the law's own key of an erased subject live until then (microseconds), and no longer.

        A later date that was set before stays. Returns the date, None where there is no such key.
        """
        ...

    async def destroy_retained(self, now: int) -> int:
        """Destroy the statutory keys whose date has come; how many."""
        ...

    async def destroy_expired(self, service: str, now: int, days: int = RETENTION) -> int:
        """Destroy a service's day keys of days that ended at least `days` before `now`.

        Call it when what is to live longer has been sealed again. `now` is in microseconds.
        """
        ...

    def subject(self, account: str, customer: str) -> str:
        """Name a buyer by a channel account and that channel's own customer id.

        The name is keyed: a customer id may be an e-mail, which a plain hash would give away.
        """
        ...

    def guest(self, account: str, external_order_id: str) -> str:
        """Name a guest: a subject of its own per order."""
        ...

    def blind_index(self, kind: Kind, value: str) -> str | None:
        """Return an opaque name under which equal values can be found: not reversible.

        None where nothing is left to compare: two buyers without a phone are not one buyer.
        """
        ...


def opaque(index_key: bytes, *parts: str) -> str:
    """Return the keyed name of a subject (HMAC-SHA-256, 128 bits)."""
    text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return "sub_" + hmac.digest(index_key, text, "sha256")[:16].hex()


def inbox_day(service: str, at: int) -> str:
    """Return the subject of a service's day key for a time in microseconds."""
    return f"inbox:{service}:{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%d}"


async def reseal(vault: Vault, sealed: Sealed, field: str, at: int) -> Sealed:
    """Seal an inbox value again under the key of the day of `at`, so that it outlives its own.

    Raises Shredded or Unreadable; ValueError for another clearance, which has its own subject.
    """
    if sealed.clearance != "inbox":
        raise ValueError("Only values under a day key are sealed again.")
    subject = inbox_day(sealed.subject.split(":")[1], at)
    if sealed.subject == subject:
        return sealed
    plain = await vault.open(sealed, field)
    keys = await vault.keys_for([(subject, "inbox")])
    return seal(keys[subject, "inbox"], field, plain, os.urandom(12))


def normalised(kind: Kind, value: str) -> str:
    """Return the form in which two writings of one e-mail or phone are equal."""
    match kind:
        case "email":
            return value.strip().casefold()
        case "phone":
            return "".join(str(int(c)) for c in value if c.isdecimal())
        case "name":
            return " ".join(value.casefold().split())
        case _:
            assert_never(kind)


def blind(index_key: bytes, kind: Kind, value: str) -> str | None:
    """Return the keyed, truncated hash of a value (HMAC-SHA-256, 128 bits), None if it is empty."""
    text = normalised(kind, value)
    if not text:
        return None
    message = f"{kind}\x1f{text}".encode("utf-8", "surrogatepass")
    return "bi_" + hmac.digest(index_key, message, "sha256")[:16].hex()
