"""A parcel from plan to hand-over: here the race of a stop with a label and a hand-over ends. Pure.

Nothing is handed over without its label, each order's clearance, or in spite of a hold.
"""

from functools import reduce
from typing import assert_never

from msgspec.structs import replace

from libs.contracts import fulfilment as events
from libs.eventsourcing.decider import Decider, Refused
from services.fulfilment import labels, stopping, tracking
from services.fulfilment import shipment_commands as commands
from services.fulfilment.shipment import (
    LEFT,
    OPEN,
    Shipment,
    fewer,
)
from services.fulfilment.shipment_evolve import evolve

DAY = 86_400_000_000  # microseconds
Events = list[events.FulfilmentEvent]


def decide(command: commands.ShipmentCommand, state: Shipment) -> Events:
    """Decide a command on the parcel, and what follows from it by itself."""
    if state.entity:  # whoever speaks of a parcel need not know whose it is
        command = replace(command, entity=state.entity)
    first = _decide(command, state)
    if not first:
        return []
    found, after = list(first), reduce(evolve, first, state)
    while following := _follow(command, after):
        found += following
        after = reduce(evolve, following, after)
    return found


def _decide(command: commands.ShipmentCommand, state: Shipment) -> Events:
    match command:
        case commands.TakeShare():
            return _share(command, state)
        case commands.RecordClearance():
            return _clearance(command, state)
        case commands.Pack():
            return _pack(command, state)
        case commands.HandOver():
            return _hand_over(command, state)
        case commands.AnswerStop():
            return _answer(command, state)
        case commands.DecideAddress():
            return stopping.decide_address(command, state)
        case (
            commands.QuoteLabel() | commands.RefuseLabel() | commands.DoubtLabel()
            | commands.RecordLabel() | commands.RecordVoid() | commands.RetryLabel()
            | commands.DecideLabel() | commands.DecideVoid()
        ):  # fmt: skip
            return labels.decide(command, state)
        case (
            commands.RecordTracking() | commands.AskTracking() | commands.AssumeDelivered()
            | commands.Settle() | commands.SettleOrder()
        ):  # fmt: skip
            return tracking.decide(command, state)
        case _:
            assert_never(command)


def _follow(command: commands.ShipmentCommand, state: Shipment) -> Events:
    """Return the next step that needs nobody."""
    at, name, entity = command.at, command.shipment_id, command.entity
    if state.status in OPEN and not state.active():
        voided = labels.given_back(command, state, "stopped")
        gone = events.ShipmentCancelled(
            entity=entity, occurred_at=at, shipment_id=name, reason="nothing-left"
        )
        return [*voided, gone]
    if state.status == "planned" and state.packing == stopping.AUTOMATIC:
        return [_packed(command, state, None, stopping.AUTOMATIC)]
    if state.status in {"packed", "ready"} and state.needs_label() and state.label is None:
        return [labels.request(command, state, state.carrier, state.service)]
    free = state.blocked() is None and not state.stopping()
    if state.status == "packed" and state.labelled() and state.cleared() and free:
        return [events.ShipmentReady(entity=entity, occurred_at=at, shipment_id=name)]
    if state.status == "ready" and state.hand_over == stopping.AUTOMATIC and free:
        return [_dispatched(command, state, stopping.AUTOMATIC)]
    return tracking.follow(command, state)


def _share(command: commands.TakeShare, state: Shipment) -> Events:
    part = state.parts.get(command.order_id)
    if part is not None and command.statement <= part.statement:
        return []
    if not state.status:
        return [_planned(command)] if command.rows else []
    if part is None or not part.rows:
        return stopping.join(command, state) if command.rows else []
    found: Events = []
    if command.blocked != part.blocked and part.rows and state.status in OPEN:
        found.append(
            events.ShipmentBlocked(
                entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
                order_id=command.order_id, statement=command.statement, blocked=command.blocked,
            )
        )  # fmt: skip
    found += stopping.reached(command, state)
    less = fewer(part.rows, command.rows)
    return [*found, *stopping.stop(command, state, part, less)] if less else found


