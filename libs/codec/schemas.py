"""The schema files: read, in order of use, each with everything that it names."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[2] / "schemas"
SERVICES = (
    "channels", "orders", "inventory", "payments", "fulfilment", "accounting", "crm_sync", "kernel",
)  # fmt: skip
PRIMITIVES = frozenset({"null", "boolean", "int", "long", "string", "bytes"})
Schema = dict[str, Any]


class SchemaError(Exception):
    """A schema file that breaks a rule; the message names the file and the rule."""


class Schemas(msgspec.Struct, frozen=True):
    """Definitions by full name (nested enums included), and the events of each service in order.

    `history` has the earlier versions of events, each whole in itself.
    """

    named: Mapping[str, Schema]
    events: Mapping[str, tuple[str, ...]]
    common: tuple[str, ...]
    history: Mapping[str, Mapping[int, Schema]]

    def names(self) -> list[str]:
        """Return the full names of all events."""
        return [name for names in self.events.values() for name in names]


def load(root: Path = ROOT, services: Iterable[str] = SERVICES) -> Schemas:
    """Read all schema files under `root`; `lint` has said before that they keep the rules."""
    named: dict[str, Schema] = {}
    files: dict[str, list[str]] = {}
    for folder in ("common", *services):
        for path in sorted((root / folder).glob("*.avsc")):
            schema = json.loads(path.read_text())
            collect(schema, f"lonja.{folder}", named)
            files.setdefault(folder, []).append(f"lonja.{folder}.{path.stem}")
    history: dict[str, dict[int, Schema]] = {}
    for path in sorted((root / "history").glob("*/*.avsc")):
        event, _, version = path.stem.rpartition(".")
        full = f"lonja.{path.parent.name}.{event}"
        history.setdefault(full, {})[int(version)] = json.loads(path.read_text())
    events = {service: tuple(files.get(service, ())) for service in services}
    return Schemas(named, events, _in_order(files.get("common", []), named), history)


def collect(schema: Any, space: str, named: dict[str, Schema]) -> None:
    """Add every definition in a schema to `named`, by full name."""
    if isinstance(schema, list):
        for branch in schema:
            collect(branch, space, named)
    elif isinstance(schema, dict):
        if schema["type"] in {"record", "enum"}:
            full = full_name(schema, space)
            named[full] = schema
            space = full.rpartition(".")[0]
        for field in schema.get("fields", ()):
            collect(field["type"], space, named)
        if schema["type"] == "array":
            collect(schema["items"], space, named)


def definitions(schema: Schema) -> dict[str, Schema]:
    """Return what a whole schema defines, by full name."""
    named: dict[str, Schema] = {}
    collect(schema, "", named)
    return named


def full_name(schema: Any, space: str) -> str:
    """Return the full name of a named type or a reference to one."""
    if isinstance(schema, dict):
        return f"{schema.get('namespace', space)}.{schema['name']}"
    return schema if "." in schema else f"{space}.{schema}"


def _in_order(names: list[str], named: Mapping[str, Any]) -> tuple[str, ...]:
    """Put each definition behind those that it uses."""
    done: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise SchemaError(f"{name}: recursive schemas kill a decoder")
        if name in done:
            return
        for used in uses(named[name], name.rpartition(".")[0]):
            if used in named and used != name:
                visit(used, (*path, name))
        if name in names:
            done.append(name)

    for name in names:
        visit(name, ())
    return tuple(done)


def uses(schema: Any, space: str) -> list[str]:
    """Return the names that a type refers to."""
    if isinstance(schema, str):
        return [] if schema in PRIMITIVES else [full_name(schema, space)]
    if isinstance(schema, list):
        return [name for branch in schema for name in uses(branch, space)]
    if schema["type"] == "array":
        return uses(schema["items"], space)
    return [name for field in schema.get("fields", ()) for name in uses(field["type"], space)]


def whole(name: str, schemas: Schemas) -> Schema:
    """Return an event's schema with every named type written out where it is first used."""
    return inlined(name, schemas.named)


def inlined(name: str, named: Mapping[str, Schema], *, docs: bool = False) -> Schema:
    """Return a definition with every named type written out where it is first used."""
    seen: set[str] = set()

    def kept(schema: Schema, *keys: str) -> Schema:
        return {k: schema[k] for k in (*keys, *(("doc",) if docs else ())) if k in schema}

    def expand(schema: Any, space: str) -> Any:
        if isinstance(schema, str):
            if schema in PRIMITIVES:
                return schema
            full = full_name(schema, space)
            return full if full in seen else expand(named[full], full.rpartition(".")[0])
        if isinstance(schema, list):
            return [expand(branch, space) for branch in schema]
        if schema["type"] == "array":
            return {"type": "array", "items": expand(schema["items"], space)}
        full = full_name(schema, space)
        seen.add(full)
        space, _, short = full.rpartition(".")
        out = {"type": schema["type"], "name": short, "namespace": space}
        if schema["type"] == "enum":
            return out | kept(schema, "symbols", "default")
        fields = [
            {"name": field["name"], "type": expand(field["type"], space)} | kept(field, "default")
            for field in schema["fields"]
        ]
        return out | kept(schema) | {"fields": fields}

    expanded: Schema = expand(named[name], name.rpartition(".")[0])
    return expanded


def text(value: Any) -> str:
    """Return JSON as the files of this folder have it."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
