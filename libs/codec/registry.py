"""Schema ids without a registry process: `schemas/ids.lock` maps (subject, version) to id."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from libs.codec.schemas import ROOT, Schemas, whole

LOCK = ROOT / "ids.lock"
FIRST = 100_001


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


def fingerprint(name: str, schemas: Schemas) -> str:
    """Return a hash of a schema with everything that it names."""
    text = json.dumps(whole(name, schemas), separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def locked(schemas: Schemas, path: Path = LOCK) -> str:
    """Return the lock's text: known ids stay, new records get the next ones."""
    lock: dict[str, dict[str, dict[str, object]]] = (
        json.loads(path.read_text()) if path.exists() else {}
    )
    used = [int(str(e["id"])) for versions in lock.values() for e in versions.values()]
    following = max([FIRST - 1, *used]) + 1
    for names in schemas.events.values():
        for name in names:
            versions = lock.setdefault(name, {})
            if not versions:
                versions["1"] = {"id": following}
                following += 1
            versions[max(versions, key=int)]["fingerprint"] = fingerprint(name, schemas)
    return json.dumps(lock, indent=2, sort_keys=True) + "\n"
