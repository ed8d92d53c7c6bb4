"""Which parcel a carrier's tracker follows: its words may come before we know the label. Pure."""

from typing import assert_never

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts import fulfilment as events
from libs.contracts.common import TrackingStatus
from libs.eventsourcing.decider import Decider
from services.fulfilment import tracker_commands as commands
from services.fulfilment.shipment import kind_of

DAY = 86_400_000_000  # microseconds
Events = list[events.FulfilmentEvent]


class Heard(msgspec.Struct, frozen=True):
    """The newest word of the carrier."""

    seen_at: int
    status: TrackingStatus
    status_word: str
    detail: str
    tracking_code: str


class Tracker(msgspec.Struct, frozen=True):
    """One tracker; `heard`, the newest word of each kind, waits for its parcel to be known.

    `linked` is since when it follows that parcel: a code that its carrier uses again, and with it
    its tracker, follows the parcel that had it last.
    """

    shipment_id: str = ""
    heard: Map[str, Heard] = Map()
    linked: int = 0


def decide(command: commands.TrackerCommand, state: Tracker) -> Events:
    """Match words with a parcel, whichever comes first; older ones of a kind are dropped."""
    match command:
        case commands.LinkTracker():
            return _linked(command, state)
        case commands.HearTracker():
            old = state.heard.get(kind_of(command.status))
            if old is not None and command.seen_at <= old.seen_at:
                return []
            heard = Heard(
                command.seen_at, command.status, command.status_word, command.detail,
                command.tracking_code,
            )  # fmt: skip
            if state.shipment_id == commands.NOBODY:
                return []
            if state.shipment_id:
                return [_matched(command, state.shipment_id, heard)]
            return [
                events.TrackingUnmatched(
                    entity=command.entity, occurred_at=command.seen_at, carrier=command.carrier,
                    tracking_code=command.tracking_code, tracker=command.tracker,
                    status=command.status, deadline=command.at + DAY,
                    status_word=command.status_word, detail=command.detail,
                )
            ]  # fmt: skip
        case _:
            assert_never(command)


def _linked(command: commands.LinkTracker, state: Tracker) -> Events:
    if (command.at, command.shipment_id) <= (state.linked, state.shipment_id):
        return []
    linked = events.TrackerLinked(
        entity=command.entity, occurred_at=command.at, account=command.account,
        tracker=command.tracker, shipment_id=command.shipment_id,
    )  # fmt: skip
    if command.shipment_id == commands.NOBODY:
        return [linked]
    heard = sorted(state.heard.values(), key=lambda one: one.seen_at)
    return [linked, *(_matched(command, command.shipment_id, one) for one in heard)]


def _matched(
    command: commands.TrackerCommand, shipment_id: str, heard: Heard
) -> events.TrackingMatched:
    return events.TrackingMatched(
        entity=command.entity, occurred_at=heard.seen_at, account=command.account,
        tracker=command.tracker, tracking_code=heard.tracking_code, shipment_id=shipment_id,
        status=heard.status, status_word=heard.status_word, detail=heard.detail,
    )  # fmt: skip


def evolve(state: Tracker, event: events.FulfilmentEvent) -> Tracker:
    """Return the tracker behind an event."""
    match event:
        case events.TrackerLinked():
            return replace(state, shipment_id=event.shipment_id, linked=event.occurred_at)
        case events.TrackingMatched() | events.TrackingUnmatched():
            heard = Heard(
                event.occurred_at, event.status, event.status_word, event.detail,
                event.tracking_code,
            )  # fmt: skip
            return replace(state, heard=state.heard.set(kind_of(event.status), heard))
        case _:
            return state  # of handovers and shipments: never in this stream


TRACKER = Decider(
    category="tracker", commands=commands.TrackerCommand, state=Tracker, initial=Tracker(),
    decide=decide, evolve=evolve, version=2,
)  # fmt: skip
