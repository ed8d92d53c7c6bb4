"""The retail file's sums by treatment, so that nothing is dropped uncounted; it reads no file."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from services.sandbox.retail.classify import Treatment, classify
from services.sandbox.retail.rows import Row, invoices


class Sums(Struct, frozen=True):
    """Rows, units (signed) and net money: each row's price times quantity rounded half up to pence.

    `residue` is what that rounding dropped, in pounds, exact: net_minor / 100 + residue is the
    file's own sum.
    """

    rows: int
    units: int
    net_minor: int
    residue: Decimal

    def plus(self, other: "Sums") -> "Sums":
        return Sums(
            rows=self.rows + other.rows,
            units=self.units + other.units,
            net_minor=self.net_minor + other.net_minor,
            residue=self.residue + other.residue,
        )


NOTHING = Sums(rows=0, units=0, net_minor=0, residue=Decimal(0))


def half_up(amount: Decimal) -> int:
    """Pounds to pence, half away from zero."""
    return int((amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def row_sums(row: Row) -> Sums:
    minor = half_up(row.amount)
    residue = row.amount - Decimal(minor) / 100
    return Sums(rows=1, units=row.quantity, net_minor=minor, residue=residue)


def classified(rows: Iterable[Row]) -> tuple[tuple[Row, Treatment], ...]:
    """Every row with its treatment, in the order of the file's invoices."""
    groups = invoices(rows).values()
    return tuple((row, classify(row, invoice)) for invoice in groups for row in invoice)


def total(sums: Iterable[Sums]) -> Sums:
    result = NOTHING
    for one in sums:
        result = result.plus(one)
    return result
