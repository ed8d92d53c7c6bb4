"""The launcher: servers, then services in a process of their own that is started again if it dies.

It runs no service itself. Whatever ends it, nothing that it started outlives it.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from libs.cli.output import Output
from libs.runtime.settings import Settings
from libs.stack.errors import StackError
from libs.stack.processes import Child, start
from libs.stack.stack import Servers, running_stack
from services.console.places import PORT_TAKEN, ROOT, running_services

ALL = (
    "channels", "orders", "inventory", "payments", "fulfilment", "accounting", "crm_sync",
)  # fmt: skip
READY_DEADLINE = 90.0
GRACE = 20.0
RESTARTS, WINDOW = 5, 60.0
LOOK = 0.25  # seconds between two looks whether anything has ended


@dataclass(frozen=True)
class Wanted:
    """What to launch: `config` is the settings file of the services, None for the usual one.

    `port` 0 is a free one; where it was not asked for, a free one is taken if it is in use.
    """

    data: Path
    settings: Settings
    port: int
    asked: bool
    names: Sequence[str] = ALL
    stack: str | None = None
    config: Path | None = None


class Services:
    """The services' process, watched, and with it the servers that were started for it."""

    def __init__(
        self, wanted: Wanted, servers: Servers, output: Output, below: Sequence[Child] = ()
    ) -> None:
        self.servers, self._wanted, self._output = servers, wanted, output
        self._below = below
        self.url, self._port = "", wanted.port
        self.afterwards: list[Callable[[], Awaitable[None]]] = []
        self._child: Child | None = None

    async def start(self) -> None:
        """Start the process and wait until it is ready. Raises StackError."""
        try:
            await self._start()
        except StackError as error:
            if error.code != "port-taken" or self._wanted.asked or self.url:
                raise
            self._port = 0
            await self._start()
        self._port = urlsplit(self.url).port or 0  # the same one after a restart

    async def _start(self) -> None:
        wanted = self._wanted
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "services.console.child",
            "--data",
            wanted.data.resolve(),
        ]
        self._child = start(
            "services", [*command, *wanted.names], logs=wanted.data / "logs",
            env=self._environment(), grace=GRACE,
        )  # fmt: skip
        await self._ready(self._child)

    def _environment(self) -> Mapping[str, str]:
        env = dict(os.environ)
        path = env.get("PYTHONPATH")
        env |= {
            "LONJA_KAFKA": self.servers.kafka,
            "LONJA_POSTGRES": self.servers.postgres,
            "LONJA_SERVER__PORT": str(self._port),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT),
        }
        if self._wanted.config is not None:
            env["LONJA_CONFIG"] = str(self._wanted.config)
        return env

    async def _ready(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        end, missing = loop.time() + READY_DEADLINE, "no answer"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            while True:
                self._servers_run()
                if child.returncode == PORT_TAKEN:
                    raise StackError("port-taken", child.tail(1).removesuffix(" [port-taken]"))
                if child.returncode is not None:
                    last = (child.tail(1) or "no word")[:500]
                    text = f"the services ended while starting: {last}; see {child.log}"
                    raise StackError("services-ended", text)
                url = running_services(self._wanted.data, child.pid)
                try:
                    if url is not None:
                        async with http.get(f"{url}/health/ready") as answer:
                            if answer.status == 200:
                                self.url = url
                                return
                            missing = (await answer.text())[:500]
                except (aiohttp.ClientError, TimeoutError):
                    pass
                if loop.time() > end:
                    text = f"not ready after {READY_DEADLINE:g} s: {missing}; see {child.log}"
                    raise StackError("services-not-ready", text)
                await asyncio.sleep(0.05)

    async def supervise(self) -> int:
        """Start the process again whenever it ends; raises StackError where that does not help."""
        ends: deque[float] = deque(maxlen=RESTARTS)
        while True:
            assert self._child is not None
            child = self._child
            code = await self._end(child)
            now = asyncio.get_running_loop().time()
            if len(ends) == RESTARTS and now - ends[0] < WINDOW:
                text = f"the services ended {RESTARTS + 1} times within a minute (exit code {code})"
                raise StackError("services-keep-ending", f"{text}; see {child.log}")
            ends.append(now)
            text = f"The services ended (exit code {code}); starting them again."
            self._output.say("services-restarted", text, exit_code=code)
            try:
                await self.start()
            except StackError as error:
                if error.code != "services-ended":
                    raise
                continue  # it ended again while starting: that counts like any other end
            self._output.say("ready", f"Ready again at {self.url}", url=self.url)

    async def _end(self, child: Child) -> int:
        """Return the services' exit code when they end. Raises StackError where a server does."""
        while True:
            code = child.returncode
            self._servers_run()  # services end because a server did: that is the thing to say
            if code is not None:
                return code
            await asyncio.sleep(LOOK)

    def _servers_run(self) -> None:
        """Raise StackError where a server that was started for the services has ended."""
        for server in self._below:
            if server.returncode is not None:
                text = f"{server.name} ended (exit code {server.returncode})"
                self._output.say("server-ended", f"{text}; stopping everything.",
                                 server=server.name, exit_code=server.returncode)  # fmt: skip
                raise StackError("server-ended", f"{text}; see {server.log}, then start again")

    async def stop(self) -> None:
        """Let the services drain and end, then what was to end after them."""
        if self._child is not None:
            await self._child.stop()
        for end in self.afterwards:
            await end()


@contextlib.asynccontextmanager
async def launched(wanted: Wanted, output: Output) -> AsyncIterator[Services]:
    """Yield ready services on running servers; on exit services drain first. Raises StackError."""
    async with contextlib.AsyncExitStack() as exits:
        below: list[Child] = []
        with output.waiting("Starting Kafka and PostgreSQL"):
            servers = await exits.enter_async_context(
                running_stack(wanted.data, stack=wanted.stack, environ=os.environ, started=below)
            )
        say_servers(servers, output)
        services = Services(wanted, servers, output, below)
        exits.push_async_callback(services.stop)
        with output.waiting("Starting the services"):
            await services.start()
        yield services


def say_servers(servers: Servers, output: Output) -> None:
    """Say which servers are used, and why these."""
    where = urlsplit(servers.postgres)
    place = where.netloc.rpartition("@")[2] or "a socket of its own"  # never the password
    output.say(
        "servers",
        f"Kafka at {servers.kafka}, PostgreSQL at {place} ({servers.why})",
        kafka=servers.kafka, postgres=place, kind=servers.kind, why=servers.why,
    )  # fmt: skip


def run_until_told(work: Coroutine[Any, Any, int]) -> int | None:
    """Run to the end and return the exit code, or None where a signal ended it in good order."""
    with asyncio.Runner() as runner:
        return runner.run(_guarded(work))


async def _guarded(work: Coroutine[Any, Any, int]) -> int | None:
    task = asyncio.ensure_future(work)
    told = False

    def stop() -> None:
        nonlocal told
        if not told:  # a second Ctrl-C must not cut the stopping short
            told = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if told:
            return None
        raise
