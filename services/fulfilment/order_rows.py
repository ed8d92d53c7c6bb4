"""What fulfilment shows of an order's units, and of carriers' trackers: rows of their own. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import fulfilment as events
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from services.fulfilment.standing import OURS, less, lines, without

NOT_PLANNED_WITHIN = 3_600_000_000  # microseconds


class HandoverRow(msgspec.Struct, frozen=True):
    """An order's units: wanted in all, in parcels, and what no parcel has."""

    order_id: str
    entity: str = "main"
    revision: int = 0
    wanted: dict[str, int] = {}
    parcels: dict[str, dict[str, int]] = {}
    left: int = 0
    blocked: str | None = None
    value: int = 0
    currency: str = ""
    code: str = ""
    code_deadline: int | None = None
    taken_at: int = 0
    waiting: bool = False
    reason: str = ""
    owner: str = ""
    deadline: int | None = None
    next_action: str = ""
    since: int = 0
    version: int = 0


class TrackingRow(msgspec.Struct, frozen=True):
    """A carrier's tracker; it waits while no parcel of ours is known for it."""

    account: str
    tracker: str
    entity: str = "main"
    shipment_id: str = ""
    tracking_code: str = ""
    status: str = ""
    seen_at: int = 0
    waiting: bool = False
    reason: str = ""
    owner: str = ""
    deadline: int | None = None
    next_action: str = ""
    since: int = 0
    version: int = 0


def _handover_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    return (
        [(envelope.event.order_id,)]
        if envelope.stream.startswith("handover-") and hasattr(envelope.event, "order_id")
        else []
    )


def _handover(row: HandoverRow | None, key: Key, envelope: Envelope[Any]) -> HandoverRow | None:
    event, at = envelope.event, envelope.at
    old = row or HandoverRow(str(key[0]))
    match event:
        case events.FulfilmentTaken():
            wanted: dict[str, int] = {}
            for line in event.lines:
                wanted[line.line_id] = wanted.get(line.line_id, 0) + line.quantity
            new = replace(
                old, entity=event.entity, revision=event.revision, wanted=wanted,
                blocked=event.blocked, value=event.declared_value, currency=event.currency,
                taken_at=at,
            )  # fmt: skip
        case events.HandoverPlanned():
            if event.shipment_id in old.parcels:
                return row  # less of it is heard when the parcel has answered
            parcels = {**old.parcels, event.shipment_id: lines(event.rows)}
            new = replace(old, parcels=parcels)
        case events.HandoverRecorded(fact="stopped"):
            left = less(old.parcels.get(event.shipment_id, {}), lines(event.rows))
            parcels = without(old.parcels, event.shipment_id)
            new = replace(old, parcels={**parcels, event.shipment_id: left} if left else parcels)
        case events.ShipmentUnplannable():
            new = replace(old, code=event.code, code_deadline=event.deadline)
        case _:
            return row
    return _waits(old, replace(new, version=envelope.version), at)


def _waits(old: HandoverRow, new: HandoverRow, at: int) -> HandoverRow:
    """Say what units that are in no parcel wait for."""
    held: dict[str, int] = {}
    for part in new.parcels.values():
        for line, units in part.items():
            held[line] = held.get(line, 0) + units
    left = sum(max(0, units - held.get(line, 0)) for line, units in new.wanted.items())
    code = new.code if left else ""
    reason, owner, deadline, action = "", "", None, ""
    if left and new.blocked is not None:
        reason, owner, action = "blocked", "operations", "release the hold on the order"
    elif code:
        reason, owner, deadline = code, "warehouse", new.code_deadline
        action = "move the units to one place, or amend the order"
    elif left:
        reason, owner, action = "allocation", "inventory", "the units' places are awaited"
        deadline = new.taken_at + NOT_PLANNED_WITHIN
    return replace(
        new, left=left, code=code, code_deadline=new.code_deadline if code else None,
        waiting=bool(reason), reason=reason, owner=owner, deadline=deadline, next_action=action,
        since=old.since if old.reason == reason and old.since else at,
    )  # fmt: skip


def _tracking_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    if not envelope.stream.startswith("tracker-"):
        return []
    account, _, tracker = envelope.stream.removeprefix("tracker-").partition(":")
    return [(account, tracker)]


def _tracking(row: TrackingRow | None, key: Key, envelope: Envelope[Any]) -> TrackingRow | None:
    event, at = envelope.event, envelope.at
    old = row or TrackingRow(str(key[0]), str(key[1]))
    match event:
        case events.TrackerLinked():
            return replace(
                old, shipment_id=event.shipment_id, waiting=False, reason="", owner="",
                deadline=None, next_action="", since=at, version=envelope.version,
            )  # fmt: skip
        case events.TrackingMatched() | events.TrackingUnmatched():
            newer = event.occurred_at >= old.seen_at
            new = replace(
                old, tracking_code=event.tracking_code, version=envelope.version,
                status=event.status if newer else old.status,
                seen_at=max(old.seen_at, event.occurred_at),
            )  # fmt: skip
            if isinstance(event, events.TrackingMatched):
                return new
            return replace(
                new, waiting=True, reason="tracking-unmatched", owner="warehouse",
                deadline=event.deadline, next_action=_whose(event.tracking_code),
                since=old.since if old.waiting else at,
            )  # fmt: skip
        case _:
            return row


def _whose(code: str) -> str:
    return f"find out whose parcel {code} is; then decide: link it to our shipment, or nobodys"


HANDOVERS = Projection(
    name="handovers", version=1, row=HandoverRow, key=("order_id",), topics=OURS,
    keys=_handover_keys, evolve=_handover, indexes=(("waiting", "order_id"),), by_stream=True,
)  # fmt: skip
TRACKINGS = Projection(
    name="trackings", version=2, row=TrackingRow, key=("account", "tracker"), topics=OURS,
    keys=_tracking_keys, evolve=_tracking, indexes=(("waiting", "account", "tracker"),),
    by_stream=True,
)  # fmt: skip
