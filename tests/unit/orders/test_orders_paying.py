"""What an order costs is stated whole, and what payments says opens the way or a queue."""

from itertools import pairwise
from typing import Any

import pytest

from libs.contracts import common, orders
from libs.eventsourcing.testing import given
from services.orders import commands, process
from services.orders.decider import ORDER
from services.orders.paying import share
from tests.unit.memory import envelope
from tests.unit.orders.samples import (
    HOUR,
    NOW,
    answer,
    cancel,
    cancelled,
    captured,
    funds,
    line,
    parcel,
    said,
    told,
)
from tests.unit.orders.test_orders_confirming import MUG, names, only

DEADLINE = NOW + 48 * HOUR
ODD = line("a", 3, ("MUG", 1), amounts=common.Amounts(gross=100, discount=0, net=100, taxes=()))
TAXED = line(
    "a", 3, ("MUG", 1),
    amounts=common.Amounts(
        gross=100, discount=0, net=100,
        taxes=(
            common.TaxLine(jurisdiction="US-NY", rate="0.08", amount=8, included=False,
                           collected_by="seller"),
        ),
    ),
)  # fmt: skip


def totals(total: int, rounding: int = 0) -> common.Totals:
    return common.Totals(net=total, discount=0, charges=0, tax=0, total=total, rounding=rounding)


def bill(*steps: Any) -> Any:
    state = given(ORDER).when(*steps).state
    assert state.bill is not None
    return state.bill


@pytest.mark.parametrize("amount", [0, 1, 2, 100, 101, -100])
def test_units_of_a_line_cost_its_amount_to_the_last_minor_unit(amount: int) -> None:
    shares = [share(amount, units, 3) for units in range(4)]
    assert (shares[0], shares[3]) == (0, amount)
    assert all(abs(b - a - amount / 3) < 1 for a, b in pairwise(shares))


def test_a_confirmed_order_states_what_it_costs_with_taxes_on_top_and_charges() -> None:
    placed = told(TAXED, totals=totals(113))
    required = only(given(ORDER).when(placed, answer("MUG", 3)).events, orders.PaymentRequired)
    assert (required.amount, required.total, required.charges_amount) == (113, 113, 5)
    assert [(one.quantity, one.amount) for one in required.lines] == [(3, 108)]
    assert (required.revision, required.decide_by, required.subject) == (
        1, DEADLINE, "subject-1",
    )  # fmt: skip


def test_the_method_is_the_card_of_an_order_that_we_charge() -> None:
    card = common.Tender(kind="card", kind_word="visa", amount=200, reference="pm_1")
    for custody, method in (("us", "pm_1"), ("channel_remits_gross", None)):
        placed = told(MUG, custody=custody, tenders=(card,))
        required = only(given(ORDER).when(placed, answer("MUG", 2)).events, orders.PaymentRequired)
        assert (required.custody, required.method) == (custody, method)


def test_a_part_of_an_order_costs_the_share_of_its_units_and_all_charges() -> None:
    steps = (told(ODD, shortage="split", totals=totals(107)), answer("MUG", 2, short=1))
    assert dict(bill(*steps).lines) == {"a": (2, 67)}
    assert (bill(*steps).amount, bill(*steps).charges) == (74, 7)
    whole = bill(*steps, answer("MUG", 3, seen=2))
    assert (dict(whole.lines), whole.amount, whole.revision) == ({"a": (3, 100)}, 107, 2)


def test_it_is_stated_again_when_units_prices_or_funds_change_and_only_then() -> None:
    steps = (told(MUG), answer("MUG", 2))
    assert names(given(ORDER).when(*steps, told(MUG, version=2)).events) == ["OrderAmended"]
    assert bill(*steps, cancel("c", ("a", 1))).amount == 100
    dearer = line("a", 2, ("MUG", 1), amounts=common.Amounts(gross=300, discount=0, net=300,
                                                             taxes=()))  # fmt: skip
    assert bill(*steps, told(dearer, version=2)).amount == 300
    paid = given(ORDER).when(*steps, funds("paid", 2))
    assert only(paid.events, orders.PaymentRequired).funds == "paid"


