"""When an order is complete, by which rule, and when it is not any more. Pure."""

from libs.contracts import common, orders
from services.orders.commands import DECIDE_WITHIN
from services.orders.paying import paid
from services.orders.state import OrderState
from services.orders.story import Story
from services.orders.units import delivered, shipped, spent, under_way

_RULES = ("scan", "untracked", "at-once", "channel")


def done(state: OrderState) -> bool:
    """Say whether each line is delivered, cancelled or refunded, and nothing waits or is under way.

    What we do not hand over ourselves is done when payments says that its money is there: the
    channel, the third party or the counter takes it when the goods change hands.
    """
    open_still = state.ended is not None or state.confirmed is None or state.wait is not None
    if open_still or state.pending or state.stops or state.concerns or state.holds:
        return False
    if state.payment.standing == "unknown":  # nothing ends before payments has said something
        return False
    arrived, going = delivered(state), under_way(state)
    gone, back = shipped(state), spent(state)
    for name, line in state.lines.items():
        units = line.remaining - line.refunded
        whole = line.remaining + line.resent + back.get(name, 0)
        if going.get(name) and arrived.get(name, 0) < whole:
            return False
        if back.get(name) and gone.get(name, 0) < whole:
            return False
        if units > 0 and line.ours and arrived.get(name, 0) < units:
            return False
        if units > 0 and not line.ours and not paid(state):
            return False
    return True


def complete(story: Story) -> None:
    """Tell that the order is complete, or that something has opened it again."""
    state, now = story.state, done(story.state)
    if now and not state.completed:
        lines = tuple(
            common.LineQuantity(line_id=name, quantity=units)
            for name, units in sorted(_arrived(state).items())
        )
        completed = orders.OrderCompleted(**story.names(), lines=lines, rule=_rule(state))
        story.tell(completed)
    elif state.completed and not now:
        reopened = orders.OrderReopened(
            **story.names(), lines=(), reason=_reason(state), decide_by=story.at + DECIDE_WITHIN
        )
        story.tell(reopened)


def _arrived(state: OrderState) -> dict[str, int]:
    found = delivered(state)
    for name, line in state.lines.items():
        if not line.ours and line.remaining > line.refunded:
            found[name] = line.remaining - line.refunded
    return found


def _rule(state: OrderState) -> str:
    rules = {one.rule for one in state.parcels.values() if one.status == "delivered"}
    if any(not line.ours and line.remaining for line in state.lines.values()):
        rules.add("channel")
    gone = any(line.cancelled or line.refunded for line in state.lines.values())
    return next((rule for rule in _RULES if rule in rules), "cancelled" if gone else "at-once")


def _reason(state: OrderState) -> str:
    if "payment-disputed" in state.concerns:
        return "disputed"
    return "late-scan" if state.concerns else "units-added"
