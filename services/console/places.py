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

from libs.runtime.settings import Settings
from libs.stack.errors import StackError
from libs.stack.lease import lease

ROOT = Path(__file__).parents[2]
NOTE = Path("run/services.json")
# What --fresh leaves: the jars, and the folder of the lock that it holds itself.
KEPT = frozenset({"cache", "run"})


def port_for(settings: Settings, given: int | None) -> int:
    """Return the HTTP port: what was asked for, else 8080, else a free one.

    Raises StackError(port-taken) where somebody else listens on a port that was asked for.
    """
    asked = given is not None or "port" in settings.server.model_fields_set
    port = settings.server.port if given is None else given
    if is_free(settings.server.host, port):
        return port or _any(settings.server.host)
    if asked:
        text = f"port {port} of {settings.server.host} is taken; give another with --port"
        raise StackError("port-taken", text)
    return _any(settings.server.host)


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


def _any(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


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


def note_services(data: Path, url: str, pid: int) -> None:
    """Note for the other verbs where the services answer, and which process they are."""
    private(data / NOTE, json.dumps({"url": url, "pid": pid}))


def running_services(data: Path) -> str | None:
    """Return the address of this folder's living services, or None."""
    try:
        note: dict[str, Any] = json.loads((data / NOTE).read_text())
        living = psutil.Process(note["pid"]).status() != psutil.STATUS_ZOMBIE
        return str(note["url"]) if living else None
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
