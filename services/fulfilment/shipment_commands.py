"""What a parcel can be told, and how it and its labels are named."""

import msgspec

from libs.contracts.common import (
    ClearanceBasis,
    Customer,
    OrderReference,
    ShipmentRow,
    ShipmentUnits,
    TrackingStatus,
)
from libs.values.ids import short

SELF = "self"  # the carrier of a place that has none: an untracked service of our own


def shipment_stream(shipment_id: str) -> str:
    """Return the stream of a parcel."""
    return f"shipment-{shipment_id}"


def shipment_name(order_id: str, location: str, generation: int) -> str:
    """Return the id of an order's parcel from a location; the same plan gives the same id."""
    return "shp_" + short("shipment", order_id, location, str(generation))


def label_name(shipment_id: str, number: int) -> str:
    """Return our id of a shipment's label: the first, or one after a refusal."""
    return "lbl_" + short("label", shipment_id, str(number))


class Policy(msgspec.Struct, frozen=True):
    """How parcels leave a location: from the configuration, and written down with the parcel."""

    carrier: str = SELF
    service: str = ""
    packing: str = "automatic"
    hand_over: str = "automatic"
    silent_days: int = 10
    assume_days: int = 5


class TakeShare(msgspec.Struct, frozen=True, tag=True):
    """What an order wants of this parcel in all, from this statement on; no rows stop it."""

    entity: str
    shipment_id: str
    order_id: str
    account: str
    statement: int
    location: str
    rows: tuple[ShipmentRow, ...]
    units: tuple[ShipmentUnits, ...]
    requires_shipping: bool
    blocked: str | None
    ship_by: int | None
    deliver_by: int | None
    customer: Customer
    declared_value: int
    currency: str
    reason: str
    policy: Policy
    at: int
    reference: OrderReference | None = None


class Pack(msgspec.Struct, frozen=True, tag=True):
    """The parcel is closed."""

    entity: str
    shipment_id: str
    weight_grams: int | None
    by: str
    at: int


class RecordClearance(msgspec.Struct, frozen=True, tag=True):
    """Payments lets an order's share go."""

    entity: str
    shipment_id: str
    order_id: str
    basis: ClearanceBasis
    amount: int
    currency: str
    at: int


class HandOver(msgspec.Struct, frozen=True, tag=True):
    """The parcel is given to the carrier, or to the buyer."""

    entity: str
    shipment_id: str
    by: str
    at: int


class AnswerStop(msgspec.Struct, frozen=True, tag=True):
    """The warehouse says whether it could keep what is no longer wanted."""

    entity: str
    shipment_id: str
    stopped: bool
    by: str
    at: int


class DecideAddress(msgspec.Struct, frozen=True, tag=True):
    """A person decides on a labelled parcel whose order has another address now.

    `new_label`: the label is given back and the units are planned again; else it goes as it is.
    """

    entity: str
    shipment_id: str
    new_label: bool
    by: str
    at: int


class DecideLabel(msgspec.Struct, frozen=True, tag=True):
    """A person says what the carrier could not: whether a label was bought; cost in minor units."""

    entity: str
    shipment_id: str
    bought: bool
    tracking_code: str
    cost: int
    by: str
    at: int


class DecideVoid(msgspec.Struct, frozen=True, tag=True):
    """A person says what the carrier could not: whether a label was given back."""

    entity: str
    shipment_id: str
    accepted: bool
    by: str
    at: int


class Settle(msgspec.Struct, frozen=True, tag=True):
    """A person says that a parcel which failed, was lost or came back has arrived after all."""

    entity: str
    shipment_id: str
    by: str
    note: str
    at: int


class SettleOrder(msgspec.Struct, frozen=True, tag=True):
    """A person decided at the order on its part of such a parcel: reship, refund or claim."""

    entity: str
    shipment_id: str
    order_id: str
    decision: str
    by: str
    at: int


class RetryLabel(msgspec.Struct, frozen=True, tag=True):
    """A person has a refused label asked for again, by another service or carrier if named."""

    entity: str
    shipment_id: str
    carrier: str | None
    service: str | None
    by: str
    at: int


class QuoteLabel(msgspec.Struct, frozen=True, tag=True):
    """The carrier has the shipment and a rate."""

    entity: str
    shipment_id: str
    label_id: str
    provider_shipment: str
    provider_rate: str
    cost: int
    currency: str
    at: int


class RefuseLabel(msgspec.Struct, frozen=True, tag=True):
    """The carrier sells no label for this."""

    entity: str
    shipment_id: str
    label_id: str
    code: str
    at: int


class DoubtLabel(msgspec.Struct, frozen=True, tag=True):
    """Nobody knows yet whether the label was bought."""

    entity: str
    shipment_id: str
    label_id: str
    at: int


class RecordLabel(msgspec.Struct, frozen=True, tag=True):
    """The label was bought."""

    entity: str
    shipment_id: str
    label_id: str
    provider_shipment: str
    tracking_code: str
    tracker: str
    carrier: str
    service: str
    cost: int
    currency: str
    at: int


class RecordVoid(msgspec.Struct, frozen=True, tag=True):
    """The label was given back, or the carrier keeps the money."""

    entity: str
    shipment_id: str
    label_id: str
    accepted: bool
    at: int


class RecordTracking(msgspec.Struct, frozen=True, tag=True):
    """The carrier saw the parcel; `seen_at` is the carrier's time."""

    entity: str
    shipment_id: str
    tracking_code: str
    status: TrackingStatus
    status_word: str
    detail: str
    source: str
    seen_at: int
    at: int


class AskTracking(msgspec.Struct, frozen=True, tag=True):
    """It is time to ask the carrier, and to see whether it has been silent for too long."""

    entity: str
    shipment_id: str
    ordinal: int
    at: int


class AssumeDelivered(msgspec.Struct, frozen=True, tag=True):
    """Nobody scans this service; by its rule the parcel has arrived."""

    entity: str
    shipment_id: str
    at: int


ShipmentCommand = (
    TakeShare | Pack | RecordClearance | HandOver | AnswerStop | Settle | RetryLabel | QuoteLabel
    | RefuseLabel | DoubtLabel | RecordLabel | RecordVoid | RecordTracking | AskTracking
    | AssumeDelivered | DecideAddress | DecideLabel | DecideVoid | SettleOrder
)  # fmt: skip