def test_a_cancelled_order_costs_nothing_any_more() -> None:
    gone = given(ORDER).when(told(MUG), answer("MUG", 2), cancelled(2))
    required = only(gone.events, orders.PaymentRequired)
    assert (required.amount, required.lines, required.charges_amount) == (0, (), 0)
    assert not process.plan(envelope(required))


def gift(amount: int) -> common.Tender:
    return common.Tender(kind="gift_card", kind_word="", amount=amount, reference=None)


def test_where_we_charge_the_whole_is_what_is_still_wanted_and_stated_again_with_it() -> None:
    placed = told(ODD, shortage="split", totals=totals(107), custody="us", tenders=(gift(90),))
    steps = (placed, answer("MUG", 2, short=1))
    assert (bill(*steps).amount, bill(*steps).total) == (74, 107)
    fewer = bill(*steps, cancel("c", ("a", 1)))
    assert (fewer.amount, fewer.total, fewer.revision) == (74, 74, 2)
    theirs = told(ODD, shortage="split", totals=totals(107))
    assert bill(theirs, answer("MUG", 2, short=1), cancel("c", ("a", 1))).total == 107


def test_a_voucher_of_an_order_that_ends_unconfirmed_is_told_to_payments() -> None:
    for tenders, custody, stated in (
        ((gift(90),), "us", True), ((gift(0),), "us", False), ((), "us", False),
        ((gift(90),), "channel_remits_gross", False),
    ):  # fmt: skip
        steps = (told(MUG, custody=custody, tenders=tenders), cancel("c"))
        found = [
            e for e in given(ORDER).when(*steps).events if isinstance(e, orders.PaymentRequired)
        ]
        assert [(one.amount, one.total, one.lines) for one in found] == [(0, 0, ())] * stated


def test_an_order_that_was_never_confirmed_is_never_billed() -> None:
    outcome = given(ORDER).when(told(MUG), cancelled(2))
    assert outcome.state.bill is None


@pytest.mark.parametrize(
    ("word", "amount"), [("captured", 200), ("authorised", 200), ("not_required", 0)]
)
def test_fulfilment_is_asked_for_when_the_money_is_there(word: Any, amount: int) -> None:
    outcome = given(ORDER).when(told(MUG), answer("MUG", 2), said(word, amount))
    assert names(outcome.events) == ["OrderPaymentRecorded", "FulfilmentRequested"]
    asked = only(outcome.events, orders.FulfilmentRequested)
    assert [(one.line_id, one.quantity) for one in asked.lines] == [("a", 2)]
    assert (asked.revision, asked.blocked, asked.declared_value) == (1, None, 200)


def test_too_little_money_asks_for_nothing() -> None:
    outcome = given(ORDER).when(told(MUG), answer("MUG", 2), captured(199))
    assert names(outcome.events) == ["OrderPaymentRecorded"]
    assert outcome.state.payment.standing == "part_captured"


def test_what_a_gift_card_carries_need_not_be_charged() -> None:
    card = common.Tender(kind="gift_card", kind_word="", amount=150, reference=None)
    placed = told(MUG, tenders=(card,))
    outcome = given(ORDER).when(placed, answer("MUG", 2), said("authorised", 50))
    assert "FulfilmentRequested" in names(outcome.events)


def test_money_that_the_channel_has_set_aside_lets_parcels_be_packed() -> None:
    placed = told(MUG, custody="channel_captures_at_our_order", funds="authorised")
    outcome = given(ORDER).when(placed, answer("MUG", 2))
    assert names(outcome.events) == [
        "OrderStockRecorded", "OrderConfirmed", "PaymentRequired", "FulfilmentRequested",
    ]  # fmt: skip


def test_a_repeated_or_older_word_of_payments_changes_nothing() -> None:
    steps = (told(MUG), answer("MUG", 2), captured(200, seen=4))
    given(ORDER).when(*steps, captured(200, seen=4)).then()
    given(ORDER).when(*steps, said("declined", seen=3)).then()
    given(ORDER).when(captured(200)).then()


