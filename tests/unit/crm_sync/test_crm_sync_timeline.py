"""The timeline: one row for each event and order, without a word that a person wrote."""

from pathlib import Path
from typing import Any

import pytest

from libs.codec.contract import Contract
from libs.contracts import accounting, fulfilment, orders, payments
from libs.eventsourcing.envelope import Envelope
from services.crm_sync.timeline import TIMELINE, TimelineRow, orders_of

GOLDEN = Path(__file__).parents[3] / "schemas/golden"
WRITTEN = "·é€😀"  # in every text of a golden event
CONTRACTS = (
    *orders.CONTRACTS, *payments.CONTRACTS, *fulfilment.CONTRACTS, *accounting.CONTRACTS,
)  # fmt: skip


def golden(contract: Contract[Any]) -> Envelope[Any]:
    """An event with every field filled."""
    _, service, name = contract.name.split(".")
    event = contract.decode((GOLDEN / service / f"{name}.{contract.version}.avro").read_bytes())
    return Envelope(event, contract.name, "e-1", "s-1", 1, 7, service, 0, 1, "")


def rows_of(told: Envelope[Any]) -> list[TimelineRow]:
    rows = [TIMELINE.evolve(None, key, told) for key in TIMELINE.keys(told)]
    return [row for row in rows if row is not None]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
def test_no_row_repeats_what_a_person_may_have_written(contract: Contract[Any]) -> None:
    for row in rows_of(golden(contract)):
        assert row.what == contract.name.rpartition(".")[2]
        assert WRITTEN not in row.code
        assert (row.at, row.event_id) == (7, "e-1")


def test_the_events_that_a_customers_story_needs_are_all_there() -> None:
    shown = {c.name.rpartition(".")[2] for c in CONTRACTS if orders_of(golden(c).event)}
    assert shown >= {
        "OrderPlaced", "OrderConfirmed", "OrderWaits", "OrderLinesCancelled", "OrderCompleted",
        "PaymentAuthorised", "PaymentDeclined", "PaymentCaptured", "RefundMade", "DisputeOpened",
        "ShipmentDispatched", "ShipmentDelivered", "DeliveryAssumed", "ParcelLost", "EntryPosted",
    }  # fmt: skip
    assert not shown & {"StockRequired", "PaymentRequired", "FulfilmentRequested", "LabelBought"}


def test_a_parcel_of_several_orders_is_in_the_story_of_each_once() -> None:
    (contract,) = [c for c in fulfilment.CONTRACTS if c.name.endswith("ShipmentDispatched")]
    told = golden(contract)
    assert len({row.order_id for row in told.event.rows}) < len(told.event.rows)
    assert [row.reference for row in rows_of(told)] == [told.event.shipment_id]


def test_money_is_shown_where_an_event_is_about_money() -> None:
    (contract,) = [c for c in payments.CONTRACTS if c.name.endswith("PaymentCaptured")]
    told = golden(contract)
    (row,) = rows_of(told)
    assert (row.amount_minor, row.currency) == (told.event.amount, told.event.currency)
