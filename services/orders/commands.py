"""What orders can be told: by a channel, by inventory, by a caller, by time. Decides nothing."""

from typing import Literal

import msgspec

from libs.contracts import common, orders
from libs.values.ids import short

HOURS = 3_600_000_000  # microseconds
DECIDE_WITHIN = 48 * HOURS  # how long an order may stay undecided before it is a person's matter


class RecordVersion(msgspec.Struct, frozen=True, tag=True):
    """A channel told an order, whole: the first version places it, a newer one amends it.

    `occurred_at` is the channel's time, `at` when the fact was recorded here; microseconds.
    """

    order: common.Order
    occurred_at: int
    at: int


class RecordFunds(msgspec.Struct, frozen=True, tag=True):
    """A channel told what is known of the money: also what it took in all, and gave back."""

    version: common.Version
    funds: common.Funds
    funds_word: str
    custody: common.Custody
    amount: int
    currency: str
    occurred_at: int
    at: int
    received: int | None = None
    refunded: int | None = None


class RecordCancellation(msgspec.Struct, frozen=True, tag=True):
    """A channel states units as cancelled; with `whole` the lines do not matter."""

    version: common.Version
    whole: bool
    lines: tuple[common.ExternalLineQuantity, ...]
    by: common.Party
    reason: str
    occurred_at: int
    at: int


class ResolveLine(msgspec.Struct, frozen=True, tag=True):
    """A line of an unlinked listing learned its SKU; may come before its order."""

    entity: str
    order_id: str
    line_id: str
    sku: str
    units_per_listing: int
    components: tuple[common.Component, ...]
    at: int


class RecordStock(msgspec.Struct, frozen=True, tag=True):
    """Inventory answered for one SKU: what the order has and lacks after the fact.

    `stock_version` is the version of the SKU's stream, by which repeats are known.
    """

    sku: str
    revision: int
    reserved: int
    short: int
    stock_version: int
    fact: str
    occurred_at: int
    at: int


class RecordShortfall(msgspec.Struct, frozen=True, tag=True):
    """Units that were promised to the order are gone."""

    sku: str
    units: int
    stock_version: int
    occurred_at: int
    at: int


class RecordHoldExpiry(msgspec.Struct, frozen=True, tag=True):
    """A hold of the order's units ended by time."""

    sku: str
    occurred_at: int
    at: int


class RequestCancellation(msgspec.Struct, frozen=True, tag=True):
    """Someone asks to cancel units; without lines, all. A fact's request is answered by events.

    A quantity of 0 means all that is left of the line. With `external`, the line ids are the
    channel's and nothing is refused to the caller, for there is none.
    """

    request_id: str
    lines: tuple[common.LineQuantity, ...]
    by: common.Party
    reason: str
    at: int
    answer_by: int | None = None
    external: bool = False


class PlaceHold(msgspec.Struct, frozen=True, tag=True):
    """A person holds an order, or some of its lines; with `until`, for that long."""

    hold_id: str
    reason: str
    note: str
    lines: tuple[str, ...]
    blocks: orders.Blocks
    until: int | None
    by: common.Party
    at: int


class ReleaseHold(msgspec.Struct, frozen=True, tag=True):
    """A hold is to end; by policy when its time has come."""

    hold_id: str
    reason: str
    by: common.Party
    at: int


class DecideShortage(msgspec.Struct, frozen=True, tag=True):
    """A person decides on an order that waits for stock."""

    decision: Literal["retry", "backorder", "cancel"]
    reason: str
    by: common.Party
    at: int


class RecordPayment(msgspec.Struct, frozen=True, tag=True):
    """Payments told something of the order's money.

    `amount` is what this fact alone moved, minor units; a standing "unknown" says that a doubt or a
    dispute is over. `payment_version` is the version of the payment's stream.
    """

    standing: common.PaymentStanding
    fact: str
    amount: int
    currency: str
    reason: str
    payment_version: int
    deadline: int | None
    occurred_at: int
    at: int


class RecordShipment(msgspec.Struct, frozen=True, tag=True):
    """Fulfilment told something of a shipment; the lines are the order's own units in it.

    With the status "stopped" they are those that stay. An empty `shipment_id` stands for units that
    no parcel can take. `version` is that of the stream that says it, `destination` a text by which
    the address that the parcel was planned for is known.
    """

    shipment_id: str
    status: common.ShipmentStatus
    fact: str
    lines: tuple[common.LineQuantity, ...]
    reason: str
    version: int
    deadline: int | None
    occurred_at: int
    at: int
    destination: str = ""


class RecordRelease(msgspec.Struct, frozen=True, tag=True):
    """Fulfilment answered that it was to have fewer units: what its parcels have, in all.

    `revision` is that of the newest request that it has taken.
    """

    revision: int
    lines: tuple[common.LineQuantity, ...]
    occurred_at: int
    at: int


class DecideConcern(msgspec.Struct, frozen=True, tag=True):
    """A person decides on a parcel that did not arrive, or on a change that came too late.

    Without a shipment it is the only one that waits. `accept` lets be what has left.
    """

    decision: Literal["reship", "refund", "claim", "accept"]
    shipment_id: str | None
    by: common.Party
    at: int


class DecideByDeadline(msgspec.Struct, frozen=True, tag=True):
    """A time by which something of an order must be decided, paid or answered has come."""

    at: int


OrderCommand = (
    RecordVersion
    | RecordFunds
    | RecordCancellation
    | ResolveLine
    | RecordStock
    | RecordShortfall
    | RecordHoldExpiry
    | RequestCancellation
    | PlaceHold
    | ReleaseHold
    | DecideShortage
    | DecideByDeadline
    | RecordPayment
    | RecordShipment
    | RecordRelease
    | DecideConcern
)


def order_id(account: str, external_id: str) -> str:
    """Return our id of a channel's order."""
    return "ord_" + short(account, external_id)


def hold_id(order_id: str, reason: str, subject: str) -> str:
    """Return the id of a hold, the same for the same cause."""
    return "hold_" + short(order_id, reason, subject)


def cancellation_id(order_id: str, subject: str) -> str:
    """Return the id of a cancellation that is asked for; the same for the same cause."""
    return "cancel_" + short(order_id, subject)


def order_stream(order_id: str) -> str:
    """Return the stream of an order."""
    return f"order-{order_id}"
