"""Idempotency keys as Stripe honours them: the first answer is replayed for 24 hours. No I/O.

Source: docs.stripe.com/api/idempotent_requests: also a 500 is replayed, other parameters under
the same key are refused, and so is a key that another request is using at the moment.
"""

from hashlib import sha256
from typing import Any

from msgspec import Struct

from services.sandbox.stripe.refusals import Refused, invalid

Json = dict[str, Any]
_LONGEST = 255


class Kept(Struct, frozen=True):
    """An answer under its key; `at` in seconds of the provider's clock."""

    request: str
    at: float
    status: int
    body: Json


def fingerprint(path: str, body: str) -> str:
    """What makes two requests the same: the endpoint and the parameters, in any order."""
    parts = "&".join(sorted(body.split("&")))
    return sha256(f"{path}?{parts}".encode()).hexdigest()


class Keys:
    """The keys of one account."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[str, Kept] = {}
        self._busy: set[str] = set()

    def apply(self, key: str, kept: Kept) -> None:
        self._kept[key] = kept

    def begin(self, key: str, request: str, now: float) -> Kept | None:
        """The answer to replay, or None: the key is ours until `end`. Raises Refused."""
        if len(key) > _LONGEST:
            raise invalid("Idempotency-Key", "Idempotency keys have at most 255 characters.")
        kept = self._kept.get(key)
        if kept is not None and now - kept.at < self._seconds:
            if kept.request != request:
                raise _mismatch(key)
            return kept
        if key in self._busy:
            raise _busy(key)
        self._busy.add(key)
        return None

    def end(self, key: str) -> None:
        self._busy.discard(key)


def _mismatch(key: str) -> Refused:
    text = (
        "Keys for idempotent requests can only be used with the same parameters they were first "
        f"used with. Try using a key other than '{key[:80]}' if you meant another request."
    )
    return Refused(400, "idempotency_error", "", text)


def _busy(key: str) -> Refused:
    text = (
        f"There is currently another in-progress request using this Idempotent Key ({key[:80]}). "
        "Please try again later."
    )
    return Refused(409, "idempotency_error", "idempotency_key_in_use", text)
