"""Which commands facts lead to, and which deadlines orders set."""

from typing import Any

import pytest

from libs.contracts import channels, common, fulfilment, inventory, payments
from libs.eventsourcing.states import pack, unpack
from libs.eventsourcing.testing import given
from services.orders import commands, process
from services.orders.decider import ORDER
from tests.unit.memory import envelope
from tests.unit.orders.samples import HOUR, ID, NOW, T0, line, order, told
from tests.unit.orders.test_orders_confirming import MUG

STREAM = commands.order_stream(ID)
NAMES: dict[str, Any] = {"entity": "main", "occurred_at": T0}


def test_a_received_and_a_changed_order_are_versions_of_one_order() -> None:
    for kind in (channels.ChannelOrderReceived, channels.ChannelOrderChanged):
        fact = kind(**NAMES, account="shop", external_id="1001", order=order(MUG))
        reactions = process.react_to_channels(envelope(fact, at=NOW, service="channels"))
        assert list(reactions) == [(STREAM, told(MUG))]


def test_a_link_and_the_order_it_is_for_meet_in_one_stream() -> None:
    fact = channels.ListingLineResolved(
        **NAMES, account="shop", listing_id="l", external_id="1001", line_id="u", sku="CUP",
        units_per_listing=1, components=(common.Component(sku="CUP", units=1),),
    )  # fmt: skip
    [(stream, command)] = process.react_to_channels(envelope(fact, at=NOW))
    assert (stream, command.order_id) == (STREAM, ID)


def test_an_answer_of_stock_carries_the_version_of_its_sku() -> None:
    fact = inventory.StockReleased(
        **NAMES, sku="MUG", reservation_id=f"{ID}:MUG", order_id=ID, revision=3, allocations=(),
        units=1, waiting=0, reserved=1, short=1, reason="not-needed",
    )  # fmt: skip
    [(stream, command)] = process.react_to_inventory(envelope(fact, version=7, at=NOW))
    assert (stream, command.stock_version, command.fact) == (STREAM, 7, "StockReleased")
    assert (command.revision, command.reserved, command.short) == (3, 1, 1)


def test_a_shortfall_tells_every_order_that_it_touches() -> None:
    touched = tuple(
        common.AffectedOrder(order_id=name, units=n, reservation_class="commitment")
        for name, n in (("ord_1", 2), ("ord_2", 1))
    )
    fact = inventory.ShortfallDetected(
        **NAMES, sku="MUG", location="main", units=3, cause="count", orders=touched, rule="",
        decide_by=0,
    )  # fmt: skip
    reactions = process.react_to_inventory(envelope(fact, at=NOW))
    assert [(stream, command.units) for stream, command in reactions] == [
        ("order-ord_1", 2), ("order-ord_2", 1),
    ]  # fmt: skip


PAYMENT: dict[str, Any] = {**NAMES, "order_id": ID, "currency": "GBP"}
INTENT: dict[str, Any] = {"intent_id": "i", "holder": "stripe:main"}
MONEY: list[tuple[Any, str, int]] = [
    (
        payments.PaymentAuthorised(
            **PAYMENT, **INTENT, provider_intent="pi", amount=5, capture_before=9,
            single_capture=True, mandate=False,
        ), "authorised", 5,
    ),
    (
        payments.PaymentCaptured(
            **PAYMENT, **INTENT, capture_id="c", provider_reference="", custody="us",
            tender="card", amount=5, settlement_amount=None, settlement_currency=None,
            shipment_id=None, lines=(), charges_amount=0, final=True,
        ), "captured", 5,
    ),
    (
        payments.PaymentNotRequired(**PAYMENT, revision=1, reason="gift_card", amount=5),
        "not_required", 0,
    ),
    (
        payments.PaymentDeclined(
            **PAYMENT, **INTENT, amount=5, code="no-funds", provider_code="", final=False,
            deadline=9,
        ), "declined", 0,
    ),
    *(
        (
            payments.PaymentCaptureFailed(
                **PAYMENT, intent_id="i", capture_id="c", shipment_id=None, amount=5, code=code,
                provider_code="", deadline=9,
            ), "declined", lost,
        )
        for code, lost in (("refused", 5), ("authorisation-expired", 0))
    ),
    (
        payments.PaymentOutcomeUnknown(
            **PAYMENT, effect_id="e", what="capture", intent_id="i", amount=5, since=1, deadline=9
        ), "in_doubt", 0,
    ),
    (
        payments.PaymentOutcomeResolved(
            **NAMES, order_id=ID, effect_id="e", what="capture", intent_id="i", outcome="absent",
            since=1,
        ), "unknown", 0,
    ),
    (
        payments.PaymentOutcomeResolved(
            **NAMES, order_id=ID, effect_id="e", what="capture", intent_id="i",
            outcome="a-person", since=1,
        ), "in_doubt", 0,
    ),
    (
        payments.AuthorisationExpired(**PAYMENT, intent_id="i", amount=5),
        "authorisation_expired", 5,
    ),
    (payments.PaymentVoided(**PAYMENT, intent_id="i", amount=5, reason=""), "voided", 5),
    (
        payments.RefundReturned(
            **PAYMENT, refund_id="r", capture_id="c", provider_reference="re", holder="card",
            amount=5, code="refund-failed", provider_code="", deadline=9,
        ), "refunded", -5,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "standing", "amount"), MONEY)
