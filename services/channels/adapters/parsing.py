"""Reads foreign JSON and its fields; whatever is wrong becomes a `ChannelDataError` with a code.

It knows no provider, and no message that it raises repeats what was delivered.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from libs.security.cardnumbers import masked
from libs.security.structure import sound
from libs.values.money import MoneyError, to_minor

MAX_QUANTITY = 10**9
MAX_LINES = 5_000
MAX_TEXT = 2_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class ChannelDataError(ValueError):
    """What a channel delivered cannot be understood; the code is stable, in kebab-case."""

    def __init__(self, code: str, where: str = "") -> None:
        super().__init__(f"{code}: {where}" if where else code)
        self.code = code
        self.where = where


def check_structure(body: bytes) -> None:
    """Refuse, cheaply, what is not JSON or is nested deeper than 64: `malformed-json`."""
    if not sound(body):
        raise ChannelDataError("malformed-json")


def parse_json(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object; fractions become `Decimal`. Raises malformed-json or unsupported-text.

    Refused: bad UTF-8, NaN, nesting beyond 64, text with U+0000 or a lone surrogate.
    """
    check_structure(body)
    try:
        value = _DECODER.decode(body)
    except (ValueError, ArithmeticError, RecursionError):
        raise ChannelDataError("malformed-json") from None
    if _SUSPECT.search(body):
        _check_texts(value)
    if not isinstance(value, dict):
        raise ChannelDataError("malformed-order", "not an object")
    return value


def _check_texts(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str) and (
            "\x00" in item or any("\ud800" <= letter <= "\udfff" for letter in item)
        ):
            raise ChannelDataError("unsupported-text")


def record(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object in this field, empty where it is absent or null."""
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ChannelDataError("malformed-order", name)
    return value


def records(data: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """Return the objects in this list, none where it is absent or null."""
    value = data.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ChannelDataError("malformed-order", name)
    if len(value) > MAX_LINES:
        raise ChannelDataError("too-many-lines", name)
    return value


def text(data: Mapping[str, Any], name: str, default: str = "") -> str:
    """Return a short text on one line; numbers are written out, other kinds are refused."""
    value = data.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ChannelDataError("malformed-order", name)
    return _CONTROL.sub(" ", str(value)[:MAX_TEXT])


def free_text(data: Mapping[str, Any], name: str) -> str:
    """Return a text that a person wrote, without any card number that got into it."""
    return masked(text(data, name))


def identifier(data: Mapping[str, Any], name: str) -> str:
    """Return an id that must be there (a number or a text of 1 to 128 characters)."""
    found = optional_identifier(data, name)
    if found is None:
        raise ChannelDataError("missing-id", name)
    return found


def optional_identifier(data: Mapping[str, Any], name: str) -> str | None:
    """Return an id, or None where it is absent, null, 0 or empty."""
    value = data.get(name)
    if value is None or value in (0, "", "0"):
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ChannelDataError("malformed-id", name)
    found = str(value).strip()
    if not 1 <= len(found) <= 128 or _CONTROL.search(found):
        raise ChannelDataError("malformed-id", name)
    return found


def flag(data: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """Return a truth value."""
    value = data.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ChannelDataError("malformed-order", name)
    return value


def quantity(data: Mapping[str, Any], name: str) -> int:
    """Return whole units, 0 to 10^9: fractional-quantity, negative-quantity, malformed-quantity."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ChannelDataError("malformed-quantity", name)
    if isinstance(value, Decimal):
        if not value.is_finite() or value.adjusted() > 15:
            raise ChannelDataError("malformed-quantity", name)
        if value != value.to_integral_value():
            raise ChannelDataError("fractional-quantity", name)
    if value < 0:
        raise ChannelDataError("negative-quantity", name)
    if value > MAX_QUANTITY:
        raise ChannelDataError("malformed-quantity", name)
    return int(value)


def money(value: Any, currency: str, where: str) -> int:
    """Return minor units of a decimal text or number: malformed-amount."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ChannelDataError("malformed-amount", where)
    try:
        found = to_minor(str(value), currency)
    except (MoneyError, ArithmeticError, ValueError):
        raise ChannelDataError("malformed-amount", where) from None
    if abs(found) > 10**15:
        raise ChannelDataError("malformed-amount", where)
    return found


def amount(data: Mapping[str, Any], name: str, currency: str, *, needed: bool = False) -> int:
    """Return minor units of a field, 0 where it is absent and not needed."""
    value = data.get(name)
    if value is None or value == "":
        if needed:
            raise ChannelDataError("malformed-amount", name)
        return 0
    return money(value, currency, name)


def decimal(value: Any, where: str) -> Decimal:
    """Return a finite decimal number of a sensible size, 0 for none: malformed-amount."""
    if value is None or value == "":
        value = "0"
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ChannelDataError("malformed-amount", where)
    try:
        found = Decimal(value)
    except (InvalidOperation, ValueError):
        raise ChannelDataError("malformed-amount", where) from None
    if not found.is_finite() or abs(found.adjusted()) > 15 or len(found.as_tuple().digits) > 30:
        raise ChannelDataError("malformed-amount", where)
    return found


def plain(value: Decimal) -> str:
    """Write a decimal without an exponent and without idle zeros."""
    if not value:
        return "0"
    found = f"{value:f}"
    return found.rstrip("0").rstrip(".") if "." in found else found


def currency_code(data: Mapping[str, Any], name: str) -> str:
    """Return an ISO 4217 code: malformed-currency."""
    found = text(data, name).strip().upper()
    if len(found) != 3 or not found.isascii() or not found.isalpha():
        raise ChannelDataError("malformed-currency", name)
    return found


def country_code(value: str) -> str:
    """Return an ISO 3166-1 alpha-2 code, or "" for anything else (never a buyer's free text)."""
    found = value.strip().upper()
    return found if len(found) == 2 and found.isascii() and found.isalpha() else ""


def region_code(value: str) -> str | None:
    """Return a region's code of 1 to 3 letters or digits, or None for anything else."""
    found = value.strip().upper()
    return found if 1 <= len(found) <= 3 and found.isascii() and found.isalnum() else None


def moment(value: Any, where: str) -> tuple[int, timezone | None]:
    """Read an ISO 8601 time: microseconds (UTC where no offset is named) and its offset."""
    if not isinstance(value, str) or len(value) > 40:
        raise ChannelDataError("malformed-time", where)
    try:
        found = datetime.fromisoformat(value.strip())
        zone = found.tzinfo
        offset = found.utcoffset()
        at = (found.replace(tzinfo=UTC) if zone is None else found) - _EPOCH
    except (ValueError, OverflowError):
        raise ChannelDataError("malformed-time", where) from None
    return at // _MICROSECOND, None if offset is None else timezone(offset)


def offset_name(zone: timezone | None, default: str) -> str:
    """Write an offset as +HH:MM, or the default where the time named none."""
    if zone is None:
        return default
    minutes = int(zone.utcoffset(None).total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