def test_added_units_are_paid_for_before_they_are_asked_for() -> None:
    more = told(line("a", 3, ("MUG", 1)), version=2)
    steps: tuple[Any, ...] = (told(MUG), answer("MUG", 2), captured(200), more)
    stocked = given(ORDER).when(*steps, answer("MUG", 3, revision=2, seen=2))
    assert names(stocked.events) == ["OrderStockRecorded", "OrderConfirmed", "PaymentRequired"]
    steps = (*steps, answer("MUG", 3, revision=2, seen=2))
    outcome = given(ORDER).when(*steps, captured(100, seen=2))
    asked = only(outcome.events, orders.FulfilmentRequested)
    assert (asked.lines[0].quantity, asked.revision) == (3, 2)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("declined", "payment-declined"), ("action_required", "payment-action"),
        ("in_doubt", "payment-in-doubt"), ("authorisation_expired", "authorisation-expired"),
        ("disputed", "payment-disputed"),
    ],
)  # fmt: skip
def test_trouble_with_the_money_is_a_queue_with_a_deadline_and_a_risk(
    word: Any, reason: str
) -> None:
    steps = (told(MUG), answer("MUG", 2), said(word, deadline=NOW + HOUR))
    waits = only(given(ORDER).when(*steps).events, orders.OrderWaits)
    assert (waits.reason, waits.decide_by, waits.value_minor) == (reason, NOW + HOUR, 200)
    late = given(ORDER).when(*steps, commands.DecideByDeadline(NOW + HOUR))
    assert only(late.events, orders.OrderWaits).decide_by is None
    over = given(ORDER).when(*steps, captured(200, seen=2))
    assert only(over.events, orders.OrderWaitOver).reason == reason


def test_a_queue_is_entered_again_when_its_cause_comes_back() -> None:
    steps = (told(MUG), answer("MUG", 2), said("declined"), said("authorised", 200, seen=2))
    back = given(ORDER).when(*steps, said("authorisation_expired", 200, seen=3))
    assert only(back.events, orders.OrderWaits).reason == "authorisation-expired"
    assert back.state.payment.authorised == 0


def test_a_refund_that_comes_back_is_money_that_is_there_again() -> None:
    steps = (told(MUG), answer("MUG", 2), captured(200), said("refunded", 200, seen=2))
    assert given(ORDER).when(*steps).state.payment.standing == "refunded"
    back = given(ORDER).when(*steps, said("refunded", -200, seen=3, reason="refund-failed"))
    payment = back.state.payment
    assert (payment.standing, payment.refunded, payment.reason) == (
        "captured", 0, "refund-failed",
    )  # fmt: skip


def test_a_doubt_that_is_over_leaves_what_the_amounts_say() -> None:
    steps = (told(MUG), answer("MUG", 2), said("authorised", 200), said("in_doubt", seen=2))
    over = given(ORDER).when(*steps, said("unknown", seen=3))
    assert over.state.payment.standing == "authorised"
    assert not over.state.concerns


def test_what_is_not_paid_by_its_deadline_is_a_queue() -> None:
    steps = (told(MUG), answer("MUG", 2))
    required = only(given(ORDER).when(*steps).events, orders.PaymentRequired)
    [timer] = process.plan(envelope(required))
    assert timer.due == DEADLINE  # type: ignore[union-attr]
    late = given(ORDER).when(*steps, timer.command)  # type: ignore[union-attr]
    waits = only(late.events, orders.OrderWaits)
    assert (waits.reason, waits.value_minor) == ("payment-overdue", 200)
    given(ORDER).when(*steps, timer.command, timer.command).then()  # type: ignore[union-attr]
    paid = given(ORDER).when(*steps, timer.command, captured(200))  # type: ignore[union-attr]
    assert only(paid.events, orders.OrderWaitOver).reason == "payment-overdue"


def test_a_deadline_is_not_put_off_by_a_new_statement() -> None:
    steps = (told(MUG), answer("MUG", 2), funds("pending", 2, at=NOW + HOUR))
    changed = told(MUG, version=3, funds="part_paid", at=NOW + HOUR)
    assert bill(*steps, changed).decide_by == DEADLINE


