"""The broker's jars: locked by SHA-256, fetched once into a content-addressed cache."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

from libs.stack.errors import StackError

LOCK = Path(__file__).with_name("jars.lock")
PARALLEL = 8
TRIES = 3


class Jar(NamedTuple):
    """One line of the lock: Maven coordinates and the hex SHA-256 of the file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked() -> list[Jar]:
    """The jars of ``jars.lock``, in its order."""
    lines = LOCK.read_text().splitlines()
    return [Jar._make(line.replace(":", " ").split()) for line in lines if line.strip()]


def cache_folder(data: Path, environ: Mapping[str, str]) -> Path:
    """LONJA_CACHE, else ``~/.cache/lonja``, else (home not writable) ``cache`` under ``data``."""
    if given := environ.get("LONJA_CACHE"):
        candidates = [Path(given)]
    else:
        candidates = [Path("~/.cache/lonja").expanduser(), data / "cache"]
    for folder in candidates:
        try:
            (folder / "jars").mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder / "jars", os.W_OK):
            return folder
    places = ", ".join(map(str, candidates))
    raise StackError("cache-not-writable", f"none of {places} can be written; set LONJA_CACHE")


def classpath(data: Path, environ: Mapping[str, str]) -> list[Path]:
    """The paths of all jars; fetches the missing ones, with progress on standard error.

    LONJA_MAVEN names another repository than the public one. Raises StackError.
    """
    folder = cache_folder(data, environ) / "jars"
    wanted = {jar: folder / f"{jar.sha256}.jar" for jar in locked()}
    missing = {jar: path for jar, path in wanted.items() if not _whole(path)}
    if missing:
        _fetch_all(missing, environ.get("LONJA_MAVEN"))
    return list(wanted.values())


def _whole(path: Path) -> bool:
    # A jar is whole when it gets its name; a power cut behind that may have emptied it.
    return path.exists() and path.stat().st_size > 0


def _fetch_all(missing: Mapping[Jar, Path], mirror: str | None) -> None:
    console = Console(stderr=True)
    with ThreadPoolExecutor(PARALLEL) as pool:
        tasks = [pool.submit(_fetch, jar, path, mirror) for jar, path in missing.items()]
        text = f"Fetching {len(tasks)} jars of Apache Kafka (once)"
        try:
            for task in track(as_completed(tasks), text, total=len(tasks), console=console):
                task.result()
        except StackError:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch(jar: Jar, path: Path, mirror: str | None) -> None:
    problem: Exception | None = None
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            try:
                fetched = _download(jar, Path(folder), mirror)
            except Exception as error:
                problem = error
                continue
            found = hashlib.sha256(fetched.read_bytes()).hexdigest()
            if found != jar.sha256:
                text = f"{jar.name} has SHA-256 {found}, the lock says {jar.sha256}; nothing kept"
                raise StackError("jar-differs-from-lock", text)
            with fetched.open("rb") as file:
                os.fsync(file.fileno())  # it is never looked into again
            fetched.replace(path)
            return
    text = f"{jar.name} could not be fetched ({problem}); check the network, or set LONJA_MAVEN"
    raise StackError("jar-not-fetched", text) from problem


def _download(jar: Jar, folder: Path, mirror: str | None) -> Path:
    # Imported late: a warm start needs no client of the repository.
    from jgo.maven import MavenContext  # noqa: PLC0415

    remote = {"mirror": mirror.rstrip("/")} if mirror else None
    context = MavenContext(repo_cache=folder, remote_repos=remote, timeout=60)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    fetched: Path = component.artifact().resolve()
    return fetched
