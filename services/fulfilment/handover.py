"""What must be remembered of an order to plan its parcels, and how its history makes that. Pure."""

from collections.abc import Iterable
from typing import assert_never

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts import fulfilment as events
from libs.contracts.common import FulfilmentLine, ShipmentRow
from libs.values.places import mark, same_place

Places = tuple[tuple[str, int], ...]


class Row(msgspec.Struct, frozen=True):
    """Units of a line in a shipment, and what one of them takes from stock."""

    line_id: str
    quantity: int
    parts: tuple[tuple[str, int], ...] = ()


class Share(msgspec.Struct, frozen=True):
    """An order's units in one shipment.

    `held` is what the shipment has until it says otherwise, `target` what it was last asked to
    have, and `asked` why. `contact` is the mark of the address it goes to, or of a newer one that a
    person let be; `moved_to` of the one that it was asked back for. `settled` are SKUs whose units
    inventory has counted as shipped. `late`: it has left.
    """

    location: str
    generation: int
    requires_shipping: bool
    held: tuple[Row, ...]
    target: tuple[Row, ...]
    blocked: str | None
    contact: str
    late: bool = False
    settled: tuple[str, ...] = ()
    asked: str = ""
    moved_to: str = ""


class Stock(msgspec.Struct, frozen=True):
    """Units of one SKU that inventory keeps for the order, by location."""

    version: int
    units: Places


class Handover(msgspec.Struct, frozen=True):
    """One order. `joins`: parcels of other orders that a location's units are to go with.

    `answered` is the version of each shipment's last answer. `asked_back` is the revision by which
    the order wanted fewer units than before, 0 once it is answered.
    """

    taken: events.FulfilmentTaken | None = None
    stock: Map[str, Stock] = Map()
    shares: Map[str, Share] = Map()
    statement: int = 0
    generation: int = 0
    unplannable: str = ""
    joins: Map[str, str] = Map()
    answered: Map[str, int] = Map()
    asked_back: int = 0

    def latest_first(self) -> list[tuple[str, Share]]:
        """Return the shares, the one that was planned last first."""
        return sorted(self.shares.items(), key=lambda item: -item[1].generation)


