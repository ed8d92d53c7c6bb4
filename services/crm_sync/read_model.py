"""What crm_sync shows: customers, whom evidence names, their orders, sealed contacts. Pure.

Rows are opaque: keyed names, ids and sealed bytes. Which customers are one, and what happened to
their orders, is joined when it is asked for, so that no interleaving of topics can matter.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import common, orders
from libs.contracts import crm_sync as events
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from services.crm_sync.timeline import TIMELINE

OURS = ("crm_sync",)


class CustomerRow(msgspec.Struct, frozen=True):
    """A buyer of one account, taken alone."""

    customer_id: str
    subject: str = ""
    account: str = ""
    entity: str = ""
    guest: bool = False
    forgotten: bool = False


class NamedRow(msgspec.Struct, frozen=True):
    """A customer that evidence names; strong evidence makes all whom it names one."""

    index: str
    customer_id: str
    kind: str
    strength: str
    subject: str
    account: str
    by: str


class OrderRow(msgspec.Struct, frozen=True):
    """An order that named a subject, as it was when it did so last."""

    subject: str
    order_id: str
    account: str
    placed_at: int
    currency: str
    total_minor: int
    revision: int


class ContactRow(msgspec.Struct, frozen=True):
    """A subject's newest sealed fields; nothing once it is erased.

    `rank` orders versions of all its orders: the channel's time, its counter, the order, ours.
    """

    subject: str
    contact: common.Sealed | None = None
    statutory: common.Sealed | None = None
    rank: tuple[int, int, str, int] = (-1, 0, "", 0)
    erased: bool = False


class ErasureRow(msgspec.Struct, frozen=True):
    """A subject that was asked to be forgotten; `answer_by` is the latest lawful moment.

    It may be asked for by several customers' ids: the first request counts, the latest date holds.
    """

    subject: str
    customer_id: str = ""
    requested_at: int = 0
    answer_by: int = 0
    by: str = ""
    erased: bool = False
    retained_until: int | None = None


def _customer_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case events.CustomerSeen() | events.CustomerForgotten() as event:
            return ((event.customer_id,),)
        case _:
            return ()


def _customer(row: CustomerRow | None, key: Key, envelope: Envelope[Any]) -> CustomerRow | None:
    row = row or CustomerRow(str(key[0]))
    match envelope.event:
        case events.CustomerSeen() as event:
            return replace(
                row, subject=event.subject, account=event.account, entity=event.entity,
                guest=event.guest,
            )  # fmt: skip
        case events.CustomerForgotten() as event:
            return replace(row, subject=event.subject, entity=event.entity, forgotten=True)
        case _:
            return row


def _named_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case events.SubjectSeen() | events.SubjectParted() as event:
            return ((event.index, event.customer_id),)
        case _:
            return ()


def _named(row: NamedRow | None, key: Key, envelope: Envelope[Any]) -> NamedRow | None:
    del key
    match envelope.event:
        case events.SubjectSeen() as event:
            return NamedRow(
                event.index, event.customer_id, event.kind, event.strength, event.subject,
                event.account, event.by,
            )  # fmt: skip
        case events.SubjectParted():
            return None
        case _:
            return row


def _order_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case orders.OrderPlaced() | orders.OrderAmended() as event if event.order.customer.subject:
            return ((event.order.customer.subject, event.order_id),)
        case _:
            return ()


def _order(row: OrderRow | None, key: Key, envelope: Envelope[Any]) -> OrderRow | None:
    match envelope.event:
        case orders.OrderPlaced() | orders.OrderAmended() as event:
            order = event.order
            return OrderRow(
                str(key[0]), event.order_id, order.account, order.placed_at, order.currency,
                order.totals.total, event.revision,
            )  # fmt: skip
        case _:
            return row


def _contact_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case orders.OrderPlaced() | orders.OrderAmended() as event if event.order.customer.subject:
            return ((event.order.customer.subject,),)
        case events.ErasureCompleted() as event:
            return [(subject,) for subject in event.subjects]
        case _:
            return ()


def _contact(row: ContactRow | None, key: Key, envelope: Envelope[Any]) -> ContactRow | None:
    row = row or ContactRow(str(key[0]))
    match envelope.event:
        case orders.OrderPlaced() | orders.OrderAmended() as event:
            customer, version = event.order.customer, event.order.version
            rank = (version.updated_at, version.counter, event.order_id, event.revision)
            told = bool(customer.contact or customer.statutory)
            if not told or rank <= row.rank:
                return row
            contact = None if row.erased else customer.contact
            return replace(row, contact=contact, statutory=customer.statutory, rank=rank)
        case events.ErasureCompleted():
            return replace(row, contact=None, erased=True)
        case _:
            return row


def _erasure_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case events.ErasureRequested() | events.ErasureCompleted() as event:
            return [(subject,) for subject in event.subjects]
        case _:
            return ()


def _erasure(row: ErasureRow | None, key: Key, envelope: Envelope[Any]) -> ErasureRow | None:
    row = row or ErasureRow(str(key[0]))
    match envelope.event:
        case events.ErasureRequested() as event:
            asked = (event.occurred_at, event.customer_id)
            if row.customer_id and (row.requested_at, row.customer_id) <= asked:
                return row
            return replace(
                row, customer_id=event.customer_id, requested_at=event.occurred_at,
                answer_by=event.answer_by, by=event.by,
            )  # fmt: skip
        case events.ErasureCompleted(retained_until=until):
            dates = [date for date in (row.retained_until, until) if date is not None]
            return replace(row, erased=True, retained_until=max(dates, default=None))
        case _:
            return row


CUSTOMERS = Projection(
    "customers", 1, CustomerRow, ("customer_id",), OURS, _customer_keys, _customer,
    indexes=(("subject",),),
)  # fmt: skip
NAMED = Projection(
    "customer_evidence", 1, NamedRow, ("index", "customer_id"), OURS, _named_keys, _named,
    indexes=(("customer_id",),),
)  # fmt: skip
ORDERS = Projection(
    "customer_orders", 1, OrderRow, ("subject", "order_id"), ("orders",), _order_keys, _order,
    by_stream=True,
)  # fmt: skip
CONTACTS = Projection(
    "customer_contacts", 1, ContactRow, ("subject",), ("orders", *OURS), _contact_keys, _contact,
)  # fmt: skip
ERASURES = Projection(
    "erasures", 1, ErasureRow, ("subject",), OURS, _erasure_keys, _erasure,
)  # fmt: skip
ALL = (CUSTOMERS, NAMED, ORDERS, CONTACTS, ERASURES, TIMELINE)
