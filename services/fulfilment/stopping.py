"""Units that join a parcel, and units that are to come back from it: who is in time. Pure."""

from libs.contracts import fulfilment as events
from libs.eventsourcing.decider import Refused
from services.fulfilment import commands
from services.fulfilment.shipment import LEFT, Part, Rows, Shipment, Units, fewer_units

DAY = 86_400_000_000  # microseconds
ANSWER = DAY  # the warehouse says within this time whether it could stop a parcel
AUTOMATIC = "automatic"
Events = list[events.FulfilmentEvent]


def join(command: commands.TakeShare, state: Shipment) -> Events:
    """Take another order's units into an open parcel to the same buyer, or give them back."""
    subject = state.customer.subject if state.customer is not None else ""
    same = state.location == command.location and subject == command.customer.subject
    if state.status == "planned" and same and state.currency == command.currency:
        return [
            events.ShipmentJoined(
                entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
                order_id=command.order_id, account=command.account, statement=command.statement,
                rows=command.rows, units=command.units, blocked=command.blocked,
                declared_value=command.declared_value, reference=command.reference,
            )
        ]  # fmt: skip
    asked = _asked(command, command.rows, command.units, "parcel-closed")
    return [asked, _stopped(command, asked)]


def _asked(
    command: commands.TakeShare, rows: Rows, units: Units, reason: str
) -> events.DispatchStopRequested:
    return events.DispatchStopRequested(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        order_id=command.order_id, reason=reason, answer_by=command.at + ANSWER,
        statement=command.statement, rows=rows, units=units,
    )  # fmt: skip


def stop(command: commands.TakeShare, state: Shipment, part: Part, less: Rows) -> Events:
    """Ask for units back: at once where nobody else has the parcel in hand."""
    asked = _asked(command, less, fewer_units(part.units, command.units), command.reason)
    if state.status in LEFT:
        return [asked, _too_late(command, asked)]
    if state.status in {"packed", "ready"} and state.hand_over != AUTOMATIC:
        return [asked]
    return [asked, _stopped(command, asked)]


def _stopped(
    command: commands.ShipmentCommand, asked: events.DispatchStopRequested
) -> events.DispatchStopped:
    return events.DispatchStopped(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        order_id=asked.order_id, rows=asked.rows, units=asked.units, reason=asked.reason,
    )  # fmt: skip


def _too_late(
    command: commands.ShipmentCommand, asked: events.DispatchStopRequested
) -> events.StopTooLate:
    return events.StopTooLate(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        order_id=asked.order_id, rows=asked.rows, reason=asked.reason,
    )  # fmt: skip


def answer(command: commands.AnswerStop, state: Shipment) -> Events:
    """Say of each open stop what the warehouse answered."""
    waiting = [(order, part) for order, part in state.active() if part.stop]
    if not waiting:
        raise Refused("no-stop-asked", "Nobody has asked to keep anything of this parcel back.")
    found: Events = []
    for order, part in waiting:
        asked = events.DispatchStopRequested(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            order_id=order, reason=part.stop_reason, answer_by=command.at, statement=part.statement,
            rows=part.stop, units=part.stop_units,
        )  # fmt: skip
        found.append(_stopped(command, asked) if command.stopped else _too_late(command, asked))
    return found
