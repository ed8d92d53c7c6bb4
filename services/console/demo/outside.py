"""The outside world of a demo run: shops, a payment provider and a carrier, a process each.

It starts them, watches them and says where they answer; what they are told is data, what they do
is theirs. Each keeps its port, so that those who call it find it again after a restart.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from libs.stack.errors import StackError
from libs.stack.kafka import free_port
from libs.stack.processes import Child, start
from services.console.demo.memory import Memory
from services.console.demo.settings import CARRIER, PAYMENTS, asked_of
from services.console.places import ROOT, private
from services.sandbox.retail.orders import ACCOUNTS

READY_DEADLINE = 60.0
RESTARTS = 20  # of one process in one run: a run may be disturbed, not for ever
BOOKS = Path("run/books.json")
# One for each of settings.URLS.
MODULES: Mapping[str, str] = {
    "sandbox": "services.sandbox.server",
    PAYMENTS: "services.sandbox.stripe_server",
    CARRIER: "services.sandbox.carrier_server",
}


class Process:
    """One process of the sandbox; `data` holds its books, its configuration and its log."""

    def __init__(self, name: str, data: Path) -> None:
        self.name, self._data, self.port = name, data, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._target = ""
        self._child: Child | None = None

    async def start(self, target: str, asked: Mapping[str, Any]) -> None:
        """Start it with this configuration; it calls back at `target`. Raises StackError."""
        self._target = target
        private(self._data / f"{self.name}.json", msgspec.json.encode(asked).decode())
        await self._start()

    async def _start(self) -> None:
        folder, config = self._data / self.name, self._data / f"{self.name}.json"
        command: list[str | Path] = [sys.executable, "-m", MODULES[self.name]]
        command += ["--data", folder.resolve(), "--config", config.resolve()]
        command += ["--target", self._target, "--port", str(self.port)]
        env = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
        self._child = start(self.name, command, logs=self._data / "logs", env=env)
        await self._ready(self._child)

    async def _ready(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + READY_DEADLINE
        async with aiohttp.ClientSession() as session:
            while True:
                if child.returncode is not None or loop.time() > end:
                    text = f"{self.name} did not start: {child.tail(1)}; see {child.log}"
                    raise StackError("sandbox-not-ready", text)
                try:
                    async with session.get(f"{self.url}/progress"):
                        return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    async def watch(self) -> int:
        """Start the process again when it ends; its books say where it was. Raises StackError."""
        for _ in range(RESTARTS):
            assert self._child is not None
            await self._child.wait()
            try:
                await self._start()
            except StackError:
                if self._child.returncode is None:
                    raise
                continue  # it ended again while starting: that counts like any other end
        log = self._data / f"logs/{self.name}.log"
        raise StackError("sandbox-keeps-ending", f"{self.name} ended {RESTARTS} times; see {log}")

    async def stop(self) -> None:
        """End the process."""
        if self._child is not None:
            await self._child.stop()

    async def progress(self) -> dict[str, Any]:
        """Return how far it has come; an empty answer while it starts again."""
        return await self.ask("/progress")

    async def ask(self, path: str) -> dict[str, Any]:
        """Return an answer's JSON, an empty one while the process starts again."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{self.url}{path}") as answer,
            ):
                found: dict[str, Any] = await answer.json()
                return found
        except aiohttp.ClientError:
            return {}


class Outside:
    """The three processes of a run."""

    def __init__(self, data: Path, memory: Memory) -> None:
        self.data, self._memory = data, memory
        self.processes = {name: Process(name, data) for name in MODULES}

    @property
    def urls(self) -> Mapping[str, str]:
        """Return where each answers: sandbox, payments, carrier."""
        return {name: one.url for name, one in self.processes.items()}

    async def start(self, target: str) -> None:
        """Start all three; they call back at `target`. Raises StackError."""
        for name, one in self.processes.items():
            await one.start(target, asked_of(name, self._memory))
        private(self.data / BOOKS, json.dumps(self.books()))

    def books(self) -> Mapping[str, str]:
        """Return where the outside books are: payments, carrier, and each shop by its account."""
        shops = dict.fromkeys((one.name for one in ACCOUNTS), self.urls["sandbox"])
        return {PAYMENTS: self.urls[PAYMENTS], CARRIER: self.urls[CARRIER], **shops}

    async def stop(self) -> None:
        """End all three."""
        await asyncio.gather(*(one.stop() for one in self.processes.values()))

    async def pending(self) -> int:
        """Return what the outside still has to say: webhooks, buyers who will act, scans.

        A parcel of which the carrier will say nothing more is lost in silence: nobody waits for it.
        """
        shops, payments, carrier = await asyncio.gather(
            self.processes["sandbox"].progress(),
            self.processes[PAYMENTS].progress(),
            self.processes[CARRIER].progress(),
        )
        echoes = shops.get("echoes", {}).get("pending", 1)
        told = (one.get("pending", 1) for one in (payments, carrier))
        found = int(echoes + sum(told) + carrier.get("under_way", 1))
        if found:
            return found
        buyers = await self.processes[PAYMENTS].ask("/books")
        return int(buyers.get("by_status", {"requires_action": 1}).get("requires_action", 0))

    async def hand_over(self, codes: Sequence[str]) -> bool:
        """Give parcels to the carrier's driver; whether they were taken."""
        url = f"{self.urls[CARRIER]}/handovers"
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, json={"tracking_codes": list(codes)}) as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False
