"""Reads stock and product lists and plans what to do with each line; it sends and writes nothing.

Repeating changes nothing: each line of a document is a receipt of its own, named after the document
and what the line says, and inventory counts a name once; defining an item as it is records nothing.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from libs.values.ids import short
from services.console.http import part

STOCK_COLUMNS = ("sku", "location", "quantity", "unit_cost", "currency", "document")
PRODUCT_COLUMNS = ("sku", "description", "barcode", "components")
_MOST_UNITS = 1_000_000_000
_LONGEST_DOCUMENT = 179  # a receipt's name has 200 characters at most, and its line takes 21
_COST = re.compile(r"\d{1,12}(\.\d{1,6})?")
_SKU = re.compile(r"[!-~]([ -~]{0,98}[!-~])?")
_PART = re.compile(r"(.+):(\d{1,9})")


class LineError(ValueError):
    """A line that cannot be taken: its stable code."""


class Refused(msgspec.Struct, frozen=True):
    """A line that is left out; `line` is its number in the file, the header is 1."""

    line: int
    code: str
    sku: str


class Write(msgspec.Struct, frozen=True):
    """A line that will be sent: where to, with which key.

    The key is of this run, not of the line: under a key of before, the answer of before comes
    again, and nobody could say whether the line was in already.
    """

    line: int
    sku: str
    path: str
    key: str
    body: dict[str, Any]


class Plan(msgspec.Struct, frozen=True):
    """What an import would do."""

    writes: tuple[Write, ...]
    refused: tuple[Refused, ...]


def plan(kind: str, text: str, run: str) -> Plan:
    """Plan the lines of a "stock" or "products" file; `run` tells one import from another.

    Raises ValueError where the header is not the one expected, or a line is not CSV.
    """
    columns, understanding = _KINDS[kind]
    understand = understanding(text)
    rows = _rows(text)
    _, named = next(rows, (1, []))
    header = [name.strip().lower() for name in named]
    _expect(columns, header)
    writes: list[Write] = []
    refused: list[Refused] = []
    for line, row in rows:
        cells = dict.fromkeys(columns, "") | {
            name: cell.strip() for name, cell in zip(header, row, strict=False)
        }
        sku = cells["sku"].upper()
        try:
            _check(sku, header, row)
            path, body = understand(sku, cells)
            key = "import-" + short(kind, run, str(line))
            writes.append(Write(line, sku, path, key, body))
        except LineError as error:
            refused.append(Refused(line, str(error), sku[:100]))
    return Plan(tuple(writes), tuple(refused))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Give each row that is not blank with the number of the line where it begins."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"line {line} is not CSV, is a quote not closed? ({error})") from error
        if row:
            yield line, row


def _expect(columns: Sequence[str], header: Sequence[str]) -> None:
    if columns[0] not in header:
        found = ",".join(header) or "nothing"
        raise ValueError(f"the first line says {found[:80]}; it names columns, with commas between:"
                         f" {','.join(columns)}")  # fmt: skip
    if unknown := [name for name in header if name not in columns]:
        raise ValueError(f"there is no column {unknown[0]}; there are {','.join(columns)}")
    if twice := [name for name in header if header.count(name) > 1]:
        raise ValueError(f"the first line names the column {twice[0]} twice")


def _check(sku: str, header: Sequence[str], row: Sequence[str]) -> None:
    if len(row) > len(header):
        raise LineError("too-many-columns")
    if any("\n" in cell for cell in row):
        raise LineError("line-break-in-cell")  # a quote not closed goes on to the next one
    if not _SKU.fullmatch(sku):
        raise LineError("sku-malformed" if sku else "sku-missing")


def _deliveries(text: str) -> "_Understand":
    """Return what understands receipts; lines without a document are of one: the whole file.

    Equal lines of a document are told apart by their number, so their order does not matter.
    """
    file = "import-" + short(*sorted(text.splitlines()))
    equal = Counter[tuple[str, ...]]()

    def receipt(sku: str, cells: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        body = _receipt(cells)
        document = cells["document"] or file
        said = tuple(str(body[name]) for name in ("location", "quantity", "unit_cost", "currency"))
        equal[document, sku, *said] += 1
        line = short(sku, *said, str(equal[document, sku, *said]))
        path = f"/inventory/stock/{part(sku)}/receipts"
        return path, body | {"document": f"{document}#{line}", "by": "import"}

    return receipt


def _receipt(cells: Mapping[str, str]) -> dict[str, Any]:
    quantity, cost, currency = cells["quantity"], cells["unit_cost"], cells["currency"]
    if not re.fullmatch(r"\d{1,10}", quantity):
        raise LineError("quantity-not-whole" if quantity else "quantity-missing")
    if not 1 <= int(quantity) <= _MOST_UNITS:
        raise LineError("quantity-out-of-range")
    if cost and not _COST.fullmatch(cost):
        raise LineError("unit-cost-malformed")
    if currency and not re.fullmatch(r"[A-Z]{3}", currency):
        raise LineError("currency-malformed")
    if bool(cost) != bool(currency):
        raise LineError("currency-missing" if cost else "unit-cost-missing")
    if len(cells["document"]) > _LONGEST_DOCUMENT:
        raise LineError("document-too-long")
    return {
        "quantity": int(quantity),
        "location": cells["location"] or "main",
        "unit_cost": f"{Decimal(cost).normalize():f}" if cost else None,  # 4.00 is 4
        "currency": currency or None,
    }


def _items(_: str) -> "_Understand":
    return _item


def _item(sku: str, cells: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    if len(cells["description"]) > 200:
        raise LineError("description-too-long")
    if len(cells["barcode"]) > 40:
        raise LineError("barcode-too-long")
    body = {
        "description": cells["description"],
        "barcode": cells["barcode"] or None,
        "components": components(sku, cells["components"]),
        "by": "import",
    }
    return f"/inventory/items/{part(sku)}", body


def components(sku: str, text: str) -> list[dict[str, Any]]:
    """Return the parts of a kit from "A:2;B:1". Raises LineError."""
    found: dict[str, int] = {}
    for piece in filter(None, (one.strip() for one in text.split(";"))):
        match = _PART.fullmatch(piece)
        if match is None or not int(match[2]):
            raise LineError("components-malformed")
        name = match[1].strip().upper()
        if name == sku:
            raise LineError("kit-of-itself")
        found[name] = found.get(name, 0) + int(match[2])
    return [{"sku": name, "units": units} for name, units in found.items()]


_Understand = Callable[[str, Mapping[str, str]], tuple[str, dict[str, Any]]]
_KINDS: Mapping[str, tuple[Sequence[str], Callable[[str], _Understand]]] = {
    "stock": (STOCK_COLUMNS, _deliveries),
    "products": (PRODUCT_COLUMNS, _items),
}
