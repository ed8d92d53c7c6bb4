"""Answers requests to cancel units that fulfilment may have: only its word frees them.

Pure. It looks at what may be in parcels and what has left, so that it is the same whatever came
first: a parcel that stopped frees nothing while fulfilment may plan its units again.
"""

from libs.contracts import common, orders
from services.orders.commands import cancellation_id
from services.orders.demanding import cancel_units
from services.orders.progress import Stop
from services.orders.state import OrderState
from services.orders.story import Story
from services.orders.units import inside, leaving, spent


def cancellable(state: OrderState) -> tuple[dict[str, int], dict[str, int]]:
    """Return, by line, the units that can be cancelled at once and those that must be stopped."""
    held, gone = _wanted_of(state, inside(state)), _wanted_of(state, leaving(state))
    free: dict[str, int] = {}
    stoppable: dict[str, int] = {}
    for name, line in state.lines.items():
        asked = sum(stop.lines.get(name, 0) for stop in state.stops.values())
        free[name] = max(0, line.remaining - held.get(name, 0))
        left = line.remaining - gone.get(name, 0) - free[name] - asked
        stoppable[name] = max(0, left)
    return free, stoppable


def giving_up(state: OrderState) -> tuple[dict[str, int], dict[str, int]]:
    """Return, by line, units that are not confirmed: those to cancel at once, and those to ask for.

    Of an order of which a part is confirmed, what a parcel may have is first left to that part.
    """
    sure, (free, stoppable) = dict(state.confirmed or {}), cancellable(state)
    now: dict[str, int] = {}
    asked: dict[str, int] = {}
    for name, line in state.lines.items():
        wanted = line.remaining - sure.get(name, 0)
        if (units := min(wanted, free[name])) > 0:
            now[name] = units
        if state.confirmed is None and (rest := min(wanted - free[name], stoppable[name])) > 0:
            asked[name] = rest
    return now, asked


def give_up(
    story: Story, units: dict[str, int], asked: dict[str, int], by: common.Party, reason: str
) -> None:
    """Cancel what no parcel has, and ask for what one may have."""
    if units:
        cancel_units(story, units, by, reason, "decision")
    if asked:
        request = cancellation_id(story.state.order_id, str(story.at))
        story.tell(
            orders.CancellationRequested(
                **story.names(), request_id=request, lines=_rows(asked), by=by, reason=reason,
                answer_by=None,
            )
        )  # fmt: skip


def answer_stops(story: Story) -> None:
    """Grant what no parcel has or will take, refuse what has left, and let the rest wait."""
    for request, _ in sorted(story.state.stops.items()):
        stop = story.state.stops.get(request)
        granted, refused = _answer(story.state, stop) if stop is not None else ({}, {})
        names = story.names() | {"request_id": request}
        if granted:
            story.tell(orders.CancellationAccepted(**names, lines=_rows(granted)))
        if refused:
            gone = leaving(story.state)
            late = any(gone.get(name) for name in refused)
            reason = "too-late" if late else "already-cancelled"
            story.tell(orders.CancellationRefused(**names, lines=_rows(refused), reason=reason))
        if granted and stop is not None:
            cancel_units(story, granted, stop.by, stop.reason, "request")


def _answer(state: OrderState, stop: Stop) -> tuple[dict[str, int], dict[str, int]]:
    held, gone = _wanted_of(state, inside(state)), _wanted_of(state, leaving(state))
    granted: dict[str, int] = {}
    refused: dict[str, int] = {}
    for name, units in sorted(stop.lines.items()):
        line = state.lines.get(name)
        left = line.remaining if line is not None else 0
        now = min(units, max(0, left - held.get(name, 0)))
        still = min(units - now, max(0, left - now - gone.get(name, 0)))
        if now:
            granted[name] = now
        if units > now + still:
            refused[name] = units - now - still
    return granted, refused


def _wanted_of(state: OrderState, units: dict[str, int]) -> dict[str, int]:
    """Return units without those that left and stand for none that is still wanted."""
    back = spent(state)
    return {name: count - back.get(name, 0) for name, count in units.items()}


def _rows(units: dict[str, int]) -> tuple[common.LineQuantity, ...]:
    return tuple(
        common.LineQuantity(line_id=name, quantity=count) for name, count in sorted(units.items())
    )
