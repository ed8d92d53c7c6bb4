"""Runs one command and ends it when whoever started the guard is gone; it imports nothing of ours.

Started as a file with ``python -I -S guard.py SIGNAL GRACE USER -- COMMAND…``. Standard input is a
pipe held by the parent: its end, by ``close`` or by any death of the parent, is the order to stop.
The first line on standard output is the pid of the command, which leads a process group of its own.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import threading
from types import FrameType

PR_SET_PDEATHSIG = 1


def _die_with_guard() -> None:
    # Linux only, for a guard that is killed itself; elsewhere the pipe is all there is.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _stop(child: "subprocess.Popen[bytes]", number: int, grace: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(number)
    threading.Timer(grace, _kill_group, (child.pid, signal.SIGKILL)).start()


def main(arguments: list[str]) -> int:
    """Runs the command to its end; returns its exit code, 128 + n for a signal n."""
    number, grace, user, _, *command = arguments
    child: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        start_new_session=True,
        preexec_fn=_die_with_guard,  # noqa: PLW1509 -- no other thread runs yet
        user=user or None,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
    )

    def stop(_number: int = 0, _frame: FrameType | None = None) -> None:
        _stop(child, int(number), float(grace))

    def watch() -> None:
        os.read(0, 1)
        stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    os.write(1, b"%d\n" % child.pid)
    threading.Thread(target=watch, daemon=True).start()
    code = child.wait()
    _kill_group(child.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # Not sys.exit: the timer's thread must not hold up an end that has come.
    os._exit(main(sys.argv[1:]))
