"""What accounting shows: balances, entries, stock at cost, what waits. Rebuilt by replay. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import accounting
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection

OURS = ("accounting",)
DAY = 86_400_000_000  # microseconds


class AccountRow(msgspec.Struct, frozen=True):
    """What an account was debited and credited, in one currency and in the company's own."""

    entity: str
    currency: str
    account: str
    dimension: str
    functional_currency: str = ""
    debits: int = 0
    credits: int = 0
    functional_debits: int = 0
    functional_credits: int = 0


class EntryRow(msgspec.Struct, frozen=True):
    """A journal entry; `lines` are account, dimension, debit, credit, and both in our currency."""

    entry_id: str
    entity: str
    kind: str
    reference: str
    order_id: str | None
    sku: str | None
    business_date: str
    tax_point: str | None
    currency: str
    functional_currency: str
    rate: str
    rate_source: str
    source_event: str
    source_type: str
    occurred_at: int
    amount: int
    lines: tuple[tuple[str, str, int, int, int, int], ...]


class StockValueRow(msgspec.Struct, frozen=True):
    """A company's units of a SKU at cost; `at_version` is that of inventory's stream."""

    entity: str
    sku: str
    units: int
    value: int
    currency: str
    average: str
    uncosted: int
    at_version: int


class QueueRow(msgspec.Struct, frozen=True):
    """What waits to be posted: why, since when, until when, how much, and who does what."""

    subject: str
    code: str
    source_event: str
    entity: str
    order_id: str | None
    sku: str | None
    owner: str
    next_action: str
    amount: int
    currency: str
    units: int
    since: int
    deadline: int


_NEXT: Mapping[str, tuple[str, str]] = {
    "order-unknown": ("operations", "wait for the order; if it does not come, ask its channel"),
    "tax-country-unknown": ("accounting", "say the country of delivery"),
    "currency-unknown": ("accounting", "say the rate, or the cost in the company's currency"),
    "currency-differs": ("accounting", "compare with the provider, then leave it out"),
    "cost-unknown": ("purchasing", "say what a unit cost"),
}


def _account_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    event = envelope.event
    if not isinstance(event, accounting.EntryPosted):
        return ()
    return tuple(
        dict.fromkeys(
            (event.entity, event.currency, line.account, line.dimension) for line in event.lines
        )
    )


def _account(row: AccountRow | None, key: Key, envelope: Envelope[Any]) -> AccountRow:
    event: accounting.EntryPosted = envelope.event
    entity, currency, account, dimension = map(str, key)
    row = row or AccountRow(entity, currency, account, dimension, event.functional_currency)
    for line in event.lines:
        if line.account == account and line.dimension == dimension:
            row = replace(
                row, debits=row.debits + line.debit, credits=row.credits + line.credit,
                functional_debits=row.functional_debits + line.functional_debit,
                functional_credits=row.functional_credits + line.functional_credit,
            )  # fmt: skip
    return row


def _entry_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    event = envelope.event
    return ((event.entry_id,),) if isinstance(event, accounting.EntryPosted) else ()


def _entry(row: EntryRow | None, key: Key, envelope: Envelope[Any]) -> EntryRow:
    del row, key
    event: accounting.EntryPosted = envelope.event
    return EntryRow(
        event.entry_id, event.entity, event.kind, event.reference, event.order_id, event.sku,
        event.business_date, event.tax_point, event.currency, event.functional_currency,
        event.rate, event.rate_source, event.source_event, event.source_type, event.occurred_at,
        sum(line.debit for line in event.lines),
        tuple(
            (one.account, one.dimension, one.debit, one.credit, one.functional_debit,
             one.functional_credit)
            for one in event.lines
        ),
    )  # fmt: skip


def _value_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    event = envelope.event
    return ((event.entity, event.sku),) if isinstance(event, accounting.StockValued) else ()


def _value(row: StockValueRow | None, key: Key, envelope: Envelope[Any]) -> StockValueRow:
    del row, key
    event: accounting.StockValued = envelope.event
    return StockValueRow(
        event.entity, event.sku, event.units, event.value, event.currency, event.average,
        event.uncosted, event.source_version,
    )  # fmt: skip


def _queue_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case accounting.SaleRecorded(order_id=order):
            return ((order, "order-unknown", ""),)
        case accounting.SaleNoted(code="order-unknown", order_id=order):
            return ((order, "order-unknown", ""),)
        case accounting.PostingHeld() | accounting.PostingSettled() as event:
            return ((event.order_id or event.sku or "", event.code, event.source_event),)
        case _:
            return ()


def _queue(row: QueueRow | None, key: Key, envelope: Envelope[Any]) -> QueueRow | None:
    subject, code, source = map(str, key)
    owner, following = _NEXT.get(code, ("accounting", "look into it"))
    match envelope.event:
        case accounting.SaleNoted(fact=fact) as event:
            if row is not None:
                return replace(row, amount=row.amount + fact.amount)
            return QueueRow(
                subject, code, source, event.entity, subject, None, owner, following, fact.amount,
                fact.currency, 0, envelope.at, envelope.at + DAY,
            )  # fmt: skip
        case accounting.PostingHeld() as event:
            return QueueRow(
                subject, code, source, event.entity, event.order_id, event.sku, owner, following,
                event.amount, event.currency, event.units, envelope.at, event.deadline,
            )  # fmt: skip
        case _:
            return None


ACCOUNTS = Projection(
    "accounts", 1, AccountRow, ("entity", "currency", "account", "dimension"), OURS,
    _account_keys, _account,
)  # fmt: skip
ENTRIES = Projection(
    "entries", 1, EntryRow, ("entry_id",), OURS, _entry_keys, _entry,
    indexes=(("order_id",), ("source_event",), ("sku",)), appends=True, by_stream=True,
)  # fmt: skip
STOCK_VALUES = Projection(
    "stock_values", 1, StockValueRow, ("entity", "sku"), OURS, _value_keys, _value,
    by_stream=True,
)  # fmt: skip
QUEUES = Projection(
    "posting_queues", 1, QueueRow, ("subject", "code", "source_event"), OURS, _queue_keys, _queue,
    undigested=("since", "deadline"),
)  # fmt: skip
