"""What follows once something is known of an order: its holds, demand, outcome and way. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from libs.contracts import common, orders
from services.orders.billing import bill
from services.orders.commands import DECIDE_WITHIN, hold_id
from services.orders.completing import complete
from services.orders.demanding import at_risk, cancel_all, expiry, require, wait
from services.orders.evolve import OrderEvent
from services.orders.paying import redeemed, refunded_hold, taken
from services.orders.requesting import request
from services.orders.shipping import given_away
from services.orders.state import AUTOMATIC, REFUNDED, SHORTAGE, OrderState, Wait
from services.orders.stopping import answer_stops
from services.orders.story import Story
from services.orders.units import inside, remaining, shipped, shortages, spent
from services.orders.worrying import worry


def settle(story: Story, *, again: bool = False) -> list[OrderEvent]:
    """Tell all that follows: what holds the order, what it needs, whether it is confirmed or waits.

    `again` states the demand anew even where it is the same.
    """
    if not story.state.placed:
        return story.events
    answer_stops(story)
    if story.state.ended is None:
        _hold(story)
        require(story, again=again)
        _conclude(story)
    else:
        require(story)
    return follow(story)


def follow(story: Story) -> list[OrderEvent]:
    """Tell what the outcome means for its money, its parcels, its queues and its end."""
    state = story.state
    confirmed = state.once_confirmed or state.parcels or state.bill is not None
    if confirmed or taken(state) or (state.ended is not None and redeemed(state)):
        bill(story)
        request(story)
        worry(story)
        complete(story)
    return story.events


def _causes(state: OrderState) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the holds that the order as it is now calls for: id to reason and lines."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    if abs(state.rounding) > max(len(state.lines), 1):
        name = hold_id(state.order_id, "totals-disagree", str(state.rounding))
        found[name] = ("totals-disagree", ())
    live = {name: line for name, line in sorted(state.lines.items()) if line.remaining}
    if not state.country and any(line.shipping for line in live.values()):
        name = hold_id(state.order_id, "tax-country-unknown", "")
        found[name] = ("tax-country-unknown", ())
    for line_id, line in live.items():
        if line.goods and line.sku is None:
            name = hold_id(state.order_id, "unlinked-listing", line_id)
            found[name] = ("unlinked-listing", (line_id,))
    if given_away(state):
        found[refunded_hold(state)] = (REFUNDED, ())
    return found


def _hold(story: Story) -> None:
    causes = _causes(story.state)
    for name, hold in sorted(story.state.holds.items()):
        if hold.reason in AUTOMATIC and name not in causes:
            released = orders.OrderReleased(
                **story.names(), hold_id=name, reason="cause-gone", by="policy"
            )
            story.tell(released)
    for name, (reason, lines) in causes.items():
        if name not in story.state.holds and name not in story.state.waived:
            held = orders.OrderHeld(
                **story.names(), hold_id=name, reason=reason, by="policy", lines=lines,
                until=None, blocks="both", note="",
            )  # fmt: skip
            story.tell(held)


def _conclude(story: Story) -> None:
    """Tell whether the order waits or is confirmed, unless that is known already."""
    state = story.state
    if not state.committed:
        _await_payment(story)
    elif not state.pending:
        lacking = shortages(state)
        if not lacking:
            _confirm(story)
        elif state.shortage == "cancel" and not state.once_confirmed:
            cancel_all(story, "policy", "out-of-stock", "policy")
        elif state.shortage == "split":
            _split(story)
            _await_stock(story, lacking)
        else:
            _await_stock(story, lacking)


def _await_payment(story: Story) -> None:
    state = story.state
    reason = "payment" if state.commitment == "tentative" else "status-unknown"
    found = Wait(reason, expiry(state), at_risk(state))
    if state.wait is not None and state.wait.reason == "decision-overdue":
        found = replace(state.wait, value=found.value)
    if state.wait != found:
        wait(story, found.reason, found.decide_by, ())


def _await_stock(story: Story, lacking: tuple[common.Demand, ...]) -> None:
    known = story.state.wait
    if known is None or known.reason not in SHORTAGE:
        wait(story, "out-of-stock", story.at + DECIDE_WITHIN, lacking)
    elif known.value != at_risk(story.state):
        wait(story, known.reason, known.decide_by, lacking)


def _confirm(story: Story) -> None:
    state, units = story.state, remaining(story.state)
    known = state.confirmed == units and state.confirmed_for == state.asked
    if state.holds or (known and state.wait is None):
        return
    _tell_confirmed(story, units, partial=False)


def _tell_confirmed(story: Story, units: Mapping[str, int], *, partial: bool) -> None:
    lines = tuple(common.LineQuantity(line_id=n, quantity=u) for n, u in sorted(units.items()))
    story.tell(
        orders.OrderConfirmed(
            **story.names(), revision=story.state.revision, lines=lines, partial=partial
        )
    )


def ready(state: OrderState) -> dict[str, int]:
    """Return the units by line that what is reserved is enough for, one line after the other.

    A unit that has left, or that a parcel may have, is its line's; the others share the rest.
    """
    # What is not missing is reserved or has left already.
    free = {sku: need.units - need.short for sku, need in state.needs.items() if need.units}
    found: dict[str, int] = {}
    left, back = remaining(state), spent(state)
    whole = {name: units + back.get(name, 0) for name, units in left.items()}
    # Of a line that others hand over by now, only what has left, or may, takes our stock.
    for claims, ours in ((shipped(state), True), (inside(state), True), (whole, False)):
        for name, line in sorted(state.lines.items()):
            units = claims.get(name, 0) - found.get(name, 0)
            stocked = line.goods or ours
            parts = [part for part in line.components if part.units] if stocked else []
            for part in parts:
                units = min(units, free.get(part.sku, 0) // part.units)
            if units > 0:
                found[name] = found.get(name, 0) + units
                for part in parts:
                    free[part.sku] -= units * part.units
    sure = {name: units - back.get(name, 0) for name, units in found.items() if name in left}
    return {name: min(units, left[name]) for name, units in sure.items() if units > 0}


def _split(story: Story) -> None:
    """Confirm what is whole and put the rest off; a held order confirms nothing more."""
    state = story.state
    units = ready(state)
    before = dict(state.confirmed or {})
    if state.holds:
        units = {n: min(u, before[n]) for n, u in units.items() if n in before}
    if not units and not before:
        return
    if units != before or state.confirmed_for != state.asked:
        _tell_confirmed(story, units, partial=True)
    for name, line in sorted(state.lines.items()):
        rest = line.remaining - units.get(name, 0)
        if rest and rest != line.backordered:
            backordered = orders.OrderLineBackordered(
                **story.names(), line_id=name, quantity=rest, promised_at=None,
                cause="out-of-stock",
            )  # fmt: skip
            story.tell(backordered)
