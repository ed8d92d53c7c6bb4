"""What must be remembered of a sale to post it, and how its history makes that. Pure.

A fact is applied, or pending until the order, its rate or its country is known.
"""

from typing import assert_never

import msgspec
from msgspec.structs import replace

from libs.contracts import accounting, common
from libs.values.money import split
from services.accounting.measure import NO_LINE, VOUCHERS, Facts, Quantities, measured

SaleEvent = (
    accounting.SaleRecorded
    | accounting.SaleNoted
    | accounting.EntryPosted
    | accounting.PostingHeld
    | accounting.PostingSettled
)
OF_ORDER = frozenset({"completed", "cancelled", "ended", "reopened"})
OF_UNITS = frozenset({"dispatched", "completed"})


class SaleState(msgspec.Struct, frozen=True):
    """A sale. `orders` and `payments`: how far those streams were seen; `held`: what -> its fact.

    `country` is the last one known, `rate` the first: all its entries are converted alike.
    """

    sale: accounting.SaleRecorded | None = None
    country: str = ""
    rate: str = ""
    rate_source: str = ""
    orders: int = 0
    payments: int = 0
    shipments: tuple[str, ...] = ()
    facts: Facts = Facts()
    pending: tuple[common.SaleFact, ...] = ()
    held: dict[str, str] = {}


def quantities(state: SaleState) -> Quantities:
    """Return what the sale comes to; nothing while that cannot be said in our own currency."""
    if state.sale is None or not state.rate:
        return {}
    return measured(state.sale, state.facts)


def known(state: SaleState, fact: common.SaleFact) -> bool:
    """Say whether the fact was taken before."""
    if fact.kind == "dispatched":
        return fact.reference in state.shipments
    return fact.source_version <= (state.orders if fact.kind in OF_ORDER else state.payments)


def blocked(state: SaleState, fact: common.SaleFact) -> str:
    """Return the code of why a fact cannot be posted yet, empty if it can."""
    if state.sale is None:
        return "order-unknown"
    if not state.rate:
        return "currency-unknown"
    if fact.currency and fact.currency != state.sale.currency:
        return "currency-differs"
    if fact.kind in OF_UNITS and not state.country:
        return "tax-country-unknown"
    return ""


def evolve(state: SaleState, event: SaleEvent) -> SaleState:
    """Fold one event."""
    match event:
        case accounting.EntryPosted(fact=posted):
            return state if posted is None else applied(seen(state, posted), posted)
        case accounting.SaleRecorded():
            return released(recorded(state, event))
        case accounting.SaleNoted(fact=fact):
            state = seen(state, fact)
            if not event.code:
                return applied(state, fact)
            return replace(state, pending=(*state.pending, fact))
        case accounting.PostingHeld():
            return replace(state, held=state.held | {_hold(event): event.source_event})
        case accounting.PostingSettled():
            return released(settled(state, event))
        case _:
            assert_never(event)


def recorded(state: SaleState, sale: accounting.SaleRecorded) -> SaleState:
    """Return the state with a version of the order, facts that wait left waiting."""
    rate, source = (state.rate, state.rate_source) if state.rate else (sale.rate, sale.rate_source)
    if state.facts.cancelled and state.sale is not None:
        facts = replace(state.facts, cancelled=_still_cancelled(state.sale, sale, state.facts))
        state = replace(state, facts=facts)
    return replace(
        state, sale=sale, orders=sale.source_version, rate=rate, rate_source=source,
        country=sale.country or state.country,
    )  # fmt: skip


def _still_cancelled(
    before: accounting.SaleRecorded, now: accounting.SaleRecorded, facts: Facts
) -> dict[str, int]:
    """Return the cancelled units that a version's quantities still count."""
    old = {line.line_id: line.quantity for line in before.lines}
    found = {}
    for line in now.lines:
        gone = facts.cancelled.get(line.line_id, 0)
        fewer = max(old.get(line.line_id, 0) - line.quantity, 0)
        found[line.line_id] = min(max(gone - fewer, 0), line.quantity)
    return {name: units for name, units in found.items() if units}


def settled(state: SaleState, event: accounting.PostingSettled) -> SaleState:
    """Return the state with what was missing, facts that wait left waiting."""
    held = {key: fact for key, fact in state.held.items() if key != _hold(event)}
    state = replace(state, held=held)
    match event.code:
        case "tax-country-unknown" if event.by != "policy":
            return replace(state, country=event.value)
        case "currency-unknown" if event.by != "policy":
            return replace(state, rate=event.value, rate_source=f"by {event.by}")
        case "currency-differs":
            left = tuple(one for one in state.pending if one.source_event != event.source_event)
            return replace(state, pending=left)
        case _:
            return state