def quantities(rows: Iterable[Row | ShipmentRow | FulfilmentLine]) -> dict[str, int]:
    """Return the units of each line."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.line_id] = found.get(row.line_id, 0) + row.quantity
    return found


def units_of(rows: Iterable[Row]) -> dict[str, int]:
    """Return what rows take from stock, by SKU."""
    found: dict[str, int] = {}
    for row in rows:
        for sku, units in row.parts:
            found[sku] = found.get(sku, 0) + units * row.quantity
    return found


def without(rows: Iterable[Row], taken: dict[str, int]) -> tuple[Row, ...]:
    """Return the rows less these units of their lines; lines with nothing left are gone."""
    left = ((row, row.quantity - taken.get(row.line_id, 0)) for row in rows)
    return tuple(replace(row, quantity=units) for row, units in left if units > 0)


def fingerprint(event: events.ShipmentUnplannable) -> str:
    """Return the text by which a repeated finding is known again."""
    lines = ";".join(f"{line.line_id}:{line.quantity}" for line in event.lines)
    return f"{event.code}|{lines}"


def evolve(state: Handover, event: events.FulfilmentEvent) -> Handover:
    """Return the handover behind an event."""
    match event:
        case events.AllocationTaken():
            places = tuple((one.location, one.units) for one in event.allocations)
            stock = state.stock.set(event.sku, Stock(event.stock_version, places))
            return replace(state, stock=stock, shares=_settled(state, event))
        case events.FulfilmentTaken():
            return _taken(state, event)
        case events.FulfilmentReleased():
            return replace(state, asked_back=0)
        case events.HandoverPlanned():
            return _planned(state, event)
        case events.HandoverRecorded():
            answered = state.answered.set(event.shipment_id, event.shipment_version)
            return replace(state, shares=_recorded(state, event), answered=answered)
        case events.ShipmentUnplannable():
            return replace(state, unplannable=fingerprint(event), statement=event.statement)
        case events.ShipmentJoinRequested():
            return replace(state, joins=state.joins.set(event.location, event.into))
        case (
            events.ShipmentPlanned() | events.ShipmentJoined() | events.ShipmentBlocked()
            | events.ShipmentPacked() | events.ShipmentClearanceRecorded() | events.ShipmentReady()
            | events.ShipmentDispatched() | events.ShipmentCancelled() | events.ShipmentDelivered()
            | events.DispatchStopRequested() | events.DispatchStopped() | events.StopTooLate()
            | events.ShipmentAddressKept() | events.ShipmentContactChanged()
            | events.LabelRequested() | events.LabelQuoted() | events.LabelBought()
            | events.LabelRefused() | events.LabelInDoubt() | events.LabelVoidRequested()
            | events.LabelVoided() | events.ParcelTracked() | events.TrackingAsked()
            | events.DeliveryAssumed() | events.DeliveryFailed() | events.ParcelLost()
            | events.ReturnedToSender() | events.ExceptionSettled() | events.TrackerLinked()
            | events.TrackingMatched() | events.TrackingUnmatched()
        ):  # fmt: skip
            return state  # of shipments and trackers: never in this stream
        case _:
            assert_never(event)


def _taken(state: Handover, event: events.FulfilmentTaken) -> Handover:
    now = quantities(event.lines)
    before = quantities(state.taken.lines) if state.taken is not None else {}
    fewer = any(now.get(line, 0) < units for line, units in before.items())
    return replace(state, taken=event, asked_back=event.revision if fewer else state.asked_back)


def _settled(state: Handover, event: events.AllocationTaken) -> Map[str, Share]:
    shipment = event.shipment_id
    share = state.shares.get(shipment) if shipment is not None else None
    if shipment is None or share is None:
        return state.shares
    settled = tuple(sorted({*share.settled, event.sku}))
    return state.shares.set(shipment, replace(share, settled=settled, late=True))


def _planned(state: Handover, event: events.HandoverPlanned) -> Handover:
    parts = {one.line_id: tuple((p.sku, p.units) for p in one.parts) for one in event.parts}
    target = tuple(Row(r.line_id, r.quantity, parts.get(r.line_id, ())) for r in event.rows)
    old = state.shares.get(event.shipment_id)
    contact = mark(event.customer)
    if old is not None:
        asked = replace(
            old, target=target, blocked=event.blocked, asked=event.reason,
            contact=contact if same_place(contact, old.contact) else old.contact,
            moved_to=contact if event.reason == "address-changed" else old.moved_to,
        )  # fmt: skip
        shares = state.shares.set(event.shipment_id, asked)
        return replace(state, shares=shares, statement=event.statement)
    generation = state.generation + 1
    share = Share(
        event.location, generation, event.requires_shipping, target, target, event.blocked,
        contact,
    )  # fmt: skip
    joins = state.joins
    if joins.get(event.location) == event.shipment_id:
        joins = joins.delete(event.location)
    return replace(
        state, shares=state.shares.set(event.shipment_id, share), statement=event.statement,
        generation=generation, joins=joins, unplannable="",
    )  # fmt: skip


def _recorded(state: Handover, event: events.HandoverRecorded) -> Map[str, Share]:
    share = state.shares.get(event.shipment_id)
    if share is None:
        return state.shares
    if event.fact == "too-late":
        late = replace(share, target=share.held, late=True)
        return state.shares.set(event.shipment_id, late)
    if event.fact == "kept":
        assert state.taken is not None
        # The order's address may have come back.
        as_it_is = same_place(share.contact, mark(state.taken.customer))
        contact = share.contact if as_it_is else share.moved_to
        as_before = replace(share, target=share.held, contact=contact, asked="")
        return state.shares.set(event.shipment_id, as_before)
    held = without(share.held, quantities(event.rows))
    if not held:
        return state.shares.delete(event.shipment_id)
    kept = quantities(held)
    target = tuple(
        replace(row, quantity=min(row.quantity, kept.get(row.line_id, 0)))
        for row in share.target
        if kept.get(row.line_id)
    )
    share = replace(share, held=held, target=target)
    return state.shares.set(event.shipment_id, share)
