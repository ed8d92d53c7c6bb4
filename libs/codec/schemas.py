"""The schema files: read, in order of use, each with everything that it names."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[2] / "schemas"
SERVICES = ("channels", "orders", "inventory", "kernel")
PRIMITIVES = frozenset({"null", "boolean", "int", "long", "string", "bytes"})


class SchemaError(Exception):
    """A schema file that breaks a rule; the message names the file and the rule."""


class Schemas(msgspec.Struct, frozen=True):
    """Definitions by full name (nested enums included), and the events of each service in order."""

    named: Mapping[str, dict[str, Any]]
    events: Mapping[str, tuple[str, ...]]
    common: tuple[str, ...]


def load(root: Path = ROOT) -> Schemas:
    """Read all schema files under `root`."""
    named: dict[str, dict[str, Any]] = {}
    files: dict[str, list[str]] = {}
    for folder in ("common", *SERVICES):
        for path in sorted((root / folder).glob("*.avsc")):
            schema = json.loads(path.read_text())
            if schema["name"] != path.stem or schema["namespace"] != f"lonja.{folder}":
                raise SchemaError(f"{path.name}: name and namespace must be the file's")
            full = f"{schema['namespace']}.{schema['name']}"
            _collect(schema, schema["namespace"], named)
            files.setdefault(folder, []).append(full)
    common = _in_order(files.get("common", []), named)
    return Schemas(named, {s: tuple(files.get(s, ())) for s in SERVICES}, tuple(common))


def _collect(schema: Any, space: str, named: dict[str, dict[str, Any]]) -> None:
    if isinstance(schema, list):
        for branch in schema:
            _collect(branch, space, named)
    elif isinstance(schema, dict):
        if schema["type"] in {"record", "enum"}:
            full = f"{schema.get('namespace', space)}.{schema['name']}"
            named[full] = schema
        for field in schema.get("fields", ()):
            _collect(field["type"], space, named)
        if schema["type"] == "array":
            _collect(schema["items"], space, named)


def full_name(schema: Any, space: str) -> str:
    """Return the full name of a named type or a reference to one."""
    if isinstance(schema, dict):
        return f"{schema.get('namespace', space)}.{schema['name']}"
    return schema if "." in schema else f"{space}.{schema}"


def _in_order(names: list[str], named: Mapping[str, Any]) -> list[str]:
    """Put each definition behind those that it uses."""
    done: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise SchemaError(f"{name}: recursive schemas kill a decoder")
        if name in done:
            return
        for used in uses(named[name], name.rpartition(".")[0]):
            visit(used, (*path, name))
        done.append(name)

    for name in names:
        visit(name, ())
    return done


def uses(schema: Any, space: str) -> list[str]:
    """Return the names that a type refers to outside of itself."""
    if isinstance(schema, str):
        return [] if schema in PRIMITIVES else [full_name(schema, space)]
    if isinstance(schema, list):
        return [name for branch in schema for name in uses(branch, space)]
    if schema["type"] == "array":
        return uses(schema["items"], space)
    return [name for field in schema.get("fields", ()) for name in uses(field["type"], space)]


def whole(name: str, schemas: Schemas) -> dict[str, Any]:
    """Return a record's schema with every named type written out where it is first used."""
    seen: set[str] = set()

    def expand(schema: Any, space: str) -> Any:
        if isinstance(schema, str):
            if schema in PRIMITIVES:
                return schema
            full = full_name(schema, space)
            return full if full in seen else expand(schemas.named[full], full.rpartition(".")[0])
        if isinstance(schema, list):
            return [expand(branch, space) for branch in schema]
        if schema["type"] == "array":
            return {"type": "array", "items": expand(schema["items"], space)}
        full = full_name(schema, space)
        seen.add(full)
        space, _, short = full.rpartition(".")
        out = {"type": schema["type"], "name": short, "namespace": space}
        if schema["type"] == "enum":
            return out | {"symbols": schema["symbols"], "default": schema["default"]}
        fields = []
        for field in schema["fields"]:
            kept = {"name": field["name"], "type": expand(field["type"], space)}
            fields.append(kept | {k: field[k] for k in ("default",) if k in field})
        return out | {"fields": fields}

    expanded: dict[str, Any] = expand(schemas.named[name], name.rpartition(".")[0])
    return expanded
