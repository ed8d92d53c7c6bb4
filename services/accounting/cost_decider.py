"""What units that come and go post at cost. Pure; a repeated command yields no event."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import assert_never

from msgspec.structs import replace

from libs.contracts import accounting
from libs.eventsourcing.decider import Decider, Refused
from libs.values.money import exponent, round_half_up
from services.accounting import commands, costing
from services.accounting.costing import Held, Value, evolve
from services.accounting.entries import Source, two_sided

DECIDE_WITHIN = 2 * 86_400_000_000  # microseconds
MANY = 500  # receipts of one SKU that may wait for their cost: more would make its state large
_COST = re.compile(r"\d{1,12}(\.\d{1,6})?")

CostEvent = (
    accounting.EntryPosted
    | accounting.StockValued
    | accounting.PostingHeld
    | accounting.PostingSettled
)


def decide(command: commands.CostCommand, stock: Value) -> Sequence[CostEvent]:
    """Return what happens; nothing where the command was done before."""
    match command:
        case commands.MoveValue():
            return _move(command, stock) if command.source_version > stock.seen else []
        case commands.SettleCost():
            return _settle(command, stock)
        case _:
            assert_never(command)


def _move(command: commands.MoveValue, stock: Value) -> list[CostEvent]:
    stock = replace(stock, seen=command.source_version)
    source = _source(command)
    if command.units < 0:
        after, cost = costing.issue(stock, -command.units)
        quantity = "shipped" if command.kind == "dispatch_cost" else "lost"
        posted = two_sided(quantity, cost, cost, command.sku, source)
        return [*posted, _valued(command, after)]
    if command.kind == "goods_received":
        return _receive(command, stock, source)
    after, worth = costing.find(stock, command.units)
    found: list[CostEvent] = [*two_sided("found", worth, worth, command.sku, source)]
    if not stock.known:
        after, held = _held(command, after, worth, "cost-unknown")
        found += held
    return [*found, _valued(command, after)]


def _receive(command: commands.MoveValue, stock: Value, source: Source) -> list[CostEvent]:
    cost, found, own = command.cost, list[CostEvent](), source
    was_known, total = stock.known, None
    if cost is not None:
        total = cost.functional
        own = replace(source, currency=cost.currency, rate=cost.rate, rate_source=cost.rate_source)
        stock, found = _first_known(command, stock, total)
    after, worth, correction = costing.receive(stock, command.units, total)
    amount = cost.amount if cost is not None else worth
    found += two_sided("received", amount, worth, command.sku, own)
    found += two_sided("corrected", correction, correction, command.sku, source)
    if cost is None and (not was_known or command.code != "cost-unknown"):
        after, held = _held(command, after, worth, command.code)
        found += held
    return [*found, _valued(command, after)]


def _held(
    command: commands.MoveValue, stock: Value, worth: int, code: str
) -> tuple[Value, list[CostEvent]]:
    if len(stock.held) >= MANY:
        raise Refused("too-many-uncosted", "Say what earlier receipts cost; then redrive this one.")
    event = accounting.PostingHeld(
        entity=command.entity, occurred_at=command.at, order_id=None, sku=command.sku, code=code,
        source_event=command.source_event, amount=worth, currency=command.currency,
        deadline=command.at + DECIDE_WITHIN, kind=command.kind, units=command.units,
    )  # fmt: skip
    return evolve(stock, event), [event]


def _first_known(
    command: commands.MoveValue, stock: Value, total: int
) -> tuple[Value, list[CostEvent]]:
    """Let units that came in when no cost was known cost what the first ones with a cost do."""
    found: list[CostEvent] = []
    for event, held in list(stock.held.items()):
        if held.code == "cost-unknown":
            cost = total * held.units // command.units
            source = replace(_source(command), event=event)
            stock, posted = _told(stock, event, held, cost, source)
            said = f"{total}/{command.units}"
            found += [*posted, _settled(command, event, held, said, "policy")]
    return stock, found


def _told(
    stock: Value, event: str, held: Held, total: int, source: Source
) -> tuple[Value, list[CostEvent]]:
    stock, more, gone = costing.tell(stock, held, total)
    left = {key: one for key, one in stock.held.items() if key != event}
    received = held.kind == "goods_received"
    own = replace(source, event=f"{event}/cost")
    sku = source.sku or ""
    posted = [
        *two_sided("received" if received else "found", more, more, sku, own),
        *two_sided("corrected", gone, gone, sku, own),
    ]
    return replace(stock, held=left), [*posted]


def _settle(command: commands.SettleCost, stock: Value) -> list[CostEvent]:
    held = stock.held.get(command.source_event)
    if held is None:
        raise Refused("posting-not-held", "No units of this item wait for a cost by that name.")
    if not _COST.fullmatch(command.unit_cost):
        raise Refused("value-not-possible", "A unit cost is a decimal number.")
    shift = exponent(command.currency)
    total = round_half_up((Decimal(command.unit_cost) * held.units).scaleb(shift))
    source = _source(command)
    after, posted = _told(stock, command.source_event, held, total, source)
    settled = _settled(command, command.source_event, held, command.unit_cost, command.by)
    return [*posted, settled, _valued(command, after)]


def _source(command: commands.CostCommand) -> Source:
    own = (command.currency, command.currency, "1", "own-currency", command.source_event)
    match command:
        case commands.MoveValue():
            return Source(
                command.entity, command.order_id, command.sku, command.reference, *own,
                command.source_type, command.occurred_at, command.business_date,
            )  # fmt: skip
        case commands.SettleCost():
            return Source(
                command.entity, None, command.sku, command.sku, *own, "PostingSettled", command.at,
                command.business_date,
            )  # fmt: skip
        case _:
            assert_never(command)


def _settled(
    command: commands.CostCommand, event: str, held: Held, value: str, by: str
) -> accounting.PostingSettled:
    return accounting.PostingSettled(
        entity=command.entity, occurred_at=command.at, order_id=None, sku=command.sku,
        code=held.code, source_event=event, value=value, by=by,
    )  # fmt: skip


def _valued(command: commands.CostCommand, stock: Value) -> accounting.StockValued:
    average = ""
    if stock.known:
        each = Decimal(stock.cost_value) / stock.cost_units
        average = str(each.scaleb(-exponent(command.currency)).quantize(Decimal("0.000001")))
    return accounting.StockValued(
        entity=command.entity, occurred_at=command.at, sku=command.sku, units=stock.units,
        value=stock.value, currency=command.currency, average=average,
        cost_value=stock.cost_value, cost_units=stock.cost_units, uncosted=stock.uncosted,
        cause=command.source_type if isinstance(command, commands.MoveValue) else "PostingSettled",
        source_event=command.source_event, source_version=stock.seen,
    )  # fmt: skip


COST: Decider[commands.CostCommand, Value, CostEvent] = Decider(
    category="cost", commands=commands.CostCommand, state=Value, initial=Value(),
    decide=decide, evolve=evolve, version=2,
)  # fmt: skip
