"""What must be remembered of a parcel to decide, and how its history makes that. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts.common import (
    Customer,
    OrderReference,
    ShipmentRow,
    ShipmentUnits,
    TrackingStatus,
)
from services.fulfilment.shipment_commands import SELF

Status = Literal[
    "", "planned", "packed", "ready", "dispatched", "delivered", "failed", "lost", "returned",
    "cancelled",
]  # fmt: skip
OPEN = frozenset({"planned", "packed", "ready"})
LEFT = frozenset({"dispatched", "delivered", "failed", "lost", "returned"})
MOST_ASKED = 90  # days after which nobody asks any more where it is
EXCEPTIONS = frozenset({"failed", "lost", "returned"})
Rows = tuple[ShipmentRow, ...]
Units = tuple[ShipmentUnits, ...]

Kind = Literal["delivered", "return_to_sender", "failure", "other"]


def kind_of(status: TrackingStatus) -> Kind:
    """Return which of the carrier's words, of the same kind, only the newest counts."""
    match status:
        case "delivered" | "return_to_sender" | "failure":
            return status
        case _:
            return "other"


class Part(msgspec.Struct, frozen=True):
    """What one order has in the parcel. `stop`: rows that somebody has been asked to keep back.

    `decided` is what a person decided for the order where the parcel did not arrive.
    """

    account: str
    statement: int
    rows: Rows = ()
    units: Units = ()
    blocked: str | None = None
    cleared: bool = False
    stop: Rows = ()
    stop_units: Units = ()
    stop_reason: str = ""
    decided: str = ""
    reference: OrderReference | None = None


class Label(msgspec.Struct, frozen=True):
    """A label. `doubted`: since when nobody knows whether it was made or given back.

    `bought_at` is when that was known; microseconds.
    """

    label_id: str
    state: Literal["requested", "quoted", "doubt", "bought", "refused", "voiding", "voided"]
    account: str = SELF
    provider_shipment: str = ""
    tracking_code: str = ""
    tracker: str = ""
    carrier: str = ""
    service: str = ""
    cost: int = 0
    currency: str = ""
    doubted: int = 0
    bought_at: int = 0


class Shipment(msgspec.Struct, frozen=True):
    """One parcel. `scans`: the carrier's time of its newest word of each kind; `told`: acted on.

    `label` is the newest one; `earlier` are those that another was asked for instead of, until
    one that was bought after all has been given back. `heard_at` is when anything was last known
    of the parcel.
    """

    status: Status = ""
    entity: str = ""
    location: str = ""
    requires_shipping: bool = True
    carrier: str = SELF
    service: str = ""
    packing: str = "automatic"
    hand_over: str = "automatic"
    silent_days: int = 0
    assume_days: int = 0
    customer: Customer | None = None
    ship_by: int | None = None
    deliver_by: int | None = None
    declared_value: int = 0
    currency: str = ""
    weight_grams: int | None = None
    parts: Map[str, Part] = Map()
    label: Label | None = None
    labels: int = 0
    earlier: Map[str, Label] = Map()
    tracked: bool = False
    heard_at: int = 0
    scans: Map[str, int] = Map()
    detail: str = ""
    told: tuple[Kind, int] = ("other", 0)
    asked: int = 0

    def active(self) -> list[tuple[str, Part]]:
        """Return the orders that have units in the parcel."""
        return [(order, part) for order, part in sorted(self.parts.items()) if part.rows]

    def rows(self) -> Rows:
        """Return what is in the parcel."""
        return tuple(row for _, part in self.active() for row in part.rows)

    def units(self) -> Units:
        """Return the units in the parcel, by order and SKU."""
        return tuple(one for _, part in self.active() for one in part.units)

    def needs_label(self) -> bool:
        """Say whether a carrier takes it."""
        return self.requires_shipping and self.carrier != SELF

    def labelled(self) -> bool:
        """Say whether it has the label that it needs."""
        return not self.needs_label() or (self.label is not None and self.label.state == "bought")

    def voiding(self) -> Label | None:
        """Return the label that is being given back; the newest one first."""
        labels = [one for _, one in sorted(self.earlier.items())]
        labels = labels if self.label is None else [self.label, *labels]
        return next((one for one in labels if one.state == "voiding"), None)

    def cleared(self) -> bool:
        """Say whether payments lets each order's share go."""
        return all(part.cleared for _, part in self.active())

    def blocked(self) -> str | None:
        """Return the reason of a hold on dispatch."""
        return next((p.blocked for _, p in self.active() if p.blocked is not None), None)

    def verdict(self) -> tuple[Kind, int]:
        """Return what the carrier's words come to, whatever order they came in, and since when."""
        scans = self.scans
        arrived, back = scans.get("delivered", -1), scans.get("return_to_sender", -1)
        if max(arrived, back) >= 0:
            return ("delivered", arrived) if arrived >= back else ("return_to_sender", back)
        failed, other = scans.get("failure", -1), scans.get("other", 0)
        return ("failure", failed) if failed >= other else ("other", other)

    def decided(self) -> bool:
        """Say whether a person has decided for each order, where it did not arrive."""
        return all(part.decided for _, part in self.active())

    def stopping(self) -> bool:
        """Say whether somebody has still to answer a stop."""
        return any(part.stop for _, part in self.active())


def fewer(rows: Rows, by: Rows) -> Rows:
    """Return rows less other rows, line by line; what has nothing left is gone."""
    less: dict[str, int] = {}
    for row in by:
        less[row.line_id] = less.get(row.line_id, 0) + row.quantity
    left = [(row, row.quantity - less.get(row.line_id, 0)) for row in rows]
    return tuple(replace(row, quantity=n) for row, n in left if n > 0)


def fewer_units(units: Units, by: Iterable[ShipmentUnits]) -> Units:
    """Return units less other units, SKU by SKU."""
    less: dict[str, int] = {}
    for one in by:
        less[one.sku] = less.get(one.sku, 0) + one.units
    left = [(one, one.units - less.get(one.sku, 0)) for one in units]
    return tuple(replace(one, units=n) for one, n in left if n > 0)
