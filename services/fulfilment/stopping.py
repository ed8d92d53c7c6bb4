"""Units that join a parcel, and units that are to come back from it: who is in time. Pure."""

from libs.contracts import fulfilment as events
from libs.contracts.common import Customer
from libs.eventsourcing.decider import Refused
from libs.values.places import mark, same_place
from services.fulfilment import shipment_commands as commands
from services.fulfilment.shipment import LEFT, OPEN, Part, Rows, Shipment, Units, fewer_units

DAY = 86_400_000_000  # microseconds
ANSWER = DAY  # the warehouse says within this time whether it could stop a parcel
AUTOMATIC = "automatic"
ADDRESS = "address-changed"
Events = list[events.FulfilmentEvent]


def join(command: commands.TakeShare, state: Shipment) -> Events:
    """Take another order's units into an open parcel to the same buyer, or give them back."""
    place = command.location, command.currency
    if (
        state.status == "planned"
        and place == (state.location, state.currency)
        and (_goes_to(command.customer) == (state.customer and _goes_to(state.customer)))
    ):
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


def reached(command: commands.TakeShare, state: Shipment) -> Events:
    """Take how else the buyer is reached at the same place, for a label that is not bought yet."""
    here, there = mark(command.customer), mark(state.customer)
    bought = state.label is not None and state.label.state == "bought"
    if not command.rows or state.status not in OPEN or bought:
        return []
    if here == there or not same_place(here, there):
        return []
    return [
        events.ShipmentContactChanged(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            order_id=command.order_id, statement=command.statement, customer=command.customer,
        )
    ]  # fmt: skip


def _goes_to(customer: Customer) -> tuple[str, str, str | None]:
    """Return what is known of a destination without its address, which is sealed."""
    return customer.subject, customer.ship_to_country, customer.ship_to_region


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
    if command.reason == ADDRESS and state.label is not None and state.label.state == "bought":
        return [asked]  # the label is paid for: a person decides
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


def decide_address(command: commands.DecideAddress, state: Shipment) -> Events:
    """Let a labelled parcel go as it is, or stop it so that its units get a new label.

    Refused("shipment-not-found" | "nothing-to-decide").
    """
    if not state.status:
        raise Refused("shipment-not-found", "There is no such shipment.")
    mine = {order: part for order, part in state.active() if part.stop_reason == ADDRESS}
    waiting = {order: part for order, part in mine.items() if part.stop}
    if not waiting or state.label is None or state.label.state != "bought":
        raise Refused("nothing-to-decide", "No order in this parcel waits for a new address.")
    if command.new_label:
        return [_stopped(command, _open(command, order, part)) for order, part in waiting.items()]
    return [
        events.ShipmentAddressKept(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            order_id=order, rows=part.stop, by=command.by,
        )
        for order, part in waiting.items()
    ]  # fmt: skip


def _open(
    command: commands.ShipmentCommand, order: str, part: Part
) -> events.DispatchStopRequested:
    """Return a stop that waits for its answer, as it was asked."""
    return events.DispatchStopRequested(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        order_id=order, reason=part.stop_reason, answer_by=command.at, statement=part.statement,
        rows=part.stop, units=part.stop_units,
    )  # fmt: skip


def answer(command: commands.AnswerStop, state: Shipment) -> Events:
    """Say of each open stop what the warehouse answered."""
    waiting = [(order, part) for order, part in state.active() if part.stop]
    if not waiting:
        raise Refused("no-stop-asked", "Nobody has asked to keep anything of this parcel back.")
    if not command.stopped and state.status != "ready":
        # It would wait for a clearance that never comes: nobody pays for what is not wanted.
        raise Refused("not-let-go", "It may not have left yet, so that all of it can be kept.")
    found: Events = []
    for order, part in waiting:
        asked = _open(command, order, part)
        found.append(_stopped(command, asked) if command.stopped else _too_late(command, asked))
    return found
