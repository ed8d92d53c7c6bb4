"""The check sums of the retail data, to the row and the penny."""

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from services.sandbox.retail import orders, reconcile, rows, stock
from services.sandbox.retail.classify import Treatment

SAMPLE = Path(os.environ.get("LONJA_RETAIL_SAMPLE", "../shared/data/online_retail_sample.csv"))
NEEDS_SAMPLE = pytest.mark.skipif(
    not SAMPLE.exists(), reason=f"{SAMPLE} is not here: set LONJA_RETAIL_SAMPLE to the whole sample"
)


@pytest.fixture(scope="module")
def extract() -> tuple[rows.Row, ...]:
    return rows.read()


@pytest.fixture(scope="module")
def sample() -> tuple[rows.Row, ...]:
    return rows.read(SAMPLE)


@pytest.fixture(scope="module")
def sums(sample: tuple[rows.Row, ...]) -> Mapping[Treatment, reconcile.Sums]:
    return by_treatment(sample)


def by_treatment(table: tuple[rows.Row, ...]) -> dict[Treatment, reconcile.Sums]:
    """Sums by treatment; only treatments that occur."""
    found: dict[Treatment, reconcile.Sums] = {}
    for row, treatment in reconcile.classified(table):
        found[treatment] = found.get(treatment, reconcile.NOTHING).plus(reconcile.row_sums(row))
    return found


def grouped(table: tuple[rows.Row, ...]) -> dict[str, tuple[int, int]]:
    """Rows and pence in orders, stock, credit notes (by invoice number) and the rest."""
    found: dict[str, reconcile.Sums] = {}
    for row, treatment in reconcile.classified(table):
        credit = row.invoice.startswith("C")
        group = treatment.group if treatment.group in {"order", "stock"} else "other"
        name = "credit" if credit else group
        found[name] = found.get(name, reconcile.NOTHING).plus(reconcile.row_sums(row))
    return {name: (sums.rows, sums.net_minor) for name, sums in found.items()}


@NEEDS_SAMPLE
def test_the_sample_is_orders_stock_credits_and_the_rest_to_the_penny(
    sample: tuple[rows.Row, ...],
) -> None:
    assert grouped(sample) == {
        "order": (39_108, 72_351_476),
        "stock": (171, 0),
        "credit": (674, -3_442_233),
        "other": (47, 1_782_999),
    }
    total = reconcile.total(by_treatment(sample).values())
    assert (total.rows, total.net_minor) == (40_000, 70_692_242)
    exact = sum((row.amount for row in sample), Decimal(0))
    assert Decimal(total.net_minor) / 100 + total.residue == exact
    assert total.residue == Decimal("0.001")


@NEEDS_SAMPLE
@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        (Treatment.CREDIT_GOODS, (633, -7_613, -1_760_834)),
        (Treatment.CREDIT_SHIPPING, (9, -9, -13_300)),
        (Treatment.CREDIT_DISCOUNT, (7, -7, -105_073)),
        (Treatment.CREDIT_MANUAL, (17, -40, -772_526)),
        (Treatment.CREDIT_SAMPLES, (5, -5, -24_214)),
        (Treatment.CREDIT_CHARITY, (2, -2, -208_758)),
        (Treatment.CHANNEL_FEE, (2, 0, 796_605)),
        (Treatment.BANK_CHARGE, (2, 2, 3_000)),
        (Treatment.SHIPPING, (101, 225, 1_618_339)),
        (Treatment.SHIPPING_ALONE, (32, 59, 121_028)),
        (Treatment.NOT_AN_ITEM, (1, 1_000, 0)),
        (Treatment.CUSTOM, (11, 62, 5_915)),
        (Treatment.MANUAL_ALONE, (11, 79, 304_838)),
        (Treatment.GIFT_CARD, (2, 3, 6_738)),
        (Treatment.WRITE_OFF, (104, -21_828, 0)),
        (Treatment.ZERO_PRICE, (7, 391, 0)),
        (Treatment.FREE_ISSUE, (22, 205, 0)),
        (Treatment.FOUND, (45, 1_362, 0)),
        (Treatment.SUB_PENNY, (1, 1, 0)),
        (Treatment.GOODS, (38_986, 384_955, 70_720_484)),
    ],
)
def test_each_treatment_of_the_sample_has_its_documented_sums(
    sums: Mapping[Treatment, reconcile.Sums], treatment: Treatment, expected: tuple[int, int, int]
) -> None:
    found = sums[treatment]
    assert (found.rows, found.units, found.net_minor) == expected


@NEEDS_SAMPLE
def test_nothing_of_the_sample_is_unclassified(sums: Mapping[Treatment, reconcile.Sums]) -> None:
    assert Treatment.UNCLASSIFIED not in sums


@NEEDS_SAMPLE
def test_the_extract_is_the_sample_between_its_two_days(
    sample: tuple[rows.Row, ...], extract: tuple[rows.Row, ...]
) -> None:
    inside = [row for row in sample if "2010-12-14" <= row.day <= "2011-01-11"]
    assert [(r.invoice, r.code, r.quantity, r.price, r.at) for r in inside] == [
        (r.invoice, r.code, r.quantity, r.price, r.at) for r in extract
    ]


def test_the_extract_has_its_documented_sums(extract: tuple[rows.Row, ...]) -> None:
    total = reconcile.total(by_treatment(extract).values())
    assert (total.rows, total.net_minor, total.residue) == (1_830, 3_079_912, Decimal(0))
    assert len(rows.invoices(extract)) == 567
    assert {str(t): s.rows for t, s in by_treatment(extract).items()} == {
        "credit-note: goods": 42,
        "credit-note: shipping": 1,
        "credit-note: discount": 1,
        "order: shipping charge": 5,
        "excluded: goods not in the sample": 1,
        "rejected: not an item": 1,
        "order: custom line": 2,
        "order: gift card": 1,
        "stock: write-off": 2,
        "order: zero price": 1,
        "stock: free issue": 4,
        "stock: found": 3,
        "order: goods": 1_766,
    }


def test_the_extract_has_its_documented_orders_and_customers(extract: tuple[rows.Row, ...]) -> None:
    placed = orders.orders(reconcile.classified(extract))
    parts = [part for order in placed for part in (*order.lines, *order.charges)]
    assert (len(placed), len(parts)) == (521, 1_775)
    assert sum(order.net for order in placed) == 3_168_127
    assert sum(order.placed_at < rows.micros("2011-01-04 00:00") for order in placed) == 299
    channels: dict[str, set[str]] = {}
    for order in placed:
        if order.person.id:
            channels.setdefault(order.person.id, set()).add(order.account.name)
    assert len(channels) == 388
    assert sum(len(names) > 1 for names in channels.values()) == 36
    assert sum(order.person.id is None for order in placed) == 62


def test_adjustments_carry_sign_reason_and_note(extract: tuple[rows.Row, ...]) -> None:
    moves = stock.adjustments(reconcile.classified(extract))
    assert len(moves) == 9
    assert {(move.reason, move.units > 0) for move in moves} == {
        ("count", False),
        ("free issue", False),
        ("found", True),
    }
