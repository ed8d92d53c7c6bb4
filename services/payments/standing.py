"""Says how far a payment is, what waits in it, for whom, and for how much money. Pure."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from libs.contracts import common
from libs.values.money import to_text
from services.payments.state import PAID_TWICE, VOUCHERS, PaymentState, Refund
from services.payments.stripe_money import TOO_FINE, step, takes
from services.payments.sums import (
    about_what,
    contradicted,
    held,
    lack,
    owed_by_hand,
    uncovered,
    unsettled,
)


class Wait(msgspec.Struct, frozen=True):
    """Something that waits: since when, for whom, until when, and the money at risk (minor units).

    `what` is authorisation, clearance, outcome, refund, dispute or disagreement; `subject` its id.
    """

    what: str
    subject: str
    reason: str
    owner: str
    next_action: str
    at_risk_minor: int
    since: int
    deadline: int | None


GIVEN_UP = "outcome-given-up"  # a call is not tried any more: a person says what became of it
# reason -> (owner, next action)
_NEXT: Mapping[str, tuple[str, str]] = {
    "payments-account-missing": ("operations", "name the channel's payments account, then retry"),
    "below-provider-minimum": ("operations", "settle: the provider charges no amount so small"),
    "no-payment-method": ("buyer", "pay; ask the buyer for a means of payment"),
    "no-mandate": ("buyer", "pay with a means given anew in the shop; or another way, then settle"),
    "buyer-authentication": ("buyer", "confirm the payment with the bank"),
    "authentication-required": ("buyer", "pay anew in the shop: the bank asks for the buyer"),
    "processing": ("provider", "wait for the provider's word"),
    "action-overdue": ("operations", "retry, or cancel the order"),
    "authorisation-expired": ("operations", "retry, or cancel the order"),
    "voided-outside": ("operations", "somebody voided it at the provider: retry or cancel"),
    "released": ("operations", "retry, or cancel the order"),
    "capture-failed": ("operations", "retry, or settle outside"),
    TOO_FINE: ("operations", "retry, or settle outside"),
    "channel-capture": ("operations", "capture the payment in the channel"),
    "channel-payment": ("channel", "wait until the channel has the money"),
    "one-parcel": ("fulfilment", "pack the rest: one capture is all there is"),
    "units-not-required": ("orders", "stop the units, or let the order want them"),
    "payment-unknown": ("orders", "wait until the order says what it costs"),
    "authorisation": ("provider", "wait for the authorisation"),
    "capture": ("provider", "wait for the capture"),
    "capture-in-doubt": ("provider", "wait until the outcome is found out"),
}
_DOUBT = {
    "policy": "wait: it is tried again and asked for",
    "overdue": "look it up at the provider, and adopt it where it was done",
    "person": "look it up at the provider, then adopt it or declare it absent",
}
_COMPARED = {PAID_TWICE: "it went back by hand and at the provider: claim one back, then settle"}
_DECLINED = ("buyer", "pay another way; then retry, or cancel the order")
_ACTION = frozenset({"no-payment-method", "no-mandate", "authentication-required"})
_DISPUTED = {"open": "dispute-open", "inquiry": "dispute-inquiry"}
_EXPIRED = frozenset({"authorisation-expired", "released"})


def standing(state: PaymentState) -> tuple[common.PaymentStanding, str]:
    """Return how far the payment is, and the code of what keeps it."""
    have, missing = held(state) > 0, lack(state)
    statuses = {one.status for one in state.intents.values()}
    if state.doubts:
        over = any(one.owner == "person" for one in state.doubts.values())
        return "in_doubt", GIVEN_UP if over else "outcome-unknown"
    words = {one.word for one in state.disputes.values()}
    for word, code in _DISPUTED.items():
        if word in words:
            return "disputed", code
    if state.halted and uncovered(state):
        return _halted(state.halted), state.halted
    if state.not_required == state.revision > 0:
        return "not_required", ""
    if have and missing:
        return "part_captured", ""
    if have:
        return "captured", ""
    if "action" in statuses:
        return "action_required", "buyer-authentication"
    if "authorised" in statuses:
        return "authorised", ""
    if any(one.status in {"made", "by-hand"} for one in state.refunds.values()):
        return "refunded", ""
    return ("voided", "") if "voided" in statuses else ("expected", "")


def _halted(reason: str) -> common.PaymentStanding:
    if reason in _ACTION:
        return "action_required"
    if reason in _EXPIRED:
        return "authorisation_expired"
    return "voided" if reason == "voided-outside" else "declined"


def in_doubt(state: PaymentState) -> int:
    """Return the money in calls whose outcome is unknown."""
    return sum(_at_stake(state, one.what, one.subject) for one in state.doubts.values())


def _at_stake(state: PaymentState, what: str, subject: str) -> int:
    if what in {"authorise", "void"}:
        intent = state.intents.get(subject)
        return intent.amount if intent is not None else 0
    one = state.captures.get(subject) if what == "capture" else state.refunds.get(subject)
    return one.amount if one is not None else 0


def waits(state: PaymentState, before: tuple[Wait, ...], at: int) -> tuple[Wait, ...]:
    """Return all that waits; what waited before for the same reason keeps its age."""
    known = {(one.what, one.subject, one.reason): one.since for one in before}
    due = {(one.what, one.subject, one.reason): one.deadline for one in before}
    found = []
    for one in _open(state, at):
        key = (one.what, one.subject, one.reason)
        deadline = due.get(key, one.deadline) if one.what == "authorisation" else one.deadline
        since = known.get(key, one.since)
        found.append(replace(one, since=since, deadline=deadline))
    return tuple(found)


def _open(state: PaymentState, at: int) -> Iterator[Wait]:
    person = at + 48 * 3_600_000_000
    for name, doubt in sorted(state.doubts.items()):
        owner = "provider" if doubt.owner == "policy" else "operations"
        action = _DOUBT.get(doubt.owner, _DOUBT["policy"])
        yield Wait("outcome", name, f"{doubt.what}-unknown", owner, action,
                   _at_stake(state, doubt.what, doubt.subject), doubt.since,
                   doubt.since + 24 * 3_600_000_000)  # fmt: skip
    if state.halted and (missing := uncovered(state)):
        owner, action = _next(state, state.halted)
        yield Wait("authorisation", state.order_id, state.halted, owner, action, missing, at,
                   person)  # fmt: skip
    for name, intent in sorted(state.intents.items()):
        if intent.status == "action":
            owner, action = _NEXT["buyer-authentication"]
            yield Wait("authorisation", name, "buyer-authentication", owner, action,
                       intent.amount, at, person)  # fmt: skip
    for name, parcel in sorted(state.parcels.items()):
        if not parcel.cleared and parcel.units:
            owner, action = _next(state, parcel.reason)
            yield Wait("clearance", name, parcel.reason, owner, action, parcel.share, at,
                       parcel.deadline)  # fmt: skip
    for name, refund in sorted(state.refunds.items()):
        owed = refund.status == "asked" and refund.executor != "us" and refund.amount
        if refund.status == "failed" or owed:
            reason, action = _back(state, refund)
            yield Wait("refund", name, reason, "operations", action, refund.amount, at,
                       person)  # fmt: skip
    for name, dispute in sorted(state.disputes.items()):
        if dispute.word in _DISPUTED:
            yield Wait("dispute", name, _DISPUTED[dispute.word], "operations",
                       "answer it at the provider", dispute.amount or held(state), at,
                       dispute.answer_by)  # fmt: skip
    if less := contradicted(state):
        yield Wait("disagreement", state.order_id, "channel-says-less", "operations",
                   "compare with the channel's books", less, at, person)  # fmt: skip
    for told in unsettled(state):
        code, reference, amount = about_what(told)
        yield Wait("disagreement", reference, code, "operations",
                   _COMPARED.get(code, "compare with the provider, then settle"), amount, at,
                   person)  # fmt: skip


def _next(state: PaymentState, reason: str) -> tuple[str, str]:
    """Return who has to do what about money that is to be set aside or captured."""
    if fine := _too_fine(state, reason):
        action = f"{_steps(fine, state.currency)}; change the order to such a price in its channel"
        return "operations", f"{action}, then retry; or take it another way, then settle"
    return _NEXT.get(reason, _DECLINED)


def _too_fine(state: PaymentState, reason: str) -> int:
    """Return what is, or was, to be taken and cannot be, for the provider knows no such fraction.

    0 where there is none: the order may have changed since.
    """
    asked: list[int] = []
    if reason == TOO_FINE:
        asked = [uncovered(state)]
    elif reason == "capture-failed":
        asked = [one.amount for one in state.captures.values() if one.status == "failed"]
    return max((one for one in asked if not takes(one, state.currency)), default=0)


def _steps(amount: int, currency: str) -> str:
    """Say what was to be moved, and what the provider moves."""
    asked, least = to_text(amount, currency), to_text(step(currency), currency)
    return f"{asked} {currency} cannot be sent: Stripe takes multiples of {least} {currency}"


def _back(state: PaymentState, one: Refund) -> tuple[str, str]:
    """Return why a refund waits for a person, and what is to be done."""
    if one.status == "failed" and not takes(one.amount, state.currency):
        least = step(state.currency)
        up = to_text(-(-one.amount // least) * least, state.currency)
        action = f"refund {up} {state.currency} in the provider's dashboard, or pay it back another"
        action += " way, then paid-back by its refund_id"
        return TOO_FINE, f"{_steps(one.amount, state.currency)}; {action}"
    if one.status == "failed":
        lost = {n: one for n, one in state.disputes.items() if one.word == "lost" and one.amount}
        for name, dispute in sorted(lost.items()):
            much = to_text(min(dispute.amount, one.amount), state.currency)
            text = f"paid-back by its refund_id, with {name} as reference: the buyer has {much}"
            return "refund-failed", f"{text} {state.currency} by the dispute that was lost"
        return "refund-failed", "retry; or pay it back another way, then paid-back by its refund_id"
    if not owed_by_hand(state, one):
        return "refund-at-channel", "refund it in the channel"
    voucher = VOUCHERS.get(state.captures[one.capture_id].holder, "unknown").replace("_", " ")
    where = "channel" if voucher == "unknown" else f"channel to the {voucher}"
    return "refund-at-channel", f"refund it in the {where}, then settle it by its refund_id"
