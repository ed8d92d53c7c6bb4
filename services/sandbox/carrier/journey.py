"""A parcel's way, decided by the seed when its label is bought: which scans, and when. Pure.

Statuses and details are those of docs.easypost.com/docs/trackers.
"""

from msgspec import Struct

from services.sandbox.carrier.config import Fates, Settings
from services.sandbox.chance import share


class Scan(Struct, frozen=True):
    """One entry of a tracker; `at` in seconds of the carrier's clock."""

    at: int
    status: str
    detail: str
    message: str
    city: str


_STEPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "delivered": (
        ("in_transit", "arrived_at_facility", "Accepted at the depot"),
        ("in_transit", "departed_facility", "On its way to the delivery office"),
        ("out_for_delivery", "out_for_delivery", "Out for delivery"),
        ("delivered", "arrived_at_destination", "Delivered"),
    ),
    "late": (
        ("in_transit", "arrived_at_facility", "Accepted at the depot"),
        ("in_transit", "delayed", "Delayed at the depot"),
        ("in_transit", "departed_facility", "On its way to the delivery office"),
        ("out_for_delivery", "out_for_delivery", "Out for delivery"),
        ("delivered", "arrived_at_destination", "Delivered"),
    ),
    "retried": (
        ("in_transit", "arrived_at_facility", "Accepted at the depot"),
        ("out_for_delivery", "out_for_delivery", "Out for delivery"),
        ("available_for_pickup", "held_for_pickup", "Nobody at home; held at the post office"),
        ("delivered", "arrived_at_destination", "Collected"),
    ),
    "lost": (("in_transit", "arrived_at_facility", "Accepted at the depot"),),
    "failed": (
        ("in_transit", "arrived_at_facility", "Accepted at the depot"),
        ("failure", "address_unknown", "The address was not found"),
    ),
    "returned": (
        ("in_transit", "arrived_at_facility", "Accepted at the depot"),
        ("out_for_delivery", "out_for_delivery", "Out for delivery"),
        ("failure", "recipient_refused", "The recipient refused the parcel"),
        ("return_to_sender", "returned_to_sender", "Returned to the sender"),
    ),
}
_ORDER = ("lost", "failed", "returned", "retried", "late")
_CITIES = ("Samplebury", "Testford", "Mockham")


def fate(settings: Settings, reference: str) -> str:
    """What becomes of a parcel: a name of `_STEPS`."""
    left = share(settings.seed, "fate", reference)
    for name in _ORDER:
        chance = _chance(settings.fates, name)
        if left < chance:
            return name
        left -= chance
    return "delivered"


def _chance(fates: Fates, name: str) -> float:
    found: float = getattr(fates, name)
    return found


def created(at: int) -> Scan:
    """What a tracker says from the moment in which its label is bought."""
    return Scan(at, "pre_transit", "label_created", "The carrier was told of the parcel", "")


def scans(settings: Settings, reference: str, start: int) -> tuple[Scan, ...]:
    """All scans of a parcel that could be picked up from `start` on."""
    wait = share(settings.seed, "pickup", reference)
    first = start + 1 + int(settings.pickup_seconds * wait)
    steps = _STEPS[fate(settings, reference)]
    return tuple(
        Scan(first + settings.step_seconds * place, status, detail, message, _CITIES[place % 3])
        for place, (status, detail, message) in enumerate(steps)
    )
