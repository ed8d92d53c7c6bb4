"""A read model's table: columns from the row's struct, statements made once per projection.

Table and column names come from code; values are always parameters.
"""

import types
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec

from libs.eventsourcing.maps import plain, restored
from libs.eventsourcing.projection import Key, Projection
from libs.store.pool import Connection

R = TypeVar("R", bound=msgspec.Struct)
_SQL = {str: "text", int: "bigint", bool: "boolean", bytes: "bytea"}
_json = msgspec.json.Encoder(enc_hook=plain, order="deterministic")


def table_name(name: str, generation: int) -> str:
    """Return the name of one generation of a projection's table; its consumer has the same name."""
    return f"rm_{name}_{generation}"


class Table(Generic[R]):
    """The statements and conversions of one table (or view) of a projection.

    `patience` is how many seconds a statement may take; None for what its connection allows.
    """

    def __init__(self, projection: Projection[R], name: str, patience: float | None = None) -> None:
        self.projection, self.name, self.patience = projection, name, patience
        fields = msgspec.structs.fields(projection.row)
        self.columns = tuple(field.name for field in fields)
        kinds = [_column(field.type) for field in fields]
        self.types = dict(zip(self.columns, kinds, strict=True))
        self._json = [
            (n, msgspec.json.Decoder(fields[n].type, dec_hook=restored))
            for n, (sql, _) in enumerate(kinds)
            if sql == "jsonb"
        ]
        self._values = attrgetter(*self.columns, self.columns[0])
        key = attrgetter(*projection.key)
        self._key = key if len(projection.key) > 1 else lambda row: (key(row),)
        self.selected, self.keys = _names(self.columns), _names(projection.key)
        self._statements()

    def _statements(self) -> None:
        name, key = self.name, self.projection.key
        self._load = (
            f"SELECT {', '.join(f't.{chr(34)}{c}{chr(34)}' for c in self.columns)} FROM {name} t"
            f" JOIN unnest({self._arrays(key, 1)}) AS u({self.keys}) USING ({self.keys})"
        )
        self._upsert, self._delete = self.upsert(), self.deletion()
        compared = [c for c in self.columns if c not in self.projection.undigested]
        row = f"convert_to(ROW({_names(compared)})::text, 'UTF8')"
        self.digests = f"SELECT sha256({row}), {self.keys} FROM {name} ORDER BY {self.keys}"

    def _arrays(self, columns: Sequence[str], first: int) -> str:
        return ", ".join(f"${n}::{self.types[c][0]}[]" for n, c in enumerate(columns, first))

    def upsert(self, first: int = 1, where: str = "true") -> str:
        """Return the statement that inserts or replaces rows: an array for each column."""
        changed = [f'"{c}" = excluded."{c}"' for c in self.columns if c not in self.projection.key]
        return (
            f"INSERT INTO {self.name} ({self.selected})"
            f" SELECT * FROM unnest({self._arrays(self.columns, first)}) WHERE {where}"
            f" ON CONFLICT ({self.keys}) DO "
            + (f"UPDATE SET {', '.join(changed)}" if changed else "NOTHING")
        )

    def deletion(self, first: int = 1, where: str = "true") -> str:
        """Return the statement that deletes rows: an array for each column of the key."""
        key = self.projection.key
        same = " AND ".join(f't."{c}" = u."{c}"' for c in key)
        return (
            f"DELETE FROM {self.name} t USING unnest({self._arrays(key, first)}) AS u({self.keys})"
            f" WHERE {same} AND {where}"
        )

    def ddl(self) -> str:
        """Return the statement that creates the table."""
        columns = ", ".join(f'"{c}" {_declared(*kind)}' for c, kind in self.types.items())
        key = f"PRIMARY KEY ({self.keys})"
        return f"CREATE TABLE {self.name} ({columns}, {key}) WITH (fillfactor = 70)"

    def index_ddl(self) -> Sequence[str]:
        """Return the statements that create the projection's indexes.

        Each goes on with the key: a row looked for by its key is found by whichever is chosen.
        """
        key, indexes = self.projection.key, self.projection.indexes
        columns = [(*index, *(c for c in key if c not in index)) for index in indexes]
        return [f"CREATE INDEX ON {self.name} ({_names(index)})" for index in columns]

    def row(self, record: Iterable[Any]) -> R:
        """Return a row from a record of the selected columns."""
        values = list(record)
        for n, decoder in self._json:
            if values[n] is not None:
                values[n] = decoder.decode(values[n])
        return self.projection.row(**dict(zip(self.columns, values, strict=True)))

    def values(self, row: R) -> list[Any]:
        """Return a row's values, in the order of the columns."""
        values = list(self._values(row)[:-1])
        for n, _ in self._json:
            if values[n] is not None:
                values[n] = _json.encode(values[n]).decode()
        return values

    def key(self, row: R) -> Key:
        """Return a row's key."""
        found: Key = self._key(row)
        return found

    async def load(self, connection: Connection, keys: Iterable[Key]) -> dict[Key, R]:
        """Return those of these rows that exist."""
        columns = list(map(list, zip(*keys, strict=True)))
        if not columns:
            return {}
        rows = map(self.row, await connection.fetch(self._load, *columns, timeout=self.patience))
        return {self.key(row): row for row in rows}

    async def write(self, connection: Connection, rows: dict[Key, R | None]) -> None:
        """Insert or replace rows, and delete those that are None; in key order."""
        kept, gone = self.arrays(rows)
        if kept:
            await connection.execute(self._upsert, *kept, timeout=self.patience)
        if gone:
            await connection.execute(self._delete, *gone, timeout=self.patience)

    def arrays(self, rows: dict[Key, R | None]) -> tuple[list[list[Any]], list[list[Any]]]:
        """Return what `upsert` and `deletion` take of these rows, in key order; none is empty."""
        kept = [self.values(row) for _, row in sorted(rows.items()) if row is not None]
        gone = sorted(key for key, row in rows.items() if row is None)
        return list(map(list, zip(*kept, strict=True))), list(map(list, zip(*gone, strict=True)))

    async def copy(self, connection: Connection, rows: Iterable[R]) -> None:
        """Fill the empty table."""
        await connection.copy_records_to_table(
            self.name, records=map(self.values, rows), columns=list(self.columns),
            timeout=self.patience,
        )  # fmt: skip


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _declared(sql: str, nullable: bool) -> str:
    # The order of keys must not depend on the database's locale: pages and digests rely on it.
    order = ' COLLATE "C"' if sql == "text" else ""
    return f"{sql}{order}{'' if nullable else ' NOT NULL'}"


def _column(kind: Any) -> tuple[str, bool]:
    """Return the SQL type of a field and whether it may be null."""
    optional = get_origin(kind) in {Union, types.UnionType}
    parts = get_args(kind) if optional else (kind,)
    inner = [part for part in parts if part is not type(None)]
    nullable = len(inner) < len(parts)
    if len(inner) == 1 and inner[0] in _SQL:
        return _SQL[inner[0]], nullable
    words = get_args(inner[0])
    if len(inner) == 1 and words and all(isinstance(word, str) for word in words):
        return "text", nullable
    return "jsonb", nullable
