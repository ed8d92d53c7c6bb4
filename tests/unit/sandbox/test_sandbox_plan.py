"""What a run is planned to do: its cases, cancellations, mischief, stock and sums."""

from collections import Counter
from itertools import pairwise

import pytest

from services.sandbox.retail import cases, plan, reconcile, rows
from services.sandbox.retail.content import Charge, Line
from services.sandbox.retail.mischief import STEP
from tests.unit.sandbox.demand import most_ordered

TABLE = rows.read()
PLAN = plan.plan_run(TABLE, 7)


def test_every_case_occurs_once_and_is_numbered_apart_from_the_file() -> None:
    assert set(PLAN.cases) == set(cases.NAMES)
    assert all(int(number) >= cases.FIRST_NUMBER for number in PLAN.cases.values())
    assert all(line.row is None for one in PLAN.contents if one.case for line in one.lines)


def test_three_percent_of_the_orders_are_made_cheaper_by_an_edit() -> None:
    assert len(PLAN.cheaper) == round(len(PLAN.contents) * 0.03)
    assert not PLAN.cheaper.keys() & PLAN.cancelled.keys()
    assert set(PLAN.cheaper.values()) == {"at-once", "later", "owed", "unpaid"}
    by_number = {one.number: one for one in PLAN.contents}
    for number, way in PLAN.cheaper.items():
        states = [one.state for one in PLAN.happenings if one.number == number]
        assert states[-1].content.total < by_number[number].total
        assert way == "unpaid" or by_number[number].account.provider != "woocommerce"


def test_two_percent_of_the_orders_are_cancelled_half_of_them_one_line_only() -> None:
    kinds = Counter(one.kind for one in PLAN.happenings)
    assert (kinds["cancelled"], kinds["line-cancelled"]) == (5, 5)
    assert len(PLAN.cancelled) == 10


def test_the_input_is_the_file_to_the_penny() -> None:
    total = reconcile.total(PLAN.input.values())
    assert (total.rows, total.net_minor) == (1_830, 3_079_912)
    assert plan.NOT_IN_THIS_RUN not in PLAN.input


def test_a_shorter_run_still_accounts_for_the_whole_file() -> None:
    short = plan.plan_run(TABLE, 7, 50)
    total = reconcile.total(short.input.values())
    assert (total.rows, total.net_minor) == (1_830, 3_079_912)
    assert short.input[plan.NOT_IN_THIS_RUN].rows > 0
    assert sum(one.case is None for one in short.contents) == 50
    assert sum(one.case is not None for one in short.contents) == len(cases.NAMES)


def test_an_order_of_the_file_holds_its_rows_amounts() -> None:
    by_line = {row.line: row for row in TABLE}
    for one in PLAN.contents:
        parts: tuple[Line | Charge, ...] = (*one.lines, *one.charges)
        for part in parts:
            if part.row is not None:
                assert part.net == reconcile.half_up(by_line[part.row].amount)


def test_the_showcase_is_delivered_five_times_under_one_key_and_never_changes() -> None:
    shown = [one for one in PLAN.deliveries if one.number == PLAN.showcase]
    assert [len(one.sends) for one in shown] == [5]


def test_deliveries_are_duplicated_delayed_and_reordered() -> None:
    ordinary = [one for one in PLAN.deliveries if one.number != PLAN.showcase]
    assert any(len(one.sends) > 1 for one in ordinary)
    assert any(one.sends[0] > one.id * STEP for one in ordinary)
    assert len({one.key for one in PLAN.deliveries}) == len(PLAN.deliveries)


def test_the_stale_retry_of_a_creation_comes_after_the_edit() -> None:
    mine = [one for one in PLAN.deliveries if one.number == PLAN.cases["stale-retry"]]
    created = next(one for one in mine if one.topic == "orders/create")
    assert created.sends[0] > max(one.sends[-1] for one in mine if one is not created)
    assert PLAN.happenings[created.happening].state.version == 1


def test_happenings_keep_the_real_order() -> None:
    times = [one.at for one in PLAN.happenings]
    assert times == sorted(times)
    versions: dict[str, list[int]] = {}
    for one in PLAN.happenings:
        versions.setdefault(one.number, []).append(one.state.version)
    assert all(a < b for mine in versions.values() for a, b in pairwise(mine))


def test_an_order_that_never_pays_stays_pending_and_a_draft_a_draft() -> None:
    last = {one.number: one.state for one in PLAN.happenings}
    assert last[PLAN.cases["pending-never-paid"]].status == "pending"
    assert last[PLAN.cases["draft"]].status == "draft"


@pytest.mark.parametrize(
    ("case", "shift"), [("total-off-by-a-penny", 1), ("total-off-by-a-pound", 100)]
)
def test_a_total_disagrees_by_just_so_much(case: str, shift: int) -> None:
    (one,) = (one for one in PLAN.contents if one.case == case)
    assert one.total - one.net - one.tax == shift


def test_special_orders_are_what_their_names_say() -> None:
    named = {one.case: one for one in PLAN.contents if one.case}
    assert named["total-zero"].total == 0
    assert [line.kind for line in named["gift-card"].lines].count("gift-card") == 1
    assert named["unknown-country"].address.country_code is None
    first, *_, last = named["two-listings-of-one-sku"].lines
    assert first.sku == last.sku
    assert first.listing != last.listing
    assert last.code.strip().upper() == first.sku
    unlinked = named["unlinked-listing"].lines[0]
    assert PLAN.unlinked == {unlinked.code: unlinked.sku}
    assert unlinked.code.strip().upper() not in {one.sku for one in PLAN.opening}


def test_opening_stock_covers_the_most_that_is_asked_but_for_three_percent_of_the_units() -> None:
    ordered = most_ordered(PLAN)
    leaving = Counter(ordered)
    for move in PLAN.adjustments:
        leaving[move.sku] -= min(move.units, 0)
    short = {one.sku: leaving[one.sku] - one.units for one in PLAN.opening}
    assert min(short.values()) == 0
    assert sum(short.values()) == round(ordered.total() * 0.03)
    assert {sku for sku, n in leaving.items() if n} <= set(short)


def test_a_file_without_orders_is_refused() -> None:
    with pytest.raises(ValueError, match="no order"):
        plan.plan_run((), 1)
