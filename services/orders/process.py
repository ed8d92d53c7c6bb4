"""What facts of channels and inventory mean for orders, and the deadlines that orders set. Pure."""

from collections.abc import Sequence
from typing import Any

from libs.contracts import channels, common, inventory, orders
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Reactions, Timer
from libs.values.ids import derive
from services.orders import commands
from services.orders.commands import order_stream


def react_to_channels(envelope: Envelope[Any]) -> Reactions:
    """Say what a channel's fact asks of its order."""
    command: commands.OrderCommand
    match envelope.event:
        case channels.ChannelOrderReceived() | channels.ChannelOrderChanged() as event:
            command = commands.RecordVersion(event.order, event.occurred_at, envelope.at)
        case channels.ChannelOrderFundsChanged() as event:
            command = commands.RecordFunds(
                version=event.version, funds=event.funds, funds_word=event.funds_word,
                custody=event.custody, amount=event.amount, currency=event.currency,
                occurred_at=event.occurred_at, at=envelope.at,
            )  # fmt: skip
        case channels.ChannelOrderCancelled() as event:
            command = commands.RecordCancellation(
                version=event.version, whole=event.whole, lines=event.lines, by=event.by,
                reason=event.reason, occurred_at=event.occurred_at, at=envelope.at,
            )  # fmt: skip
        case channels.ChannelCancellationRequested() as event:
            command = _request(event, envelope.at)
        case channels.ListingLineResolved() as event:
            command = commands.ResolveLine(
                entity=event.entity,
                order_id=commands.order_id(event.account, event.external_id),
                line_id=event.line_id, sku=event.sku, units_per_listing=event.units_per_listing,
                components=event.components, at=envelope.at,
            )  # fmt: skip
        case _:
            return ()
    return ((order_stream(commands.order_id(event.account, event.external_id)), command),)


def _request(event: channels.ChannelCancellationRequested, at: int) -> commands.RequestCancellation:
    lines = tuple(
        common.LineQuantity(line_id=line.external_line_id, quantity=line.quantity)
        for line in event.lines
    )
    return commands.RequestCancellation(
        request_id=event.request_id, lines=lines, by=event.by, reason=event.reason, at=at,
        answer_by=event.answer_by, external=True,
    )  # fmt: skip


def react_to_inventory(envelope: Envelope[Any]) -> Reactions:
    """Say what a fact of stock asks of the orders that it names."""
    match envelope.event:
        case (
            inventory.StockReserved()
            | inventory.StockShort()
            | inventory.StockReservationChanged()
            | inventory.StockReleased()
        ) as event:
            answer = commands.RecordStock(
                sku=event.sku, revision=event.revision, reserved=event.reserved,
                short=event.short, stock_version=envelope.version, fact=type(event).__name__,
                occurred_at=event.occurred_at, at=envelope.at,
            )  # fmt: skip
            return ((order_stream(event.order_id), answer),)
        case inventory.StockHoldExpired() as event:
            expiry = commands.RecordHoldExpiry(event.sku, event.occurred_at, envelope.at)
            return ((order_stream(event.order_id), expiry),)
        case inventory.ShortfallDetected() as event:
            return [
                (
                    order_stream(touched.order_id),
                    commands.RecordShortfall(
                        event.sku, touched.units, envelope.version, event.occurred_at, envelope.at
                    ),
                )
                for touched in event.orders
            ]
        case _:
            return ()


def plan(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    """Set the deadlines that an order names: none is left without one."""
    match envelope.event:
        case orders.OrderPlaced(decide_by=due) | orders.OrderReopened(decide_by=due):
            return (_deadline(envelope.stream, due),)
        case orders.StockRequired(revision=revision, decide_by=due, demands=demands):
            # The first question's deadline is that of the order itself.
            asks = revision > 1 and any(wanted.units for wanted in demands)
            return (_deadline(envelope.stream, due),) if asks else ()
        case orders.OrderWaits(decide_by=int(due)):
            return (_deadline(envelope.stream, due),)
        case orders.OrderHeld(until=int(until), hold_id=hold_id):
            release = commands.ReleaseHold(hold_id, "until", "policy", until)
            return (
                Timer(derive("hold", envelope.stream, hold_id), until, envelope.stream, release),
            )
        case _:
            return ()


def _deadline(stream: str, due: int) -> Timer:
    name = derive("decide", stream, str(due))
    return Timer(name, due, stream, commands.DecideByDeadline(due))
