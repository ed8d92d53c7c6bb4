"""What happened to a customer's orders, over all services: a row for each event and order. Pure.

A row says what happened in words without persons: codes, amounts, ids; never a text that somebody
wrote. Which orders are a customer's is asked when the timeline is read.
"""

import re
from collections.abc import Sequence
from typing import Any, get_args

import msgspec

from libs.contracts import accounting, fulfilment, orders, payments
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection

TOPICS = ("orders", "payments", "fulfilment", "accounting")
_CODE = re.compile(r"[a-z][a-z0-9_-]{0,59}")

# What a person who looks after a customer asks for; bookkeeping between services is left out.
_OF_ORDERS = (
    orders.OrderPlaced | orders.OrderAmended | orders.OrderConfirmed | orders.OrderWaits
    | orders.OrderHeld | orders.OrderReleased | orders.OrderLineBackordered
    | orders.CancellationRequested | orders.CancellationAccepted | orders.CancellationRefused
    | orders.OrderLinesCancelled | orders.OrderReopened | orders.OrderCompleted
)  # fmt: skip
_OF_PAYMENTS = (
    payments.PaymentNotRequired | payments.PaymentAuthorised | payments.PaymentDeclined
    | payments.PaymentActionRequired | payments.PaymentCaptured | payments.PaymentCaptureFailed
    | payments.AuthorisationExpired | payments.PaymentVoided | payments.RefundMade
    | payments.RefundFailed | payments.RefundReturned | payments.DisputeOpened
    | payments.DisputeWon | payments.DisputeLost
)  # fmt: skip
_OF_PARCELS = (
    fulfilment.ShipmentPlanned | fulfilment.ShipmentDispatched | fulfilment.ShipmentDelivered
    | fulfilment.DeliveryAssumed | fulfilment.DeliveryFailed | fulfilment.ParcelLost
    | fulfilment.ReturnedToSender
)  # fmt: skip
_OF_FULFILMENT = (
    fulfilment.ShipmentUnplannable | fulfilment.DispatchStopped | fulfilment.StopTooLate
)
_OF_BOOKS = accounting.EntryPosted | accounting.PostingHeld
# By type: to ask each class in turn costs more than all the rest.
_OF_ONE_ORDER = frozenset(get_args(_OF_ORDERS | _OF_PAYMENTS | _OF_FULFILMENT | _OF_BOOKS))
_OF_SOME_ORDERS = frozenset(get_args(_OF_PARCELS))


class TimelineRow(msgspec.Struct, frozen=True):
    """One event that concerned an order. `at` is when we recorded it (microseconds).

    `code` is a reason, a rule or a kind, `reference` a shipment, capture, refund or entry;
    `amount_minor` is None where the event is not about money.
    """

    order_id: str
    at: int
    event_id: str
    service: str
    what: str
    code: str
    reference: str
    amount_minor: int | None
    currency: str


def orders_of(event: Any) -> Sequence[str]:
    """Return the orders that an event concerns and whose customers' timeline shows it."""
    if type(event) in _OF_ONE_ORDER:
        return (event.order_id,) if event.order_id else ()
    if type(event) in _OF_SOME_ORDERS:
        return tuple(dict.fromkeys(row.order_id for row in event.rows))
    return ()


def _keys(envelope: Envelope[Any]) -> Sequence[Key]:
    return [(order, envelope.at, envelope.id) for order in orders_of(envelope.event)]


def _row(row: TimelineRow | None, key: Key, envelope: Envelope[Any]) -> TimelineRow:
    del row
    event = envelope.event
    amount, currency = _money(event)
    return TimelineRow(
        str(key[0]), envelope.at, envelope.id, envelope.service, type(event).__name__,
        _first_code(event), _first(event, _REFERENCES), amount, currency,
    )  # fmt: skip


_CODES = ("code", "reason", "rule", "kind", "source", "cause")
_REFERENCES = ("capture_id", "refund_id", "dispute_id", "shipment_id", "entry_id", "hold_id",
               "request_id", "intent_id")  # fmt: skip


def _first(event: Any, names: Sequence[str]) -> str:
    return next((str(found) for name in names if (found := getattr(event, name, None))), "")


def _first_code(event: Any) -> str:
    """Return a word that code chose; a sentence that a person wrote is not repeated here."""
    found = _first(event, _CODES)
    return found if _CODE.fullmatch(found) else ""


def _money(event: Any) -> tuple[int | None, str]:
    match event:
        case orders.OrderPlaced() | orders.OrderAmended():
            return event.order.totals.total, event.order.currency
        case orders.OrderWaits():
            return event.value_minor, event.currency
        case accounting.EntryPosted():
            return sum(line.debit for line in event.lines), event.currency
        case _:
            return getattr(event, "amount", None), getattr(event, "currency", "")


TIMELINE = Projection(
    "timeline", 1, TimelineRow, ("order_id", "at", "event_id"), TOPICS, _keys, _row, appends=True,
    by_stream=True,
)  # fmt: skip
