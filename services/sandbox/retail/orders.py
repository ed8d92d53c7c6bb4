"""Invoices of the retail file as orders of three shops; a row that is no order's stays out."""

from collections.abc import Mapping, Sequence
from hashlib import sha3_512

from services.sandbox.retail import money, people
from services.sandbox.retail.classify import Treatment
from services.sandbox.retail.content import Account, Charge, Content, Kind, Line
from services.sandbox.retail.rows import Row

ACCOUNTS = (
    Account(name="shopify-uk", provider="shopify"),
    Account(name="woo-uk", provider="woocommerce"),
    Account(name="store-uk", provider="standard"),
)
_KINDS: Mapping[Treatment, Kind] = {
    Treatment.CUSTOM: "custom",
    Treatment.GIFT_CARD: "gift-card",
    Treatment.ZERO_PRICE: "goods",
    Treatment.SUB_PENNY: "goods",
    Treatment.GOODS: "goods",
}
_TITLES = {"POST": "Postage", "DOT": "Dotcom postage", "C2": "Carriage"}


def account_of(number: str) -> Account:
    """The shop that an invoice is given to: a hash of its number over the three."""
    return ACCOUNTS[int.from_bytes(sha3_512(number.encode()).digest()[:4], "big") % len(ACCOUNTS)]


def order_lines(rows: Sequence[tuple[Row, Treatment]], rate: str) -> tuple[Line, ...]:
    """One line per row, repeated SKUs kept apart; a gift card is booked as it stands, untaxed."""
    lines: list[Line] = []
    for row, treatment in rows:
        kind = _KINDS.get(treatment)
        if kind is not None:
            lines.append(_line(len(lines) + 1, row, kind, rate))
    return tuple(lines)


def _line(position: int, row: Row, kind: Kind, rate: str) -> Line:
    net = money.line_net(row.price, row.quantity)
    own_rate = "0" if kind == "gift-card" else rate
    return Line(
        id=position,
        listing=row.code,
        code=row.code,
        sku=row.sku if kind == "goods" else None,
        title=row.description or row.code,
        kind=kind,
        quantity=row.quantity,
        price=row.price,
        net=net,
        tax=money.tax_of(net, own_rate),
        rate=own_rate,
        row=row.line,
    )


def order_charges(rows: Sequence[tuple[Row, Treatment]], rate: str) -> tuple[Charge, ...]:
    """Postage rows: price times quantity, which is not a number of units."""
    charges: list[Charge] = []
    for row, treatment in rows:
        if treatment is Treatment.SHIPPING:
            net = money.line_net(row.price, row.quantity)
            charges.append(
                Charge(
                    id=500 + len(charges),
                    code=row.code,
                    title=_TITLES.get(row.sku, row.code),
                    net=net,
                    tax=money.tax_of(net, rate),
                    rate=rate,
                    row=row.line,
                )
            )
    return tuple(charges)


def order(rows: Sequence[tuple[Row, Treatment]]) -> Content:
    """The order of one invoice's order rows; placed at the earliest minute that they name."""
    first = min((row for row, _ in rows), key=lambda row: (row.at, row.line))
    customer = next((row.customer for row, _ in rows if row.customer), None)
    address = people.address(customer, first.invoice, first.country)
    rate = money.vat_rate(address.country_code, first.day)
    return Content(
        number=first.invoice,
        account=account_of(first.invoice),
        placed_at=first.at,
        person=people.person(customer, first.invoice),
        address=address,
        lines=order_lines(rows, rate),
        charges=order_charges(rows, rate),
    )


def orders(classified: Sequence[tuple[Row, Treatment]]) -> tuple[Content, ...]:
    """All orders in the order in which they were placed."""
    found: dict[str, list[tuple[Row, Treatment]]] = {}
    for row, treatment in classified:
        if treatment.group == "order":
            found.setdefault(row.invoice, []).append((row, treatment))
    contents = (order(members) for members in found.values())
    return tuple(sorted(contents, key=lambda content: (content.placed_at, content.number)))
