"""Schema ids without a registry process: `schemas/ids.lock` maps (subject, version) to id."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from libs.codec.schemas import ROOT, SchemaError

LOCK = ROOT / "ids.lock"


class Registry(msgspec.Struct, frozen=True):
    """Ids by (record's full name, version), the way back, and which registry this is."""

    ids: Mapping[tuple[str, int], int]
    names: Mapping[int, tuple[str, int]]
    identity: str

    @classmethod
    def from_lock(cls, path: Path = LOCK) -> Self:
        """Read the lock file. Raises SchemaError where two schemas have the same id."""
        lock = json.loads(path.read_text())
        ids = {
            (name, int(version)): entry["id"]
            for name, versions in lock.items()
            for version, entry in versions.items()
        }
        names = {number: key for key, number in ids.items()}
        twice = sorted(key[0] for key, number in ids.items() if names[number] != key)
        if twice:  # as a merge of two branches can make it
            raise SchemaError(f"{path.name}: the id of two schemas: {', '.join(twice)}")
        return cls(ids, names, "lock:schemas/ids.lock")
