"""Locks of files among processes; each ends with the last process that keeps the file open."""

import fcntl
from typing import IO


def locked(file: IO[str]) -> bool:
    """Take the lock of an open file; False while another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
