"""Sandbox processes under test, and a receiver for their webhooks that can be made to fail."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
from aiohttp import web
from msgspec import json

Json = dict[str, Any]
SECONDS = 40


class Inbox:
    """Takes webhooks; refuses the first `refusals` of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.taken: list[tuple[str, dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        self.taken.append((request.path, dict(request.headers), body))
        return web.Response()

    def bodies(self) -> list[Json]:
        return [json.decode(body) for _, _, body in self.taken]


class Receiver(Protocol):
    """Answers webhooks."""

    async def take(self, request: web.Request) -> web.Response: ...


@asynccontextmanager
async def receiving(receiver: Receiver, port: int = 0) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post("/{rest:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Process:
    """A sandbox process and a client of it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url
        self.session = aiohttp.ClientSession()

    async def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, data: Any = None
    ) -> tuple[int, Any]:
        """Status and decoded body; raises aiohttp.ClientError where the answer was lost."""
        async with self.session.request(
            method, self.url + path, headers=headers, data=data
        ) as answer:
            return answer.status, json.decode(await answer.read())

    async def told(self, path: str, method: str = "GET") -> Json:
        status, body = await self.ask(method, path)
        assert status == 200, body
        found: Json = body
        return found

    async def until(self, path: str, condition: Callable[[Json], bool]) -> Json:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = await self.told(path)
            if condition(found):
                return found
            await asyncio.sleep(0.05)
        pytest.fail(f"not reached in {SECONDS} s: {found}")

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def running(module: str, folder: Path, target: int, settings: Json) -> AsyncIterator[Process]:
    """The process of a module, with its configuration and its books in `folder`."""
    config = folder / f"{module}.json"
    config.write_bytes(json.encode(settings))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.sandbox.{module}", "--data", str(folder / module)),
        *("--target", f"http://127.0.0.1:{target}", "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(SECONDS):
            line = (await process.stdout.readline()).decode()
        if " on http" not in line:
            raise RuntimeError((await process.stderr.read()).decode())
        found = Process(process, line.split(" on ")[1].strip())
        try:
            yield found
        finally:
            await found.session.close()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
