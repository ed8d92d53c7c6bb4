"""Decides on what payments and fulfilment tell, and on the queues that come of it. Pure."""

from collections.abc import Sequence

from immutables import Map
from msgspec.structs import replace

from libs.contracts import common, orders
from libs.eventsourcing.decider import Refused
from libs.values.places import mark
from services.orders import commands
from services.orders.destinations import KEPT, astray, right
from services.orders.evolve import OrderEvent
from services.orders.paying import known
from services.orders.progress import OUT, TROUBLE, Parcel
from services.orders.settling import settle
from services.orders.state import OrderState
from services.orders.story import Story
from services.orders.units import too_late, twice


def record_payment(command: commands.RecordPayment, state: OrderState) -> Sequence[OrderEvent]:
    """Take what payments says, unless it is a repeat or says nothing new."""
    old = state.payment
    if not state.placed or command.payment_version <= old.seen:
        return []
    now = known(command, state)
    if replace(now, seen=old.seen) == old:
        return []
    story = Story(state, command.at)
    story.tell(
        orders.OrderPaymentRecorded(
            **story.names(command.occurred_at), standing=now.standing, fact=command.fact,
            authorised=now.authorised, captured=now.captured, refunded=now.refunded,
            currency=command.currency, reason=now.reason, payment_version=now.seen,
            deadline=now.deadline,
        )
    )  # fmt: skip
    return settle(story)


def record_shipment(command: commands.RecordShipment, state: OrderState) -> Sequence[OrderEvent]:
    """Take what fulfilment says of a parcel, unless it is a repeat or says nothing new."""
    old = state.parcels.get(command.shipment_id)
    if not state.placed or (old is not None and command.version <= old.seen):
        return []
    if old is not None and _nothing_new(command, old, mark(state.customer)):
        return []
    story = Story(state, command.at, command.deadline)
    story.tell(
        orders.OrderShipmentRecorded(
            **story.names(command.occurred_at), shipment_id=command.shipment_id,
            status=command.status, fact=command.fact, lines=command.lines,
            shipment_version=command.version, reason=command.reason,
            destination=command.destination,
        )
    )  # fmt: skip
    return settle(story)


def record_release(command: commands.RecordRelease, state: OrderState) -> Sequence[OrderEvent]:
    """Take fulfilment's answer to the last request for fewer units; an older one is not enough."""
    if not state.asked_back or command.revision < state.asked_back:
        return []
    story = Story(state, command.at)
    story.tell(
        orders.OrderReleaseRecorded(
            **story.names(command.occurred_at), revision=command.revision, lines=command.lines
        )
    )
    return settle(story)


def _nothing_new(command: commands.RecordShipment, old: Parcel, here: str) -> bool:
    """Say whether a fact changes nothing: that a planned parcel is packed, that one has left."""
    if command.fact == "StopTooLate":
        return old.late or old.status in OUT
    if command.fact == KEPT:
        return right(old, here)
    if command.status == "packed":
        same = Map({line.line_id: line.quantity for line in command.lines}) == old.lines
        return same or old.status in OUT
    return command.status == old.status and command.status in {"dispatched", "delivered"}


def decide_concern(command: commands.DecideConcern, state: OrderState) -> Sequence[OrderEvent]:
    """Take a person's decision.

    Refused("order-not-found" | "order-not-waiting" | "shipment-needed" | "shipment-not-found" |
    "already-decided" | "order-cancelled").
    """
    if not state.placed:
        raise Refused("order-not-found", "There is no such order.")
    if command.decision == "accept":
        return _accept(command, state)
    name = command.shipment_id or _only(command, state)
    parcel = state.parcels.get(name)
    if parcel is None:
        raise Refused("shipment-not-found", "The order has no such shipment.")
    if parcel.settled == command.decision:
        return []
    if parcel.status not in TROUBLE:
        raise Refused("order-not-waiting", "The shipment waits for no decision.")
    if parcel.settled not in {"", "claim"}:
        raise Refused("already-decided", f"It was decided to {parcel.settled} it.")
    if command.decision == "reship" and state.ended is not None:
        raise Refused("order-cancelled", "The order is cancelled; nothing of it is sent again.")
    reason = "carrier-claim" if parcel.settled else TROUBLE[parcel.status]
    return _taken(command, state, reason, name, parcel.lines)


def _accept(command: commands.DecideConcern, state: OrderState) -> Sequence[OrderEvent]:
    late, again = too_late(state), twice(state)
    if "edit-too-late" in state.concerns:
        return _taken(command, state, "edit-too-late", None, Map(late))
    if "delivered-twice" in state.concerns:
        return _taken(command, state, "delivered-twice", None, Map(again))
    if "address-too-late" in state.concerns:
        units: dict[str, int] = {}
        for parcel in astray(state).values():
            for line, count in parcel.lines.items():
                units[line] = units.get(line, 0) + count
        return _taken(command, state, "address-too-late", None, Map(units))
    if late or again or any(parcel.let_be for parcel in state.parcels.values()):
        return []
    raise Refused(
        "order-not-waiting", "Nothing of the order came too late or twice, or goes elsewhere."
    )


def _taken(
    command: commands.DecideConcern, state: OrderState, reason: str, shipment: str | None,
    units: Map[str, int],
) -> Sequence[OrderEvent]:  # fmt: skip
    story = Story(state, command.at)
    lines = tuple(common.LineQuantity(line_id=n, quantity=u) for n, u in sorted(units.items()))
    story.tell(
        orders.OrderDecisionTaken(
            **story.names(), reason=reason, shipment_id=shipment, lines=lines,
            decision=command.decision, by=command.by,
        )
    )  # fmt: skip
    return settle(story)


def _only(command: commands.DecideConcern, state: OrderState) -> str:
    """Return the shipment that is meant where none is named."""
    troubled = {n: one for n, one in state.parcels.items() if one.status in TROUBLE}
    waiting = sorted(n for n, one in troubled.items() if one.settled in {"", "claim"})
    settled = sorted(n for n, one in troubled.items() if one.settled == command.decision)
    if len(waiting) > 1:
        raise Refused("shipment-needed", "Several shipments wait: name one.")
    found = [*waiting, *settled]
    if not found:
        raise Refused("order-not-waiting", "No shipment of the order waits for a decision.")
    return found[0]
