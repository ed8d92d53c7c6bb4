"""Folds what happens to an order's money, parcels and queues. Validates nothing, raises nothing."""

from collections.abc import Sequence
from typing import assert_never

from immutables import Map
from msgspec.structs import replace

from libs.contracts import common, orders
from libs.values.places import mark
from services.orders.destinations import KEPT, astray, goes_to
from services.orders.paying import due_of, terms_of
from services.orders.progress import Bill, Concern, Parcel, Payment, Requested, Stop
from services.orders.shipping import terms
from services.orders.state import OrderState

_REMEMBERED = 64  # settled requests; a repeat that old comes no more

LaterEvent = (
    orders.PaymentRequired
    | orders.OrderPaymentRecorded
    | orders.FulfilmentRequested
    | orders.OrderShipmentRecorded
    | orders.OrderReleaseRecorded
    | orders.OrderEditTooLate
    | orders.OrderDecisionTaken
    | orders.OrderWaitOver
    | orders.OrderCompleted
    | orders.CancellationRequested
    | orders.CancellationAccepted
    | orders.CancellationRefused
)


def fold(state: OrderState, event: LaterEvent) -> OrderState:
    """Fold one of them."""
    match event:
        case orders.OrderShipmentRecorded():
            return replace(state, parcels=_parcels(state.parcels, event, mark(state.customer)))
        case orders.OrderPaymentRecorded():
            payment = Payment(
                event.standing, event.authorised, event.captured, event.refunded, event.reason,
                event.deadline, event.payment_version,
            )  # fmt: skip
            return replace(state, payment=payment)
        case orders.PaymentRequired():
            lines = Map({one.line_id: (one.quantity, one.amount) for one in event.lines})
            bill = Bill(
                event.revision, event.amount, event.charges_amount,
                due_of(event.amount, event.tenders), lines, terms_of(event), event.decide_by,
                event.total,
            )  # fmt: skip
            return replace(state, bill=bill)
        case orders.FulfilmentRequested():
            return _requested(state, event)
        case orders.OrderReleaseRecorded():
            # It plans no more than what was asked for last, and has this much.
            last = state.requested.lines if state.requested is not None else Map()
            return replace(state, engaged=_most(last, _units(event.lines)), asked_back=0)
        case orders.OrderEditTooLate():
            return replace(state, late=_units(event.lines))
        case orders.OrderDecisionTaken():
            return _decided(state, event)
        case orders.OrderWaitOver(reason=reason):
            known = state.concerns
            return replace(state, concerns=known.delete(reason) if reason in known else known)
        case orders.OrderCompleted():
            return replace(state, completed=True)
        case orders.CancellationRequested(request_id=request):
            state = replace(state, requests=(*state.requests, request)[-_REMEMBERED:])
            asks = Stop(_units(event.lines), event.by, event.reason, event.answer_by)
            return replace(state, stops=state.stops.set(request, asks)) if asks.lines else state
        case orders.CancellationAccepted() | orders.CancellationRefused():
            return replace(state, stops=_answered(state.stops, event))
        case _:
            assert_never(event)


def _requested(state: OrderState, event: orders.FulfilmentRequested) -> OrderState:
    units = _units(event.lines)
    before = state.requested.lines if state.requested is not None else Map()
    fewer = any(units.get(name, 0) < count for name, count in before.items())
    return replace(
        state, requested=Requested(event.revision, units, event.blocked, terms(event)),
        engaged=_most(state.engaged, units),
        asked_back=event.revision if fewer else state.asked_back,
    )  # fmt: skip


def _most(one: Map[str, int], other: Map[str, int]) -> Map[str, int]:
    names = {*one, *other}
    return Map({name: max(one.get(name, 0), other.get(name, 0)) for name in names})


def concerned(state: OrderState, event: orders.OrderWaits) -> OrderState:
    """Let the order stand in a queue."""
    found = Concern(event.decide_by, event.value_minor)
    return replace(state, concerns=state.concerns.set(event.reason, found))


def _units(lines: Sequence[common.LineQuantity | common.FulfilmentLine]) -> Map[str, int]:
    units: dict[str, int] = {}
    for line in lines:
        units[line.line_id] = units.get(line.line_id, 0) + line.quantity
    return Map(units)


def _parcels(
    parcels: Map[str, Parcel], event: orders.OrderShipmentRecorded, here: str
) -> Map[str, Parcel]:
    old = parcels.get(event.shipment_id)
    lines = _units(event.lines)
    if event.status == "stopped" and old is not None:
        # What stays comes off the parcel; the rest of it goes on as it was.
        left = {name: units - lines.get(name, 0) for name, units in old.lines.items()}
        lines = Map({name: units for name, units in left.items() if units > 0})
        status = old.status if lines else event.status
        return parcels.set(
            event.shipment_id,
            replace(old, lines=lines, status=status, seen=event.shipment_version),
        )
    if event.status == "stopped":
        lines = Map()
    to = goes_to(old, event, here)
    if event.fact == KEPT and old is not None:
        return parcels.set(
            event.shipment_id, replace(old, seen=event.shipment_version, let_be=here)
        )
    if event.fact == "StopTooLate" and old is not None:
        # It names what was asked back; all of it leaves, when the warehouse hands it over.
        most = _most(old.lines, lines)
        late = replace(old, lines=most, seen=event.shipment_version, late=True, to=to)
        return parcels.set(event.shipment_id, late)
    again = old is not None and old.settled and event.status != "delivered"
    parcel = Parcel(
        event.status, lines, event.shipment_version, old.settled if again and old else "",
        event.reason, event.fact == "StopTooLate" or (old is not None and old.late),
        to, old.let_be if old else "",
    )  # fmt: skip
    return parcels.set(event.shipment_id, parcel)


def _decided(state: OrderState, event: orders.OrderDecisionTaken) -> OrderState:
    if event.decision == "accept":
        accepted = _units(event.lines)
        if event.reason == "delivered-twice":
            return replace(state, twice_accepted=accepted)
        if event.reason == "address-too-late":
            here = mark(state.customer)
            let_be = {name: replace(one, let_be=here) for name, one in astray(state).items()}
            return replace(state, parcels=state.parcels.update(let_be))
        return replace(state, late_accepted=accepted)
    lines = state.lines
    for name, units in sorted(_units(event.lines).items()):
        line = lines.get(name)
        if line is None:
            continue
        if event.decision == "reship":
            lines = lines.set(name, replace(line, resent=line.resent + units))
        elif event.decision == "refund":
            lines = lines.set(name, replace(line, refunded=line.refunded + units))
    parcels, name = state.parcels, event.shipment_id or ""
    if name in parcels:
        parcels = parcels.set(name, replace(parcels[name], settled=event.decision))
    return replace(state, lines=lines, parcels=parcels)


def _answered(
    stops: Map[str, Stop], event: orders.CancellationAccepted | orders.CancellationRefused
) -> Map[str, Stop]:
    """Take the answered units off a request; one that is answered in full is gone."""
    known = stops.get(event.request_id)
    if known is None:
        return stops
    answered = _units(event.lines)
    left = {name: units - answered.get(name, 0) for name, units in known.lines.items()}
    left = {name: units for name, units in left.items() if units > 0}
    if not left:
        return stops.delete(event.request_id)
    return stops.set(event.request_id, replace(known, lines=Map(left)))
