"""Who runs the servers of a checkout: one holder at a time, and a note for those who join it."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from libs.stack.errors import StackError
from libs.stack.kafka import cluster_id
from libs.stack.locks import locked

NOTE = Path("run/servers.json")
LOCK = Path("run/lock")
# What guards of a killed holder may take to end its servers.
HANDOVER_DEADLINE = 30.0


@contextlib.asynccontextmanager
async def lease(data: Path) -> AsyncIterator[int]:
    """Holds the servers of ``data``; yields the locked descriptor, which guards keep open too.

    Waits for the guards of a holder that was killed. Raises StackError(already-running) while the
    holder lives, StackError(no-data-folder) where there can be none.
    """
    path = data / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"{path.parent} cannot be made ({error.strerror}); name another data folder"
        raise StackError("no-data-folder", text) from error
    loop = asyncio.get_running_loop()
    end = loop.time() + HANDOVER_DEADLINE
    with path.open("a") as file:
        while not locked(file):
            note = live_note(data)
            if note or loop.time() > end:
                who = f"process {note['pid']}" if note else "another process"
                text = f"{who} runs the servers of {data}; `lonja serve` joins it"
                text += f", `kill {note['pid']}` stops it" if note else ""
                raise StackError("already-running", text)
            await asyncio.sleep(0.05)
        try:
            yield file.fileno()
        finally:
            (data / NOTE).unlink(missing_ok=True)


def write_note(data: Path, servers: dict[str, str]) -> None:
    """Notes for this machine's user only (addresses may hold a password) what runs under whom."""
    me = psutil.Process()
    note = {
        "pid": me.pid,
        "started": me.create_time(),
        "cluster": cluster_id(data / "kafka"),
        "servers": servers,
    }
    path = data / NOTE
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(note, file)
    fresh.replace(path)


def live_note(data: Path) -> dict[str, Any] | None:
    """The note, if the process that wrote it still lives and the data is still of its cluster."""
    try:
        note: dict[str, Any] = json.loads((data / NOTE).read_text())
        holder = psutil.Process(note["pid"])
        dead = holder.status() == psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return None
    same = abs(holder.create_time() - note["started"]) < 1
    return note if same and not dead and note["cluster"] == cluster_id(data / "kafka") else None
