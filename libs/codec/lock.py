"""What stands in `schemas/ids.lock`: ids are appended, never reused, each with a fingerprint.

The fingerprint finds a schema that was changed without a new version.
"""

import hashlib
import itertools
import json
from pathlib import Path

from libs.codec.schemas import SchemaError, Schemas, whole

FIRST = 100_001
Lock = dict[str, dict[str, dict[str, int | str]]]


def read_lock(path: Path) -> Lock:
    """Read the lock file; an empty lock when there is none yet."""
    lock: Lock = json.loads(path.read_text()) if path.exists() else {}
    return lock


def lock_text(lock: Lock) -> str:
    """Return the lock file's text."""
    return json.dumps(lock, indent=2, sort_keys=True) + "\n"


def latest(lock: Lock, name: str) -> int:
    """Return the present version of an event; 0 for one that was never locked."""
    return max(map(int, lock.get(name, {})), default=0)


def fingerprint(name: str, schemas: Schemas) -> str:
    """Return a hash of a schema with everything that it names; docs do not count."""
    text = json.dumps(whole(name, schemas), separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def changed(lock: Lock, schemas: Schemas) -> list[str]:
    """Return the events whose schema is not the one that was locked under its latest version."""
    return [
        name
        for name in schemas.names()
        if name in lock
        and lock[name][str(latest(lock, name))]["fingerprint"] != fingerprint(name, schemas)
    ]


def gone(lock: Lock, schemas: Schemas) -> list[str]:
    """Return locked events without a schema file: topics still hold them."""
    return sorted(lock.keys() - set(schemas.names()))


def shared(lock: Lock) -> list[str]:
    """Return the events that have the id of another: two branches appended it, each for its own."""
    return [name for _, name, _ in _doubles(lock)]


def _doubles(lock: Lock) -> list[tuple[int, str, str]]:
    """Return (id, event, version) of every entry whose id an earlier name has."""
    entries = sorted((int(e["id"]), name, v) for name, vs in lock.items() for v, e in vs.items())
    return [entry for before, entry in itertools.pairwise(entries) if before[0] == entry[0]]


def appended(lock: Lock, schemas: Schemas, anew: frozenset[str] = frozenset()) -> Lock:
    """Return the lock with the next ids for new events, and for a next version of those `anew`."""
    out: Lock = {name: {v: dict(e) for v, e in entry.items()} for name, entry in lock.items()}
    used = [int(e["id"]) for versions in out.values() for e in versions.values()]
    following = max([FIRST - 1, *used]) + 1
    for name in schemas.names():
        if name in out and name not in anew:
            continue
        version = str(latest(out, name) + 1)
        entry: dict[str, int | str] = {"id": following, "fingerprint": fingerprint(name, schemas)}
        out.setdefault(name, {})[version] = entry
        following += 1
    return out


def relocked(lock: Lock, schemas: Schemas) -> Lock:
    """Return the lock with the present fingerprints, and an id of its own for each event.

    Raises SchemaError for a frozen event.
    """
    out: Lock = {}
    for name, versions in lock.items():
        if name in schemas.names():
            out[name] = {v: dict(entry) for v, entry in versions.items()}
    for name in changed(out, schemas):
        if latest(out, name) > 1:
            raise SchemaError(f"{name} has a frozen version: only --freeze can change it")
        out[name]["1"]["fingerprint"] = fingerprint(name, schemas)
    highest = max((int(e["id"]) for vs in out.values() for e in vs.values()), default=FIRST - 1)
    for number, (_, name, version) in enumerate(_doubles(out), 1):
        out[name][version]["id"] = highest + number
    return out
