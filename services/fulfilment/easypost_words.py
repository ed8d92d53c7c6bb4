"""EasyPost's JSON, read: quotes, labels, refunds, trackers. Pure; keeps nothing personal of it.

Shapes: EasyPost's API reference, Shipment, Rate, PostageLabel, Tracker, Event, Error.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from libs.contracts.common import TrackingStatus
from libs.values.money import MoneyError, to_minor

Json = Mapping[str, Any]
DAY = 86_400_000_000  # microseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,120}")
_STATUS: Mapping[str, TrackingStatus] = {
    "pre_transit": "pre_transit", "in_transit": "in_transit",
    "out_for_delivery": "out_for_delivery", "available_for_pickup": "available_for_pickup",
    "delivered": "delivered", "return_to_sender": "return_to_sender", "failure": "failure",
    "cancelled": "cancelled", "error": "error",
}  # fmt: skip


class CarrierDataError(ValueError):
    """An answer that cannot be what it should be; its code is stable."""

    code = "carrier-nonsense"


class Quote(msgspec.Struct, frozen=True):
    """A shipment that the carrier knows, and the rate that was chosen; cost in minor units."""

    provider_shipment: str
    provider_rate: str
    cost: int
    currency: str


class Purchase(msgspec.Struct, frozen=True):
    """A label that was paid for; cost in minor units."""

    provider_shipment: str
    tracking_code: str
    tracker: str
    carrier: str
    service: str
    cost: int
    currency: str


class Scan(msgspec.Struct, frozen=True):
    """The newest word on a parcel; `seen_at` is the carrier's time (microseconds)."""

    tracker: str
    tracking_code: str
    carrier: str
    status: TrackingStatus
    status_word: str
    detail: str
    seen_at: int


def record(value: Any) -> Json:
    """Return an object, empty where there is none."""
    return value if isinstance(value, dict) else {}


def identifier(value: Any) -> str:
    """Return an id. Raises CarrierDataError where it is none."""
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise CarrierDataError
    return value


def word(value: Any) -> str:
    """Return one of the provider's own words, or nothing: never a sentence."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w.+/ -]{1,60}", value) else ""


def cost_of(rate: Json) -> tuple[int, str]:
    """Return minor units and currency. Raises CarrierDataError."""
    currency = rate.get("currency")
    if not isinstance(currency, str) or re.fullmatch("[A-Z]{3}", currency) is None:
        raise CarrierDataError
    try:
        text = str(Decimal(str(rate.get("rate"))))
        return to_minor(text, currency), currency
    except (MoneyError, InvalidOperation):
        raise CarrierDataError from None


def quote(
    shipment: Json, wanted: str, allowed: Sequence[str], deliver_by: int | None, now: int
) -> Quote | None:
    """Choose the wanted service ("Carrier/Service"), else the cheapest in time; None: no rate."""
    offered = [rate for rate in shipment.get("rates") or () if isinstance(rate, dict)]
    named = [
        (rate, {f"{rate.get('carrier')}/{rate.get('service')}", str(rate.get("service"))})
        for rate in offered
    ]
    if wanted:
        found = [rate for rate, names in named if wanted in names]
    else:
        found = [rate for rate, names in named if not allowed or names & set(allowed)]
        found = [rate for rate in found if _in_time(rate, deliver_by, now)] or found
    if not found:
        return None
    best = min(found, key=lambda rate: (cost_of(rate), str(rate.get("id"))))
    cost, currency = cost_of(best)
    return Quote(identifier(shipment.get("id")), identifier(best.get("id")), cost, currency)


def _in_time(rate: Json, deliver_by: int | None, now: int) -> bool:
    """Say whether a rate is known to arrive in time."""
    if deliver_by is None:
        return True
    date = instant(rate.get("delivery_date"))
    if date is not None:
        return date <= deliver_by
    days = rate.get("delivery_days") or rate.get("est_delivery_days")
    return isinstance(days, int) and now + days * DAY <= deliver_by


def purchase(shipment: Json) -> Purchase | None:
    """Return the label that a shipment has; None where none was bought. Raises CarrierDataError."""
    label, rate = record(shipment.get("postage_label")), record(shipment.get("selected_rate"))
    if not label:
        return None
    cost, currency = cost_of(rate)
    tracker = record(shipment.get("tracker")).get("id")
    return Purchase(
        identifier(shipment.get("id")), identifier(shipment.get("tracking_code")),
        identifier(tracker) if tracker else "", word(rate.get("carrier")),
        word(rate.get("service")), cost, currency,
    )  # fmt: skip


def label_url(shipment: Json) -> str:
    """Return where a label can be fetched by whoever has that address, or nothing."""
    url = record(shipment.get("postage_label")).get("label_url")
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else ""


def refund_of(shipment: Json) -> bool | None:
    """Say whether a label was given back; None where nobody has asked for that yet."""
    match shipment.get("refund_status"):
        case "submitted" | "refunded":
            return True
        case "rejected" | "not_applicable":
            return False
        case _:
            return None


def newest(answer: Json, code: str) -> Json:
    """Return the tracker of a code from a list of them, which has the newest first."""
    found = (record(one) for one in answer.get("trackers") or ())
    return next((one for one in found if one.get("tracking_code") == code), {})


def scan(tracker: Json, now: int) -> Scan:
    """Read a tracker: its status, and when the parcel was last seen. Raises CarrierDataError.

    A time more than a day ahead of `now` (microseconds) is none: with it, nothing that is heard
    until then would be newer. Less is a scanner's local time.
    """
    said = tracker.get("status")
    details = [one for one in tracker.get("tracking_details") or () if isinstance(one, dict)]
    scanned = _times(one.get("datetime") for one in details)
    changed = _times(tracker.get(name) for name in ("updated_at", "created_at"))
    if not scanned and not changed:
        raise CarrierDataError
    past = [at for at in scanned if at <= now + DAY]
    seen = max(past or [at for at in changed if at <= now + DAY][:1], default=now)
    return Scan(
        identifier(tracker.get("id")), identifier(tracker.get("tracking_code")),
        word(tracker.get("carrier")), _STATUS.get(said if isinstance(said, str) else "", "unknown"),
        word(said), word(tracker.get("status_detail")), seen,
    )  # fmt: skip


def _times(values: Iterable[Any]) -> list[int]:
    return [at for one in values if (at := instant(one)) is not None]


def instant(value: Any) -> int | None:
    """Read an ISO 8601 time as microseconds; None where there is none."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    found = (at - _EPOCH) // timedelta(microseconds=1)
    return found if 0 <= found < 2**62 else None


def error_code(answer: Json) -> str:
    """Return the code of a refusal in kebab-case; its message may repeat an address: not kept."""
    code = record(answer.get("error")).get("code")
    text = re.sub(r"[^a-z0-9]+", "-", code.lower()) if isinstance(code, str) else ""
    return text.strip("-")[:60] or "carrier-refused"
