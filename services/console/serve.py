"""A process that runs services: their loops and one HTTP server, until told to stop."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from libs.runtime.host import Host
from libs.runtime.settings import Settings
from libs.stack.stack import Servers
from libs.telemetry.logs import log
from libs.web.tokens import check_listening
from services.console.composition import SERVICES


def listening_socket(host: str, port: int) -> socket.socket:
    """Bind the HTTP port; 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


async def serve(names: Sequence[str], servers: Servers, settings: Settings, data: Path) -> None:
    """Run these services until SIGTERM or SIGINT, then drain and stop."""
    check_listening(settings.server)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bound = listening_socket(settings.server.host, settings.server.port)
    async with Host([SERVICES[name] for name in names], servers, settings, data) as host:
        config = uvicorn.Config(
            host.app, log_config=None, access_log=False, lifespan="off", http="httptools",
            server_header=False, timeout_keep_alive=30, timeout_graceful_shutdown=5,
        )  # fmt: skip
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server._serve(sockets=[bound]))  # noqa: SLF001 - serve() takes the signals
        gc.collect()
        gc.freeze()
        log.info("serving", port=bound.getsockname()[1], address=settings.server.host)
        failed = asyncio.create_task(host.failed())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({failed, stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(serving, 10)
        for task in (failed, stopping):
            task.cancel()
