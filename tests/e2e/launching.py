"""Runs the `lonja` command as a person does, in a folder of its own, and looks for what it leaves."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.support import eventually, words_of

ROOT = Path(__file__).parents[2]
MAIN = "from services.console.cli.main import main; main()"


def environment(folder: Path) -> dict[str, str]:
    """No servers and no configuration of whoever runs the tests; the jars' cache is shared."""
    theirs = ("LONJA_", "OTEL_")
    own = {k: v for k, v in os.environ.items() if not k.startswith(theirs) or k == "LONJA_CACHE"}
    return own | {"LONJA_DATA": str(folder / ".lonja"), "PYTHONPATH": str(ROOT)}


@contextlib.asynccontextmanager
async def lonja(
    folder: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """A running command, killed at the end if it still runs; `settings` go in by environment."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MAIN, *arguments,
        cwd=folder, env=environment(folder) | dict(settings or {}), stdout=PIPE, stderr=PIPE, limit=2**20,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def told(process: Process, event: str) -> dict[str, Any]:
    """The next line of this kind that a command with --json says."""
    assert process.stdout is not None
    while line := await asyncio.wait_for(process.stdout.readline(), 60):
        found: dict[str, Any] = json.loads(line)
        if found["event"] == event:
            return found
    assert process.stderr is not None
    raise AssertionError(f"it ended without saying {event!r}: {await process.stderr.read()!r}")


async def ended(process: Process, timeout: float = 90) -> tuple[int, str, str]:  # noqa: ASYNC109
    """The exit code and what was said on both outputs."""
    out, err = await asyncio.wait_for(process.communicate(), timeout)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def family(process: Process) -> list[psutil.Process]:
    """The command and everything that it has started."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def users_of(folder: Path) -> list[str]:
    """The command lines that name a folder, of whatever still runs."""
    running = (words_of(one) for one in psutil.process_iter() if one.pid != os.getpid())
    return [" ".join(words) for words in running if any(str(folder) in word for word in words)]


async def nothing_is_left(folder: Path, members: list[psutil.Process]) -> None:
    """Wait until none of them runs, nor any other process that works in the folder."""
    assert len(members) >= 7  # launcher, three guards, broker, database, services
    await eventually(lambda: not [one for one in members if _runs(one)], timeout=30)
    await eventually(lambda: not users_of(folder), timeout=10)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def services_pid(folder: Path) -> int:
    """The process that runs the services, by the note of the run."""
    note = json.loads((folder / ".lonja/run/services.json").read_text())
    pid: int = note["pid"]
    return pid
