"""The HTTP edge of orders: shapes in, commands on; rows out. Decides nothing, keeps nothing."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from libs.contracts import common
from libs.runtime.ports import Ports, Rows
from libs.values.ids import short
from libs.web.problems import Problem
from libs.web.writes import After, Version, Write, WriteRequest, caught_up, tell
from services.orders import commands, views
from services.orders.read_model import HISTORY, ORDERS
from services.orders.standing import OrderRow

STATES = (
    "placed", "waiting", "held", "confirmed", "part_confirmed", "in_fulfilment", "dispatched",
    "completed", "cancelled",
)  # fmt: skip
_PAGE = 500

OrderId = Annotated[str, Path(pattern="^ord_[0-9a-f]{20}$")]
HoldId = Annotated[str, Path(pattern="^hold_[0-9a-f]{20}$")]
Limit = Annotated[int, Query(ge=1, le=_PAGE)]


def routes(ports: Ports) -> APIRouter:
    """Return the routes under /orders."""
    router = APIRouter(prefix="/orders", tags=["orders"])
    _reads(router, ports)
    _writes(router, ports)
    return router


def _reads(router: APIRouter, ports: Ports) -> None:
    orders, history = ports.rows(ORDERS), ports.rows(HISTORY)

    @router.get("")
    async def find(
        channel: str | None = None, external_id: str | None = None,
        display_number: str | None = None, state: str | None = None, cursor: str | None = None,
        limit: Limit = 50, after: After = None,
    ) -> views.OrderPage:  # fmt: skip
        """List orders, by channel account, the channel's own id or shown number, and state."""
        if state is not None and state not in STATES:
            raise Problem("invalid-request", f"A state is one of {', '.join(STATES)}.")
        wanted = {
            "account": channel, "external_id": external_id, "display_number": display_number,
            "state": state,
        }  # fmt: skip
        equal: dict[str, str | int | bool] = {k: v for k, v in wanted.items() if v is not None}
        rows = await caught_up(orders, after)
        found = await rows.find(after=(cursor,) if cursor else None, limit=limit, **equal)
        following = found[-1].order_id if len(found) == limit else None
        return views.OrderPage(orders=tuple(map(views.order_out, found)), cursor=following)

    @router.get("/summary")
    async def summary() -> views.Summary:
        """Count orders by state and reason, with the money at risk."""
        return await summarise(orders)

    @router.get("/{order_id}")
    async def one(order_id: OrderId, after: After = None) -> views.OrderOut:
        """Show an order as it stands."""
        row = await (await caught_up(orders, after)).get(order_id)
        if row is None:
            raise Problem("order-not-found", "There is no such order.")
        return views.order_out(row)

    @router.get("/{order_id}/history")
    async def story(
        order_id: OrderId, cursor: Version = 0, limit: Limit = 200, after: After = None
    ) -> views.HistoryPage:
        """Show what happened to an order, from the first event on."""
        rows = await caught_up(history, after)
        found = await rows.find(after=(order_id, cursor), limit=limit, order_id=order_id)
        if not found and not cursor:
            raise Problem("order-not-found", "There is no such order.")
        following = found[-1].version if len(found) == limit else None
        events = tuple(map(views.event_out, found))
        return views.HistoryPage(order_id=order_id, events=events, cursor=following)


def _writes(router: APIRouter, ports: Ports) -> None:
    async def done(
        order_id: str, command: commands.OrderCommand, write: Write, name: str = ""
    ) -> views.Done:
        answer = await tell(ports.commands, write, commands.order_stream(order_id), command)
        return views.Done(order_id=order_id, events=answer.events, token=answer.token, id=name)

    @router.post("/{order_id}/cancellations", status_code=201)
    async def cancel(
        order_id: OrderId, body: views.CancellationIn, write: WriteRequest
    ) -> views.Done:
        """Cancel units, or all; those in parcels are answered when these have stopped, or left."""
        request_id = commands.cancellation_id(order_id, write.key)
        lines = tuple(
            common.LineQuantity(line_id=line.line_id, quantity=line.quantity or 0)
            for line in body.lines
        )
        command = commands.RequestCancellation(
            request_id, lines, body.by, body.reason, ports.clock()
        )
        return await done(order_id, command, write, request_id)

    @router.post("/{order_id}/decisions")
    async def decide(order_id: OrderId, body: views.DecisionIn, write: WriteRequest) -> views.Done:
        """Decide on an order that waits: for stock, for a parcel, for a change too late."""
        at = ports.clock()
        match body.decision:
            case "retry" | "backorder" | "cancel" as stock:
                shortage = commands.DecideShortage(stock, body.reason, "seller", at)
                return await done(order_id, shortage, write)
            case other:
                command = commands.DecideConcern(other, body.shipment_id, "seller", at)
                return await done(order_id, command, write)

    @router.post("/{order_id}/holds", status_code=201)
    async def hold(order_id: OrderId, body: views.HoldIn, write: WriteRequest) -> views.Done:
        """Hold an order by hand; it keeps its stock."""
        hold_id = "hold_" + short(order_id, write.key)
        command = commands.PlaceHold(
            hold_id=hold_id, reason=body.reason, note="", lines=body.lines, blocks=body.blocks,
            until=body.until, by="seller", at=ports.clock(),
        )  # fmt: skip
        return await done(order_id, command, write, hold_id)

    @router.post("/{order_id}/holds/{hold_id}/release")
    async def release(
        order_id: OrderId, hold_id: HoldId, body: views.ReleaseIn, write: WriteRequest
    ) -> views.Done:
        """Release a hold; the last one lets a reserved order be confirmed."""
        command = commands.ReleaseHold(hold_id, body.reason, "seller", ports.clock())
        return await done(order_id, command, write, hold_id)


async def summarise(rows: Rows[OrderRow]) -> views.Summary:
    """Count all orders by state and reason, with the money at risk by currency."""
    totals = await rows.totals(("state", "reason", "currency"), ("value_at_risk_minor",))
    counts: dict[tuple[str, str], int] = {}
    risks: dict[tuple[str, str], dict[str, int]] = {}
    for (state, reason, currency), (orders, risk) in totals.items():
        place = (str(state), str(reason))
        counts[place] = counts.get(place, 0) + orders
        by_currency = risks.setdefault(place, {})
        if risk:
            by_currency[str(currency)] = risk
    listed = tuple(
        views.Count(state=state, reason=reason, orders=n, value_at_risk_minor=risks[state, reason])
        for (state, reason), n in sorted(counts.items())
    )
    return views.Summary(orders=sum(counts.values()), counts=listed)
