"""Schema ids without a registry process: `schemas/ids.lock` maps (subject, version) to id."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from libs.codec.schemas import ROOT

LOCK = ROOT / "ids.lock"


class Registry(msgspec.Struct, frozen=True):
    """Ids by (record's full name, version), the way back, and which registry this is."""

    ids: Mapping[tuple[str, int], int]
    names: Mapping[int, tuple[str, int]]
    identity: str

    @classmethod
    def from_lock(cls, path: Path = LOCK) -> Self:
        """Read the lock file."""
        lock = json.loads(path.read_text())
        ids = {
            (name, int(version)): entry["id"]
            for name, versions in lock.items()
            for version, entry in versions.items()
        }
        return cls(ids, {i: key for key, i in ids.items()}, "lock:schemas/ids.lock")
