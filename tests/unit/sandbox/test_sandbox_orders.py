"""How invoices become orders: the rules that the table gives for orders as a whole."""

import pytest

from services.sandbox.retail import money, orders, reconcile, rows
from services.sandbox.retail.content import Content

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def placed(*lines: str) -> tuple[Content, ...]:
    table = rows.parse([HEADER, *(line + "\n" for line in lines)])
    return orders.orders(reconcile.classified(table))


GOODS = "1,22632,HAND WARMER,{n},2010-12-20 09:{m},{p},{c},{country}"


def goods(
    n: int = 3, m: str = "00", p: str = "1.85", c: str = "17850", country: str = "United Kingdom"
) -> str:
    return GOODS.format(n=n, m=m, p=p, c=c, country=country)


def test_the_earliest_minute_is_when_the_order_was_placed() -> None:
    (order,) = placed(goods(m="05"), goods(m="04"))
    assert order.placed_at == rows.micros("2010-12-20 09:04")


def test_a_repeated_sku_stays_two_lines() -> None:
    (order,) = placed(goods(), goods())
    assert [line.quantity for line in order.lines] == [3, 3]
    assert [line.id for line in order.lines] == [1, 2]


def test_the_spelling_is_the_channel_sku_and_the_sku_is_upper_case() -> None:
    (order,) = placed("1,85123a ,HOLDER,1,2010-12-20 09:00,2.55,17850,United Kingdom")
    assert (order.lines[0].code, order.lines[0].sku) == ("85123a ", "85123A")


def test_a_guest_has_no_e_mail_and_is_never_another_guest() -> None:
    one, other = placed(goods(c=""), goods(c="").replace("1,", "2,", 1))
    assert one.person.id is None
    assert one.person.email is None
    assert one.address != other.address


def test_an_account_customer_is_the_same_person_in_every_order() -> None:
    one, other = placed(goods(), goods().replace("1,", "2,", 1))
    assert one.person == other.person
    assert one.person.email == "c17850@example.invalid"


def test_postage_is_a_charge_whose_quantity_is_no_units() -> None:
    (order,) = placed(goods(), "1,POST,POSTAGE,2,2010-12-20 09:00,18,17850,France")
    assert [(c.net, c.tax, c.rate) for c in order.charges] == [(3600, 630, "0.175")]
    assert len(order.lines) == 1


def test_a_manual_line_is_custom_and_a_gift_card_is_untaxed_and_neither_has_a_sku() -> None:
    (order,) = placed(
        goods(),
        "1,M,Manual,1,2010-12-20 09:00,20,17850,United Kingdom",
        "1,gift_0001_40,Gift Voucher,1,2010-12-20 09:00,34.04,17850,United Kingdom",
    )
    assert [(line.kind, line.sku, line.tax) for line in order.lines[1:]] == [
        ("custom", None, 350),
        ("gift-card", None, 0),
    ]


def test_a_zero_price_line_is_an_ordinary_line() -> None:
    (order,) = placed(goods(p="0"))
    assert [(line.kind, line.net, line.quantity) for line in order.lines] == [("goods", 0, 3)]


@pytest.mark.parametrize(
    ("code", "day", "rate"),
    [
        ("GB", "2011-01-03", "0.175"),
        ("GB", "2011-01-04", "0.2"),
        ("IE", "2011-01-04", "0.2"),
        ("JE", "2011-01-04", "0"),
        ("CH", "2010-12-20", "0"),
        (None, "2010-12-20", "0.175"),
    ],
)
def test_the_vat_rate_is_by_day_and_country(code: str | None, day: str, rate: str) -> None:
    assert money.vat_rate(code, day) == rate


def test_tax_is_rounded_half_up_per_line() -> None:
    assert money.tax_of(20, "0.175") == 4
    assert money.tax_of(40, "0.2") == 8
    assert money.line_net("0.001", 1) == 0
    assert money.line_net("0.005", 1) == 1


@pytest.mark.parametrize("country", ["Unspecified", "European Community"])
def test_an_unknown_country_stays_unknown(country: str) -> None:
    (order,) = placed(goods(country=country))
    assert (order.address.country, order.address.country_code) == (None, None)


@pytest.mark.parametrize(
    ("country", "code"), [("EIRE", "IE"), ("RSA", "ZA"), ("USA", "US"), ("Channel Islands", "JE")]
)
def test_the_files_own_country_names_are_known(country: str, code: str) -> None:
    (order,) = placed(goods(country=country))
    assert order.address.country_code == code


@pytest.mark.parametrize(
    ("pence", "written"), [(0, "0.00"), (5, "0.05"), (1234, "12.34"), (-1205, "-12.05")]
)
def test_pence_are_written_as_shops_write_them(pence: int, written: str) -> None:
    assert money.text(pence) == written
