"""What facts of other services mean for orders, and the deadlines that orders set. Pure."""

from collections.abc import Sequence
from typing import Any

from libs.contracts import channels, common, fulfilment, inventory, orders, payments
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Reactions, Timer, reacting
from libs.values.ids import derive
from libs.values.places import mark
from services.orders import commands
from services.orders.commands import order_stream


@reacting(
    channels.ChannelOrderReceived, channels.ChannelOrderChanged, channels.ChannelOrderFundsChanged,
    channels.ChannelOrderCancelled, channels.ChannelCancellationRequested,
    channels.ListingLineResolved,
)  # fmt: skip
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
                occurred_at=event.occurred_at, at=envelope.at, received=event.received,
                refunded=event.refunded,
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


@reacting(
    inventory.StockReserved, inventory.StockShort, inventory.StockReservationChanged,
    inventory.StockReleased, inventory.StockShipped, inventory.StockHoldExpired,
    inventory.ShortfallDetected,
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
        case inventory.StockShipped() as event if event.from_reservation < event.quantity:
            # What was promised leaves without a word: both count it. More than that changes sums.
            left = commands.RecordStock(
                sku=event.sku, revision=event.revision, reserved=event.reserved,
                short=event.short, stock_version=envelope.version, fact="StockShipped",
                occurred_at=event.occurred_at, at=envelope.at,
            )  # fmt: skip
            return ((order_stream(event.order_id), left),)
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


@reacting(
    payments.PaymentCaptured, payments.PaymentAuthorised, payments.PaymentNotRequired,
    payments.PaymentDeclined, payments.PaymentCaptureFailed, payments.PaymentActionRequired,
    payments.PaymentOutcomeUnknown, payments.PaymentOutcomeResolved, payments.AuthorisationExpired,
    payments.PaymentVoided, payments.RefundMade, payments.RefundReturned, payments.DisputeOpened,
    payments.DisputeWon, payments.DisputeLost,
)  # fmt: skip
def react_to_payments(envelope: Envelope[Any]) -> Reactions:
    """Say what a fact of its money means for an order; what payments plans is none of it."""
    event = envelope.event
    match event:
        case payments.PaymentCaptured(amount=amount):
            return _paid(envelope, "captured", amount)
        case payments.PaymentAuthorised(amount=amount, capture_before=until):
            return _paid(envelope, "authorised", amount, "", until)
        case payments.PaymentNotRequired(reason=reason):
            return _paid(envelope, "not_required", 0, reason)
        case payments.PaymentDeclined(code=code, deadline=until):
            return _paid(envelope, "declined", 0, code, until)
        case payments.PaymentCaptureFailed(code="authorisation-expired" as code, deadline=until):
            return _paid(envelope, "declined", 0, code, until)  # its end is told by itself
        case payments.PaymentCaptureFailed(amount=amount, code=code, deadline=until):
            return _paid(envelope, "declined", amount, code, until)
        case payments.PaymentActionRequired(reason=reason, deadline=until):
            return _paid(envelope, "action_required", 0, reason, until)
        case payments.PaymentOutcomeUnknown(what=what, deadline=until):
            return _paid(envelope, "in_doubt", 0, what, until)
        case payments.PaymentOutcomeResolved(outcome="a-person", what=what):
            return _paid(envelope, "in_doubt", 0, what)
        case payments.AuthorisationExpired(amount=amount):
            return _paid(envelope, "authorisation_expired", amount)
        case payments.PaymentVoided(amount=amount, reason=reason):
            return _paid(envelope, "voided", amount, reason)
        case payments.RefundMade(amount=amount):
            return _paid(envelope, "refunded", amount)
        case payments.RefundReturned(amount=amount, code=code, deadline=until):
            return _paid(envelope, "refunded", -amount, code, until)
        case payments.DisputeOpened(reason=reason, deadline=until):
            return _paid(envelope, "disputed", 0, reason, until)
        case payments.PaymentOutcomeResolved() | payments.DisputeWon() | payments.DisputeLost():
            return _paid(envelope, "unknown", 0)
        case _:
            return ()


def _paid(
    envelope: Envelope[Any], standing: common.PaymentStanding, amount: int, reason: str = "",
    deadline: int | None = None,
) -> Reactions:  # fmt: skip
    event = envelope.event
    command = commands.RecordPayment(
        standing=standing, fact=type(event).__name__, amount=amount,
        currency=getattr(event, "currency", ""), reason=reason, deadline=deadline,
        payment_version=envelope.version, occurred_at=event.occurred_at, at=envelope.at,
    )  # fmt: skip
    return ((order_stream(event.order_id), command),)


@reacting(
    fulfilment.ShipmentPlanned, fulfilment.ShipmentJoined, fulfilment.ShipmentPacked,
    fulfilment.ShipmentDispatched, fulfilment.ShipmentDelivered, fulfilment.DeliveryAssumed,
    fulfilment.DispatchStopped, fulfilment.StopTooLate, fulfilment.DeliveryFailed,
    fulfilment.ParcelLost, fulfilment.ReturnedToSender, fulfilment.FulfilmentReleased,
    fulfilment.ShipmentAddressKept, fulfilment.ShipmentUnplannable,
)  # fmt: skip
def react_to_fulfilment(envelope: Envelope[Any]) -> Reactions:
    """Tell each order that a parcel holds units of what became of these."""
    match envelope.event:
        case fulfilment.ShipmentPlanned(rows=rows, customer=customer):
            return _parcel(envelope, rows, "planned", destination=mark(customer))
        case fulfilment.ShipmentJoined(rows=rows):
            return _parcel(envelope, rows, "planned")
        case fulfilment.ShipmentPacked(rows=rows) | fulfilment.ShipmentAddressKept(rows=rows):
            return _parcel(envelope, rows, "packed")
        case fulfilment.ShipmentDispatched(rows=rows):
            return _parcel(envelope, rows, "dispatched")
        case fulfilment.ShipmentDelivered(rows=rows, source=source):
            return _parcel(envelope, rows, "delivered", source)
        case fulfilment.DeliveryAssumed(rows=rows):
            return _parcel(envelope, rows, "delivered", "untracked")
        case fulfilment.DispatchStopped(rows=rows, reason=reason):
            return _parcel(envelope, rows, "stopped", reason)
        case fulfilment.StopTooLate(rows=rows, reason=reason):
            # The warehouse may say so before it hands the parcel over.
            return _parcel(envelope, rows, "packed", reason)
        case fulfilment.DeliveryFailed(rows=rows, code=code, deadline=until):
            return _parcel(envelope, rows, "delivery_failed", code, until)
        case fulfilment.ParcelLost(rows=rows, code=code, deadline=until):
            return _parcel(envelope, rows, "lost", code, until)
        case fulfilment.ReturnedToSender(rows=rows, deadline=until):
            return _parcel(envelope, rows, "returned_to_sender", "", until)
        case fulfilment.FulfilmentReleased(revision=revision, lines=lines) as event:
            answer = commands.RecordRelease(revision, lines, event.occurred_at, envelope.at)
            return ((order_stream(event.order_id), answer),)
        case fulfilment.ShipmentUnplannable(code=code, lines=lines, deadline=until) as event:
            command = _told(envelope, "", "unplannable", lines, code, until)
            return ((order_stream(event.order_id), command),)
        case _:
            return ()


def _parcel(
    envelope: Envelope[Any], rows: Sequence[common.ShipmentRow], status: common.ShipmentStatus,
    reason: str = "", deadline: int | None = None, destination: str = "",
) -> Reactions:  # fmt: skip
    units: dict[str, dict[str, int]] = {}
    for row in rows:
        mine = units.setdefault(row.order_id, {})
        mine[row.line_id] = mine.get(row.line_id, 0) + row.quantity
    found = []
    for order_id, lines in units.items():
        told = tuple(common.LineQuantity(line_id=n, quantity=q) for n, q in lines.items())
        shipment = envelope.event.shipment_id
        command = _told(envelope, shipment, status, told, reason, deadline, destination)
        found.append((order_stream(order_id), command))
    return found


def _told(
    envelope: Envelope[Any], shipment: str, status: common.ShipmentStatus,
    lines: tuple[common.LineQuantity, ...], reason: str, deadline: int | None,
    destination: str = "",
) -> commands.RecordShipment:  # fmt: skip
    return commands.RecordShipment(
        shipment_id=shipment, status=status, fact=type(envelope.event).__name__, lines=lines,
        reason=reason, version=envelope.version, deadline=deadline,
        occurred_at=envelope.event.occurred_at, at=envelope.at, destination=destination,
    )  # fmt: skip


def plan(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    """Set the deadlines that an order names: none is left without one."""
    match envelope.event:
        case orders.OrderPlaced(decide_by=due) | orders.OrderReopened(decide_by=due):
            return (_deadline(envelope, due),)
        case orders.StockRequired(revision=revision, decide_by=due, demands=demands):
            # The first question's deadline is that of the order itself.
            asks = revision > 1 and any(wanted.units for wanted in demands)
            return (_deadline(envelope, due),) if asks else ()
        case orders.OrderWaits(decide_by=int(due)):
            return (_deadline(envelope, due),)
        case orders.PaymentRequired(decide_by=due, amount=amount):
            return (_deadline(envelope, due),) if amount else ()
        case orders.OrderHeld(until=int(until), hold_id=hold_id):
            release = commands.ReleaseHold(hold_id, "until", "policy", until)
            return (
                Timer(derive("hold", envelope.stream, hold_id), until, envelope.stream, release),
            )
        case _:
            return ()


def _deadline(envelope: Envelope[Any], due: int) -> Timer:
    """Return the timer of a deadline, one for all that name it while it is still to come.

    A timer's name rings once: where the time has gone by, it may have rung, and a new one does.
    """
    late = [str(envelope.version)] if due <= envelope.at else []
    name = derive("decide", envelope.stream, str(due), *late)
    return Timer(name, due, envelope.stream, commands.DecideByDeadline(due))
