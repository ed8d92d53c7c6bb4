"""An order's units into parcels: complete statements to each shipment, by number. Pure.

It never says that a parcel has stopped or left: the shipment does, and it is heard here.
"""

from functools import reduce
from typing import assert_never

from libs.contracts import fulfilment as events
from libs.contracts.common import (
    Allocation,
    Component,
    LineQuantity,
    RowParts,
    ShipmentRow,
    ShipmentUnits,
)
from libs.eventsourcing.decider import Decider, Refused
from libs.values.places import mark, same_place
from services.fulfilment import handover_commands as commands
from services.fulfilment.handover import (
    Handover,
    Row,
    Share,
    evolve,
    fingerprint,
    quantities,
    units_of,
)
from services.fulfilment.planning import Planned, open_units, plan
from services.fulfilment.shipment_commands import shipment_name
from services.fulfilment.taking_back import elsewhere, fewer, too_many

HOUR = 3_600_000_000  # microseconds
UNPLANNED = 48 * HOUR  # a person has so long for what no parcel can take
Events = list[events.FulfilmentEvent]


def decide(command: commands.HandoverCommand, state: Handover) -> Events:
    """Decide a command on the order's handover."""
    match command:
        case commands.TakeAllocation():
            return _allocation(command, state)
        case commands.TakeFulfilment():
            if state.taken is not None and command.revision <= state.taken.revision:
                return []
            return _with_plan(state, [_taken(command)], command.at)
        case commands.RecordAnswer():
            return _answer(command, state)
        case commands.JoinShipment():
            return _join(command, state)
        case commands.CheckPlan():
            return _check(command, state)
        case _:
            assert_never(command)


def _taken(command: commands.TakeFulfilment) -> events.FulfilmentTaken:
    return events.FulfilmentTaken(
        entity=command.entity, occurred_at=command.at, order_id=command.order_id,
        revision=command.revision, account=command.account, lines=command.lines,
        blocked=command.blocked, one_parcel=command.one_parcel, ship_by=command.ship_by,
        deliver_by=command.deliver_by, service_level=command.service_level,
        customer=command.customer, declared_value=command.declared_value,
        currency=command.currency, default_location=command.default_location,
        refused_locations=command.refused_locations, reference=command.reference,
    )  # fmt: skip


def _allocation(command: commands.TakeAllocation, state: Handover) -> Events:
    """Add what changed: a SKU's facts come in order, so their sum is what inventory keeps."""
    old = state.stock.get(command.sku)
    if old is not None and command.stock_version <= old.version:
        return []
    units = dict(old.units) if old is not None else {}
    for change in command.changes:
        units[change.location] = units.get(change.location, 0) + change.units
    taken = events.AllocationTaken(
        entity=command.entity, occurred_at=command.at, order_id=command.order_id, sku=command.sku,
        allocations=tuple(Allocation(location=k, units=n) for k, n in sorted(units.items()) if n),
        stock_version=command.stock_version, shipment_id=command.shipment_id,
    )  # fmt: skip
    return _with_plan(state, [taken], command.at)


def _answer(command: commands.RecordAnswer, state: Handover) -> Events:
    share = state.shares.get(command.shipment_id)
    if share is None or command.shipment_version <= state.answered.get(command.shipment_id, 0):
        return []
    recorded = events.HandoverRecorded(
        entity=command.entity, occurred_at=command.at, order_id=command.order_id,
        shipment_id=command.shipment_id, fact=command.fact, rows=command.rows,
        shipment_version=command.shipment_version,
    )  # fmt: skip
    return _with_plan(state, [recorded], command.at)


def _join(command: commands.JoinShipment, state: Handover) -> Events:
    share = state.shares.get(command.shipment_id)
    if share is not None and state.joins.get(share.location) == command.into:
        return []
    if command.into in state.shares:
        raise Refused("already-in-parcel", "The order has units in that parcel.")
    if share is None or share.late or not share.target or not share.requires_shipping:
        raise Refused("shipment-not-open", "The order has nothing open in this shipment.")
    assert state.taken is not None
    asked = events.ShipmentJoinRequested(
        entity=state.taken.entity, occurred_at=command.at, order_id=command.order_id,
        shipment_id=command.shipment_id, into=command.into, location=share.location,
        by=command.by,
    )  # fmt: skip
    stop = _restated(state, command.shipment_id, (), "joins-other-parcel", 1, command.at)
    return [asked, stop]


def _check(command: commands.CheckPlan, state: Handover) -> Events:
    """Name what still is in no parcel because nobody keeps units for it, unless it has a name."""
    taken = state.taken
    if taken is None or taken.revision != command.revision or taken.blocked is not None:
        return []
    if state.unplannable:
        return []
    return _unplannable(state, {"no-allocation": open_units(state)}, command.at)[:1]


def _with_plan(state: Handover, first: Events, at: int) -> Events:
    """Record a fact, then say again what is wanted of shipments, then plan what is in none."""
    after = reduce(evolve, first, state)
    if after.taken is None:
        return first
    restated = _restate(after, at)
    after = reduce(evolve, restated, after)
    planned = _plan_new(after, plan(after), at)
    return [*first, *restated, *planned, *_released(reduce(evolve, planned, after), at)]


