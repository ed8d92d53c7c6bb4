"""Small parts that the shops' payloads share: ids, times, names; no provider's shape."""

from datetime import UTC, datetime
from hashlib import sha256
from zlib import crc32
from zoneinfo import ZoneInfo

from services.sandbox.retail.content import Content

_LONDON = ZoneInfo("Europe/London")


def moment(at: int) -> datetime:
    """An instant (microseconds) as a date in UTC."""
    return datetime.fromtimestamp(at // 1_000_000, tz=UTC)


def with_offset(at: int) -> str:
    """ISO 8601 in London with its offset, as Shopify writes it."""
    return moment(at).astimezone(_LONDON).isoformat()


def naive_local(at: int) -> str:
    """ISO 8601 in London without an offset, as WooCommerce writes `date_created`."""
    return moment(at).astimezone(_LONDON).replace(tzinfo=None).isoformat()


def naive_utc(at: int) -> str:
    """ISO 8601 in UTC without an offset, as WooCommerce writes `date_created_gmt`."""
    return moment(at).replace(tzinfo=None).isoformat()


def zulu(at: int) -> str:
    return moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def token(content: Content) -> str:
    """A token of 32 hex digits that is the order's own."""
    return sha256(f"{content.account.name}:{content.number}".encode()).hexdigest()[:32]


def listing_number(listing: str) -> int:
    """A shop's number of a listing: 32 bits of its name."""
    return crc32(listing.encode())


def percent(rate: str) -> float:
    return round(float(rate) * 100, 3)
