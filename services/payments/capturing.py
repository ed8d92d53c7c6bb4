"""Parcels and the money that they need: captured when packed, cleared when it is there. Pure.

Money is a pool: a parcel may go when what is ours covers all that has gone and itself. So it does
not matter from which authorisation, tender or channel it came.
"""

from collections.abc import Sequence
from typing import Any

from immutables import Map

from libs.contracts import common, payments
from services.payments.commands import PERSON_WITHIN, capture_id
from services.payments.state import VOUCHERS, Intent, Parcel, PaymentState
from services.payments.story import Story
from services.payments.sums import (
    all_packed,
    asked,
    cost,
    forgiven,
    held,
    lack,
    minimum,
    together,
    unstated,
)


def clear(story: Story) -> None:
    """Look at each parcel that waits: clear it, capture for it, or say why it waits on."""
    for name in _in_turn(story.state):
        _look(story, name)
    _owed(story)


def _in_turn(state: PaymentState) -> list[str]:
    """Return the parcels that wait; those whose own capture is made come first."""
    paid = {one.shipment_id for one in state.captures.values() if one.status == "made"}
    waiting = (name for name, one in state.parcels.items() if not one.cleared and one.units)
    return sorted(waiting, key=lambda name: (name not in paid, name))


def _own(state: PaymentState, name: str) -> bool:
    """Say whether a capture for this parcel is under way."""
    return any(one.shipment_id == name and one.status == "asked" for one in state.captures.values())


def _look(story: Story, name: str) -> None:
    state, parcel = story.state, story.state.parcels[name]
    gone = [one for one in state.parcels.values() if one.cleared]
    share = cost(state, [*gone, parcel]) - cost(state, gone)
    if unstated(state, [*gone, parcel]):
        _delay(story, name, share, "units-not-required")
    elif state.later or held(state) >= cost(state, [*gone, parcel]) - forgiven(state):
        _cleared(story, name, share, _basis(state, share))
    elif state.custody != "us":
        there = state.custody == "channel_captures_at_our_order"
        _delay(story, name, share, "channel-capture" if there else "channel-payment")
    elif _own(state, name):
        _in_flight(story, name, share)
    else:
        _capture_for(story, name, share)


def _in_flight(story: Story, name: str, share: int) -> None:
    """Wait for a capture; in doubt, a small enough parcel goes at the account's own risk."""
    state = story.state
    doubted = {one.subject for one in state.doubts.values() if one.what == "capture"}
    mine = {key for key, one in state.captures.items() if one.shipment_id == name}
    if not doubted & mine:
        _delay(story, name, share, "capture")
    elif share <= state.accept_risk:
        _cleared(story, name, share, "risk_accepted")
    else:
        _delay(story, name, share, "capture-in-doubt")


def _capture_for(story: Story, name: str, share: int) -> None:
    state = story.state
    parcel = state.parcels[name]
    before = [
        one
        for key, one in state.parcels.items()
        if key != name and (one.cleared or _own(state, key))
    ]
    due = cost(state, [*before, parcel]) - state.waived - held(state) - asked(state)
    usable = _usable(state)
    there = sum(one.amount - one.captured for _, one in usable)
    single = any(one.single for _, one in usable)
    if due <= 0:
        _delay(story, name, share, "capture")
    elif state.halted == "capture-failed":
        _delay(story, name, share, state.halted)
    elif there < due:
        _delay(story, name, share, state.halted or "authorisation")
    elif single and state.second_parcel == "one_parcel" and not all_packed(state):
        _delay(story, name, share, "one-parcel")
    else:
        amount = _captured_now(state, due, there, single=single)
        _ask(story, name, amount, "parcel" if amount == due else "all", before, usable)
        _delay(story, name, share, "capture")


def _captured_now(state: PaymentState, due: int, there: int, *, single: bool) -> int:
    """Return what to capture where so much is due: all, where the rest would be released."""
    rest, least = lack(state) - due, minimum(state.currency)
    whole = single and (
        state.second_parcel != "capture_then_reauthorise" or due < least or 0 < rest < least
    )
    return min(there, lack(state)) if whole and rest > 0 else due


def _owed(story: Story) -> None:
    """Capture for parcels that may go already and whose money has gone back, or never came."""
    state = story.state
    gone = [one for one in state.parcels.values() if one.cleared]
    due = cost(state, gone) - state.waived - held(state) - asked(state)
    if state.custody != "us" or state.later or state.halted == "capture-failed":
        return
    usable = _usable(state)
    there = sum(one.amount - one.captured for _, one in usable)
    if 0 < due <= there:
        single = any(one.single for _, one in usable)
        amount = _captured_now(state, due, there, single=single)
        _ask(story, None, amount, "owed", [], usable)