def _released(state: Handover, at: int) -> Events:
    """Answer the order that wanted fewer units, once no parcel has to answer for them any more."""
    taken = state.taken
    if taken is None or not state.asked_back or too_many(state):
        return []
    held = quantities(row for share in state.shares.values() for row in share.held)
    return [
        events.FulfilmentReleased(
            entity=taken.entity, occurred_at=at, order_id=taken.order_id, revision=taken.revision,
            lines=tuple(LineQuantity(line_id=k, quantity=n) for k, n in sorted(held.items())),
        )
    ]  # fmt: skip


def _restate(state: Handover, at: int) -> Events:
    taken = state.taken
    assert taken is not None
    targets = {name: share.target for name, share in state.shares.items() if not share.late}
    reasons: dict[str, str] = {}
    here = mark(taken.customer)
    for name, share in state.shares.items():
        moved = share.requires_shipping and not same_place(share.contact, here)
        if name in targets and targets[name] and moved:
            targets[name], reasons[name] = (), "address-changed"
    fewer(state, targets, reasons)
    elsewhere(state, targets, reasons)
    crowded = too_many(state)
    found: Events = []
    for name, share in sorted(state.shares.items()):
        target = targets.get(name, share.target)
        reached = share.contact == here or not share.requires_shipping or share.late
        other = share.blocked != taken.blocked or not reached
        said = bool(target) and not share.settled and other
        # Where a person decides on an address, units that nobody wants are not waited for.
        moot = crowded and share.asked == "address-changed" and not share.late and not target
        if target != share.target or said or moot:
            reason = "not-wanted" if moot else reasons.get(name, "hold" if reached else "contact")
            found.append(_restated(state, name, target, reason, len(found) + 1, at))
    return found


def _plan_new(state: Handover, planned: Planned, at: int) -> Events:
    taken = state.taken
    assert taken is not None
    found: Events = []
    generation = state.generation
    for group, rows in sorted(planned.parcels.items()):
        generation += 1
        name = shipment_name(taken.order_id, group.location, generation)
        into = state.joins.get(group.location)
        if group.requires_shipping and into is not None and into not in state.shares:
            name = into
        share = Share(
            group.location, generation, group.requires_shipping, (), (), None, mark(taken.customer)
        )
        number = state.statement + len(found) + 1
        found.append(_statement(taken, name, share, tuple(rows), "planned", number, at))
    after = reduce(evolve, found, state)
    return [*found, *_unplannable(after, planned.left, at)]


def _unplannable(state: Handover, left: dict[str, dict[str, int]], at: int) -> Events:
    """Name the first reason why units stay behind; the others follow when it is settled."""
    taken = state.taken
    assert taken is not None
    for code, lines in sorted(left.items()):
        found = events.ShipmentUnplannable(
            entity=taken.entity, occurred_at=at, order_id=taken.order_id, code=code,
            lines=tuple(LineQuantity(line_id=k, quantity=n) for k, n in sorted(lines.items())),
            deadline=at + UNPLANNED, statement=state.statement + 1,
        )  # fmt: skip
        if lines:
            return [found] if fingerprint(found) != state.unplannable else []
    return []


def _restated(
    state: Handover, name: str, rows: tuple[Row, ...], reason: str, ahead: int, at: int
) -> events.HandoverPlanned:
    assert state.taken is not None
    share = state.shares[name]
    return _statement(state.taken, name, share, rows, reason, state.statement + ahead, at)


def _statement(
    taken: events.FulfilmentTaken, name: str, share: Share, rows: tuple[Row, ...], reason: str,
    number: int, at: int,
) -> events.HandoverPlanned:  # fmt: skip
    """Say what the order wants of a shipment; its value is its part of the order's, by units."""
    order = taken.order_id
    all_units = sum(line.quantity for line in taken.lines)
    mine = sum(row.quantity for row in rows)
    return events.HandoverPlanned(
        entity=taken.entity, occurred_at=at, order_id=order, account=taken.account,
        shipment_id=name, statement=number, location=share.location,
        rows=tuple(
            ShipmentRow(order_id=order, line_id=row.line_id, quantity=row.quantity) for row in rows
        ),
        units=tuple(
            ShipmentUnits(order_id=order, sku=sku, units=units)
            for sku, units in sorted(units_of(rows).items())
        ),
        requires_shipping=share.requires_shipping, blocked=taken.blocked, ship_by=taken.ship_by,
        deliver_by=taken.deliver_by, service_level=taken.service_level, customer=taken.customer,
        declared_value=taken.declared_value * mine // all_units if all_units else 0,
        currency=taken.currency, reason=reason, reference=taken.reference,
        parts=tuple(
            RowParts(
                line_id=row.line_id,
                parts=tuple(Component(sku=sku, units=units) for sku, units in row.parts),
            )
            for row in rows
        ),
    )  # fmt: skip


HANDOVER = Decider(
    category="handover", commands=commands.HandoverCommand, state=Handover, initial=Handover(),
    decide=decide, evolve=evolve, version=2,
)  # fmt: skip
