"""Each row of the table of treatments, with a row of its kind."""

import pytest

from services.sandbox.retail.classify import Treatment, classify, write_off_reason
from services.sandbox.retail.rows import Row, micros, parse


def row(
    code: str = "71053",
    quantity: int = 6,
    price: str = "3.39",
    invoice: str = "536365",
    customer: str | None = "17850",
    note: str = "LANTERN",
) -> Row:
    return Row(
        line=2,
        invoice=invoice,
        code=code,
        description=note,
        quantity=quantity,
        at=micros("2010-12-01 08:26"),
        day="2010-12-01",
        price=price,
        customer=customer,
        country="United Kingdom",
    )


GOODS = row()
ZERO_GOODS = row(price="0", customer=None)


@pytest.mark.parametrize(
    ("case", "others", "treatment"),
    [
        (row(invoice="C536379", quantity=-1), (), Treatment.CREDIT_GOODS),
        (row("POST", -1, "18", "C1"), (), Treatment.CREDIT_SHIPPING),
        (row("D", -1, "27.5", "C1"), (), Treatment.CREDIT_DISCOUNT),
        (row("M", -1, "5", "C1"), (), Treatment.CREDIT_MANUAL),
        (row("S", -1, "5", "C1"), (), Treatment.CREDIT_SAMPLES),
        (row("CRUK", -1, "5", "C1"), (), Treatment.CREDIT_CHARITY),
        (row("AMAZONFEE", -1, "5575.28", "C1"), (), Treatment.CHANNEL_FEE),
        (row("AMAZONFEE", 1, "13541.33"), (), Treatment.CHANNEL_FEE),
        (row("BANK CHARGES", 1, "15"), (), Treatment.BANK_CHARGE),
        (row("B", 1, "-11062.06", "A563186", None), (), Treatment.JOURNAL),
        (row("POST", 2, "18"), (GOODS,), Treatment.SHIPPING),
        (row("DOT", 1, "599.5", customer=None), (GOODS,), Treatment.SHIPPING),
        (row("C2", 1, "50"), (GOODS,), Treatment.SHIPPING),
        (row("POST", 1, "18"), (), Treatment.SHIPPING_ALONE),
        (row("POST", 1, "18", customer=None), (ZERO_GOODS,), Treatment.SHIPPING),
        (row("POST", 1000, "0", customer=None), (), Treatment.NOT_AN_ITEM),
        (row("M", 1, "20"), (GOODS,), Treatment.CUSTOM),
        (row("M", 1, "20"), (), Treatment.MANUAL_ALONE),
        (row("gift_0001_40", 1, "34.04"), (), Treatment.GIFT_CARD),
        (row(quantity=-10, price="0", customer=None, note=""), (), Treatment.WRITE_OFF),
        (row(price="0"), (), Treatment.ZERO_PRICE),
        (ZERO_GOODS, (GOODS,), Treatment.ZERO_PRICE),
        (ZERO_GOODS, (), Treatment.FREE_ISSUE),
        (ZERO_GOODS, (ZERO_GOODS,), Treatment.FREE_ISSUE),
        (row(price="0", customer=None, note=""), (), Treatment.FOUND),
        (row(price="0", customer=None, note="Amazon Adjustment"), (), Treatment.FOUND),
        (row("PADS", 1, "0.001"), (), Treatment.SUB_PENNY),
        (GOODS, (), Treatment.GOODS),
        (row("84029e "), (), Treatment.GOODS),
        (row("DCGSSBOY"), (), Treatment.GOODS),
        (row("NEWCODE"), (), Treatment.UNCLASSIFIED),
        (row("NEWCODE", -1, invoice="C1"), (), Treatment.UNCLASSIFIED),
        (row(price="-3.39"), (), Treatment.UNCLASSIFIED),
        (row(quantity=-1), (), Treatment.UNCLASSIFIED),
        (row(quantity=0), (), Treatment.UNCLASSIFIED),
        (row(invoice="X1"), (), Treatment.UNCLASSIFIED),
    ],
)
def test_a_row_gets_the_treatment_of_the_table(
    case: Row, others: tuple[Row, ...], treatment: Treatment
) -> None:
    assert classify(case, (case, *others)) is treatment


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ("Printing smudges/thrown away", "damage"),
        ("Water damaged", "damage"),
        ("mouldy", "damage"),
        ("wet", "damage"),
        ("Unsaleable, destroyed.", "damage"),
        ("?missing", "loss"),
        ("??", "loss"),
        ("lost", "loss"),
        ("sold as set on dotcom", "recode"),
        ("sold with wrong barcode", "recode"),
        ("", "count"),
        ("check", "count"),
    ],
)
def test_a_write_off_takes_its_reason_from_the_note(note: str, reason: str) -> None:
    assert write_off_reason(note) == reason


HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@pytest.mark.parametrize(
    "line",
    [
        "536365,71053,LANTERN,six,2010-12-01 08:26,3.39,17850,United Kingdom",
        "536365,71053,LANTERN,6,yesterday,3.39,17850,United Kingdom",
        "536365,71053,LANTERN,6,2010-12-01 08:26,NaN,17850,United Kingdom",
        "536365,71053",
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse([HEADER, line])


def test_a_file_with_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="the first line must be"):
        parse(["Invoice,Price\n"])


def test_summer_minutes_are_an_hour_behind_in_utc() -> None:
    assert micros("2011-06-15 12:00") - micros("2011-01-15 12:00") == (151 * 24 - 1) * 3_600_000_000
