"""What holds for the plan of every seed and length."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from services.sandbox.retail import plan, reconcile, rows
from services.sandbox.shops import render
from services.sandbox.shops.signing import Shop
from tests.examples import examples
from tests.unit.sandbox.demand import most_ordered

Json = dict[str, Any]
TABLE = rows.read()
SEEDS = st.integers(0, 2**32)
COUNTS = st.one_of(st.none(), st.integers(1, 521))


@settings(max_examples=examples(20), deadline=None)
@given(SEEDS, COUNTS)
def test_the_same_seed_gives_the_same_plan(seed: int, count: int | None) -> None:
    assert plan.plan_run(TABLE, seed, count) == plan.plan_run(TABLE, seed, count)


@settings(max_examples=examples(20), deadline=None)
@given(SEEDS)
def test_another_seed_gives_another_plan(seed: int) -> None:
    assert plan.digest(plan.plan_run(TABLE, seed)) != plan.digest(plan.plan_run(TABLE, seed + 1))


@settings(max_examples=examples(30), deadline=None)
@given(SEEDS, COUNTS)
def test_no_row_is_lost_and_three_percent_of_the_units_are_withheld(
    seed: int, count: int | None
) -> None:
    run = plan.plan_run(TABLE, seed, count)
    total = reconcile.total(run.input.values())
    assert (total.rows, total.net_minor) == (1_830, 3_079_912)
    ordered = most_ordered(run)
    found = {move.sku for move in run.adjustments if move.units > 0}
    there = sum(units for sku, units in ordered.items() if sku not in found)
    withheld = min(there, round(ordered.total() * 0.03))
    assert sum(one.withheld for one in run.opening) == withheld
    assert all(one.units >= 0 for one in run.opening)


def parts_total(body: Json) -> tuple[int, int]:
    """The sum of a payload's parts and its total, in pence, whatever the provider."""
    if "data" in body:
        order = body["data"]
        parts = [one[name] for one in order["lines"] + order["charges"] for name in ("net", "tax")]
        return sum(map(pence, parts)), pence(order["totals"]["total"])
    if "billing" in body:
        lines = body["line_items"] + body["shipping_lines"] + body["fee_lines"]
        parts = [one[name] for one in lines for name in ("total", "total_tax")]
        return sum(map(pence, parts)), pence(body["total"])
    shipping = sum(pence(one["price"]) for one in body["shipping_lines"])
    taxes = sum(pence(one["price"]) for one in body["tax_lines"])
    return pence(body["subtotal_price"]) + shipping + taxes, pence(body["total_price"])


def pence(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 100 + int(fraction)


@settings(max_examples=examples(5), deadline=None)
@given(SEEDS)
def test_every_payload_adds_up_but_for_the_totals_that_are_made_to_disagree(seed: int) -> None:
    run = plan.plan_run(TABLE, seed)
    for delivery in run.deliveries:
        state = run.happenings[delivery.happening].state
        if delivery.topic in {"orders/edited", "refunds/create"}:
            continue
        account = state.content.account
        shop = Shop(account.name, account.provider, "whsec_c2VjcmV0")
        body = json.decode(render.wire(shop, delivery, state, None, 0).body)
        parts, total = parts_total(body)
        assert total - parts == state.content.shift
