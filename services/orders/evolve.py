"""Folds an order's own events into what its decisions need. Validates nothing, raises nothing."""

from immutables import Map
from msgspec.structs import replace

from libs.contracts import common, orders
from services.orders.folding import LaterEvent, concerned, fold
from services.orders.state import (
    AUTOMATIC,
    BEFORE,
    SHORTAGE,
    Ended,
    Hold,
    Link,
    Need,
    OrderState,
    Wait,
)
from services.orders.units import remaining, shortages
from services.orders.versions import at_version, early, number

_REMEMBERED = 64  # settled holds; a repeat that old comes no more

OrderEvent = (
    orders.OrderPlaced
    | orders.OrderAmended
    | orders.OrderFundsRecorded
    | orders.OrderLineResolved
    | orders.StockRequired
    | orders.OrderStockRecorded
    | orders.OrderHeld
    | orders.OrderReleased
    | orders.OrderWaits
    | orders.OrderConfirmed
    | orders.OrderLineBackordered
    | orders.OrderLinesCancelled
    | orders.OrderReopened
    | orders.ShortfallSettled
    | LaterEvent
)


def evolve(state: OrderState, event: OrderEvent) -> OrderState:
    """Fold one event."""
    match event:
        case orders.OrderStockRecorded():
            return _answered(state, event)
        case orders.OrderPlaced():
            placed = replace(
                state, order_id=event.order_id, entity=event.entity, decide_by=event.decide_by
            )
            return _version(placed, event.order, event.revision)
        case orders.StockRequired():
            return _asked(state, event)
        case orders.OrderConfirmed():
            return _confirmed(state, event)
        case orders.OrderAmended():
            return _version(state, event.order, event.revision)
        case orders.OrderWaits(reason=reason):
            if reason not in BEFORE:
                return concerned(state, event)
            void = reason in SHORTAGE and state.shortage != "split"
            confirmed = None if void else state.confirmed
            decide_by = event.decide_by or state.decide_by
            found = Wait(reason, event.decide_by, event.value_minor)
            return replace(state, wait=found, decide_by=decide_by, confirmed=confirmed)
        case orders.OrderFundsRecorded():
            known = state.custody if event.custody == "unknown" else event.custody
            return replace(
                state, funds=event.funds, funds_version=number(event.version), custody=known,
                received=event.received, refunded=event.refunded,
            )  # fmt: skip
        case orders.OrderLinesCancelled():
            return _cancelled(state, event)
        case orders.OrderLineResolved():
            return _resolved(state, event)
        case orders.OrderLineBackordered(line_id=name, quantity=units):
            line = replace(state.lines[name], backordered=units)
            return replace(state, lines=state.lines.set(name, line))
        case orders.OrderHeld(hold_id=hold_id):
            hold = Hold(event.reason, event.lines, event.blocks)
            return replace(state, holds=state.holds.set(hold_id, hold))
        case orders.OrderReleased(hold_id=hold_id):
            held, cause_gone = state.holds[hold_id], event.by == "policy"
            again = cause_gone and held.reason in AUTOMATIC
            waived = state.waived if again else (*state.waived, hold_id)[-_REMEMBERED:]
            return replace(state, holds=state.holds.delete(hold_id), waived=waived)
        case orders.OrderReopened():
            return _reopened(state, event)
        case orders.ShortfallSettled():
            return state
        case _:
            return fold(state, event)


def _version(state: OrderState, order: common.Order, revision: int) -> OrderState:
    version = number(order.version)
    newer_funds = version >= state.funds_version
    moved = replace(
        state, account=order.account, external_id=order.external_id,
        currency=order.currency, placed_at=order.placed_at,
        version=version, commitment=order.commitment,
        funds=order.funds if newer_funds else state.funds,
        funds_version=max(version, state.funds_version), shortage=order.shortage,
        priority=order.priority, country=order.customer.ship_to_country,
        total=order.totals.total, rounding=order.totals.rounding, expires_at=order.expires_at,
        lines=at_version(state, order), links=early(state.links, order), revision=revision,
        provider=order.provider, tenders=order.tenders, customer=order.customer,
        custody=order.custody if newer_funds else state.custody, ship_by=order.ship_by,
        received=order.received if newer_funds else state.received,
        refunded=order.refunded if newer_funds else state.refunded,
        deliver_by=order.deliver_by, service_level=order.service_level,
    )  # fmt: skip
    return _capped(moved)


