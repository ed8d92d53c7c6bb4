"""What is remembered of an order from its confirmation on: its money and its parcels. Pure data."""

import msgspec
from immutables import Map

from libs.contracts import common

OUT = frozenset({"dispatched", "delivered", "delivery_failed", "lost", "returned_to_sender"})
PACKED = OUT | {"planned", "packed", "ready", "stopping"}  # units that are in a parcel
TROUBLE = {
    "delivery_failed": "delivery-failed",
    "lost": "parcel-lost",
    "returned_to_sender": "returned-to-sender",
}
UNDER_WAY = PACKED - {"delivered", *TROUBLE}  # units that may still arrive


class Bill(msgspec.Struct, frozen=True, array_like=True):
    """What was last said that the order costs; minor units.

    `due` is `amount` without what needs no charge (gift cards, credit, on account, on delivery).
    `terms` is a text by which a change of custody, funds or tenders is known. `total` is what the
    whole order costs.
    """

    revision: int
    amount: int
    charges: int
    due: int
    lines: Map[str, tuple[int, int]]
    terms: str
    decide_by: int
    total: int = 0


class Payment(msgspec.Struct, frozen=True, array_like=True):
    """What payments said last: amounts in minor units, `seen` the version of its stream."""

    standing: common.PaymentStanding = "unknown"
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    reason: str = ""
    deadline: int | None = None
    seen: int = 0


class Requested(msgspec.Struct, frozen=True, array_like=True):
    """What was last said that fulfilment shall hand over, units by line in all."""

    revision: int
    lines: Map[str, int]
    blocked: str | None
    terms: str


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """The order's units in a shipment; `seen` is the version of its stream.

    `settled` is what a person decided of its trouble, `rule` how it came to be delivered. A `late`
    one can be stopped no more, though it may not have left. `to` is the destination that it
    goes to, `let_be` the buyer's other one, in spite of which a person lets it go on.
    """

    status: common.ShipmentStatus
    lines: Map[str, int]
    seen: int
    settled: str = ""
    rule: str = ""
    late: bool = False
    to: str = ""
    let_be: str = ""


class Stop(msgspec.Struct, frozen=True, array_like=True):
    """A cancellation that is asked for and not answered yet, units by line."""

    lines: Map[str, int]
    by: common.Party
    reason: str
    answer_by: int | None


class Concern(msgspec.Struct, frozen=True, array_like=True):
    """A queue that a confirmed order stands in, until when, and the money at risk, minor units."""

    decide_by: int | None
    value: int = 0