def test_what_the_channel_has_taken_is_stated_before_there_is_stock() -> None:
    placed = told(TAXED, totals=totals(113), funds="paid")
    required = only(given(ORDER).when(placed).events, orders.PaymentRequired)
    assert (required.amount, required.total, required.charges_amount) == (113, 113, 5)
    waiting = given(ORDER).when(placed, answer("MUG", 0, short=3))
    assert "PaymentRequired" not in names(waiting.events)
    confirmed = given(ORDER).when(placed, answer("MUG", 3))
    assert names(confirmed.events) == ["OrderStockRecorded", "OrderConfirmed"]
    ours = told(TAXED, totals=totals(113), funds="paid", custody="us")
    assert "PaymentRequired" not in names(given(ORDER).when(ours).events)


def test_of_an_order_that_comes_cancelled_payments_learns_that_the_channel_has_its_money() -> None:
    steps = (told(TAXED, totals=totals(113), funds="paid", cancelled=True),)
    found = [e for e in given(ORDER).when(*steps).events if isinstance(e, orders.PaymentRequired)]
    assert [(one.revision, one.amount, one.total) for one in found] == [(1, 113, 113), (2, 0, 113)]
    refunded = told(TAXED, totals=totals(113), funds="refunded", cancelled=True)
    assert "PaymentRequired" not in names(given(ORDER).when(refunded).events)


def test_payments_learns_that_the_channel_gave_back_the_money_of_a_cancelled_order() -> None:
    placed = told(MUG, funds="paid")
    gone = given(ORDER).when(placed, answer("MUG", 2), cancelled(2))
    assert only(gone.events, orders.PaymentRequired).funds == "paid"
    back = given(ORDER).when(placed, answer("MUG", 2), cancelled(2), funds("refunded", 3))
    early = given(ORDER).when(placed, cancelled(2), funds("refunded", 3))
    for found in (back, early):
        required = only(found.events, orders.PaymentRequired)
        assert (required.amount, required.funds) == (0, "refunded")


def test_an_order_whose_capture_failed_is_in_a_queue_until_it_is_captured() -> None:
    steps = (told(MUG, custody="us"), answer("MUG", 2), said("authorised", 200, 1))
    assert only(given(ORDER).when(*steps).events, orders.FulfilmentRequested)
    failed = (*steps, said("declined", 200, 2, reason="refused", deadline=DEADLINE))
    waits = only(given(ORDER).when(*failed).events, orders.OrderWaits)
    assert (waits.reason, waits.decide_by) == ("payment-declined", DEADLINE)
    assert "FulfilmentRequested" not in names(given(ORDER).when(*failed).events)
    mended = given(ORDER).when(*failed, captured(200, 3))
    assert only(mended.events, orders.OrderWaitOver).reason == "payment-declined"


def test_a_line_that_is_gone_but_in_a_parcel_costs_nothing_and_takes_nothing_off() -> None:
    other = line("b", 1, ("CUP", 1))
    both = (told(MUG, other), answer("MUG", 2), answer("CUP", 1), captured(300))
    packed = (*both, parcel("planned", ("a", 2), ("b", 1)))
    required = only(given(ORDER).when(*packed, told(MUG, version=2)).events, orders.PaymentRequired)
    assert (required.amount, required.total, required.charges_amount) == (200, 200, 0)


def test_what_is_left_of_an_order_costs_its_price_though_a_removed_line_is_on_its_way() -> None:
    price = common.Amounts(gross=60, discount=0, net=60, taxes=())
    stays = line("a", 1, ("MUG", 1), amounts=price)
    leaves = line(
        "b", 2, ("LAMP", 1), amounts=common.Amounts(gross=90, discount=0, net=90, taxes=())
    )
    steps = (
        told(stays, leaves, totals=totals(155), funds="paid"), answer("MUG", 1), answer("LAMP", 2),
        captured(155), parcel("dispatched", ("a", 1), ("b", 2)),
    )  # fmt: skip
    now = bill(*steps, told(stays, totals=totals(65), funds="part_refunded", version=2))
    assert (now.amount, now.charges) == (65, 5)
