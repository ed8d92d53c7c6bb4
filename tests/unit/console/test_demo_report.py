"""The demo's arithmetic: shape, sums, percentiles, and what makes a report unsound."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from libs.cli.output import Output
from services.console.demo.conclusion import conclude, worth_trying
from services.console.demo.outcome import Outcome, labels_bought_twice, owed
from services.console.demo.play import known_key
from services.console.demo.report import (
    Facts,
    Standing,
    StockFacts,
    by_group,
    compare,
    faults,
    percentile,
    report,
)
from services.sandbox.retail.reconcile import Sums

OUTCOME = Outcome(
    {
        "journal": {
            "entries": 9,
            "net_sales_minor": 850,
            "tax_minor": {"0.175": 100, "0.2": 50},
            "debits_minor": {"main GBP": 2000, "other GBP": 1000, "other EUR": 7},
            "credits_minor": {"main GBP": 2000, "other GBP": 1000, "other EUR": 7},
        },
        "reports": {"due": 6, "confirmed": 5, "late": 1, "refused": 0, "open": 1},
        "books payments": {
            "holder": "card", "captured_minor": 700, "unknown_minor": 50, "books_minor": 750,
            "double_charges": 0,
        },
        "books carrier": {"bought": 5, "bought_twice": 1},
        "books shop": {
            "holder": "shop", "captured_minor": 300, "unknown_minor": 0, "books_minor": 300,
            "owed_minor": 20,
        },
        "books store": {
            "holder": "store", "captured_minor": 0, "unknown_minor": 0, "books_minor": 0,
        },
        "books gone": {},
    }
)  # fmt: skip
SOUND = Facts(
    input={
        "order: goods": Sums(rows=2, units=3, net_minor=1000, residue=Decimal("0.001")),
        "excluded: bank charge": Sums(rows=1, units=1, net_minor=-250, residue=Decimal(0)),
    },
    file=Decimal("7.501"),
    file_rows=3,
    standings=[
        Standing("completed", "", 5, 0),
        Standing("dispatched", "", 1, 0),
        Standing("cancelled", "out-of-stock", 1, 0),
        Standing("waiting", "payment", 2, 700),
        Standing("part_confirmed", "out-of-stock", 1, 30),
        Standing("held", "totals-disagree", 1, 900),
    ],
    stock=StockFacts(4, 0, 6, 2, 19),
    sent=14,
    distinct=11,
    effective=11,
    parked=0,
    events=99,
    seconds=1.239,
    latencies=[1000, 2000, 3000, 90_000],
    synthetic=("channel",),
    placed_minor=1000,
    outcome=OUTCOME,
)


def test_a_report_has_the_shape_that_programs_read() -> None:
    assert report(SOUND) == {
        "input": {
            "order: goods": {"rows": 2, "units": 3, "net_minor": 1000},
            "excluded: bank charge": {"rows": 1, "units": 1, "net_minor": -250},
        },
        "orders": {
            "received": 11,
            "confirmed": 0,
            "completed": 5,
            "cancelled": 1,
            "waiting": {"in-transit": 1, "payment": 2, "out-of-stock-in-part": 1},
            "held": {"totals-disagree": 1},
            "value_at_risk_minor": 1630,
        },
        "stock": {
            "skus": 4,
            "units_promised_without_stock": 0,
            "units_sold_by_channels_without_stock": 6,
            "units_short_now": 2,
            "units_written_off": 19,
        },
        "deliveries": {"sent": 14, "distinct": 11, "effective": 11},
        "events": 99,
        "seconds": 1.24,
        "latency_ms": {"p50": 2.0, "p99": 90.0},
        "synthetic": ["channel"],
        "payments": {
            "by_holder": {
                "card": {"captured_minor": 700, "unknown_minor": 50, "books_minor": 750},
                "shop": {"captured_minor": 300, "unknown_minor": 0, "books_minor": 300},
            },
            "double_charges": 0,
        },
        "ledger": {
            "entries": 9,
            "debits_minor": {"EUR": 7, "GBP": 3000},
            "credits_minor": {"EUR": 7, "GBP": 3000},
            "net_sales_minor": 850,
        },
        "tax_minor": {"0.175": 100, "0.2": 50},
        "channel_confirmations": {"due": 6, "confirmed": 5, "late": 1},
    }


def test_what_a_shop_owes_its_buyers_is_told_beside_what_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert [owed(OUTCOME, name) for name in ("shop", "card", "nobody")] == [20, 0, 0]
    conclude(Output(), SOUND, ("1", 5, 1), ())
    said = capsys.readouterr().out
    assert "£3.00 by us = £3.00 by its own books, £0.20 of it owed to buyers" in said
    assert said.count("owed to buyers") == 1


def test_the_carriers_books_say_what_was_bought_twice() -> None:
    assert labels_bought_twice(OUTCOME) == 1
    assert labels_bought_twice(Outcome({})) == 0


def test_a_sound_report_has_no_faults() -> None:
    assert faults(SOUND) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"effective": 10}, "11 deliveries were acknowledged, 10 took effect"),
        ({"parked": 1}, "1 deliveries or commands are parked"),
        ({"stock": StockFacts(4, 1, 6, 2, 0)}, "1 units are promised without stock"),
        ({"standings": [Standing("placed", "", 3, 0)]}, "3 orders are neither"),
        ({"standings": [Standing("confirmed", "", 2, 0)]}, "2 orders are neither"),
        ({"outcome": Outcome({}, ["P3 books-differ: card: 1, not 2"])}, "P3 books-differ: card"),
        ({"missing": ["woo-uk 536365"]}, "missing: woo-uk 536365"),
        ({"differing": list("abcdefg")}, "a, b, c, d, e and 2 more"),
        ({"file": Decimal("7.50")}, "£7.501 in 3 rows, the file to £7.50"),
        ({"file_rows": 4}, "in 4"),
        ({"placed_minor": 999}, "worth 1000 pence, those placed 999"),
    ],
)
def test_each_thing_that_is_wrong_is_named(change: dict[str, Any], words: str) -> None:
    (fault,) = faults(replace(SOUND, **change))
    assert words in fault


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([], 0.5, None), ([7000], 0.99, 7.0), (range(1000, 101_000, 1000), 0.99, 99.0),
     ([3000, 1000, 2000], 0.5, 2.0)],
)  # fmt: skip
def test_a_percentile_is_a_value_that_occurred(
    values: list[int], share: float, found: float | None
) -> None:
    assert percentile(values, share) == found


def test_treatments_sum_up_by_group() -> None:
    groups = by_group(SOUND.input)
    assert (groups["order"].net_minor, groups["excluded"].rows) == (1000, 1)


def order(number: str, total: int, status: str = "open", cancelled: int = 0) -> dict[str, Any]:
    lines = [{"cancelled": cancelled}]
    return {
        "external_id": f"x{number}", "number": number, "status": status, "total_minor": total,
        "lines": lines,
    }  # fmt: skip


def test_the_shops_books_are_compared_order_by_order() -> None:
    book = [
        order("1", 100), order("2", 200), order("3", 300, cancelled=1), order("4", 400),
        order("5", 500, "draft"), order("6", 600, "cancelled"),
    ]  # fmt: skip
    ours = {("shop", "x1"): 100, ("shop", "x2"): 201, ("shop", "x3"): 1, ("shop", "x6"): 0}
    missing, differing = compare({"shop": {"orders": book}}, ours)
    assert (missing, differing) == (["shop 4"], ["shop 2"])


def test_a_delivery_is_found_again_under_the_key_that_channels_gave_it() -> None:
    assert known_key("shopify", "a|b|c") == "a|b|c"
    told = "https://w.example.invalid/|order.created|538689|2010-12-14T09:52:00|2bc8"
    assert known_key("woocommerce", told) == "https://w.example.invalid/|order.created|2bc8"


def test_what_is_worth_trying_finds_the_folder_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, before in ((Path(".lonja"), ""), (tmp_path, f"LONJA_DATA={tmp_path} ")):
        worth_trying(Output(), "http://127.0.0.1:1", "ord_1", "MUG", folder)
        said = capsys.readouterr().out.splitlines()
        commands = [line.strip() for line in said if "bin/lonja" in line]
        assert len(commands) == 7
        assert all(line.startswith(f"{before}.venv/bin/lonja ") for line in commands)
