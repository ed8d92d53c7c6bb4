"""A process that runs services: their loops and one HTTP server, until told to stop."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from libs.runtime.host import Host
from libs.runtime.memory import settle
from libs.runtime.settings import Settings
from libs.stack.errors import StackError
from libs.stack.stack import Servers
from libs.telemetry.logs import log
from libs.web.protocol import configured
from services.console.composition import SERVICES

BACKLOG = 2048
STANDING_BACK = 10  # niceness: on a full machine about a tenth of what the others get


def listening_socket(host: str, port: int) -> socket.socket:
    """Listen on the HTTP port, so that nobody else can; 0 takes a free one.

    Raises StackError(port-taken) where somebody listens on it already.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        text = f"port {port} of {host} is taken ({error.strerror}); give another with --port"
        raise StackError("port-taken", text) from error
    return bound


async def serve(
    names: Sequence[str], servers: Servers, settings: Settings, data: Path, bound: socket.socket
) -> None:
    """Run these services behind a listening socket until SIGTERM or SIGINT, then drain and stop.

    What a buyer waits for comes first: where none of these is, the process gets a lower priority.
    Raises StackError where a service ends by itself.
    """
    if not any(SERVICES[name].awaited for name in names):
        os.nice(STANDING_BACK)
    stop, me = asyncio.Event(), asyncio.current_task()
    starting = True

    def told() -> None:
        stop.set()
        if starting and me is not None:
            me.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told)
    try:
        async with Host([SERVICES[name] for name in names], servers, settings, data) as host:
            starting = False
            await _answer(host, bound, stop)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise


async def _answer(host: Host, bound: socket.socket, stop: asyncio.Event) -> None:
    server = uvicorn.Server(configured(host.app))
    serving = asyncio.create_task(server._serve(sockets=[bound]))  # noqa: SLF001 - serve() takes the signals
    settle()
    log.info("serving", port=bound.getsockname()[1])
    failed = asyncio.create_task(host.failed())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({failed, stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
    over = [task for one in host.running.values() for task in one.tasks if task.done()]
    for task in over:
        log.critical("loop-ended", what=task.get_name(), cause=_cause(task))
    server.should_exit = True
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(serving, 10)
    failed.cancel()
    stopping.cancel()
    if over:
        names = ", ".join(task.get_name() for task in over)
        raise StackError("service-ended", f"{names} ended by itself; the log says why")


def _cause(task: asyncio.Task[None]) -> str:
    """Return the kind of error that ended a loop, or nothing where it returned: it has said why."""
    error = None if task.cancelled() else task.exception()
    return "" if error is None else type(error).__name__
