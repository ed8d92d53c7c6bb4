"""What dispatches and cancellations ask us to tell the channels, and how that is done. Pure."""

from collections.abc import Sequence
from typing import Any

from libs.contracts import channels, common, fulfilment, orders
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Effect, Reactions, Timer, reacting
from libs.eventsourcing.states import pack
from libs.values.ids import derive
from services.channels.commands import order_stream
from services.channels.report_commands import RequestReport


@reacting(fulfilment.ShipmentDispatched)
def react_to_fulfilment(envelope: Envelope[Any]) -> Reactions:
    """Ask to tell each order's channel of a parcel that left."""
    match envelope.event:
        case fulfilment.ShipmentDispatched() as event:
            return [_dispatch(event, order, envelope.at) for order in event.references]
        case _:
            return ()


def _dispatch(
    event: fulfilment.ShipmentDispatched, order: common.OrderReference, at: int
) -> tuple[str, RequestReport]:
    rows = tuple(
        common.LineQuantity(line_id=row.line_id, quantity=row.quantity)
        for row in event.rows
        if row.order_id == order.order_id
    )
    request = RequestReport(
        reference=order, entity=event.entity, kind="dispatch", subject=event.shipment_id,
        rows=rows, reason="", at=at, carrier=event.carrier or None,
        tracking_code=event.tracking_code, tracking_url=event.tracking_url,
    )  # fmt: skip
    return order_stream(order.account, order.external_id), request


@reacting(orders.OrderLinesCancelled)
def react_to_orders(envelope: Envelope[Any]) -> Reactions:
    """Ask to tell the channel of what was cancelled, unless the channel said so itself."""
    match envelope.event:
        case orders.OrderLinesCancelled(reference=common.OrderReference() as order) as event if (
            event.cause != "channel" and (event.lines or event.whole)
        ):
            request = RequestReport(
                reference=order, entity=event.entity, kind="cancellation", subject=envelope.id,
                rows=event.lines, reason=event.reason, at=envelope.at, whole=event.whole,
            )  # fmt: skip
            return ((order_stream(order.account, order.external_id), request),)
        case _:
            return ()


def plan(envelope: Envelope[Any]) -> Sequence[Timer | Effect]:
    """Plan the call; asking anew is another effect (`outbound/` gives it its key)."""
    match envelope.event:
        case channels.ChannelReportRequested() as event:
            name = derive("channel report", event.report_id, envelope.id)
            kind = f"{event.provider}.report"
            return (Effect(name, kind, envelope.stream, pack(event)),)
        case _:
            return ()
