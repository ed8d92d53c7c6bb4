"""The sandbox of a demo run: its process, and what it tells over HTTP. It sells nothing itself."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from libs.stack.errors import StackError
from libs.stack.kafka import free_port
from libs.stack.processes import Child, start
from services.console.demo.memory import Memory
from services.console.http import Http
from services.console.places import ROOT, private
from services.sandbox.retail.orders import ACCOUNTS

READY_DEADLINE = 60.0


class Shops:
    """Three shops in one process of their own."""

    def __init__(self, data: Path, memory: Memory, target: str) -> None:
        self._data, self._memory, self._target = data, memory, target
        self._child: Child | None = None
        self.url = ""
        self.http: Http

    async def start(self) -> None:
        """Start the shops; they go on by themselves if they were selling. Raises StackError."""
        folder = self._data / "sandbox"
        memory, config = self._memory, self._data / "sandbox.json"
        wanted = {
            "secrets": memory.secrets, "seed": memory.seed, "orders": memory.orders,
            "rows": memory.rows, "rate": memory.rate,
        }  # fmt: skip
        private(config, msgspec.json.encode(wanted).decode())
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = [sys.executable, "-m", "services.sandbox.server"]
        command += ["--data", folder.resolve(), "--config", config.resolve()]
        command += ["--target", self._target, "--port", str(port)]
        env = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
        self._child = start("sandbox", command, logs=self._data / "logs", env=env)
        await self._ready(self._child)

    async def _ready(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + READY_DEADLINE
        async with aiohttp.ClientSession() as session:
            while True:
                if child.returncode is not None or loop.time() > end:
                    text = f"the sandbox did not start: {child.tail(1)}; see {child.log}"
                    raise StackError("sandbox-not-ready", text)
                try:
                    async with session.get(f"{self.url}/progress"):
                        return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    async def watch(self) -> int:
        """Start the process again when it ends; its books say where it was."""
        for _ in range(5):
            assert self._child is not None
            await self._child.wait()
            await self.start()
        raise StackError("sandbox-keeps-ending", f"see {self._data / 'logs/sandbox.log'}")

    async def stop(self) -> None:
        """End the process."""
        if self._child is not None:
            await self._child.stop()

    async def sell(self) -> None:
        """Begin, or go on."""
        async with Http(self.url) as http:
            await http.post("/start")

    async def progress(self) -> dict[str, Any]:
        """Return how far the shops have come; an empty answer while they start again."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{self.url}/progress") as answer,
            ):
                found: dict[str, Any] = await answer.json()
                return found
        except aiohttp.ClientError:
            return {}

    async def books(self, what: str) -> dict[str, dict[str, Any]]:
        """Return each shop's books of "orders" or "deliveries", by account."""
        async with Http(self.url) as http:
            return {one.name: await http.get(f"/books/{one.name}/{what}") for one in ACCOUNTS}
