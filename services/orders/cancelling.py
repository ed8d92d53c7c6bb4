"""Decides on cancellations: what a channel states as done, and what somebody asks for. Pure."""

from collections.abc import Mapping, Sequence

from libs.contracts import common, orders
from libs.eventsourcing.decider import Refused
from services.orders import commands
from services.orders.demanding import cancel_all, cancel_units
from services.orders.evolve import OrderEvent
from services.orders.settling import settle
from services.orders.state import OrderState
from services.orders.stopping import cancellable
from services.orders.story import Stated, Story
from services.orders.units import leaving, remaining
from services.orders.versions import number


def record_cancellation(
    command: commands.RecordCancellation, state: OrderState
) -> Sequence[OrderEvent]:
    """Take what the channel states; units that are cancelled already do not count twice.

    It is remembered even where nothing is left to cancel: an older version must not undo it.
    """
    version = number(command.version)
    if version < state.version or version <= state.cancel_version:
        return []
    story, stated = Story(state, command.at), Stated(command.occurred_at, command.version)
    if command.whole:
        cancel_all(story, command.by, command.reason, "channel", stated)
        return settle(story)
    ours = {line.external_line_id: name for name, line in state.lines.items()}
    wanted = ((ours.get(line.external_line_id), line.quantity) for line in command.lines)
    rows = [(name, count) for name, count in wanted if name is not None]
    units, _ = _grant(rows, remaining(state))
    cancel_units(story, units, command.by, command.reason, "channel", stated)
    return settle(story)


def request_cancellation(
    command: commands.RequestCancellation, state: OrderState
) -> Sequence[OrderEvent]:
    """Grant what fulfilment does not have, refuse what has left or is cancelled, ask for the rest.

    The answer for that comes when fulfilment has answered: it is stopped, or has left.
    Refused("order-not-found" | "line-not-found" | "nothing-to-cancel" | "cancellation-asked" |
    "cancellation-too-late") for a caller.
    """
    if command.request_id in state.requests or (command.external and not state.placed):
        return []
    if not state.placed:
        raise Refused("order-not-found", "There is no such order.")
    wanted = _wanted(command, state)
    free, stoppable = cancellable(state)
    granted, rest = _grant(wanted, free)
    stopping, refused = _grant(sorted(rest.items()), stoppable)
    if not granted and not stopping and not command.external:
        if any(leaving(state).get(name) for name in refused):
            raise Refused("cancellation-too-late", "These units have left; they can be returned.")
        if any(stop.lines.get(name) for stop in state.stops.values() for name in refused):
            raise Refused("cancellation-asked", "It is asked for; fulfilment answers.")
        raise Refused("nothing-to-cancel", "All of these units are cancelled already.")
    story = Story(state, command.at)
    _answer(story, command, wanted, granted, refused)
    if granted:
        cancel_units(story, granted, command.by, command.reason, "request")
    return settle(story)


def _wanted(command: commands.RequestCancellation, state: OrderState) -> list[tuple[str, int]]:
    left = remaining(state)
    if not command.lines:
        return sorted(left.items())
    ours = {line.external_line_id: name for name, line in state.lines.items()}
    found: list[tuple[str, int]] = []
    for line in command.lines:
        name = ours.get(line.line_id) if command.external else line.line_id
        if name is not None and name in state.lines:
            found.append((name, line.quantity or left.get(name, 0)))
        elif not command.external:
            raise Refused("line-not-found", "The order has no such line.", line_id=line.line_id)
    return found


def _grant(
    wanted: Sequence[tuple[str, int]], possible: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return, by line, what is possible of what is wanted and what is not."""
    left = dict(possible)
    granted: dict[str, int] = {}
    refused: dict[str, int] = {}
    for name, units in wanted:
        now = min(units, left.get(name, 0))
        if now:
            left[name] -= now
            granted[name] = granted.get(name, 0) + now
        if units > now:
            refused[name] = refused.get(name, 0) + units - now
    return granted, refused


def _answer(
    story: Story, command: commands.RequestCancellation, wanted: Sequence[tuple[str, int]],
    granted: dict[str, int], refused: dict[str, int],
) -> None:  # fmt: skip
    names = story.names() | {"request_id": command.request_id}
    requested = orders.CancellationRequested(
        **names, lines=_rows(wanted), by=command.by, reason=command.reason,
        answer_by=command.answer_by,
    )  # fmt: skip
    story.tell(requested)
    if granted:
        story.tell(orders.CancellationAccepted(**names, lines=_rows(sorted(granted.items()))))
    if refused or not wanted:
        late = any(leaving(story.state).get(name) for name in refused)
        reason = "already-cancelled" if wanted else "line-not-found"
        reason = "too-late" if late else reason
        rows = _rows(sorted(refused.items()))
        story.tell(orders.CancellationRefused(**names, lines=rows, reason=reason))


def _rows(units: Sequence[tuple[str, int]]) -> tuple[common.LineQuantity, ...]:
    return tuple(common.LineQuantity(line_id=name, quantity=count) for name, count in units)