def _planned(command: commands.TakeShare) -> events.ShipmentPlanned:
    policy = command.policy
    return events.ShipmentPlanned(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        location=command.location, rows=command.rows, units=command.units,
        requires_shipping=command.requires_shipping, carrier=policy.carrier,
        service=policy.service, ship_by=command.ship_by, deliver_by=command.deliver_by,
        customer=command.customer, declared_value=command.declared_value,
        currency=command.currency, packing=policy.packing, account=command.account,
        statement=command.statement, blocked=command.blocked, hand_over=policy.hand_over,
        silent_days=policy.silent_days, assume_days=policy.assume_days,
        references=() if command.reference is None else (command.reference,),
    )  # fmt: skip


def _clearance(command: commands.RecordClearance, state: Shipment) -> Events:
    part = state.parts.get(command.order_id)
    if part is None or part.cleared or not part.rows:
        return []
    return [
        events.ShipmentClearanceRecorded(
            entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
            order_id=command.order_id, basis=command.basis, amount=command.amount,
            currency=command.currency,
        )
    ]  # fmt: skip


def _pack(command: commands.Pack, state: Shipment) -> Events:
    if not state.status:
        raise Refused("shipment-not-found", "There is no such shipment.")
    if state.status == "cancelled":
        raise Refused("stopped", "Nothing of this shipment is to be sent any more.")
    if state.status != "planned":
        return []
    return [_packed(command, state, command.weight_grams, command.by)]


def _packed(
    command: commands.ShipmentCommand, state: Shipment, weight: int | None, by: str
) -> events.ShipmentPacked:
    return events.ShipmentPacked(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        location=state.location, rows=state.rows(), units=state.units(), weight_grams=weight,
        by=by,
    )  # fmt: skip


def _answer(command: commands.AnswerStop, state: Shipment) -> Events:
    """Say what the warehouse could keep; a parcel that is too late for that has left.

    That is a fact: a hold that came behind the clearance does not bring it back.
    """
    found = stopping.answer(command, state)
    if command.stopped:
        return found
    return [*found, _dispatched(command, reduce(evolve, found, state), command.by)]


def _hand_over(command: commands.HandOver, state: Shipment) -> Events:
    if state.status in LEFT:
        return []
    code = _not_yet(state)
    if code is not None:
        raise Refused(code, "This shipment may not be handed over.")
    return [_dispatched(command, state, command.by)]


def _not_yet(state: Shipment) -> str | None:
    """Return the code of the first reason why the parcel must stay."""
    match state.status:
        case "":
            return "shipment-not-found"
        case "cancelled":
            return "stopped"
        case "planned":
            return "not-packed"
        case _ if state.stopping():
            return "stop-requested"
        case _ if state.blocked() is not None:
            return "blocked"
        case _ if not state.cleared():
            return "capture-not-confirmed"
        case _ if not state.labelled():
            return "label-missing"
        case _:
            return None


def _dispatched(
    command: commands.ShipmentCommand, state: Shipment, by: str
) -> events.ShipmentDispatched:
    label = state.label if state.needs_label() else None
    tracked = label is not None and label.tracking_code != ""
    assume = state.requires_shipping and not tracked
    return events.ShipmentDispatched(
        entity=command.entity, occurred_at=command.at, shipment_id=command.shipment_id,
        location=state.location, rows=state.rows(), units=state.units(),
        accounts=tuple(sorted({part.account for _, part in state.active()})),
        references=tuple(p.reference for _, p in state.active() if p.reference is not None),
        carrier=label.carrier if label else state.carrier,
        service=label.service if label else state.service,
        tracking_code=label.tracking_code if label and tracked else None, tracked=tracked, by=by,
        assume_by=command.at + state.assume_days * DAY if assume else None,
    )  # fmt: skip


SHIPMENT = Decider(
    category="shipment", commands=commands.ShipmentCommand, state=Shipment, initial=Shipment(),
    decide=decide, evolve=evolve, version=5,
)  # fmt: skip
