"""Starts child processes that cannot outlive this one, each with a log file of its own."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from libs.stack import guard
from libs.stack.errors import StackError

LOG_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True)
class Child:
    """A running command under its guard; ``pid`` is the command's own and leads its group."""

    name: str
    pid: int
    log: Path
    log_start: int
    guard: "subprocess.Popen[bytes]"

    @property
    def returncode(self) -> int | None:
        """The exit code (128 + n for a signal n), or None while it runs."""
        return self.guard.poll()

    def tail(self, lines: int = 20) -> str:
        """The last lines that this start wrote to the log."""
        with self.log.open("rb") as file:
            file.seek(self.log_start)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def order_stop(self) -> None:
        """Orders the stop without waiting: the signal, and SIGKILL to the group after the grace."""
        if self.guard.stdin and not self.guard.stdin.closed:
            self.guard.stdin.close()

    async def stop(self) -> int:
        """Orders the stop and waits until nothing of the group is left; returns the exit code."""
        self.order_stop()
        return await self.wait()

    async def wait(self) -> int:
        """Waits for the end of the command."""
        return await asyncio.to_thread(self.guard.wait)


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    logs: Path,
    env: Mapping[str, str] | None = None,
    user: str = "",
    stop_signal: signal.Signals = signal.SIGTERM,
    grace: float = 10.0,
    lock: int | None = None,
    folder: Path | None = None,
) -> Child:
    """Starts ``command`` with its output in ``logs/NAME.log``, in ``folder`` if one is named.

    ``user`` runs it under another account (root only). ``grace`` is in seconds from the stop signal
    to SIGKILL. ``lock`` is a locked descriptor that the guard keeps open as long as the command.
    """
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    flags = [str(int(stop_signal)), str(grace), user, "--"]
    with path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, *flags, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=dict(env) if env is not None else None,
            cwd=folder,
            start_new_session=True,
            pass_fds=[] if lock is None else [lock],
        )
        log_start = log.tell()
    assert process.stdout is not None
    with process.stdout as pipe:
        first = pipe.readline()
    if not first:
        process.communicate()
        raise StackError("child-not-started", f"{name} could not be started; see {path}")
    return Child(name, int(first), path, log_start, process)


async def finished(child: Child) -> int:
    """Waits for a command that ends by itself, and stops it when that is called off."""
    try:
        return await child.wait()
    finally:
        child.order_stop()


async def ready(child: Child, probe: Callable[[], Awaitable[bool]], *, deadline: float) -> None:
    """Waits until ``probe`` says yes.

    Raises StackError with the log's last lines when the child ends or ``deadline`` seconds pass.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while not await probe():
        ended = child.returncode is not None
        if ended or loop.time() > end:
            await child.stop()
            what = "ended while starting" if ended else f"was not ready within {deadline:g} s"
            text = f"{child.name} {what}; the last lines of {child.log}:\n{child.tail()}\n"
            raise StackError("server-not-ready", text)
        await asyncio.sleep(0.05)
