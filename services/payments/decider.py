"""Decides an order's payment, from what it costs to the last cent that went back. Pure."""

from collections.abc import Sequence
from typing import assert_never

from immutables import Map
from msgspec.structs import replace

from libs.eventsourcing.decider import Decider
from services.payments import answering, commands, deciding, reporting, returning
from services.payments.capturing import delay
from services.payments.evolve import PaymentEvent, evolve
from services.payments.expecting import expect
from services.payments.settling import settle
from services.payments.state import Parcel, PaymentState
from services.payments.story import Story
from services.payments.withdrawing import withdraw


def decide(command: commands.PaymentCommand, state: PaymentState) -> Sequence[PaymentEvent]:
    """Return what happens to the payment; facts are never refused, a person's wish may be."""
    match command:
        case commands.ExpectPayment():
            return expect(command, state)
        case commands.ClearParcel():
            return _packed(command, state)
        case commands.WithdrawUnits():
            return withdraw(command, state)
        case commands.RecordAuthorisation():
            return answering.authorisation(command, state)
        case commands.RecordDecline():
            return answering.declined(command, state)
        case commands.RecordCapture():
            return answering.captured(command, state)
        case commands.RecordVoid():
            return answering.voided(command, state)
        case commands.RecordRefund():
            return answering.refund_made(command, state)
        case commands.RecordRefusal():
            return answering.refused(command, state)
        case commands.RecordDoubt():
            return answering.doubted(command, state)
        case commands.RecordIntentSeen():
            return reporting.intent_seen(command, state)
        case commands.RecordRefundSeen():
            return reporting.refund_seen(command, state)
        case commands.RecordRefundReturned():
            return returning.refund_returned(command, state)
        case commands.RecordDispute():
            return reporting.disputed(command, state)
        case commands.ExpireSoon():
            return deciding.expire_soon(command, state)
        case commands.AuthorisationEnds():
            return deciding.authorisation_ends(command, state)
        case commands.DoubtOverdue():
            return deciding.doubt_overdue(command, state)
        case commands.ActionOverdue():
            return deciding.action_overdue(command, state)
        case commands.Decide():
            return deciding.decide(command, state)
        case _:
            assert_never(command)


def _packed(command: commands.ClearParcel, state: PaymentState) -> Sequence[PaymentEvent]:
    """Take a parcel once; before the order has said what it costs, it waits."""
    if command.shipment_id in state.parcels:
        return []
    units: dict[str, int] = {}
    for line in command.lines:
        units[line.line_id] = units.get(line.line_id, 0) + line.quantity
    story = Story(state, command.at)
    if state.known:  # what follows says the units: cleared, or why not
        waiting = Parcel(Map(units))
        story.state = replace(state, parcels=state.parcels.set(command.shipment_id, waiting))
        return settle(story)
    names = {
        "entity": state.entity or command.entity, "occurred_at": command.occurred_at,
        "order_id": state.order_id or command.order_id,
    }  # fmt: skip
    delay(
        story.tell, names, command.shipment_id, Map(units), 0, "payment-unknown", "",
        command.at + commands.PERSON_WITHIN,
    )  # fmt: skip
    return story.events


PAYMENT = Decider(
    category="payment",
    commands=commands.PaymentCommand,
    state=PaymentState,
    initial=PaymentState(),
    decide=decide,
    evolve=evolve,
    version=8,
)
