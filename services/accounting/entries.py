"""Journal entries out of quantities that have changed, by the posting table. Pure.

Every entry balances, in its currency and in the company's own; nothing here rounds what is owed.
"""

from collections.abc import Mapping

import msgspec

from libs.contracts import accounting, common
from libs.values.ids import derive
from services.accounting import chart
from services.accounting.company import converted
from services.accounting.measure import Quantities
from services.accounting.posting import BY_QUANTITY, CUSTOMER, KINDS

Legs = dict[tuple[str, str], int]  # (account, dimension) -> minor units, debits positive


class Source(msgspec.Struct, frozen=True):
    """What an entry comes from: the fact, and how its amounts are read."""

    entity: str
    order_id: str | None
    sku: str | None
    reference: str
    currency: str
    functional: str
    rate: str
    rate_source: str
    event: str
    type: str
    occurred_at: int
    business_date: str


def entries(before: Quantities, after: Quantities, source: Source) -> list[accounting.EntryPosted]:
    """Return the entries, one per kind, that lead from one state of affairs to the next."""
    changes: dict[common.EntryKind, list[tuple[str, str, int]]] = {}
    for key in after.keys() | before.keys():
        if change := after.get(key, 0) - before.get(key, 0):
            kind = BY_QUANTITY[key[0]].kind
            changes.setdefault(kind, []).append((*key, change))
    if not changes:
        return []
    foreign = source.rate != "1" or source.currency != source.functional
    balances = _balances(before) if foreign else {}
    customer = _customer(before)
    found: list[accounting.EntryPosted] = []
    for kind in KINDS:
        if kind in changes:
            legs, credited = _legs(changes[kind])
            _customer_legs(legs, customer, credited)
            customer += credited
            lines = _foreign(legs, balances, source) if foreign else _lines(legs)
            if lines:
                found.append(entry(kind, lines, source))
    return found


def _legs(changes: list[tuple[str, str, int]]) -> tuple[Legs, int]:
    """Return the legs of a kind, and by how much it credits the customer."""
    legs: Legs = {}
    credited = 0
    for name, dimension, amount in sorted(changes):
        row = BY_QUANTITY[name]
        for account, signed in ((row.debit, amount), (row.credit, -amount)):
            if account == CUSTOMER:
                credited -= signed
            else:
                key = (account, dimension if chart.BY_NUMBER[account].dimension else "")
                legs[key] = legs.get(key, 0) + signed
    return legs, credited


def _customer(quantities: Quantities) -> int:
    """Return what the customer has with us (positive) or owes us."""
    balance = 0
    for (name, _), amount in quantities.items():
        row = BY_QUANTITY[name]
        balance += amount * ((row.credit == CUSTOMER) - (row.debit == CUSTOMER))
    return balance


def _customer_legs(legs: Legs, before: int, credited: int) -> None:
    """Take deposits while there are any, then a receivable; pay the receivable first."""
    after = before + credited
    legs[chart.DEPOSITS, ""] = max(0, before) - max(0, after)
    legs[chart.RECEIVABLE, ""] = max(0, -after) - max(0, -before)


def _balances(quantities: Quantities) -> Legs:
    legs, _ = _legs([(*key, amount) for key, amount in quantities.items()])
    _customer_legs(legs, 0, _customer(quantities))
    return legs


def _lines(legs: Legs) -> tuple[common.EntryLine, ...]:
    return tuple(line(key, amount, amount) for key, amount in sorted(legs.items()) if amount)


def _foreign(legs: Legs, balances: Legs, source: Source) -> tuple[common.EntryLine, ...]:
    """Convert balances, not amounts: the sum of a sale's entries is then the same in any order."""
    found: list[common.EntryLine] = []
    left = 0
    for key, amount in sorted(legs.items()):
        if amount:
            old = balances.get(key, 0)
            balances[key] = old + amount
            own = _own(old + amount, source) - _own(old, source)
            left -= own
            found.append(line(key, amount, own))
    if left:
        found.append(line((chart.EXCHANGE, ""), 0, left))
    return tuple(found)


def _own(amount: int, source: Source) -> int:
    return converted(amount, source.rate, source.currency, source.functional)


def line(key: tuple[str, str], amount: int, own: int) -> common.EntryLine:
    """Return one side of an entry; debits are positive."""
    return common.EntryLine(
        account=key[0], debit=max(amount, 0), credit=max(-amount, 0),
        functional_debit=max(own, 0), functional_credit=max(-own, 0), dimension=key[1],
    )  # fmt: skip


def entry(
    kind: common.EntryKind, lines: tuple[common.EntryLine, ...], source: Source
) -> accounting.EntryPosted:
    """Return an entry; its id is that of its source and kind, so that a repeat makes it again."""
    taxed = kind in ("dispatch_revenue", "gift_card_sold")
    subject = source.order_id or source.sku or ""
    return accounting.EntryPosted(
        entity=source.entity, occurred_at=source.occurred_at,
        entry_id=derive("entry", source.entity, subject, source.event, kind), kind=kind,
        reference=source.reference, order_id=source.order_id, sku=source.sku,
        business_date=source.business_date, tax_point=source.business_date if taxed else None,
        currency=source.currency, functional_currency=source.functional, rate=source.rate,
        rate_source=source.rate_source, source_event=source.event, source_type=source.type,
        lines=lines, fact=None,
    )  # fmt: skip


def two_sided(
    quantity: str, amount: int, own: int, sku: str, source: Source
) -> list[accounting.EntryPosted]:
    """Return the entry of a SKU's quantity; none for nothing."""
    if not amount and not own:
        return []
    row = BY_QUANTITY[quantity]
    sides: Mapping[str, int] = {row.debit: 1, row.credit: -1}
    lines = tuple(
        line(
            (account, sku if chart.BY_NUMBER[account].dimension else ""), sign * amount, sign * own
        )
        for account, sign in sorted(sides.items())
    )
    return [entry(row.kind, lines, source)]
