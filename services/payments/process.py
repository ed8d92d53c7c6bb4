"""What facts of orders and fulfilment mean for payments. Pure: an account's terms come with it."""

from collections.abc import Callable
from typing import Any

from libs.contracts import common, fulfilment, orders
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Reaction, Reactions, reacting
from services.payments import commands
from services.payments.commands import payment_stream

TermsOf = Callable[[str], commands.Terms]  # by channel account


def reacting_to_orders(terms_of: TermsOf) -> Reaction:
    """Return the reaction to orders, under these terms."""

    @reacting(orders.PaymentRequired)
    def react(envelope: Envelope[Any]) -> Reactions:
        match envelope.event:
            case orders.PaymentRequired() as event:
                command = commands.ExpectPayment(
                    entity=event.entity, order_id=event.order_id, revision=event.revision,
                    account=event.account, custody=event.custody, funds=event.funds,
                    currency=event.currency, amount=event.amount, total=event.total,
                    lines=event.lines, charges_amount=event.charges_amount,
                    tenders=event.tenders, method=event.method, decide_by=event.decide_by,
                    terms=terms_of(event.account), occurred_at=event.occurred_at, at=envelope.at,
                    received=event.received, refunded=event.refunded,
                )  # fmt: skip
                return ((payment_stream(event.order_id), command),)
            case _:
                return ()

    return react


@reacting(fulfilment.ShipmentPacked, fulfilment.DispatchStopped)
def react_to_fulfilment(envelope: Envelope[Any]) -> Reactions:
    """Say what a parcel's fact asks of the payments of the orders in it."""
    match envelope.event:
        case fulfilment.ShipmentPacked() as event:
            return [
                (
                    payment_stream(order_id),
                    commands.ClearParcel(
                        event.entity, order_id, event.shipment_id,
                        _lines(event.rows, order_id), event.occurred_at, envelope.at,
                    ),
                )
                for order_id in dict.fromkeys(row.order_id for row in event.rows)
            ]  # fmt: skip
        case fulfilment.DispatchStopped() as event:
            command = commands.WithdrawUnits(
                event.shipment_id, envelope.version, _lines(event.rows, event.order_id),
                event.reason, event.occurred_at, envelope.at,
            )  # fmt: skip
            return ((payment_stream(event.order_id), command),)
        case _:
            return ()


def _lines(rows: tuple[common.ShipmentRow, ...], order_id: str) -> tuple[common.LineQuantity, ...]:
    return tuple(
        common.LineQuantity(line_id=row.line_id, quantity=row.quantity)
        for row in rows
        if row.order_id == order_id
    )
