"""What callers of fulfilment send and see: shapes at the edge, checked here. Decides nothing."""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from libs.web.problems import Problem
from libs.web.texts import By, Note
from services.fulfilment import shipment_commands as commands
from services.fulfilment.order_rows import HandoverRow, TrackingRow
from services.fulfilment.standing import ShipmentRow

ENTITY = "main"
Id = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[!-~]+$")]
Micros = Annotated[int, Field(description="Microseconds since the epoch.")]


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PackIn(_View):
    """A parcel that is closed."""

    weight_grams: int | None = Field(default=None, ge=1, le=1_000_000, strict=True)
    by: By = "warehouse"


class HandOverIn(_View):
    """A parcel that is given away."""

    by: By = "warehouse"


class StopIn(_View):
    """Whether the warehouse could keep what is no longer wanted."""

    stopped: bool = Field(default=True, strict=True)
    by: By = "warehouse"


class DecisionIn(_View):
    """What becomes of a parcel, of its address, or of a label in doubt.

    `tracking_code` and `cost_minor` are those of a label that was `bought` after all.
    """

    decision: Literal[
        "reship", "refund", "claim", "delivered", "new-label", "keep", "bought", "not-bought",
        "given-back", "not-given-back",
    ]  # fmt: skip
    tracking_code: str = Field(default="", max_length=80, pattern=r"^[!-~]*$")
    cost_minor: int = Field(default=0, ge=0, le=10**9, strict=True)
    note: Note = Field(default="", max_length=200)
    by: By = "operator"


def decided(
    shipment_id: str, body: DecisionIn, at: int
) -> commands.DecideAddress | commands.DecideLabel | commands.DecideVoid | commands.Settle:
    """Return what a person's decision tells the parcel. Raises Problem."""
    match body.decision:
        case "new-label" | "keep":
            return commands.DecideAddress(
                ENTITY, shipment_id, body.decision == "new-label", body.by, at
            )
        case "bought" if not body.tracking_code:
            raise Problem("tracking-code-missing", "Say the tracking code that is on the label.")
        case "bought" | "not-bought":
            return commands.DecideLabel(
                ENTITY, shipment_id, body.decision == "bought", body.tracking_code,
                body.cost_minor, body.by, at,
            )  # fmt: skip
        case "given-back" | "not-given-back":
            given_back = body.decision == "given-back"
            return commands.DecideVoid(ENTITY, shipment_id, given_back, body.by, at)
        case "delivered":
            return commands.Settle(ENTITY, shipment_id, body.by, body.note, at)
        case _:
            raise Problem(
                "decide-at-the-order",
                "Each order in a parcel decides: POST /orders/{id}/decisions.",
            )


class LabelIn(_View):
    """A label to be asked for again; without a carrier or service, the same."""

    carrier: str | None = Field(default=None, max_length=40)
    service: str | None = Field(default=None, max_length=80)
    by: By = "operator"


class JoinIn(_View):
    """Parcels that are to go as one: the others' units go with the first, to its address.

    Addresses are sealed, so whoever asks says that they have been compared.
    """

    shipments: tuple[Id, ...] = Field(min_length=2, max_length=20)
    same_address: Literal[True]
    by: By = "operator"


class Done(_View):
    """A write that is committed; `token` is for `?after=`."""

    id: str
    events: tuple[str, ...]
    token: str


class WaitingOut(_View):
    """What something waits for; empty reasons wait for nobody."""

    reason: str
    owner: str
    since: Micros
    deadline: Micros | None
    next_action: str
    value_at_risk_minor: int
    currency: str


class LabelOut(_View):
    """A parcel's label; cost in minor units. Where it can be fetched is asked for apart."""

    state: str
    code: str
    cost_minor: int
    currency: str


class PrintOut(_View):
    """Where a label can be fetched to be printed: whoever has this address can read the label."""

    url: str


class ShipmentOut(_View):
    """A parcel as it stands: units by order and line, and what it waits for."""

    shipment_id: str
    state: str
    location: str
    carrier: str
    service: str
    requires_shipping: bool
    orders: dict[str, dict[str, int]]
    units: dict[str, int]
    cleared: tuple[str, ...]
    blocked: dict[str, str]
    ship_by: Micros | None
    deliver_by: Micros | None
    label: LabelOut | None
    tracking_code: str | None
    tracking: str
    decision: str
    waiting: WaitingOut | None


class ShipmentPage(_View):
    """A page; `cursor` is for the next one, null at the end."""

    shipments: tuple[ShipmentOut, ...]
    cursor: str | None


class HandoverOut(_View):
    """An order's units: wanted in all, by parcel, and what is in none."""

    order_id: str
    revision: int
    wanted: dict[str, int]
    parcels: dict[str, dict[str, int]]
    left: int
    waiting: WaitingOut | None


class QueueEntry(_View):
    """Something that waits for somebody."""

    kind: Literal["handover", "shipment", "tracking"]
    id: str
    waiting: WaitingOut


class QueuePage(_View):
    """A page; `cursor` is for the next one, null at the end."""

    entries: tuple[QueueEntry, ...]
    cursor: str | None


def waiting_out(row: ShipmentRow | HandoverRow | TrackingRow) -> WaitingOut | None:
    """Show what a row waits for."""
    if not row.waiting:
        return None
    return WaitingOut(
        reason=row.reason, owner=row.owner, since=row.since, deadline=row.deadline,
        next_action=row.next_action, value_at_risk_minor=getattr(row, "value", 0),
        currency=getattr(row, "currency", ""),
    )  # fmt: skip


def shipment_out(row: ShipmentRow) -> ShipmentOut:
    """Show a parcel."""
    label = LabelOut(
        state=row.label, code=row.label_code, cost_minor=row.label_cost,
        currency=row.label_currency,
    )  # fmt: skip
    same = _same(row, ShipmentOut)
    same |= {"label": label if row.label else None, "waiting": waiting_out(row)}
    return ShipmentOut.model_validate(same | {"tracking_code": row.tracking_code or None})


def handover_out(row: HandoverRow) -> HandoverOut:
    """Show an order's units."""
    return HandoverOut.model_validate(_same(row, HandoverOut) | {"waiting": waiting_out(row)})


def _same(row: msgspec.Struct, view: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in view.model_fields}