def _capped(state: OrderState) -> OrderState:
    """Let no more units be confirmed than are wanted."""
    if state.confirmed is None:
        return state
    left = remaining(state)
    kept = {n: min(units, left[n]) for n, units in state.confirmed.items() if n in left}
    return replace(state, confirmed=Map(kept))


def _asked(state: OrderState, event: orders.StockRequired) -> OrderState:
    needs = state.needs
    for wanted in event.demands:
        known = needs.get(wanted.sku, Need(0))
        needs = needs.set(wanted.sku, replace(known, units=wanted.units))
    over = state.wait is not None and (
        state.wait.reason in SHORTAGE or event.reservation_class == "commitment"
    )
    held = event.reservation_class == "hold" and state.ended is None
    renewed = held and state.expires_at is not None
    return replace(
        state, revision=event.revision, asked=event.revision, needs=needs,
        expires_at=event.expires_at if renewed else state.expires_at,
        asked_class=event.reservation_class, asked_until=event.expires_at,
        decide_by=event.decide_by, wait=None if over else state.wait,
    )  # fmt: skip


def _answered(state: OrderState, event: orders.OrderStockRecorded) -> OrderState:
    need = replace(
        state.needs[event.sku], answered=event.revision, reserved=event.reserved,
        short=event.short, seen=event.stock_version,
    )  # fmt: skip
    state = replace(state, needs=state.needs.set(event.sku, need))
    waits = state.wait is not None and state.wait.reason in SHORTAGE
    over = waits and not state.pending and not shortages(state)
    return replace(state, wait=None) if over else state


def _confirmed(state: OrderState, event: orders.OrderConfirmed) -> OrderState:
    confirmed = Map({line.line_id: line.quantity for line in event.lines})
    lines = state.lines
    if not event.partial:
        lines = Map({name: replace(line, backordered=0) for name, line in lines.items()})
    return replace(
        state, confirmed=confirmed, confirmed_for=state.asked, once_confirmed=True, lines=lines,
        wait=state.wait if event.partial else None,
    )  # fmt: skip


def _cancelled(state: OrderState, event: orders.OrderLinesCancelled) -> OrderState:
    lines = state.lines
    for gone in event.lines:
        line = lines[gone.line_id]
        line = replace(line, cancelled=line.cancelled + gone.quantity)
        lines = lines.set(gone.line_id, replace(line, backordered=0))
    version = state.cancel_version if event.version is None else number(event.version)
    state = _capped(replace(state, lines=lines, cancel_version=version))
    if not event.whole:
        return state
    taken = state.ended.lines if state.ended is not None else Map()
    for gone in event.lines:
        taken = taken.set(gone.line_id, taken.get(gone.line_id, 0) + gone.quantity)
    ended = Ended(event.reason, event.cause, taken)
    return replace(state, ended=ended, wait=None, confirmed=None, completed=False)


def _resolved(state: OrderState, event: orders.OrderLineResolved) -> OrderState:
    line = state.lines.get(event.line_id)
    if line is None:
        link = Link(event.sku, event.units_per_listing, event.components)
        return replace(state, links=state.links.set(event.line_id, link))
    line = replace(
        line, sku=event.sku, units_per_listing=event.units_per_listing,
        components=event.components,
    )  # fmt: skip
    return replace(state, lines=state.lines.set(event.line_id, line))


def _reopened(state: OrderState, event: orders.OrderReopened) -> OrderState:
    if state.completed:
        return replace(state, completed=False)
    lines = state.lines
    for back in event.lines:
        line = lines[back.line_id]
        lines = lines.set(
            back.line_id, replace(line, cancelled=max(line.cancelled - back.quantity, 0))
        )
    return replace(state, lines=lines, ended=None, wait=None, decide_by=event.decide_by)