def _usable(state: PaymentState) -> list[tuple[str, Intent]]:
    """Return the authorisations that can be captured; those that end first come first."""
    found = [
        (name, one)
        for name, one in state.intents.items()
        if one.status == "authorised" and not one.outside and one.amount > one.captured
        and not (one.single and one.captured)
    ]  # fmt: skip
    return sorted(
        found, key=lambda item: (item[1].capture_before or item[1].decide_by or 2**62, item[0])
    )


def _ask(
    story: Story, name: str | None, amount: int, reason: str, before: Sequence[Parcel],
    usable: Sequence[tuple[str, Intent]],
) -> None:  # fmt: skip
    """Ask for captures that come to this amount, from the first of these authorisations on."""
    state = story.state
    parcels = [state.parcels[name]] if name is not None and reason == "parcel" else []
    lines, charges = _shares(state, before, parcels, amount)
    left = amount
    for intent_id, intent in usable:
        part = min(left, intent.amount - intent.captured)
        if part <= 0:
            break
        left -= part
        final = intent.single or lack(state) <= amount
        story.tell(
            payments.PaymentCaptureRequested(
                **story.names(), intent_id=intent_id,
                capture_id=capture_id(state.order_id, len(story.state.captures) + 1),
                shipment_id=name, amount=part, currency=state.currency,
                lines=lines if part == amount else (),
                charges_amount=charges if part == amount else 0,
                final=final, reason=reason, provider_intent=intent.provider_intent,
                holder=intent.holder,
            )
        )  # fmt: skip


def capture_all(story: Story, reason: str, *, only: str | None = None) -> bool:
    """Ask for everything that is due and set aside, before parcels are packed; False if nothing."""
    state = story.state
    usable = [(name, one) for name, one in _usable(state) if only in {None, name}]
    amount = min(sum(one.amount - one.captured for _, one in usable), lack(state))
    if amount <= 0:
        return False
    gone = [one for one in state.parcels.values() if one.cleared]
    _ask(story, None, amount, reason, gone, usable)
    return True


def _shares(
    state: PaymentState, before: Sequence[Parcel], parcels: Sequence[Parcel], amount: int
) -> tuple[tuple[common.LineAmount, ...], int]:
    """Return what a capture is for, by line, and the rest of it: charges, and what rounds."""
    packed = together(before)
    units = together(parcels) or {
        line: n - packed.get(line, 0) for line, (n, _) in state.lines.items()
    }
    lines = tuple(
        common.LineAmount(
            line_id=line, quantity=n, amount=_line(state, packed.get(line, 0), line, n)
        )
        for line, n in sorted(units.items())
        if n > 0 and line in state.lines
    )
    rest = amount - sum(one.amount for one in lines)
    return (lines, rest) if rest >= 0 else ((), amount)


def _line(state: PaymentState, before: int, line: str, units: int) -> int:
    quantity, amount = state.lines[line]
    return amount * (before + units) // quantity - amount * before // quantity


def _basis(state: PaymentState, share: int) -> common.ClearanceBasis:
    if state.later:
        return "on_account" if state.funds == "on_account" else "on_delivery"
    real = any(
        one.status == "made" and one.holder not in VOUCHERS for one in state.captures.values()
    )
    if share == 0 or not real:
        return "not_required"
    return "captured" if state.custody == "us" else "channel_captured"


def _lines(units: Map[str, int]) -> tuple[common.LineAmount, ...]:
    return tuple(
        common.LineAmount(line_id=line, quantity=n, amount=0) for line, n in sorted(units.items())
    )


def _cleared(story: Story, name: str, share: int, basis: common.ClearanceBasis) -> None:
    state = story.state
    mine = sorted(key for key, one in state.captures.items() if one.shipment_id == name)
    story.tell(
        payments.ShipmentCleared(
            **story.names(), shipment_id=name, basis=basis, amount=share,
            currency=state.currency, capture_id=mine[0] if mine else None,
            lines=_lines(state.parcels[name].units),
        )
    )  # fmt: skip


def _delay(story: Story, name: str, share: int, reason: str) -> None:
    state, parcel = story.state, story.state.parcels[name]
    if (parcel.reason, parcel.share) != (reason, share):
        delay(story.tell, story.names(), name, parcel.units, share, reason,
              state.currency, parcel.deadline or story.at + PERSON_WITHIN)  # fmt: skip


def delay(
    tell: Any, names: dict[str, Any], name: str, units: Map[str, int], share: int, reason: str,
    currency: str, deadline: int,
) -> None:  # fmt: skip
    """Tell why a parcel waits for money."""
    tell(
        payments.ClearanceDelayed(
            **names, shipment_id=name, reason=reason, amount=share, currency=currency,
            deadline=deadline, lines=_lines(units),
        )
    )  # fmt: skip
