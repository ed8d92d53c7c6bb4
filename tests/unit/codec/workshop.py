"""A folder of sample schemas, and the modules that the generator makes of it."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from libs.codec.generate import Places


def record(name: str, *fields: dict[str, Any], space: str = "orders") -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "namespace": f"lonja.{space}",
        "doc": "A sample.",
        "fields": list(fields),
    }


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def enum(name: str, *symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": list(symbols), "default": symbols[0], **more}


class Workshop:
    """Schemas under a folder of their own; `modules` imports what was generated."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.places = Places(folder / "schemas", folder / "contracts")
        self.patch = patch

    def put(self, *schemas: dict[str, Any]) -> None:
        for schema in schemas:
            path = self.path(schema["namespace"].rpartition(".")[2], schema["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(schema))

    def path(self, folder: str, name: str) -> Path:
        return self.places.root / folder / f"{name}.avsc"

    def module(self, name: str) -> ModuleType:
        common = self._import("common", "sample_common")
        return common if name == "common" else self._import(name, f"sample_{name}")

    def _import(self, name: str, alias: str) -> ModuleType:
        text = (self.places.out / f"{name}.py").read_text()
        text = text.replace("from libs.contracts import common as c", "import sample_common as c")
        module = ModuleType(alias)
        self.patch.setitem(sys.modules, alias, module)
        exec(compile(text, alias, "exec"), module.__dict__)
        return module
