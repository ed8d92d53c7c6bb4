"""What the ledger can be told, to the stream of a sale or of a company's SKU. Decides nothing."""

import msgspec

from libs.contracts import accounting, common


class RecordSale(msgspec.Struct, frozen=True, tag=True):
    """This is what an order's latest version brings. `business_date` is the day of the version."""

    sale: accounting.SaleRecorded
    source_type: str
    business_date: str
    at: int


class RecordFact(msgspec.Struct, frozen=True, tag=True):
    """Something happened to a sale; it may come before its order."""

    entity: str
    order_id: str
    fact: common.SaleFact
    at: int


class SettlePosting(msgspec.Struct, frozen=True, tag=True):
    """A person says what a posting waits for: a country, a rate; or leaves the fact out.

    `source_event` names the fact where several may wait for the same reason.
    """

    order_id: str
    code: str
    source_event: str
    value: str
    by: str
    business_date: str
    at: int


class Cost(msgspec.Struct, frozen=True):
    """What received units cost in all, minor units: as told, and in the company's currency."""

    amount: int
    currency: str
    functional: int
    rate: str
    rate_source: str


class MoveValue(msgspec.Struct, frozen=True, tag=True):
    """Units came in (positive) or went out; `kind` is the entry's.

    A receipt has its cost, or the code of why nobody can say it.
    """

    entity: str
    sku: str
    kind: common.EntryKind
    units: int
    cost: Cost | None
    code: str
    currency: str
    reference: str
    order_id: str | None
    source_event: str
    source_type: str
    source_version: int
    occurred_at: int
    business_date: str
    at: int


class SettleCost(msgspec.Struct, frozen=True, tag=True):
    """A person says what units cost that came in without a cost: a decimal, the company's own."""

    entity: str
    sku: str
    source_event: str
    unit_cost: str
    currency: str
    business_date: str
    by: str
    at: int


SaleCommand = RecordSale | RecordFact | SettlePosting
CostCommand = MoveValue | SettleCost
