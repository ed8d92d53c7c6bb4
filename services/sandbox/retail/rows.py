"""The lines of the retail file, as they stand; it interprets nothing and drops nothing."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from msgspec import Struct

EXTRACT = Path(__file__).with_name("extract.csv")
TIME_ZONE = "Europe/London"
_LONDON = ZoneInfo(TIME_ZONE)
_COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)


class Row(Struct, frozen=True):
    """One line: `line` is its number in the file (the header is 1), `at` microseconds UTC."""

    line: int
    invoice: str
    code: str
    description: str
    quantity: int
    at: int
    day: str
    price: str
    customer: str | None
    country: str

    @property
    def sku(self) -> str:
        return self.code.strip().upper()

    @property
    def amount(self) -> Decimal:
        """Price times quantity in pounds, exact, not yet rounded."""
        return Decimal(self.price) * self.quantity


def micros(local: str) -> int:
    """Microseconds since the epoch of `YYYY-MM-DD HH:MM` in London."""
    moment = datetime.strptime(local, "%Y-%m-%d %H:%M").replace(tzinfo=_LONDON)
    return int(moment.timestamp()) * 1_000_000


def parse(lines: Iterable[str]) -> tuple[Row, ...]:
    """All rows of the CSV text. Raises ValueError naming the line that cannot be read."""
    reader = csv.reader(lines)
    header = next(reader, [])
    if tuple(header) != _COLUMNS:
        raise ValueError(f"the first line must be {','.join(_COLUMNS)}, not {','.join(header)}")
    rows = []
    for fields in reader:
        try:
            rows.append(_row(reader.line_num, fields))
        except (ValueError, ArithmeticError) as error:
            raise ValueError(f"line {reader.line_num} of the retail file: {error}") from error
    return tuple(rows)


def _row(line: int, fields: Sequence[str]) -> Row:
    invoice, code, description, quantity, minute, price, customer, country = fields
    if not Decimal(price).is_finite():
        raise ValueError(f"the price {price} is not a number")
    return Row(
        line=line,
        invoice=invoice.strip(),
        code=code,
        description=description,
        quantity=int(quantity),
        at=micros(minute),
        day=minute[:10],
        price=price,
        customer=customer.strip() or None,
        country=country.strip(),
    )


def read(path: Path = EXTRACT) -> tuple[Row, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return parse(file)


def invoices(rows: Iterable[Row]) -> Mapping[str, tuple[Row, ...]]:
    """Rows by invoice number, in the order of the file."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.invoice, []).append(row)
    return MappingProxyType({number: tuple(members) for number, members in found.items()})
