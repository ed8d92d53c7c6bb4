"""Edits that make an order cheaper: what each shop sends, and what its receiver reads of it."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from msgspec import json

from services.channels.adapters import shopify, standard, woocommerce
from services.channels.adapters.neutral import Terms, Whole
from services.sandbox.config import Settings, shops
from services.sandbox.retail import edits, plan, rows
from services.sandbox.retail.content import State
from services.sandbox.retail.mischief import STEP
from services.sandbox.retail.story import Happening
from services.sandbox.shops import render, takings
from services.sandbox.shops.reported import Report

Json = dict[str, Any]
READERS = {"shopify": shopify, "woocommerce": woocommerce, "standard": standard}
TOPICS = {"shopify": "orders/updated", "woocommerce": "order.updated", "standard": "order.updated"}
SECRETS = {"shopify-uk": "a", "woo-uk": "b", "store-uk": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw"}
SHOPS = shops(Settings(SECRETS))
PLAN = plan.plan_run(rows.read(), 7)
OURS = plan.plan_run(rows.read(), 7, None, "us")
DECODER = json.Decoder(float_hook=Decimal)


def story(case: str, of: plan.RunPlan = PLAN) -> list[Happening]:
    return [one for one in of.happenings if one.number == of.cases[case]]


def body(state: State, topic: str = "", reports: tuple[Report, ...] = ()) -> Json:
    shop = SHOPS[state.content.account.name]
    topic = topic or TOPICS[shop.provider]
    found: Json = json.decode(render.body(shop, topic, state, None, reports))
    return found


def read(state: State, reports: tuple[Report, ...] = ()) -> Any:
    """The order that a receiver reads in a body."""
    shop = SHOPS[state.content.account.name]
    terms = Terms(shop.account, "main", "Europe/London", "backorder", 0, "channel_remits_gross")
    topic = TOPICS[shop.provider]
    message: Any = DECODER.decode(render.body(shop, topic, state, None, reports))
    found = READERS[shop.provider].understand(topic, message, terms)
    assert isinstance(found, Whole)
    return found.order


def test_a_shopify_edit_that_is_refunded_at_once_has_its_money_beside_its_units() -> None:
    first, last = story("cheaper-edit")
    told = body(last.state)
    (refund,) = told["refunds"]
    assert (last.kind, told["financial_status"]) == ("edited-and-refunded", "partially_refunded")
    assert Decimal(refund["transactions"][0]["amount"]) * 100 == last.state.cut.owed  # type: ignore[union-attr]
    assert (refund["order_adjustments"], told["total_outstanding"]) == ([], "0.00")
    assert told["total_price"] == body(first.state)["total_price"]
    assert Decimal(told["current_total_price"]) < Decimal(told["total_price"])
    assert body(last.state, "refunds/create") == refund


def test_a_shopify_shop_says_what_it_owes_until_its_refund_says_that_it_paid() -> None:
    _, owed, back = story("cheaper-edit-refunded-later")
    less = takings.owed(owed.state)
    told = body(owed.state)
    (edit,) = told["refunds"]
    assert (told["financial_status"], edit["transactions"]) == ("paid", [])
    assert Decimal(told["total_outstanding"]) * 100 == -less < 0
    assert edit["order_adjustments"][0]["reason"] == "Pending refund discrepancy"
    assert edit["order_adjustments"][0]["amount"] == told["total_outstanding"]
    told = body(back.state)
    edit, refund = told["refunds"]
    assert (told["financial_status"], told["total_outstanding"]) == ("partially_refunded", "0.00")
    assert refund["refund_line_items"] == []
    assert Decimal(refund["transactions"][0]["amount"]) * 100 == less
    assert edit == body(owed.state)["refunds"][0]


def test_a_shopify_line_keeps_its_first_quantity_beside_the_current_one() -> None:
    (cut,) = [one for one in story("cheaper-edit-owed") if one.state.cut is not None]
    assert cut.state.cut is not None
    (line, units), *_ = cut.state.cut.units.items()
    (item,) = [one for one in body(cut.state)["line_items"] if one["id"] % 10_000 == line]
    assert item["quantity"] - item["current_quantity"] == units
    (removed,) = body(cut.state)["refunds"][0]["refund_line_items"]
    assert (removed["quantity"], removed["restock_type"]) == (units, "cancel")


def test_woocommerce_is_edited_before_it_is_paid_and_its_gateway_notes_the_charge() -> None:
    created, edited, paid = (body(one.state) for one in story("cheaper-edit-unpaid"))
    assert [one["status"] for one in (created, edited, paid)] == ["pending"] * 2 + ["processing"]
    assert Decimal(edited["total"]) < Decimal(created["total"])
    assert (created["meta_data"], edited["meta_data"]) == ([], [])
    notes = {one["key"]: one["value"] for one in paid["meta_data"]}
    charged = Decimal(notes["_stripe_net"]) + Decimal(notes["_stripe_fee"])
    assert (charged, paid["refunds"]) == (Decimal(paid["total"]), [])
    everywhere = [one.state for one in PLAN.happenings if one.state.cut is not None]
    owing = {one.content.account.provider for one in everywhere if takings.returned(one)}
    assert "woocommerce" not in owing


def test_the_own_store_says_what_it_took_and_gave_back() -> None:
    placed, owed, back = (body(one.state)["data"] for one in story("cheaper-edit-store"))
    assert placed["received"] == owed["received"] == back["received"]
    assert (owed["refunded"], owed["funds"], back["funds"]) == ("0.00", "paid", "part-refunded")
    assert Decimal(back["received"]) - Decimal(back["refunded"]) == Decimal(back["totals"]["total"])


def test_where_we_charge_the_store_takes_nothing_and_owes_nothing() -> None:
    found = story("cheaper-edit-store", OURS)
    assert [one.kind for one in found] == ["created", "edited"]
    for one in found:
        assert (body(one.state)["data"]["received"], takings.owed(one.state)) == ("0.00", 0)


@pytest.mark.parametrize("account", sorted(SECRETS))
def test_a_receiver_reads_the_shops_own_books_at_every_moment(account: str) -> None:
    states = [
        one.state
        for one in PLAN.happenings
        if one.state.content.account.name == account and one.state.paid
    ]
    assert sum(one.cut is not None for one in states) >= 2
    for state in states:
        order = read(state)
        assert (order.received or 0) == takings.received(state)
        assert (order.refunded or 0) == takings.returned(state)
        assert abs(order.totals.rounding) <= max(len(order.lines), abs(state.content.shift))
        if not order.cancelled:
            costs = order.totals.total
            assert max(0, order.received - order.refunded - costs) == takings.owed(state)


@pytest.mark.parametrize("case", ["cheaper-edit-owed", "cheaper-edit-unpaid"])
def test_what_the_seller_reports_changes_no_money(case: str) -> None:
    state = story(case)[-1].state
    lines = {line.id: line.quantity for line in state.content.lines if line.quantity}
    told = {"status": "completed", "meta_data": []}
    account, number = state.content.account.name, state.content.number
    report = Report(account, number, "dispatch", 1, 0, 0, lines, "T1", told=told)
    before, after = read(state), read(state, (report,))
    assert (after.received, after.refunded) == (before.received, before.refunded)


@pytest.mark.parametrize("case", ["cheaper-edit-seen-first", "cheaper-edit-owed"])
def test_an_order_can_be_seen_first_after_its_edit_owed_or_refunded(case: str) -> None:
    number = PLAN.cases[case]
    created, *others = (one for one in PLAN.deliveries if one.number == number)
    assert created.topic == "orders/create"
    assert created.sends[0] > max(one.sends[-1] for one in others)
    assert created.after == others[-1].id
    assert all(one.sends[0] == one.id * STEP for one in others)


def test_an_edit_leaves_an_order_cheaper_and_not_empty() -> None:
    for one in PLAN.contents:
        units = edits.fewer(one, Random(one.number))
        assert bool(units) == edits.can_be_cheaper(one)
        left = edits.without(one, units)
        assert left.total < one.total or not units
        assert any(line.quantity for line in left.lines)
        assert all(line.quantity >= 0 for line in left.lines)
