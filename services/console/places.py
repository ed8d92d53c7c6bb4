"""Where things are on this machine: the data folder's parts, free ports, and the run note."""

import asyncio
import json
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from libs.runtime.settings import Settings, load
from libs.stack.errors import StackError
from libs.stack.lease import lease

ROOT = Path(__file__).parents[2]
NOTE = Path("run/services.json")
# What --fresh leaves: the jars, and the folder of the lock that it holds itself.
KEPT = frozenset({"cache", "run"})
PORT_TAKEN = 98  # the exit code of services that could not listen


def port_for(settings: Settings, given: int | None) -> tuple[int, bool]:
    """Return the HTTP port, and whether it was asked for: no other will do then.

    Raises StackError(port-taken) where somebody else listens on a port that was asked for.
    """
    asked = given is not None or "port" in settings.server.model_fields_set
    port = settings.server.port if given is None else given
    if asked and not is_free(settings.server.host, port):
        text = f"port {port} of {settings.server.host} is taken; give another with --port"
        raise StackError("port-taken", text)
    return port, asked


def is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens on a port just now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def address(bound: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def clear(data: Path, environ: Mapping[str, str]) -> None:
    """Remove everything that runs have left in `data`, under the lease of its servers.

    Raises StackError where they run, or where they are not ours to clear.
    """
    if environ.get("LONJA_KAFKA") or environ.get("LONJA_POSTGRES"):
        text = "--fresh clears embedded servers only; clear those of LONJA_KAFKA, LONJA_POSTGRES"
        raise StackError("not-ours-to-clear", text)
    async with lease(data):
        await asyncio.to_thread(_remove, data)


def _remove(data: Path) -> None:
    for path in data.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def private(path: Path, text: str) -> None:
    """Write a file that only this account can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def note_services(data: Path, url: str, pid: int, config: Path | None) -> None:
    """Note for the other verbs where the services answer, which process, and by which file."""
    file = str(config.resolve()) if config else ""
    private(data / NOTE, json.dumps({"url": url, "pid": pid, "config": file}))


def running_services(data: Path, pid: int | None = None) -> str | None:
    """Return the address of this folder's living services, or None; of this process only."""
    note = _living(data)
    return str(note["url"]) if note and pid in {None, note["pid"]} else None


def settings_of(data: Path) -> Settings:
    """Return the configuration of this folder's living services, else what is chosen here.

    A process beside them that knew other accounts would take their work and park it. LONJA_CONFIG
    comes first. Raises ConfigurationError.
    """
    note = None if os.environ.get("LONJA_CONFIG") else _living(data)
    file = note.get("config") if note else None  # an older release notes none
    return load(Path(file) if file else None)


def _living(data: Path) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads((data / NOTE).read_text())
        living = psutil.Process(note["pid"]).status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return note if living and "url" in note else None
