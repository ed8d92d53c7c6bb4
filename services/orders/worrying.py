"""Which queues a confirmed order stands in: each has a reason, a deadline and money at risk. Pure.

What an order worries about is read off its state, so that no order of facts can leave it in a queue
that it has no reason to stand in.
"""

from collections.abc import Mapping
from typing import NamedTuple

from libs.contracts import common, orders
from services.orders.commands import DECIDE_WITHIN
from services.orders.destinations import astray
from services.orders.paying import covered
from services.orders.progress import TROUBLE, Concern
from services.orders.shipping import unpaid, wanted
from services.orders.state import OrderState
from services.orders.story import Story
from services.orders.units import packed, too_late, twice, value

_UNPAID = {
    "declined": "payment-declined",
    "action_required": "payment-action",
    "authorisation_expired": "authorisation-expired",
    "voided": "authorisation-expired",
}
_ALWAYS = {"in_doubt": "payment-in-doubt", "disputed": "payment-disputed"}


class Worry(NamedTuple):
    """Until when a queue is to be settled (None: as usual), and the money at risk, minor units."""

    deadline: int | None
    value: int


def worries(state: OrderState) -> dict[str, Worry]:
    """Return the queues that the order belongs in now, by reason."""
    found = _of_money(state)
    if state.stops:
        units: dict[str, int] = {}
        for stop in state.stops.values():
            for name, count in stop.lines.items():
                units[name] = units.get(name, 0) + count
        times = [stop.answer_by for stop in state.stops.values() if stop.answer_by is not None]
        found["cancellation-asked"] = Worry(min(times, default=None), _value(state, units))
    found |= _of_parcels(state)
    over = {n: count for n, count in too_late(state).items()
            if count > state.late_accepted.get(n, 0)}  # fmt: skip
    if over:
        found["edit-too-late"] = Worry(None, _value(state, over))
    again = {n: count for n, count in twice(state).items()
             if count > state.twice_accepted.get(n, 0)}  # fmt: skip
    if again:
        found["delivered-twice"] = Worry(None, _value(state, again))
    if elsewhere := astray(state):
        worth = sum(_value(state, parcel.lines) for parcel in elsewhere.values())
        found["address-too-late"] = Worry(None, worth)
    return found


def _of_money(state: OrderState) -> dict[str, Worry]:
    bill, payment = state.bill, state.payment
    if bill is None:
        return {}
    found: dict[str, Worry] = {}
    left = max(0, bill.due - payment.authorised - payment.captured)
    reason = _UNPAID.get(payment.standing)
    if reason is not None and bill.amount and not covered(state):
        found[reason] = Worry(payment.deadline, left)
    if payment.standing in _ALWAYS:
        found[_ALWAYS[payment.standing]] = Worry(payment.deadline, max(bill.due, payment.captured))
    if "payment-overdue" in state.concerns and unpaid(state):
        found["payment-overdue"] = Worry(None, left)
    return found


def _of_parcels(state: OrderState) -> dict[str, Worry]:
    risks: dict[str, int] = {}
    for _, parcel in sorted(state.parcels.items()):
        reason = TROUBLE.get(parcel.status, "")
        if parcel.status == "unplannable":
            inside, asked = packed(state), wanted(state)
            open_still = any(inside.get(n, 0) < asked.get(n, 0) for n in parcel.lines)
            reason = "unplannable" if open_still else ""
        elif reason and parcel.settled == "claim":
            reason = "carrier-claim"
        elif parcel.settled:
            reason = ""
        if reason:
            risks[reason] = risks.get(reason, 0) + _value(state, parcel.lines)
    return {reason: Worry(None, risk) for reason, risk in risks.items()}


def _value(state: OrderState, units: Mapping[str, int]) -> int:
    return max(0, value(state, {n: count for n, count in units.items() if n in state.lines}))


def worry(story: Story) -> None:
    """Tell which queues the order has entered, with what money and until when, and which left."""
    _tell_too_late(story)
    now, known = worries(story.state), story.state.concerns
    for reason in sorted(known):
        if reason not in now:
            story.tell(orders.OrderWaitOver(**story.names(), reason=reason))
    for reason, found in sorted(now.items()):
        old = known.get(reason)
        if old is None:
            until = found.deadline or story.deadline or story.at + DECIDE_WITHIN
            enter(story, reason, until, found.value)
        elif (again := Concern(_sooner(old, found), found.value)) != old:
            enter(story, reason, again.decide_by, again.value)


def _sooner(known: Concern, found: Worry) -> int | None:
    """Return the deadline of a queue that has one; what comes to it may be due before the first."""
    if known.decide_by is None or found.deadline is None:
        return known.decide_by
    return min(known.decide_by, found.deadline)


def enter(story: Story, reason: str, decide_by: int | None, value_minor: int) -> None:
    """Tell that the order stands in a queue."""
    story.tell(
        orders.OrderWaits(
            **story.names(), reason=reason, shortages=(), decide_by=decide_by,
            value_minor=value_minor, currency=story.state.currency,
        )
    )  # fmt: skip


def overdue(story: Story) -> None:
    """Let deadlines that have come pass: what is not paid is a queue, what was one has no more."""
    state = story.state
    bill = state.bill
    late = bill is not None and bill.decide_by <= story.at and unpaid(state)
    if bill is not None and late and "payment-overdue" not in state.concerns:
        left = max(0, bill.due - state.payment.authorised - state.payment.captured)
        enter(story, "payment-overdue", None, left)
    now = worries(story.state)
    for reason, concern in sorted(state.concerns.items()):
        if concern.decide_by is not None and concern.decide_by <= story.at and reason in now:
            enter(story, reason, None, now[reason].value)


def _tell_too_late(story: Story) -> None:
    """Tell once which units have left that a change or a cancellation does not want any more."""
    state, over = story.state, too_late(story.state)
    if any(units > state.late.get(name, 0) for name, units in over.items()):
        lines = tuple(common.LineQuantity(line_id=n, quantity=u) for n, u in over.items())
        reason = "cancelled" if state.ended is not None else "fewer-units"
        story.tell(orders.OrderEditTooLate(**story.names(), lines=lines, reason=reason))
