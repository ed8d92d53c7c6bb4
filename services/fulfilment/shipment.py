"""What must be remembered of a parcel to decide, and how its history makes that. Pure."""

from collections.abc import Iterable
from typing import Literal, assert_never

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts import fulfilment as events
from libs.contracts.common import (
    Customer,
    OrderReference,
    ShipmentRow,
    ShipmentUnits,
    TrackingStatus,
)
from services.fulfilment.commands import SELF

Status = Literal[
    "", "planned", "packed", "ready", "dispatched", "delivered", "failed", "lost", "returned",
    "cancelled",
]  # fmt: skip
OPEN = frozenset({"planned", "packed", "ready"})
LEFT = frozenset({"dispatched", "delivered", "failed", "lost", "returned"})
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
    """What one order has in the parcel. `stop`: rows that somebody has been asked to keep back."""

    account: str
    statement: int
    rows: Rows = ()
    units: Units = ()
    blocked: str | None = None
    cleared: bool = False
    stop: Rows = ()
    stop_units: Units = ()
    stop_reason: str = ""
    reference: OrderReference | None = None


class Label(msgspec.Struct, frozen=True):
    """The newest label; `given_back`: it is to be, or was, voided."""

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


class Shipment(msgspec.Struct, frozen=True):
    """One parcel. `scans`: the carrier's time of its newest word of each kind; `told`: acted on.

    `heard_at` is when anything was last known of it; `decided` what a person decided.
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
    tracked: bool = False
    heard_at: int = 0
    scans: Map[str, int] = Map()
    detail: str = ""
    told: tuple[Kind, int] = ("other", 0)
    asked: int = 0
    decided: str = ""

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


def evolve(state: Shipment, event: events.FulfilmentEvent) -> Shipment:
    """Return the parcel behind an event."""
    match event:
        case events.ShipmentPlanned():
            return _planned(event)
        case events.ShipmentJoined():
            part = Part(
                event.account, event.statement, event.rows, event.units, event.blocked,
                reference=event.reference,
            )  # fmt: skip
            value = state.declared_value + event.declared_value
            return _part(replace(state, declared_value=value), event.order_id, part)
        case events.ShipmentPacked():
            return replace(state, status="packed", weight_grams=event.weight_grams)
        case events.ShipmentClearanceRecorded():
            return _part(state, event.order_id, replace(_of(state, event.order_id), cleared=True))
        case events.ShipmentBlocked():
            part = replace(
                _of(state, event.order_id), blocked=event.blocked, statement=event.statement
            )
            return _part(state, event.order_id, part)
        case events.DispatchStopRequested():
            part = replace(
                _of(state, event.order_id), stop=event.rows, stop_units=event.units,
                stop_reason=event.reason, statement=event.statement,
            )  # fmt: skip
            return _part(state, event.order_id, part)
        case events.DispatchStopped():
            part = _of(state, event.order_id)
            rows, units = fewer(part.rows, event.rows), fewer_units(part.units, event.units)
            part = replace(part, rows=rows, units=units, stop=(), stop_units=())
            return _part(state, event.order_id, part)
        case events.StopTooLate():
            part = replace(_of(state, event.order_id), stop=(), stop_units=())
            return _part(state, event.order_id, part)
        case events.ShipmentReady():
            return replace(state, status="ready")
        case events.ShipmentDispatched():
            return replace(
                state, status="dispatched", tracked=event.tracked, heard_at=event.occurred_at
            )
        case events.ShipmentCancelled():
            return replace(state, status="cancelled")
        case (
            events.LabelRequested() | events.LabelQuoted() | events.LabelBought()
            | events.LabelRefused() | events.LabelInDoubt() | events.LabelVoidRequested()
            | events.LabelVoided()
        ):  # fmt: skip
            return _labelled(state, event)
        case (
            events.ParcelTracked() | events.ShipmentDelivered() | events.DeliveryAssumed()
            | events.DeliveryFailed() | events.ParcelLost() | events.ReturnedToSender()
            | events.ExceptionSettled() | events.TrackingAsked()
        ):  # fmt: skip
            return _followed(state, event)
        case (
            events.FulfilmentTaken() | events.AllocationTaken() | events.HandoverPlanned()
            | events.HandoverRecorded() | events.ShipmentUnplannable()
            | events.ShipmentJoinRequested() | events.TrackerLinked() | events.TrackingMatched()
            | events.TrackingUnmatched()
        ):  # fmt: skip
            return state  # of handovers and trackers: never in this stream
        case _:
            assert_never(event)


def _of(state: Shipment, order: str) -> Part:
    return state.parts.get(order, Part("", 0))


def _part(state: Shipment, order: str, part: Part) -> Shipment:
    return replace(state, parts=state.parts.set(order, part))


def _planned(event: events.ShipmentPlanned) -> Shipment:
    order = event.rows[0].order_id
    part = Part(
        event.account, event.statement, event.rows, event.units, event.blocked,
        reference=next(iter(event.references), None),
    )  # fmt: skip
    return Shipment(
        status="planned", entity=event.entity, location=event.location,
        requires_shipping=event.requires_shipping,
        carrier=event.carrier, service=event.service, packing=event.packing,
        hand_over=event.hand_over, silent_days=event.silent_days, assume_days=event.assume_days,
        customer=event.customer, ship_by=event.ship_by, deliver_by=event.deliver_by,
        declared_value=event.declared_value, currency=event.currency, parts=Map({order: part}),
    )  # fmt: skip


LabelEvent = (
    events.LabelRequested | events.LabelQuoted | events.LabelBought | events.LabelRefused
    | events.LabelInDoubt | events.LabelVoidRequested | events.LabelVoided
)  # fmt: skip


def _labelled(state: Shipment, event: LabelEvent) -> Shipment:
    old = state.label or Label(event.label_id, "requested")
    match event:
        case events.LabelRequested():
            label = Label(event.label_id, "requested", event.carrier)
            return replace(
                state, label=label, labels=state.labels + 1, carrier=event.carrier,
                service=event.service,
            )  # fmt: skip
        case events.LabelQuoted():
            label = replace(old, state="quoted", provider_shipment=event.provider_shipment)
        case events.LabelBought():
            label = Label(
                event.label_id, "bought", event.account, event.provider_shipment,
                event.tracking_code, event.tracker, event.carrier, event.service, event.cost,
                event.currency,
            )  # fmt: skip
        case events.LabelRefused():
            label = replace(old, state="refused")
        case events.LabelInDoubt():
            label = replace(old, state="doubt")
        case events.LabelVoidRequested():
            label = replace(old, state="voiding")
        case events.LabelVoided():
            label = replace(old, state="voided")
        case _:
            assert_never(event)
    return replace(state, label=label)


TrackedEvent = (
    events.ParcelTracked | events.ShipmentDelivered | events.DeliveryAssumed
    | events.DeliveryFailed | events.ParcelLost | events.ReturnedToSender
    | events.ExceptionSettled | events.TrackingAsked
)  # fmt: skip


def _followed(state: Shipment, event: TrackedEvent) -> Shipment:
    match event:
        case events.ParcelTracked():
            seen, kind = event.occurred_at, kind_of(event.status)
            state = replace(
                state, scans=state.scans.set(kind, seen), heard_at=max(state.heard_at, seen),
                detail=event.detail if kind == "failure" else state.detail,
            )  # fmt: skip
            # What is heard of again is under way again; what has arrived or come back stays so.
            again = state.status in {"failed", "lost"} and state.verdict()[0] == "other"
            return replace(state, status="dispatched") if again else state
        case events.TrackingAsked():
            return replace(state, asked=event.ordinal)
        case events.ExceptionSettled():
            return replace(state, decided=event.decision)
        case events.ShipmentDelivered() | events.DeliveryAssumed():
            return replace(state, status="delivered", told=state.verdict())
        case events.DeliveryFailed():
            return replace(state, status="failed", told=state.verdict(), decided="")
        case events.ReturnedToSender():
            return replace(state, status="returned", told=state.verdict(), decided="")
        case events.ParcelLost():
            return replace(state, status="lost", told=state.verdict(), decided="")
        case _:
            assert_never(event)
