"""`python -m libs.codec.generate`: everything that is made from the schema files.

It makes libs/contracts, ids for new events, the AsyncAPI document and missing golden files;
`--check` only compares. It never changes a schema that has been locked.
"""

import argparse
import json
import sys
from pathlib import Path

import msgspec

from libs.codec.asyncapi import document, published
from libs.codec.compatibility import (
    golden,
    golden_files,
    incompatible,
    plain,
    read,
    versions,
    write,
)
from libs.codec.lint import violations
from libs.codec.lock import (
    Lock,
    appended,
    changed,
    fingerprint,
    gone,
    latest,
    lock_text,
    read_lock,
    relocked,
    shared,
)
from libs.codec.modules import modules
from libs.codec.samples import sample
from libs.codec.schemas import ROOT, SchemaError, Schemas, definitions, load, text

OUT = Path(__file__).resolve().parents[1] / "contracts"
_CHANGED = (
    "{names} changed after version {version} was locked. Make a new version with\n"
    "  python -m libs.codec.generate --freeze\n"
    "or, only before the first release, lock it again with --relock."
)


class Places(msgspec.Struct, frozen=True):
    """Where the schemas are, and where the generated modules go."""

    root: Path = ROOT
    out: Path = OUT

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.root / "ids.lock"

    @property
    def asyncapi(self) -> Path:
        """The AsyncAPI document, which also says what was published last."""
        return self.root / "asyncapi.json"


def texts(places: Places, schemas: Schemas, lock: Lock) -> dict[Path, str]:
    """Return what each generated file must hold. Raises SchemaError."""
    out = {places.out / name: text for name, text in modules(schemas).items()}
    out[places.lock] = lock_text(lock)
    out[places.asyncapi] = text(document(schemas, lock))
    return out


def sound(places: Places) -> Schemas:
    """Return the schemas when they keep every rule. Raises SchemaError with all that they break."""
    found = violations(places.root)
    if found:
        raise SchemaError("\n".join(map(str, found)))
    return load(places.root)


def check(places: Places) -> list[str]:
    """Return everything that is not as the schema files say."""
    schemas = sound(places)
    lock = read_lock(places.lock)
    found = _moved(lock, schemas) or incompatible(schemas)
    if found:
        return found
    for path, wanted in texts(places, schemas, appended(lock, schemas)).items():
        if not path.exists() or path.read_text() != wanted:
            found.append(f"{path.name} is not what the schemas say: run `make contracts`")
    return found + golden(schemas, places.root)


def make(places: Places, *, freeze: bool = False, relock: bool = False) -> list[str]:
    """Write what is missing or stale; return why nothing was written, if so. Raises SchemaError."""
    schemas = sound(places)
    lock = read_lock(places.lock)
    anew: list[str] = []
    old = changed(lock, schemas)
    if relock:
        lock = relocked(lock, schemas)
        for name in old:
            for path in golden_files(name, 1, places.root):
                path.unlink(missing_ok=True)
    elif freeze:
        schemas, anew = _frozen(places, schemas, lock), old
    found = _moved(lock, schemas, frozenset(anew)) or incompatible(schemas)
    if found:
        return found
    for name in anew:
        _keep(places, name, latest(lock, name), schemas)
    lock = appended(lock, schemas, frozenset(anew))
    for path, wanted in texts(places, schemas, lock).items():
        if not path.exists() or path.read_text() != wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted)
    _fill_golden(places, schemas)
    return []


def _moved(lock: Lock, schemas: Schemas, anew: frozenset[str] = frozenset()) -> list[str]:
    found = [
        _CHANGED.format(names=name, version=latest(lock, name))
        for name in changed(lock, schemas)
        if name not in anew
    ]
    found += [
        f"{name} has the id of another event: run `make contracts` with --relock before a release"
        for name in shared(lock)
    ]
    return found + [
        f"{name} has no schema file any more, but topics hold it: restore schemas/{name}"
        for name in gone(lock, schemas)
    ]


def _frozen(places: Places, schemas: Schemas, lock: Lock) -> Schemas:
    """Return the schemas with the last published form of each changed event in the history."""
    if not places.asyncapi.exists():
        raise SchemaError("schemas/asyncapi.json is missing: restore it, it has what was published")
    last = json.loads(places.asyncapi.read_text())
    history = {name: dict(versions) for name, versions in schemas.history.items()}
    for name in changed(lock, schemas):
        version, schema = latest(lock, name), published(last, name)
        locked = lock[name][str(version)]["fingerprint"]
        if schema is None or _fingerprint(name, schema) != locked:
            raise SchemaError(f"schemas/asyncapi.json does not have version {version} of {name}")
        history.setdefault(name, {})[version] = schema
    return Schemas(schemas.named, schemas.events, schemas.common, history)


def _fingerprint(name: str, schema: dict[str, object]) -> str:
    return fingerprint(name, Schemas(definitions(schema), {}, (), {}))


def _keep(places: Places, name: str, version: int, schemas: Schemas) -> None:
    _, service, event = name.split(".")
    path = places.root / "history" / service / f"{event}.{version}.avsc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(schemas.history[name][version]))


def _fill_golden(places: Places, schemas: Schemas) -> None:
    for name in schemas.names():
        for version, schema in versions(name, schemas).items():
            data, expected = golden_files(name, version, places.root)
            if not data.exists():
                data.parent.mkdir(parents=True, exist_ok=True)
                data.write_bytes(write(sample(schema), schema))
            if not expected.exists():
                expected.write_text(text(plain(read(data.read_bytes(), schema))))


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or check that they are fresh; 1 and the reasons when that is not so."""
    parser = argparse.ArgumentParser(prog="python -m libs.codec.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    parser.add_argument("--freeze", action="store_true", help="new versions of changed events")
    parser.add_argument("--relock", action="store_true", help="before the first release only")
    chosen = parser.parse_args(arguments)
    places = Places()
    try:
        found = (
            check(places)
            if chosen.check
            else make(places, freeze=chosen.freeze, relock=chosen.relock)
        )
    except SchemaError as error:
        found = [str(error)]
    sys.stderr.write("".join(f"{reason}\n" for reason in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
