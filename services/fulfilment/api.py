"""Fulfilment over HTTP: parcels, orders' units, queues; packing, hand-over, stops, decisions."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from libs.runtime.ports import Ports, Rows, Told
from libs.values.ids import stream_key
from libs.web.pages import Cursor, cursor_of, no_cursor, place
from libs.web.problems import Problem
from libs.web.writes import After, Write, WriteRequest, carry_out, caught_up, tell
from services.fulfilment import handover_commands, shipment_commands, strangers, views
from services.fulfilment.intake import door
from services.fulfilment.order_rows import HANDOVERS, TRACKINGS
from services.fulfilment.printing import label_url
from services.fulfilment.read_model import SHIPMENT_ORDERS, SHIPMENTS
from services.fulfilment.standing import ShipmentRow
from services.fulfilment.views import ENTITY

STATES = (
    "planned", "packed", "ready", "dispatched", "delivered", "failed", "lost", "returned",
    "cancelled",
)  # fmt: skip
Limit = Annotated[int, Query(ge=1, le=500)]


def routes(ports: Ports) -> APIRouter:
    """Return the routes under /fulfilment."""
    router = APIRouter(prefix="/fulfilment", tags=["fulfilment"])
    webhooks = door(ports)

    @router.post("/webhooks/{provider}/{account}")
    async def webhook(provider: str, account: str, request: Request) -> Response:
        """Take in a carrier's delivery: 200 once it is stored; what it means is found out later."""
        return await webhooks.take(provider, account, request)

    _reads(router, ports)
    _queues(router, ports)
    _writes(router, ports)
    _people(router, ports)
    strangers.routes(router, ports)
    return router


def _reads(router: APIRouter, ports: Ports) -> None:
    shipments, pairs = ports.rows(SHIPMENTS), ports.rows(SHIPMENT_ORDERS)
    handovers = ports.rows(HANDOVERS)

    @router.get("/shipments")
    async def find(
        order_id: str | None = None, state: str | None = None, cursor: Cursor = None,
        limit: Limit = 50, after: After = None,
    ) -> views.ShipmentPage:  # fmt: skip
        """List parcels, of one order or in one state."""
        if state is not None and state not in STATES:
            raise Problem("invalid-request", f"A state is one of {', '.join(STATES)}.")
        await caught_up(pairs, after)
        rows = await caught_up(shipments, after)
        if order_id is None:
            equal: dict[str, str | int | bool] = {} if state is None else {"state": state}
            found = await rows.find(after=(cursor,) if cursor else None, limit=limit, **equal)
            last = found[-1].shipment_id if len(found) == limit else None
        else:
            behind = (order_id, cursor) if cursor else None
            listed = await pairs.find(after=behind, limit=limit, order_id=order_id)
            read = [await rows.get(one.shipment_id) for one in listed]
            found = [row for row in read if row is not None and state in {None, row.state}]
            last = listed[-1].shipment_id if len(listed) == limit else None
        return views.ShipmentPage(shipments=tuple(map(views.shipment_out, found)), cursor=last)

    @router.get("/shipments/{shipment_id}")
    async def one(shipment_id: views.Id, after: After = None) -> views.ShipmentOut:
        """Show a parcel as it stands."""
        row = await (await caught_up(shipments, after)).get(shipment_id)
        if row is None:
            raise Problem("shipment-not-found", "There is no such shipment.")
        return views.shipment_out(row)

    @router.get("/shipments/{shipment_id}/label")
    async def label(shipment_id: views.Id, after: After = None) -> views.PrintOut:
        """Ask the carrier where a parcel's label can be fetched; nothing of it is kept here."""
        row = await (await caught_up(shipments, after)).get(shipment_id)
        if row is None:
            raise Problem("shipment-not-found", "There is no such shipment.")
        if row.label != "bought" or not row.provider_shipment:
            raise Problem("label-not-there", "No label of this parcel is known at a carrier.")
        return views.PrintOut(url=await label_url(ports, row.label_account, row.provider_shipment))

    @router.get("/handovers/{order_id}")
    async def handover(order_id: views.Id, after: After = None) -> views.HandoverOut:
        """Show where an order's units are: in which parcels, and what is in none."""
        row = await (await caught_up(handovers, after)).get(order_id)
        if row is None:
            raise Problem("handover-not-found", "Nothing is to be handed over of such an order.")
        return views.handover_out(row)


def _queues(router: APIRouter, ports: Ports) -> None:
    tables: Sequence[tuple[Any, Rows[Any], tuple[str, ...]]] = (
        ("handover", ports.rows(HANDOVERS), HANDOVERS.key),
        ("shipment", ports.rows(SHIPMENTS), SHIPMENTS.key),
        ("tracking", ports.rows(TRACKINGS), TRACKINGS.key),
    )
    keys = {name: key for name, _, key in tables} | {"": ()}

    @router.get("/queues")
    async def queues(
        reason: str | None = None, cursor: Cursor = None, limit: Limit = 100, after: After = None
    ) -> views.QueuePage:
        """List what waits: orders' units first, then parcels, then words on unknown parcels."""
        kind, *behind = place(cursor, tuple[str, ...]) or ("",)
        if kind not in keys or len(behind) != len(keys[kind]):
            raise no_cursor()
        entries: list[views.QueueEntry] = []
        for name, rows, key in tables:
            if name < kind:
                continue
            equal: dict[str, str | int | bool] = {"waiting": True}
            equal |= {} if reason is None else {"reason": reason}
            left = limit - len(entries)
            found = await (await caught_up(rows, after)).find(
                after=tuple(behind) if name == kind else None, limit=left, **equal
            )
            for row in found:
                waiting = views.waiting_out(row)
                assert waiting is not None
                shown = "/".join(str(getattr(row, column)) for column in key)
                entries.append(views.QueueEntry(kind=name, id=shown, waiting=waiting))
            if len(entries) == limit:
                last = cursor_of(name, *(getattr(found[-1], column) for column in key))
                return views.QueuePage(entries=tuple(entries), cursor=last)
        return views.QueuePage(entries=tuple(entries), cursor=None)


