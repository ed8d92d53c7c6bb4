"""A sandbox process: its options, its start and its end; what it serves is handed in."""

import argparse
import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import uvloop
from aiohttp import web


class Served(Protocol):
    """What a process serves."""

    def app(self) -> web.Application: ...

    async def work(self) -> None:
        """Run beside the server until cancelled; what it raises ends the process."""

    async def close(self) -> None:
        """End what is in flight, before the server stops."""

    def finish(self) -> None:
        """Close the books, after it."""


def hang_up(request: web.Request) -> web.StreamResponse:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _orphaned(parent: int) -> None:
    """Ends when the process that started this one is gone."""
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.5)


async def serve(
    name: str, options: argparse.Namespace, build: Callable[[argparse.Namespace], Served]
) -> None:
    """Until SIGTERM, SIGINT or, with --exit-with-parent, the parent's end."""
    parent = os.getppid()  # before anybody is told that we run: it may end right then
    served = build(options)
    runner = web.AppRunner(served.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.port).start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, ended.set)
    print(f"{name} on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)  # noqa: T201
    watched = [asyncio.create_task(ended.wait()), asyncio.create_task(served.work())]
    if options.exit_with_parent:
        watched.append(asyncio.create_task(_orphaned(parent)))
    try:
        done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in watched:
            task.cancel()
        await asyncio.gather(*watched, return_exceptions=True)
        await served.close()
        await runner.cleanup()
        served.finish()


def main(
    name: str, module: str, about: str | None, build: Callable[[argparse.Namespace], Served]
) -> None:
    """Read the options and serve; a wrong configuration ends with one line and status 2."""
    parser = argparse.ArgumentParser(prog=module, description=about)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the books")
    parser.add_argument("--target", default="http://127.0.0.1:8080")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--exit-with-parent", action="store_true")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(name, options, build))
        except ValueError as error:
            parser.exit(2, f"{name}: {error}\n")
