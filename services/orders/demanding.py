"""States what an order needs from stock, waits for, and gives up. Pure."""

from collections.abc import Mapping

from libs.contracts import common, orders
from services.orders.commands import DECIDE_WITHIN
from services.orders.state import OrderState, reference
from services.orders.story import Stated, Story
from services.orders.units import by_sku, demand, inside, remaining, value


def require(story: Story, *, again: bool = False) -> None:
    """State what the order needs from stock in all, where that is not what was stated last."""
    state = story.state
    wanted = _wanted(state)
    stated = {sku: need.units for sku, need in sorted(state.needs.items()) if need.units}
    if not wanted and not stated:
        return
    # What may be in a parcel is given back by fulfilment's answer, and by no hold's end.
    bound = state.committed or any(inside(state).values())
    kind: common.ReservationClass = "commitment" if bound else "hold"
    until = None if bound or state.ended is not None else expiry(state)
    if again and until is not None and until <= story.at:  # nothing is held until a time gone by
        until = story.at + DECIDE_WITHIN
    if state.ended is not None and wanted:
        kind, until = state.asked_class, state.asked_until
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


def _wanted(state: OrderState) -> dict[str, int]:
    """Return the demand; units that fulfilment may have are kept, but never asked anew."""
    wanted = {} if state.ended is not None else demand(state)
    for sku, units in by_sku(state, inside(state)).items():
        need = state.needs.get(sku)
        kept = min(units, need.units if need else 0)
        if kept > wanted.get(sku, 0):
            wanted[sku] = kept
    return dict(sorted(wanted.items()))


def wait(
    story: Story, reason: str, decide_by: int | None, lacking: tuple[common.Demand, ...]
) -> None:
    """Tell that the order waits, and for how much money."""
    state = story.state
    story.tell(
        orders.OrderWaits(
            **story.names(), reason=reason, shortages=lacking, decide_by=decide_by,
            value_minor=at_risk(state), currency=state.currency,
        )
    )  # fmt: skip


def at_risk(state: OrderState) -> int:
    """Return the money that waits: of a split order, that of units that are not confirmed."""
    sure = dict(state.confirmed or {}) if state.shortage == "split" else {}
    units = {name: n - sure.get(name, 0) for name, n in remaining(state).items()}
    return value(state, {name: n for name, n in units.items() if n})


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
            version=None if stated is None else stated.version, reference=reference(story.state),
        )
    )  # fmt: skip
    if whole:
        require(story)
