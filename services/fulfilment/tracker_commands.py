"""What a carrier's tracker can be told."""

import msgspec

from libs.contracts.common import (
    TrackingStatus,
)

NOBODY = "none"  # the parcel of a tracker that follows none of ours


def tracker_stream(account: str, tracker: str) -> str:
    """Return the stream in which a carrier's tracker is told which parcel it follows."""
    return f"tracker-{account}:{tracker}"


class LinkTracker(msgspec.Struct, frozen=True, tag=True):
    """This tracker follows a parcel of ours, or nobody's (`NOBODY`)."""

    entity: str
    account: str
    tracker: str
    shipment_id: str
    at: int


class HearTracker(msgspec.Struct, frozen=True, tag=True):
    """The carrier told something by webhook; `seen_at` is the carrier's time."""

    entity: str
    account: str
    carrier: str
    tracker: str
    tracking_code: str
    status: TrackingStatus
    status_word: str
    detail: str
    seen_at: int
    at: int


TrackerCommand = LinkTracker | HearTracker