def test_what_payments_says_is_a_standing_and_what_it_moved(
    fact: Any, standing: str, amount: int
) -> None:
    [(stream, command)] = process.react_to_payments(envelope(fact, 7, NOW, "payments"))
    assert (stream, command.standing, command.amount) == (STREAM, standing, amount)
    assert (command.payment_version, command.fact) == (7, type(fact).__name__)


def test_what_payments_only_plans_asks_nothing_of_an_order() -> None:
    planned = payments.PaymentVoidRequested(**PAYMENT, intent_id="i", amount=5, reason="")
    assert not process.react_to_payments(envelope(planned))


ROWS = tuple(
    common.ShipmentRow(order_id=order_id, line_id=name, quantity=n)
    for order_id, name, n in ((ID, "a", 1), ("ord_2", "a", 3), (ID, "a", 1), (ID, "b", 2))
)
SHIPMENT: dict[str, Any] = {**NAMES, "shipment_id": "s1", "rows": ROWS}
PARCELS: list[tuple[Any, str, str]] = [
    (fulfilment.ShipmentDelivered(**SHIPMENT, source="scan"), "delivered", "scan"),
    (fulfilment.DeliveryAssumed(**SHIPMENT, rule="7-days"), "delivered", "untracked"),
    (fulfilment.ParcelLost(**SHIPMENT, code="silent", deadline=9), "lost", "silent"),
    (
        fulfilment.StopTooLate(**SHIPMENT, order_id=ID, reason="handed-over"),
        "packed", "handed-over",
    ),
    (fulfilment.ShipmentAddressKept(**SHIPMENT, order_id=ID, by="ann"), "packed", ""),
    (
        fulfilment.DispatchStopped(**SHIPMENT, order_id=ID, units=(), reason="cancelled"),
        "stopped", "cancelled",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "status", "reason"), PARCELS)
def test_a_parcel_tells_each_order_of_its_own_units(fact: Any, status: str, reason: str) -> None:
    told_orders = process.react_to_fulfilment(envelope(fact, 4, NOW, "fulfilment"))
    assert [stream for stream, _ in told_orders] == [STREAM, "order-ord_2"]
    command = told_orders[0][1]
    assert [(one.line_id, one.quantity) for one in command.lines] == [("a", 2), ("b", 2)]
    assert (command.status, command.reason, command.version) == (status, reason, 4)


def test_units_that_leave_beyond_the_promise_are_told_and_others_not() -> None:
    for promised, told_orders in ((2, 0), (1, 1)):
        fact = inventory.StockShipped(
            **NAMES, sku="MUG", location="main", quantity=2, order_id=ID, shipment_id="s1",
            from_reservation=promised, allocations=(), reserved=0, short=0, revision=1,
        )  # fmt: skip
        assert len(process.react_to_inventory(envelope(fact))) == told_orders


def test_what_an_order_does_not_care_for_asks_nothing_of_it() -> None:
    fact = channels.ListingUnlinked(**NAMES, account="shop", listing_id="l", by="x")
    assert not process.react_to_channels(envelope(fact))
    assert not process.react_to_inventory(envelope(fact))
    assert not process.react_to_fulfilment(envelope(fact))


def test_each_deadline_is_planned_once() -> None:
    placed = given(ORDER).when(told(MUG, commitment="tentative", expires_at=NOW + HOUR))
    timers = [timer for event in placed.events for timer in process.plan(envelope(event))]
    assert {(timer.id, timer.due) for timer in timers} == {(timers[0].id, NOW + HOUR)}  # type: ignore[union-attr]


def test_a_hold_with_an_end_is_released_by_time() -> None:
    hold = commands.PlaceHold("h1", "manual", "", (), "both", NOW + HOUR, "seller", NOW)
    [held] = given(ORDER).when(told(MUG), hold).events
    [timer] = process.plan(envelope(held))
    assert timer.due == NOW + HOUR  # type: ignore[union-attr]
    outcome = given(ORDER).when(told(MUG), hold, timer.command)  # type: ignore[union-attr]
    assert not outcome.state.holds


def test_a_state_and_every_command_survive_being_stored() -> None:
    outcome = given(ORDER).when(told(MUG, line("u", 1), country="", commitment="tentative"))
    assert unpack(ORDER.state, pack(outcome.state)) == outcome.state
    for command in (told(MUG), commands.DecideByDeadline(NOW)):
        assert unpack(ORDER.commands, pack(command)) == command
