"""Decides on cancellations: what a channel states as done, and what somebody asks for. Pure."""

from collections.abc import Sequence

from libs.contracts import common, orders
from libs.eventsourcing.decider import Refused
from services.orders import commands
from services.orders.evolve import OrderEvent
from services.orders.settling import Stated, Story, cancel_all, cancel_units, settle
from services.orders.state import OrderState, remaining
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
    units, _ = _grant(state, [(name, count) for name, count in wanted if name is not None])
    cancel_units(story, units, command.by, command.reason, "channel", stated)
    return settle(story)


def request_cancellation(
    command: commands.RequestCancellation, state: OrderState
) -> Sequence[OrderEvent]:
    """Grant what is left of what is asked for; nothing is shipped yet, so nothing is too late.

    Refused("order-not-found" | "line-not-found" | "nothing-to-cancel") for a caller.
    """
    if command.request_id in state.requests or (command.external and not state.placed):
        return []
    if not state.placed:
        raise Refused("order-not-found", "There is no such order.")
    wanted = _wanted(command, state)
    granted, refused = _grant(state, wanted)
    if not granted and not command.external:
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
    state: OrderState, wanted: Sequence[tuple[str, int]]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return, by line, what can be cancelled of what is wanted and what cannot."""
    left = dict(remaining(state))
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
    if refused or not granted:
        reason = "already-cancelled" if wanted else "line-not-found"
        rows = _rows(sorted(refused.items()))
        story.tell(orders.CancellationRefused(**names, lines=rows, reason=reason))


def _rows(units: Sequence[tuple[str, int]]) -> tuple[common.LineQuantity, ...]:
    return tuple(common.LineQuantity(line_id=name, quantity=count) for name, count in units)
