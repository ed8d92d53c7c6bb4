"""The HTTP edge of words on parcels that nobody here knows: a person says whose parcel it is."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from libs.runtime.ports import Ports, Told
from libs.web.problems import Problem
from libs.web.writes import WriteRequest, carry_out
from services.fulfilment import tracker_commands, views
from services.fulfilment.order_rows import TRACKINGS
from services.fulfilment.read_model import SHIPMENTS

Part = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,120}$")]


class TrackingDecisionIn(BaseModel):
    """Whose parcel a tracker follows: one of ours (`shipment_id`), or nobody's here."""

    model_config = ConfigDict(extra="forbid")
    decision: Literal["link", "nobodys"]
    shipment_id: views.Id | None = None


def routes(router: APIRouter, ports: Ports) -> None:
    """Add the route."""
    trackings, shipments = ports.rows(TRACKINGS), ports.rows(SHIPMENTS)

    async def _judged(account: str, tracker: str, body: TrackingDecisionIn) -> Sequence[Told]:
        row = await trackings.get(account, tracker)
        if row is None:
            raise Problem("tracking-not-found", "No carrier has told of such a tracker.")
        if not row.waiting:
            raise Problem("nothing-to-decide", "It is known whose parcel this tracker follows.")
        name = tracker_commands.NOBODY
        if body.decision == "link":
            parcel = await shipments.get(body.shipment_id or "")
            if parcel is None:
                raise Problem("shipment-not-found", "There is no such shipment.")
            if parcel.tracking_code != row.tracking_code:
                raise Problem("not-its-code", "The shipment's label has another tracking code.")
            name = parcel.shipment_id
        link = tracker_commands.LinkTracker(views.ENTITY, account, tracker, name, ports.clock())
        return [(tracker_commands.tracker_stream(account, tracker), link)]

    @router.post("/trackings/{account}/{tracker}/decisions")
    async def decide(
        account: Part, tracker: Part, body: TrackingDecisionIn, write: WriteRequest
    ) -> views.Done:
        """Say whose parcel a carrier's tracker follows, or that it is nobody's here."""
        answer = await carry_out(
            ports.commands, write, lambda: _judged(account, tracker, body)
        )  # fmt: skip
        return views.Done(id=tracker, events=answer.events, token=answer.token)
