"""What a fact of a sale posts. Pure; a repeated command yields no event.

An entry is the difference between what the sale came to before and after: facts may come in any
order, and what they come to is the same.
"""

import re
from collections.abc import Sequence
from functools import reduce
from typing import assert_never

from msgspec.structs import replace

from libs.contracts import accounting, common
from libs.eventsourcing.decider import Decider, Refused
from services.accounting import commands
from services.accounting.entries import Source, entries
from services.accounting.measure import delivered
from services.accounting.sale import (
    SaleEvent,
    SaleState,
    applied,
    blocked,
    evolve,
    known,
    quantities,
    recorded,
    releasable,
    settled,
)

DECIDE_WITHIN = 2 * 86_400_000_000  # microseconds: how long a posting may wait for a person
_VALUES = {
    "tax-country-unknown": re.compile(r"[A-Z]{2}"),
    "currency-unknown": re.compile(r"(?=.*[1-9])\d{1,9}(\.\d{1,12})?", re.ASCII),
    "currency-differs": re.compile(r""),
}


def decide(command: commands.SaleCommand, state: SaleState) -> Sequence[SaleEvent]:
    """Return what happens; nothing where the command was done before."""
    match command:
        case commands.RecordFact():
            return _fact(command, state)
        case commands.RecordSale():
            return _sale(command, state)
        case commands.SettlePosting():
            return _settle(command, state)
        case _:
            assert_never(command)


def _sale(command: commands.RecordSale, state: SaleState) -> Sequence[SaleEvent]:
    sale = command.sale
    if sale.source_version <= state.orders:
        return []
    if state.sale is not None and sale.currency != state.sale.currency:
        raise Refused("currency-differs", "An order's currency changed after it was recorded.")
    now = recorded(state, sale)
    found: list[SaleEvent] = [sale]
    found += [
        _settled(state, command.at, code=code, value=value)
        for code, value in (("tax-country-unknown", sale.country), ("currency-unknown", now.rate))
        if code in state.held and value
    ]
    source = replace(
        _source(now, sale.order_id), event=sale.source_event, type=command.source_type,
        occurred_at=sale.occurred_at, business_date=command.business_date,
    )  # fmt: skip
    found += entries(quantities(state), quantities(now), source) if now.rate else []
    found += _caught_up(now)
    return [*found, *_holds(reduce(evolve, found, state), command.at)]


def _caught_up(state: SaleState) -> list[SaleEvent]:
    """Post the facts that wait for nothing any more, each with its own source and day."""
    found: list[SaleEvent] = []
    for fact in releasable(state):
        after = applied(state, fact)
        found += entries(quantities(state), quantities(after), _of(fact, state))
        state = after
    return found


def _fact(command: commands.RecordFact, state: SaleState) -> Sequence[SaleEvent]:
    fact = command.fact
    if known(state, fact) or _empty(state, fact):
        return []
    if code := blocked(state, fact):
        noted = _noted(command, code)
        waits = evolve(state, noted)
        return [noted, *(_holds(waits, command.at) if state.sale is not None else ())]
    after = applied(state, fact)
    posted = entries(quantities(state), quantities(after), _of(fact, state))
    if not posted:
        return [_noted(command, "")]
    return [replace(posted[0], fact=fact), *posted[1:]]


def _empty(state: SaleState, fact: common.SaleFact) -> bool:
    """Say whether a fact can never move anything, now or later: what it says has been posted."""
    if fact.kind != "completed":
        return fact.kind == "unknown"
    gone = delivered(state.facts)
    return all(line.quantity <= gone.get(line.line_id, 0) for line in fact.lines)


def _holds(state: SaleState, at: int) -> list[SaleEvent]:
    """Name what waits for a person and is not named yet."""
    sale = state.sale
    assert sale is not None
    found: dict[str, SaleEvent] = {}
    if not state.rate:
        risk = (sale.total, sale.currency)
        found["currency-unknown"] = _held(state, "currency-unknown", sale.source_event, risk, at)
    for fact in state.pending:
        code = blocked(state, fact)
        each = f"{code}/{fact.source_event}" if code == "currency-differs" else code
        risk = (fact.amount, fact.currency) if fact.currency else (sale.total, sale.currency)
        found.setdefault(each, _held(state, code, fact.source_event, risk, at))
    return [event for each, event in found.items() if each not in state.held]


def _settle(command: commands.SettlePosting, state: SaleState) -> Sequence[SaleEvent]:
    differs = command.code == "currency-differs"
    key = f"{command.code}/{command.source_event}" if differs else command.code
    held = state.held.get(key)
    if held is None or state.sale is None:
        raise Refused("posting-not-held", "Nothing of this order waits for that.")
    if not _VALUES[command.code].fullmatch(command.value):
        raise Refused("value-not-possible", "A country is two letters, a rate a decimal number.")
    event = replace(
        _settled(state, command.at, code=command.code, value=command.value),
        source_event=held, by=command.by,
    )  # fmt: skip
    now = settled(state, event)
    begun: list[SaleEvent] = [event]
    if command.code == "currency-unknown":
        first = replace(
            _source(now, command.order_id), event=state.sale.source_event, type="PostingSettled",
            occurred_at=command.at, business_date=command.business_date,
        )  # fmt: skip
        begun += entries(quantities(state), quantities(now), first)
    begun += _caught_up(now)
    return [*begun, *_holds(reduce(evolve, begun, state), command.at)]


def _of(fact: common.SaleFact, state: SaleState) -> Source:
    return replace(
        _source(state, fact.reference), event=fact.source_event, type=fact.source_type,
        occurred_at=fact.occurred_at, business_date=fact.business_date,
    )  # fmt: skip


def _source(state: SaleState, reference: str) -> Source:
    sale = state.sale
    assert sale is not None
    return Source(
        sale.entity, sale.order_id, None, reference, sale.currency, sale.functional_currency,
        state.rate, state.rate_source, sale.source_event, "", sale.occurred_at, "",
    )  # fmt: skip


def _noted(command: commands.RecordFact, code: str) -> accounting.SaleNoted:
    return accounting.SaleNoted(
        entity=command.entity, occurred_at=command.fact.occurred_at, order_id=command.order_id,
        code=code, fact=command.fact,
    )  # fmt: skip


def _held(
    state: SaleState, code: str, source_event: str, risk: tuple[int, str], at: int
) -> accounting.PostingHeld:
    sale = state.sale
    assert sale is not None
    amount, currency = risk
    return accounting.PostingHeld(
        entity=sale.entity, occurred_at=at, order_id=sale.order_id, sku=None, code=code,
        source_event=source_event, amount=amount, currency=currency,
        deadline=at + DECIDE_WITHIN, kind="unknown", units=0,
    )  # fmt: skip


def _settled(state: SaleState, at: int, *, code: str, value: str) -> accounting.PostingSettled:
    sale = state.sale
    assert sale is not None
    return accounting.PostingSettled(
        entity=sale.entity, occurred_at=at, order_id=sale.order_id, sku=None, code=code,
        source_event=state.held.get(code, ""), value=value, by="policy",
    )  # fmt: skip


SALE: Decider[commands.SaleCommand, SaleState, SaleEvent] = Decider(
    category="sale", commands=commands.SaleCommand, state=SaleState, initial=SaleState(),
    decide=decide, evolve=evolve, version=2,
)  # fmt: skip
