"""FULL_TRANSITIVE without a server: every version of an event reads every other one.

The rules are Avro's schema resolution for the shapes that `lint` allows. Golden bytes are read by
fastavro here, and by the generated decoders in the contract tests.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from libs.codec.schemas import ROOT, Schema, Schemas, definitions, full_name, whole


def versions(name: str, schemas: Schemas) -> dict[int, Schema]:
    """Return an event's schemas by version, each whole in itself; the present one is the last."""
    history = dict(schemas.history.get(name, {}))
    return history | {max(history, default=0) + 1: whole(name, schemas)}


def incompatible(schemas: Schemas) -> list[str]:
    """Return why some version of an event cannot read another one; empty when all can."""
    found = []
    for name in schemas.names():
        every = versions(name, schemas)
        if sorted(every) != list(range(1, len(every) + 1)):
            found.append(f"{name}: schemas/history must have every version up to the present one")
        for written, writer in every.items():
            for read, reader in every.items():
                found += [
                    f"{name}: version {read} cannot read version {written}: {reason}"
                    for reason in unreadable(writer, reader)
                ]
    return found


def unreadable(writer: Schema, reader: Schema) -> list[str]:
    """Return why bytes of one whole schema cannot be read as another one."""
    pair = _Pair(definitions(writer), definitions(reader))
    return list(pair.record(full_name(writer, ""), full_name(reader, "")))


class _Pair:
    def __init__(self, written: dict[str, Schema], present: dict[str, Schema]) -> None:
        self.written, self.present = written, present

    def record(self, writer: str, reader: str) -> Iterator[str]:
        old = {f["name"]: f for f in self.written[writer]["fields"]}
        for field in self.present[reader]["fields"]:
            where = f"{reader}.{field['name']}"
            if field["name"] in old:
                given = old[field["name"]]["type"]
                spaces = writer.rpartition(".")[0], reader.rpartition(".")[0]
                yield from self.type(given, field["type"], spaces, where)
            elif "default" not in field:
                yield f"{where} was added without a default"

    def type(self, writer: Any, reader: Any, spaces: tuple[str, str], where: str) -> Iterator[str]:
        match writer, reader:
            case ["null", given], ["null", wanted]:
                yield from self.type(given, wanted, spaces, where)
            case list(), _:
                yield f"{where} was nullable"
            case _, ["null", wanted]:
                yield from self.type(writer, wanted, spaces, where)
            case {"type": "array", "items": given}, {"type": "array", "items": wanted}:
                yield from self.type(given, wanted, spaces, where)
            case _ if writer == reader or (writer, reader) == ("int", "long"):
                yield from self.named(writer, reader, spaces, where)
            case _:
                yield from self.named(writer, reader, spaces, where)

    def named(self, writer: Any, reader: Any, spaces: tuple[str, str], where: str) -> Iterator[str]:
        names = [
            None if isinstance(t, dict) and t["type"] == "array" else full_name(t, space)
            for t, space in zip((writer, reader), spaces, strict=True)
        ]
        old, new = self.written.get(names[0] or ""), self.present.get(names[1] or "")
        if old is None or new is None:
            if not (writer == reader and old is new) and (writer, reader) != ("int", "long"):
                yield f"{where} had another type"
        elif names[0] != names[1] or old["type"] != new["type"]:
            yield f"{where} was a {names[0]}"
        elif old["type"] == "record":
            yield from self.record(full_name(writer, spaces[0]), full_name(reader, spaces[1]))
        elif new.get("default") not in new["symbols"]:
            yield from (f"{where} has no {s}" for s in old["symbols"] if s not in new["symbols"])


def golden(schemas: Schemas, root: Path = ROOT) -> list[str]:
    """Return what is wrong with the golden files: one is missing, or its bytes say something else.

    That every version reads them into its own shape is `incompatible`'s and the tests' matter.
    """
    found = []
    for name in schemas.names():
        for version, schema in versions(name, schemas).items():
            data, expected = golden_files(name, version, root)
            if not data.exists() or not expected.exists():
                found.append(f"{data.name} is missing: run `make contracts`")
            elif plain(read(data.read_bytes(), schema)) != json.loads(expected.read_text()):
                found.append(f"{data.name} does not say what {expected.name} says")
    return found


def golden_files(name: str, version: int, root: Path = ROOT) -> tuple[Path, Path]:
    """Return where the golden bytes of a version are, and the value that they must give."""
    _, service, event = name.split(".")
    stem = root / "golden" / service / f"{event}.{version}"
    return stem.with_name(f"{stem.name}.avro"), stem.with_name(f"{stem.name}.json")


def read(data: bytes, writer: Schema, reader: Schema | None = None) -> Any:
    """Read bytes with fastavro, the oracle."""
    parsed = fastavro.parse_schema(writer)
    wanted = None if reader is None else fastavro.parse_schema(reader)
    return fastavro.schemaless_reader(BytesIO(data), parsed, wanted)


def write(value: Any, schema: Schema) -> bytes:
    """Write a value with fastavro, the oracle."""
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def plain(value: Any) -> Any:
    """Return a value, or a struct, as JSON has it: bytes are base64, arrays lists."""
    return msgspec.json.decode(msgspec.json.encode(value))
