"""The rules of the schema files, beyond Avro's own. It reads and reports; it changes nothing."""

import json
import keyword
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from libs.codec.schemas import PRIMITIVES, ROOT, Schema, full_name, inlined, load, uses

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_KEYS = {
    "record": {"type", "name", "namespace", "doc", "fields"},
    "enum": {"type", "name", "namespace", "doc", "symbols", "default"},
    "array": {"type", "items"},
    "field": {"name", "type", "doc", "default"},
}
_DEFAULTS = {"string": str, "long": int, "int": int, "boolean": bool}
MOST_SYMBOLS = 64  # an enum is one byte on the wire


class Violation(msgspec.Struct, frozen=True):
    """A file (relative to the folder of schemas) and the rule that it breaks."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


class _Folder:
    def __init__(self, root: Path) -> None:
        self.schemas: dict[str, Schema] = {}
        self.unread: list[Violation] = []
        self.defined: Counter[str] = Counter()
        self.named: dict[str, Schema] = {}
        for path in sorted(p for p in root.glob("*/*.avsc") if p.parent.name != "history"):
            file = path.relative_to(root).as_posix()
            try:
                schema = json.loads(path.read_text())
            except ValueError as error:
                self.unread.append(Violation(file, f"is not JSON ({error})"))
                continue
            if not isinstance(schema, dict):
                self.unread.append(Violation(file, "must define one record or enum"))
                continue
            self.schemas[file] = schema
            self._define(schema, f"lonja.{path.parent.name}")

    def _define(self, schema: Any, space: str) -> None:
        if isinstance(schema, list):
            for branch in schema:
                self._define(branch, space)
        elif isinstance(schema, dict):
            if schema.get("type") in {"record", "enum"}:
                full = full_name({"name": "", **schema}, space)
                self.defined[full] += 1
                self.named[full] = schema
            inner = schema.get("fields", ())
            for field in inner if isinstance(inner, list) else ():
                self._define(field.get("type") if isinstance(field, dict) else None, space)
            self._define(schema.get("items"), space)


def violations(root: Path = ROOT) -> list[Violation]:
    """Return every rule that a file under `root` breaks; none means that code can be made."""
    folder = _Folder(root)
    found = list(folder.unread)
    for file, schema in folder.schemas.items():
        found += [Violation(file, reason) for reason in _file(file, schema, folder)]
    if not found:
        found = [Violation(file, reason) for file, reason in _graph(folder)]
    return found or [Violation(file, reason) for file, reason in _avro(root, folder)]


def _file(file: str, schema: Schema, folder: _Folder) -> Iterator[str]:
    place, _, stem = file.removesuffix(".avsc").partition("/")
    space = f"lonja.{place}"
    if schema.get("name") != stem:
        yield f"the name is {schema.get('name')!r}, the file's is {stem!r}"
    if schema.get("namespace") != space:
        yield f"the namespace must be {space!r}"
    match schema.get("type"):
        case "record":
            yield from _record(schema, space, folder)
        case "enum" if place == "common":
            yield from _enum(schema, folder, space)
        case _:
            yield "a file defines a record, or in common an enum"


def _record(schema: Schema, space: str, folder: _Folder) -> Iterator[str]:
    yield from _unknown(schema, "record", "the record")
    doc = schema.get("doc")
    if not isinstance(doc, str) or not doc.strip():
        yield "a record says in `doc` what it means"
    fields = schema.get("fields")
    if not isinstance(fields, list) or not all(isinstance(f, dict) for f in fields):
        yield "`fields` must be a list of fields"
        return
    for name, times in Counter(str(field.get("name")) for field in fields).items():
        if times > 1:
            yield f"field {name} stands twice"
        if not _NAME.fullmatch(name) or keyword.iskeyword(name):
            yield f"field {name!r} cannot be a name in Python"
    for field in fields:
        where = f"field {field.get('name')}"
        yield from _unknown(field, "field", where)
        yield from _type(field.get("type"), where, space, folder, union=True)
        if "type" in field:
            yield from _default(field, where)


def _default(field: Schema, where: str) -> Iterator[str]:
    kind, has = field["type"], "default" in field
    if isinstance(kind, list):
        if not has or field["default"] is not None:
            yield f"{where}: a nullable field has the default null"
    elif has and isinstance(kind, dict) and kind.get("type") == "array":
        if field["default"] != []:
            yield f"{where}: an array's default can only be []"
    elif has:
        symbols = kind.get("symbols", ()) if isinstance(kind, dict) else ()
        wanted = _DEFAULTS.get(kind) if isinstance(kind, str) else None
        named = isinstance(kind, str) and kind not in PRIMITIVES
        if not (type(field["default"]) is wanted or field["default"] in symbols or named):
            yield f"{where}: the default is not of the field's type"


def _type(
    kind: Any, where: str, space: str, folder: _Folder, *, union: bool = False
) -> Iterator[str]:
    match kind:
        case str() if kind in PRIMITIVES - {"null"}:
            return
        case str():
            full = full_name(kind, space)
            if kind in {"null", "float", "double"}:
                yield f"{where}: {kind} is not allowed ({_why(kind)})"
            elif full.startswith((f"{space}.", "lonja.common.")):
                if full not in folder.named:
                    yield f"{where}: there is no {full}"
            else:
                yield f"{where}: {kind} is not allowed ({_why(kind)})"
        case ["null", inner] if union:
            yield from _type(inner, where, space, folder)
        case list():
            yield f'{where}: a union can only be ["null", T], as a field\'s whole type'
        case {"type": "array", "items": inner}:
            yield from _unknown(kind, "array", where)
            yield from _type(inner, f"{where}'s items", space, folder)
        case {"type": "enum"}:
            for reason in _enum(kind, folder, space):
                yield f"{where}: {reason}"
        case {"type": "record"}:
            yield f"{where}: a nested record has a file of its own in common"
        case {"logicalType": _}:
            yield f"{where}: logical types are slow and read differently elsewhere; say it in `doc`"
        case _:
            yield f"{where}: a type of this form is not allowed"


def _why(kind: str) -> str:
    if kind in {"float", "double"}:
        return "money is a long of minor units, a rate a decimal string"
    return "a string, bytes, long, int, boolean, an array, or a name of this folder or common"


def _enum(schema: Schema, folder: _Folder, space: str) -> Iterator[str]:
    yield from _unknown(schema, "enum", "the enum")
    name, symbols = str(schema.get("name")), schema.get("symbols")
    if not _NAME.fullmatch(name) or schema.get("namespace", space) != space:
        yield f"enum {name!r} needs a plain name in {space}"
    if folder.defined[full_name({"name": "", **schema}, space)] > 1:
        yield f"enum {name} is defined twice; put it into common"
    if not isinstance(symbols, list) or not 0 < len(symbols) <= MOST_SYMBOLS:
        yield f"enum {name} has 1 to {MOST_SYMBOLS} symbols"
    elif len(set(symbols)) < len(symbols) or not all(_NAME.fullmatch(str(s)) for s in symbols):
        yield f"enum {name}: symbols are different names"
    elif schema.get("default") not in symbols:
        yield f"enum {name} needs a default that is one of its symbols"


def _unknown(schema: Schema, what: str, where: str) -> Iterator[str]:
    if "logicalType" in schema:
        yield f"{where}: no logicalType; say it in `doc`"
    for key in sorted(schema.keys() - _KEYS[what] - {"logicalType"}):
        yield f"{where}: {key!r} is not allowed"


def _graph(folder: _Folder) -> Iterator[tuple[str, str]]:
    """Find what would kill a decoder: recursion, and items that take no bytes."""

    def recursive(name: str, path: tuple[str, ...]) -> bool:
        if name in path:
            return True
        used = uses(folder.named[name], name.rpartition(".")[0])
        return any(recursive(u, (*path, name)) for u in used)

    for file, schema in folder.schemas.items():
        full = full_name(schema, "")
        if recursive(full, ()):
            yield file, "is recursive: a few bytes could nest without end"
        elif schema["type"] == "record" and not schema["fields"]:
            yield file, "has no fields: a few bytes could hold millions of them in an array"


def _avro(root: Path, folder: _Folder) -> Iterator[tuple[str, str]]:
    load(root, [p.name for p in root.iterdir() if p.is_dir()])
    for file, schema in folder.schemas.items():
        try:
            fastavro.parse_schema(inlined(full_name(schema, ""), folder.named))
        except Exception as error:  # whatever the oracle finds is a finding
            yield file, f"fastavro refuses it: {error}"
