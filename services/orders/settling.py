"""What follows once something is known of an order: its holds, demand and outcome. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from libs.contracts import common, orders
from libs.values.ids import short
from services.orders.commands import DECIDE_WITHIN
from services.orders.evolve import OrderEvent, evolve
from services.orders.state import AUTOMATIC, OrderState, demand, remaining, shortages, value


class Stated(NamedTuple):
    """When a channel says that something happened, and by which version of the order."""

    occurred_at: int
    version: common.Version


class Story:
    """The events of one decision as they are told, and the state that they lead to.

    `at` is the time of the decision, microseconds.
    """

    def __init__(self, state: OrderState, at: int) -> None:
        self.state, self.at = state, at
        self.events: list[OrderEvent] = []

    def tell(self, event: OrderEvent) -> None:
        """Add what happened next."""
        self.events.append(event)
        self.state = evolve(self.state, event)

    def names(self, occurred_at: int | None = None) -> dict[str, Any]:
        """Return the fields that every event has."""
        at = self.at if occurred_at is None else occurred_at
        return {"entity": self.state.entity, "occurred_at": at, "order_id": self.state.order_id}


def settle(story: Story, *, again: bool = False) -> list[OrderEvent]:
    """Tell all that follows: what holds the order, what it needs, whether it is confirmed or waits.

    `again` states the demand anew even where it is the same.
    """
    state = story.state
    if state.placed and state.ended is None:
        _hold(story)
        require(story, again=again)
        _conclude(story)
    elif state.placed:
        require(story)
    return story.events


def hold_id(order_id: str, reason: str, subject: str) -> str:
    """Return the id of a hold, the same for the same cause."""
    return "hold_" + short(order_id, reason, subject)


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


def require(story: Story, *, again: bool = False) -> None:
    """State what the order needs from stock in all, where that is not what was stated last."""
    state = story.state
    wanted = {} if state.ended is not None else demand(state)
    stated = {sku: need.units for sku, need in sorted(state.needs.items()) if need.units}
    if not wanted and not stated:
        return
    kind: common.ReservationClass = "commitment" if state.committed else "hold"
    until = None if state.committed or state.ended is not None else expiry(state)
    same_class = not wanted or (kind, until) == (state.asked_class, state.asked_until)
    if wanted == stated and same_class and not again:
        return
    # A revision belongs to the version it comes with; any later question needs one of its own.
    fresh = bool(story.events) and isinstance(
        story.events[0], orders.OrderPlaced | orders.OrderAmended
    )
    revision = state.revision if fresh and state.asked < state.revision else state.revision + 1
    demands = [common.Demand(sku=sku, units=wanted.get(sku, 0)) for sku in sorted(wanted | stated)]
    story.tell(
        orders.StockRequired(
            **story.names(), revision=revision, account=state.account, demands=tuple(demands),
            reservation_class=kind, expires_at=until, priority=state.priority,
            placed_at=state.placed_at, decide_by=until or story.at + DECIDE_WITHIN,
        )
    )  # fmt: skip


def expiry(state: OrderState) -> int:
    """Return when an unpaid order's hold ends."""
    return state.decide_by if state.expires_at is None else state.expires_at


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
    if state.wait is not None and state.wait.reason == "decision-overdue":
        return
    reason = "payment" if state.commitment == "tentative" else "status-unknown"
    until = expiry(state)
    if state.wait is None or (state.wait.reason, state.wait.decide_by) != (reason, until):
        wait(story, reason, until, ())


def wait(
    story: Story, reason: str, decide_by: int | None, lacking: tuple[common.Demand, ...]
) -> None:
    """Tell that the order waits, and for how much money."""
    state = story.state
    sure = dict(state.confirmed or {}) if state.shortage == "split" else {}
    units = {name: n - sure.get(name, 0) for name, n in remaining(state).items()}
    at_risk = value(state, {name: n for name, n in units.items() if n})
    story.tell(
        orders.OrderWaits(
            **story.names(), reason=reason, shortages=lacking, decide_by=decide_by,
            value_minor=at_risk, currency=state.currency,
        )
    )  # fmt: skip


def _await_stock(story: Story, lacking: tuple[common.Demand, ...]) -> None:
    known = story.state.wait
    if known is None or known.reason not in {"out-of-stock", "decision-overdue"}:
        wait(story, "out-of-stock", story.at + DECIDE_WITHIN, lacking)


def _confirm(story: Story) -> None:
    state, units = story.state, remaining(story.state)
    if state.holds or (state.confirmed == units and state.confirmed_for == state.asked):
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
    """Return the units by line that what is reserved is enough for, one line after the other."""
    free = {sku: need.reserved for sku, need in state.needs.items()}
    found: dict[str, int] = {}
    for name, line in sorted(state.lines.items()):
        units = line.remaining
        parts = [part for part in line.components if part.units] if line.goods else []
        for part in parts:
            units = min(units, free.get(part.sku, 0) // part.units)
        if units:
            found[name] = units
            for part in parts:
                free[part.sku] -= units * part.units
    return found


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


def cancel_units(
    story: Story, units: Mapping[str, int], by: common.Party, reason: str, cause: str,
    stated: Stated | None = None,
) -> None:  # fmt: skip
    """Tell that these units are cancelled; where nothing is left, give all stock back."""
    left = remaining(story.state)
    whole = bool(units) and all(units.get(name, 0) >= count for name, count in left.items())
    _tell_cancelled(story, units, whole, by, reason, cause, stated)


def cancel_all(
    story: Story, by: common.Party, reason: str, cause: str, stated: Stated | None = None
) -> None:
    """Tell that all that is left is cancelled, and give its stock back.

    Of an order that has ended, it tells who ended it at last: nothing but this one brings it back.
    """
    _tell_cancelled(story, remaining(story.state), True, by, reason, cause, stated)


def _tell_cancelled(
    story: Story, units: Mapping[str, int], whole: bool, by: common.Party, reason: str, cause: str,
    stated: Stated | None,
) -> None:  # fmt: skip
    lines = tuple(common.LineQuantity(line_id=n, quantity=u) for n, u in sorted(units.items()))
    told = story.names() if stated is None else story.names(stated.occurred_at)
    story.tell(
        orders.OrderLinesCancelled(
            **told, lines=lines, whole=whole, by=by, reason=reason, cause=cause,
            version=None if stated is None else stated.version,
        )
    )  # fmt: skip
    if whole:
        require(story)
