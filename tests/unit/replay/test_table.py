"""A row struct says what its table is, and comes back from it as it was."""

from typing import Literal

import msgspec
from immutables import Map

from libs.eventsourcing.projection import Projection
from libs.replay.table import Table


class Row(msgspec.Struct, frozen=True):
    sku: str
    place: int
    state: Literal["open", "done"]
    paid: bool
    raw: bytes
    note: str | None
    units: Map[str, int]
    lines: tuple[tuple[str, int], ...] = ()


ROWS: Projection[Row] = Projection(
    "things",
    1,
    Row,
    ("sku", "place"),
    ("toy",),
    lambda _: (),
    lambda row, _, __: row,
    undigested=("raw",),
)
TABLE = Table(ROWS, "rm_things_1")
FULL = Row("a", 1, "open", True, b"\x00", None, Map({"x": 1, "b": 2}), (("l", 3),))


def test_columns_follow_the_struct() -> None:
    kinds = {column: kind for column, (kind, _) in TABLE.types.items()}
    assert kinds == {
        "sku": "text", "place": "bigint", "state": "text", "paid": "boolean", "raw": "bytea",
        "note": "text", "units": "jsonb", "lines": "jsonb",
    }  # fmt: skip
    assert [c for c, (_, nullable) in TABLE.types.items() if nullable] == ["note"]


def test_a_row_comes_back_as_it_was() -> None:
    values = TABLE.values(FULL)
    assert values[6] == '{"b":2,"x":1}'
    assert TABLE.row(values) == FULL


def test_the_key_is_the_key_fields_in_order() -> None:
    assert TABLE.key(FULL) == ("a", 1)


def test_what_is_not_digested_is_not_compared() -> None:
    assert '"raw"' not in TABLE.digests
    assert '"note"' in TABLE.digests
