"""What callers of orders send and see: shapes at the edge, checked here. Decides nothing."""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from services.orders.read_model import HistoryRow
from services.orders.standing import OrderRow

Reason = Annotated[
    str, Field(pattern="^[a-z][a-z0-9-]{0,39}$", description="A word or two in kebab-case.")
]
LineId = Annotated[str, Field(min_length=1, max_length=100)]
Micros = Annotated[int, Field(description="Microseconds since the epoch.")]


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LineUnits(_View):
    """Units of a line; without a quantity, all that is left of it."""

    line_id: LineId
    quantity: int | None = Field(default=None, ge=1, le=10**9, strict=True)


class CancellationIn(_View):
    """A wish to cancel; without lines, the whole order."""

    lines: tuple[LineUnits, ...] = Field(default=(), max_length=1000)
    reason: Reason = "requested"
    by: Literal["seller", "buyer"] = "seller"


class DecisionIn(_View):
    """What to do with an order that waits: for stock, for a parcel, or for a change too late.

    For stock: retry, backorder, cancel. For a parcel that did not arrive: reship, refund, claim,
    with its shipment where several wait. For a change or a new address that came too late, or for
    units that arrived although they were refunded or sent once more: accept.
    """

    decision: Literal["retry", "backorder", "cancel", "reship", "refund", "claim", "accept"]
    reason: Reason = "decided"
    shipment_id: LineId | None = None


class HoldIn(_View):
    """A hold by hand; without lines, on the whole order; with `until`, for that long."""

    reason: Reason = "manual"
    lines: tuple[LineId, ...] = Field(default=(), max_length=1000)
    blocks: Literal["capture", "dispatch", "both"] = "both"
    until: Micros | None = Field(default=None, ge=0, lt=2**63, strict=True)


class ReleaseIn(_View):
    """Why a hold ends."""

    reason: Reason = "released"


class Done(_View):
    """A write that is committed; `token` is for `?after=`."""

    order_id: str
    events: tuple[str, ...]
    token: str
    id: str = Field(default="", description="Of the cancellation request or the hold.")


class Part(_View):
    """Units of a SKU in one ordered unit of a line."""

    sku: str
    units: int


class LineOut(_View):
    """A line and its ledger of units."""

    line_id: str
    external_line_id: str
    sku: str | None
    title: str
    kind: str
    quantity: int
    net_minor: int
    components: tuple[Part, ...]
    cancelled: int
    backordered: int
    confirmed: int
    reserved: int = Field(description="Confirmed units that have not left.")
    requested: int = Field(description="Units that fulfilment is asked to hand over, in all.")
    shipped: int
    delivered: int
    returned: int
    refunded: int
    resent: int
    amount_minor: int = Field(description="What the confirmed units cost, taxes on top included.")


class PaymentOut(_View):
    """What the order costs by what is confirmed of it, and what payments last said."""

    required_minor: int
    required_revision: int
    standing: str
    authorised_minor: int
    captured_minor: int
    refunded_minor: int
    reason: str
    decide_by: Micros | None


class ParcelOut(_View):
    """The order's units in a shipment; `settled` is what a person decided of its trouble."""

    status: str
    lines: dict[str, int]
    reason: str
    since: Micros
    settled: str


class QueueOut(_View):
    """A queue that the order stands in."""

    since: Micros
    decide_by: Micros | None
    at_risk: int


class DemandOut(_View):
    """What the order needs of a SKU; `answered` is the revision that inventory answered last.

    `reserved` is as of that answer: units that have left since are still counted in it.
    """

    units: int
    answered: int
    reserved: int
    short: int


class HoldOut(_View):
    """A hold that is in force."""

    reason: str
    blocks: str
    by: str
    since: Micros
    lines: tuple[str, ...]
    until: Micros | None


class OrderOut(_View):
    """An order as it stands: its state, why, who has to do what until when, and for how much."""

    order_id: str
    account: str
    external_id: str
    display_number: str
    provider: str
    state: str = Field(description="One of the states that a list can be asked for.")
    reason: str
    owner: str
    next_action: str
    since: Micros
    decide_by: Micros | None
    placed_at: Micros
    received_at: Micros
    confirmed_at: Micros | None
    total_minor: int
    currency: str
    value_at_risk_minor: int
    commitment: str
    funds: str
    shortage: str
    customer: str = Field(description="An opaque reference; personal fields are in the vault.")
    revision: int
    custody: str
    payment: PaymentOut
    blocked: str | None = Field(description="Why nothing more of it may be handed over.")
    completed_at: Micros | None
    completed_by: str = Field(description="scan, untracked, at-once, channel, cancelled")
    parcels: dict[str, ParcelOut]
    queues: dict[str, QueueOut]
    lines: tuple[LineOut, ...]
    holds: dict[str, HoldOut]
    demands: dict[str, DemandOut]


class OrderPage(_View):
    """Orders in the order of their ids; `cursor` asks for the next page, None at the end."""

    orders: tuple[OrderOut, ...]
    cursor: str | None


class EventOut(_View):
    """One event of an order's life."""

    version: int
    type: str
    occurred_at: Micros
    recorded_at: Micros
    facts: dict[str, Any]
    trace: str = Field(description="The trace id of the request that it all began with, or empty.")


class HistoryPage(_View):
    """An order's events from the first on; `cursor` asks for the next page."""

    order_id: str
    events: tuple[EventOut, ...]
    cursor: int | None


class Count(_View):
    """Orders in one state for one reason, and their money at risk by currency, minor units."""

    state: str
    reason: str
    orders: int
    value_at_risk_minor: dict[str, int]


class Summary(_View):
    """How many orders stand where."""

    orders: int
    counts: tuple[Count, ...]


def order_out(row: OrderRow) -> OrderOut:
    """Show a row."""
    data = msgspec.to_builtins(row)
    return OrderOut.model_validate({name: data[name] for name in OrderOut.model_fields})


def event_out(row: HistoryRow) -> EventOut:
    """Show an event."""
    data = msgspec.to_builtins(row)
    return EventOut.model_validate({name: data[name] for name in EventOut.model_fields})