async def _tell(
    ports: Ports, shipment_id: str, command: shipment_commands.ShipmentCommand, write: Write
) -> views.Done:
    stream = shipment_commands.shipment_stream(shipment_id)
    answer = await tell(ports.commands, write, stream, command)
    return views.Done(id=shipment_id, events=answer.events, token=answer.token)


def _writes(router: APIRouter, ports: Ports) -> None:
    @router.post("/shipments/{shipment_id}/pack")
    async def pack(shipment_id: views.Id, body: views.PackIn, write: WriteRequest) -> views.Done:
        """Close a parcel: its payment and its label are asked for."""
        command = shipment_commands.Pack(
            ENTITY, shipment_id, body.weight_grams, body.by, ports.clock()
        )
        return await _tell(ports, shipment_id, command, write)

    @router.post("/shipments/{shipment_id}/hand-over")
    async def hand_over(
        shipment_id: views.Id, body: views.HandOverIn, write: WriteRequest
    ) -> views.Done:
        """Give a parcel away; refused without label or money, or against a hold."""
        command = shipment_commands.HandOver(ENTITY, shipment_id, body.by, ports.clock())
        return await _tell(ports, shipment_id, command, write)

    @router.post("/shipments/{shipment_id}/stop")
    async def stop(shipment_id: views.Id, body: views.StopIn, write: WriteRequest) -> views.Done:
        """Answer a stop: the units were kept, or it is too late for them."""
        command = shipment_commands.AnswerStop(
            ENTITY, shipment_id, body.stopped, body.by, ports.clock()
        )
        return await _tell(ports, shipment_id, command, write)


def _people(router: APIRouter, ports: Ports) -> None:
    shipments: Rows[ShipmentRow] = ports.rows(SHIPMENTS)

    @router.post("/shipments/{shipment_id}/decisions")
    async def decide(
        shipment_id: views.Id, body: views.DecisionIn, write: WriteRequest
    ) -> views.Done:
        """Decide on a parcel, its changed address, or its label in doubt."""
        command = views.decided(shipment_id, body, ports.clock())
        return await _tell(ports, shipment_id, command, write)

    @router.post("/shipments/{shipment_id}/label")
    async def label(shipment_id: views.Id, body: views.LabelIn, write: WriteRequest) -> views.Done:
        """Ask again for a label that was refused, or that no carrier has made for an hour.

        By another service or carrier account if named.
        """

        async def judged() -> Sequence[Told]:
            if body.carrier is not None and body.carrier not in ports.settings.carriers:
                raise Problem("carrier-unknown", f"There is no [carriers.{body.carrier[:40]}].")
            command = shipment_commands.RetryLabel(
                ENTITY, shipment_id, body.carrier, body.service, body.by, ports.clock()
            )
            return [(shipment_commands.shipment_stream(shipment_id), command)]

        answer = await carry_out(ports.commands, write, judged)
        return views.Done(id=shipment_id, events=answer.events, token=answer.token)

    @router.post("/shipments", status_code=201)
    async def join(body: views.JoinIn, write: WriteRequest) -> list[views.Done]:
        """Let several orders' units go in one parcel: one buyer, one place, none packed yet.

        All of them are joined, or none.
        """

        async def judged() -> Sequence[Told]:
            return _joined(
                [await shipments.get(name) for name in dict.fromkeys(body.shipments)], body.by,
                ports.clock(),
            )  # fmt: skip

        answer = await carry_out(ports.commands, write, judged)
        return [
            views.Done(id=stream_key(one.stream), events=one.events, token=one.token)
            for one in (answer, *answer.also)
        ]


def _joined(rows: Sequence[ShipmentRow | None], by: str, at: int) -> Sequence[Told]:
    """Return what tells the orders of all parcels but the first to join it. Raises Problem."""
    found = [row for row in rows if row is not None]
    if len(found) != len(rows):
        raise Problem("shipment-not-found", "There is no such shipment.")
    if len(found) < 2:
        raise Problem("invalid-request", "A parcel is not joined with itself.")
    if len({(row.subject, row.location, row.currency) for row in found}) != 1:
        raise Problem("not-one-parcel", "They go to other buyers, or from other places.")
    if any(row.state != "planned" for row in found):
        raise Problem("not-open", "One of them is packed already.")
    join, into = handover_commands.JoinShipment, found[0].shipment_id
    return [
        (
            handover_commands.handover_stream(order),
            join(ENTITY, order, row.shipment_id, into, by, at),
        )
        for row in found[1:]
        for order in sorted(row.orders)
    ]
