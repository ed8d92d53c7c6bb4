"""Decides an order's way from its first version to its end. Pure."""

from collections.abc import Sequence
from typing import assert_never

from libs.contracts import orders
from libs.eventsourcing.decider import Decider, Refused
from services.orders import commands
from services.orders.cancelling import record_cancellation, request_cancellation
from services.orders.demanding import cancel_all, expiry, wait
from services.orders.evolve import OrderEvent, evolve
from services.orders.facts import decide_concern, record_payment, record_release, record_shipment
from services.orders.recording import record_funds, record_version, resolve
from services.orders.settling import follow, settle
from services.orders.state import AUTOMATIC, SHORTAGE, OrderState
from services.orders.stock import record_shortfall, record_stock
from services.orders.stopping import give_up, giving_up
from services.orders.story import Story
from services.orders.units import shortages
from services.orders.worrying import overdue


def decide(command: commands.OrderCommand, state: OrderState) -> Sequence[OrderEvent]:
    """Return what happens to the order; facts are never refused, a caller's wish may be."""
    match command:
        case commands.RecordStock():
            return record_stock(command, state)
        case commands.RecordVersion():
            return record_version(command, state)
        case commands.RecordShipment():
            return record_shipment(command, state)
        case commands.RecordRelease():
            return record_release(command, state)
        case commands.RecordPayment():
            return record_payment(command, state)
        case commands.RecordFunds():
            return record_funds(command, state)
        case commands.RecordShortfall():
            return record_shortfall(command, state)
        case commands.RecordHoldExpiry(occurred_at=occurred_at):
            return _expire(Story(state, command.at), occurred_at) if state.placed else []
        case commands.RecordCancellation():
            return record_cancellation(command, state) if state.placed else []
        case commands.ResolveLine():
            return resolve(command, state)
        case commands.RequestCancellation():
            return request_cancellation(command, state)
        case commands.PlaceHold():
            return _place_hold(command, state)
        case commands.ReleaseHold():
            return _release_hold(command, state)
        case commands.DecideShortage():
            return _decide_shortage(command, state)
        case commands.DecideConcern():
            return decide_concern(command, state)
        case commands.DecideByDeadline():
            return _deadline(command, state)
        case _:
            assert_never(command)


def _place_hold(command: commands.PlaceHold, state: OrderState) -> Sequence[OrderEvent]:
    _must_exist(state)
    if command.hold_id in state.holds or command.hold_id in state.waived:
        return []
    if state.ended is not None:
        raise Refused("order-cancelled", "The order is cancelled; there is nothing to hold.")
    if command.reason in AUTOMATIC:
        raise Refused("reason-reserved", f"Only Lonja itself holds an order as {command.reason}.")
    unknown = [name for name in command.lines if name not in state.lines]
    if unknown:
        raise Refused("line-not-found", "The order has no such line.", line_id=unknown[0])
    story = Story(state, command.at)
    story.tell(
        orders.OrderHeld(
            **story.names(), hold_id=command.hold_id, reason=command.reason, by=command.by,
            lines=command.lines, until=command.until, blocks=command.blocks, note=command.note,
        )
    )  # fmt: skip
    return follow(story)


def _release_hold(command: commands.ReleaseHold, state: OrderState) -> Sequence[OrderEvent]:
    hold = state.holds.get(command.hold_id)
    if hold is None:
        if command.by == "policy" or command.hold_id in state.waived:
            return []
        _must_exist(state)
        raise Refused("hold-not-found", "The order has no such hold.")
    if hold.reason == "unlinked-listing":
        raise Refused("line-unlinked", "Link the listing; the hold ends by itself then.")
    story = Story(state, command.at)
    story.tell(
        orders.OrderReleased(
            **story.names(), hold_id=command.hold_id, reason=command.reason, by=command.by
        )
    )
    return settle(story)


def _decide_shortage(command: commands.DecideShortage, state: OrderState) -> Sequence[OrderEvent]:
    _must_exist(state)
    waiting = state.wait
    if waiting is None or waiting.reason not in SHORTAGE:
        raise Refused("order-not-waiting", "The order waits for no decision on stock.")
    story = Story(state, command.at)
    until = command.at + commands.DECIDE_WITHIN
    backorder = command.decision == "backorder"
    if backorder and waiting.reason == "out-of-stock" and (waiting.decide_by or 0) >= until:
        return []
    units, inside = giving_up(state)
    if command.decision == "cancel" and not units and not inside:
        if state.stops:
            raise Refused("cancellation-asked", "It is asked for; fulfilment answers.")
        raise Refused("nothing-to-cancel", "What is left is confirmed, or has left.")
    for lacking in shortages(state):
        settled = orders.ShortfallSettled(
            **story.names(), sku=lacking.sku, units=lacking.units, decision=command.decision,
            by=command.by,
        )  # fmt: skip
        story.tell(settled)
    match command.decision:
        case "retry":
            return settle(story, again=True)
        case "backorder":
            wait(story, "out-of-stock", until, shortages(state))
        case "cancel":
            give_up(story, units, inside, command.by, command.reason or "out-of-stock")
    return settle(story)


def _deadline(command: commands.DecideByDeadline, state: OrderState) -> Sequence[OrderEvent]:
    """Leave nothing undecided: an unpaid order ends, any other becomes a person's matter."""
    story = Story(state, command.at)
    if not state.placed:
        return []
    if state.ended is None and not state.committed and state.commitment == "tentative":
        _lapse(story, command.at)
    elif state.ended is None:
        known = state.wait is not None and state.wait.reason == "decision-overdue"
        undecided = not state.committed or state.pending or bool(shortages(state))
        if undecided and not known and command.at >= state.decide_by:
            wait(story, "decision-overdue", None, shortages(state))
    overdue(story)
    return follow(story)


def _expire(story: Story, occurred_at: int) -> Sequence[OrderEvent]:
    """End what nobody paid in time, and what follows."""
    _lapse(story, occurred_at)
    return follow(story)


def _lapse(story: Story, occurred_at: int) -> None:
    """Cancel an order that nobody paid in time; a hold that was renewed since is none of it."""
    state = story.state
    unpaid = state.commitment == "tentative" and not state.committed
    if state.ended is None and unpaid and occurred_at >= expiry(state):
        cancel_all(story, "policy", "payment-expired", "policy")


def _must_exist(state: OrderState) -> None:
    if not state.placed:
        raise Refused("order-not-found", "There is no such order.")


ORDER = Decider(
    category="order",
    commands=commands.OrderCommand,
    state=OrderState,
    initial=OrderState(),
    decide=decide,
    evolve=evolve,
    version=8,
)
