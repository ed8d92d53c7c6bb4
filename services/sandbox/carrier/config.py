"""What an EasyPost-shaped process is told."""

from typing import Literal

from msgspec import Struct

from services.sandbox.chance import Faults
from services.sandbox.hooks import Pace
from services.sandbox.reading import Given

HOUR = 3_600


class Fates(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares (0 to 1) of the parcels that are not simply delivered."""

    lost: float = 0.0
    failed: float = 0.0
    returned: float = 0.0
    retried: float = 0.0
    late: float = 0.0


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Durations are seconds of the carrier's own clock, which runs `speed` times as fast as ours.

    A parcel is scanned first up to `pickup_seconds` after its label was bought (`pickup`
    "by_itself") or after the process was told of its hand-over ("on_handover"); its further scans
    lie `step_seconds` apart. A label that is given back is refunded `refund_seconds` later.
    """

    api_key: Given
    webhook_secret: Given
    account: str = "carrier-main"
    path: str = "/fulfilment/webhooks/easypost/{account}"
    seed: int = 1
    speed: float = 1.0
    currency: str = "GBP"
    home: str = "GB"
    refused_countries: tuple[str, ...] = ("KP", "SY")
    pickup: Literal["by_itself", "on_handover"] = "by_itself"
    pickup_seconds: int = 18 * HOUR
    step_seconds: int = 12 * HOUR
    refund_seconds: int = 48 * HOUR
    faults: Faults = Faults()
    fates: Fates = Fates()
    hooks: Pace = Pace()
