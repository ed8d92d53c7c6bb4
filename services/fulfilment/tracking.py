"""A parcel on its way: what the carrier says, in the order of the carrier's own clock. Pure.

Older words than the newest one change nothing, so that any order of arrival ends alike.
"""

from typing import assert_never

from libs.contracts import fulfilment as events
from libs.eventsourcing.decider import Refused
from services.fulfilment import shipment_commands as commands
from services.fulfilment.shipment import EXCEPTIONS, LEFT, MOST_ASKED, Shipment, kind_of

DAY = 86_400_000_000  # microseconds
DECIDE = 2 * DAY  # a person has so long for a parcel that failed, was lost or came back
Events = list[events.FulfilmentEvent]
TrackingCommand = (
    commands.RecordTracking
    | commands.AskTracking
    | commands.AssumeDelivered
    | commands.Settle
    | commands.SettleOrder
)


def decide(command: TrackingCommand, state: Shipment) -> Events:
    """Decide what the carrier, the calendar or a person says of a parcel on its way."""
    match command:
        case commands.RecordTracking():
            return _tracked(command, state)
        case commands.AskTracking():
            return _ask(command, state)
        case commands.AssumeDelivered():
            return _assume(command, state)
        case commands.Settle():
            return _settle(command, state)
        case commands.SettleOrder():
            return _settle_order(command, state)
        case _:
            assert_never(command)


def follow(command: commands.ShipmentCommand, state: Shipment) -> Events:
    """Return what the newest word means for a parcel that has left, once."""
    if state.status not in LEFT:
        return []
    entity, at, name, rows = command.entity, command.at, command.shipment_id, state.rows()
    if not state.requires_shipping:
        if state.status == "delivered":
            return []
        return [
            events.ShipmentDelivered(
                entity=entity, occurred_at=at, shipment_id=name, rows=rows, source="at-once"
            )
        ]
    verdict = kind, seen = state.verdict()
    if verdict == state.told:
        return []
    match kind:
        case "delivered" if state.status != "delivered":
            return [
                events.ShipmentDelivered(
                    entity=entity, occurred_at=seen, shipment_id=name, rows=rows, source="scan"
                )
            ]  # fmt: skip
        case "failure" if state.status != "failed":
            return [
                events.DeliveryFailed(
                    entity=entity, occurred_at=seen, shipment_id=name, rows=rows,
                    code=state.detail or "failure", deadline=at + DECIDE,
                )
            ]  # fmt: skip
        case "return_to_sender" if state.status != "returned":
            return [
                events.ReturnedToSender(
                    entity=entity, occurred_at=seen, shipment_id=name, rows=rows,
                    units=state.units(), location=state.location, deadline=at + DECIDE,
                )
            ]  # fmt: skip
        case _:
            return []


def _tracked(command: commands.RecordTracking, state: Shipment) -> Events:
    label = state.label
    if label is None or label.tracking_code != command.tracking_code:
        return []
    if command.seen_at < label.bought_at - DAY:
        return []  # of another parcel, that had the code before: carriers use them again
    if command.seen_at <= state.scans.get(kind_of(command.status), -1):
        return []
    return [
        events.ParcelTracked(
            entity=command.entity, occurred_at=command.seen_at, shipment_id=command.shipment_id,
            tracking_code=command.tracking_code, status=command.status,
            status_word=command.status_word, detail=command.detail, source=command.source,
        )
    ]  # fmt: skip


def _ask(command: commands.AskTracking, state: Shipment) -> Events:
    """Ask once a day while it is under way; what was silent, or under way, for too long is lost.

    After the last question nothing would end its way any more.
    """
    label = state.label
    under_way = state.status == "dispatched" or (state.status in EXCEPTIONS and not state.decided())
    if command.ordinal <= state.asked or not under_way or label is None or not state.tracked:
        return []
    found: Events = []
    silent = command.at - state.heard_at >= state.silent_days * DAY
    last = command.ordinal > MOST_ASKED
    if state.status == "dispatched" and (silent or last):
        found.append(
            events.ParcelLost(
                entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
                rows=state.rows(), code="silent" if silent else "under-way-too-long",
                deadline=command.at + DECIDE,
            )
        )  # fmt: skip
    if not last:
        found.append(
            events.TrackingAsked(
                entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
                account=label.account, tracker=label.tracker or label.tracking_code,
                ordinal=command.ordinal,
                next_at=command.at + DAY,
            )
        )  # fmt: skip
    return found


def _assume(command: commands.AssumeDelivered, state: Shipment) -> Events:
    if state.status != "dispatched" or state.tracked:
        return []
    return [
        events.DeliveryAssumed(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            rows=state.rows(), rule=f"untracked-{state.assume_days}-days",
        )
    ]  # fmt: skip


def _settle(command: commands.Settle, state: Shipment) -> Events:
    if state.status == "delivered":
        return []
    if state.status not in EXCEPTIONS:
        raise Refused("nothing-to-decide", "The parcel has not failed, was not lost or returned.")
    return [
        events.ExceptionSettled(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            decision="delivered", by=command.by, note=command.note,
        ),
        events.ShipmentDelivered(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            rows=state.rows(), source="person",
        ),
    ]  # fmt: skip


def _settle_order(command: commands.SettleOrder, state: Shipment) -> Events:
    """Take what was decided at the order; it is no longer asked for where the parcel arrived.

    One that was heard of again meanwhile may be lost again: the order will not be asked twice.
    """
    part = state.parts.get(command.order_id)
    under_way = state.status in LEFT and state.status != "delivered"
    if part is None or not under_way or part.decided == command.decision:
        return []
    return [
        events.ExceptionSettled(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            decision=command.decision, by=command.by, note="", order_id=command.order_id,
        )
    ]  # fmt: skip
