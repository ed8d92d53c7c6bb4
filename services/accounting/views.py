"""What callers of accounting see: shapes at the edge. Decides nothing."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from libs.eventsourcing.projection import Key
from libs.web.texts import By
from services.accounting import chart
from services.accounting.read_model import EntryRow, QueueRow, StockValueRow

Sums = Mapping[Key, tuple[int, ...]]


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class BalanceOut(_View):
    """An account's sums; `balance` is debits less credits, minor units."""

    account: str
    name: str
    nature: str
    dimension: str | None
    debits: int
    credits: int
    balance: int
    functional_balance: int


class TrialBalanceOut(_View):
    """A company's accounts in one currency; debits equal credits, or a promise is broken."""

    entity: str
    currency: str
    functional_currency: str
    debits: int
    credits: int
    functional_debits: int
    functional_credits: int
    balanced: bool
    accounts: tuple[BalanceOut, ...]


class TrialBalances(_View):
    """One trial balance per company and currency."""

    trial_balances: tuple[TrialBalanceOut, ...]


class LineOut(_View):
    """One side of an entry, minor units of the entry's currency and of the company's own."""

    account: str
    name: str
    dimension: str
    debit: int
    credit: int
    functional_debit: int
    functional_credit: int


class EntryOut(_View):
    """A journal entry and the fact that it comes from."""

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
    source: str = Field(description="Id of the event behind it.")
    source_type: str
    occurred_at: int
    lines: tuple[LineOut, ...]


class EntryPage(_View):
    """Entries by id; a page may hold fewer than asked for: `cursor` is None only at the end."""

    entries: tuple[EntryOut, ...]
    cursor: str | None


class AccountOut(_View):
    """An account of the chart."""

    number: str
    name: str
    nature: str
    dimension: str


class StockValueOut(_View):
    """A company's units of a SKU at moving average; `at_version`: of inventory's stream."""

    entity: str
    sku: str
    units: int
    value: int
    currency: str
    average: str
    uncosted: int
    at_version: int


class StockValues(_View):
    """Stock at cost by company and SKU; `cursor` asks for the next page."""

    stock_values: tuple[StockValueOut, ...]
    cursor: str | None


class QueueOut(_View):
    """What waits to be posted."""

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
    overdue: bool


class Queues(_View):
    """What waits, counted by reason, and a page of it; `cursor` asks for the next one."""

    waiting: dict[str, int]
    rows: tuple[QueueOut, ...]
    cursor: str | None


class SettleIn(_View):
    """What a posting waited for: a country, a rate, a unit cost; empty leaves the fact out."""

    source_event: str = Field(max_length=200)
    value: str = Field(default="", max_length=40)
    by: By = Field(default="operator", max_length=100)


class Done(_View):
    """A write that is committed; `token` is for `?after=`."""

    subject: str
    events: tuple[str, ...]
    token: str


def trial_balances(sums: Sums, currency: str | None) -> TrialBalances:
    """Return trial balances of sums keyed by entity, currency, functional, account[, dimension]."""
    grouped: dict[tuple[str, str, str], list[tuple[Key, tuple[int, ...]]]] = {}
    for key, values in sorted(sums.items()):
        if currency is None or key[1] == currency:
            place = (str(key[0]), str(key[1]), str(key[2]))
            grouped.setdefault(place, []).append((key[3:], values))
    return TrialBalances(
        trial_balances=tuple(_balance(place, rows) for place, rows in grouped.items())
    )


def _balance(
    place: tuple[str, str, str], rows: list[tuple[Key, tuple[int, ...]]]
) -> TrialBalanceOut:
    debits, credit, own_debits, own_credits = (
        sum(values[n] for _, values in rows) for n in (1, 2, 3, 4)
    )
    found = []
    for key, (_, debit, paid, own, own_paid) in rows:
        account = chart.BY_NUMBER[str(key[0])]
        found.append(
            BalanceOut(
                account=account.number, name=account.name, nature=account.nature,
                dimension=str(key[1]) if len(key) > 1 else None, debits=debit, credits=paid,
                balance=debit - paid, functional_balance=own - own_paid,
            )
        )  # fmt: skip
    return TrialBalanceOut(
        entity=place[0], currency=place[1], functional_currency=place[2], debits=debits,
        credits=credit, functional_debits=own_debits, functional_credits=own_credits,
        balanced=debits == credit and own_debits == own_credits, accounts=tuple(found),
    )  # fmt: skip


def entry_out(row: EntryRow) -> EntryOut:
    """Show an entry."""
    lines = tuple(
        LineOut(
            account=account, name=chart.BY_NUMBER[account].name, dimension=dimension, debit=debit,
            credit=credit, functional_debit=own, functional_credit=own_credit,
        )
        for account, dimension, debit, credit, own, own_credit in row.lines
    )  # fmt: skip
    return EntryOut(
        entry_id=row.entry_id, entity=row.entity, kind=row.kind, reference=row.reference,
        order_id=row.order_id, sku=row.sku, business_date=row.business_date,
        tax_point=row.tax_point, currency=row.currency,
        functional_currency=row.functional_currency, rate=row.rate, rate_source=row.rate_source,
        source=row.source_event, source_type=row.source_type, occurred_at=row.occurred_at,
        lines=lines,
    )  # fmt: skip


def stock_value_out(row: StockValueRow) -> StockValueOut:
    """Show a SKU's value."""
    return StockValueOut.model_validate(row)


def queue_out(row: QueueRow, now: int) -> QueueOut:
    """Show what waits."""
    fields = {name: getattr(row, name) for name in row.__struct_fields__}
    return QueueOut(**fields, overdue=row.deadline < now)