def _hold(event: accounting.PostingHeld | accounting.PostingSettled) -> str:
    """Return the key of a hold: one per code, but facts in another currency wait each alone."""
    differs = event.code == "currency-differs"
    return f"{event.code}/{event.source_event}" if differs else event.code


def releasable(state: SaleState) -> tuple[common.SaleFact, ...]:
    """Return the facts that wait for nothing any more, in the order in which they came."""
    return tuple(fact for fact in state.pending if not blocked(state, fact))


def released(state: SaleState) -> SaleState:
    """Apply the facts that wait for nothing any more."""
    if not state.pending:
        return state
    left = tuple(fact for fact in state.pending if blocked(state, fact))
    for fact in releasable(state):
        state = applied(state, fact)
    return replace(state, pending=left)


def seen(state: SaleState, fact: common.SaleFact) -> SaleState:
    """Remember a fact by its stream's version, a parcel by its name."""
    if fact.kind == "dispatched":
        return replace(state, shipments=(*state.shipments, fact.reference))
    if fact.kind in OF_ORDER:
        return replace(state, orders=max(state.orders, fact.source_version))
    return replace(state, payments=max(state.payments, fact.source_version))


def applied(state: SaleState, fact: common.SaleFact) -> SaleState:
    """Add a fact to what the sale comes to."""
    return replace(state, facts=_added(state.facts, fact))


def _added(facts: Facts, fact: common.SaleFact) -> Facts:
    match fact.kind:
        case "captured" if fact.tender in VOUCHERS:
            return replace(facts, vouchers=_plus(facts.vouchers, fact.tender, fact.amount))
        case "captured":
            return replace(facts, captured=_plus(facts.captured, fact.holder, fact.amount))
        case "dispatched":
            shipped = facts.shipped
            for line in fact.lines:
                shipped = _plus(shipped, line.line_id, line.quantity)
            return replace(facts, shipped=shipped)
        case "completed":
            most = dict(facts.completed)
            for line in fact.lines:
                most[line.line_id] = max(most.get(line.line_id, 0), line.quantity)
            return replace(facts, completed=most)
        case "refunded":
            mine = _given_back(facts.refunds.get(fact.reference, {}), fact)
            facts = replace(facts, refunds=facts.refunds | {fact.reference: mine})
            if fact.tender in VOUCHERS:
                return replace(facts, restored=_plus(facts.restored, fact.tender, fact.amount))
            return replace(facts, refunded=_plus(facts.refunded, fact.holder, fact.amount))
        case "cancelled" | "ended" | "reopened":
            sign = -1 if fact.kind == "reopened" else 1
            gone = facts.cancelled
            for line in fact.lines:
                gone = _plus(gone, line.line_id, sign * line.quantity)
            ended = facts.ended if fact.kind == "cancelled" else fact.kind == "ended"
            return replace(facts, cancelled=gone, ended=ended)
        case "dispute_opened":
            return replace(facts, disputed=_plus(facts.disputed, fact.holder, fact.amount))
        case "dispute_won":
            return replace(facts, won=_plus(facts.won, fact.holder, fact.amount))
        case "dispute_lost":
            return replace(facts, lost=_plus(facts.lost, fact.holder, fact.amount))
        case "unknown":
            return facts
        case _:
            assert_never(fact.kind)


def _given_back(mine: dict[str, int], fact: common.SaleFact) -> dict[str, int]:
    """Return what a refund has given back of each line by now; what came back of it is of none."""
    if fact.amount < 0:
        gone = split(min(-fact.amount, sum(mine.values())), list(mine.values()))
        return {name: n - less for (name, n), less in zip(mine.items(), gone, strict=True)}
    told = fact.charges_amount + sum(line.amount for line in fact.lines)
    mine = _plus(mine, "", fact.charges_amount)
    for line in fact.lines:
        mine = _plus(mine, line.line_id, line.amount)
    return _plus(mine, NO_LINE, max(fact.amount - told, 0))


def _plus(sums: dict[str, int], key: str, amount: int) -> dict[str, int]:
    return sums | {key: sums.get(key, 0) + amount} if amount else sums
