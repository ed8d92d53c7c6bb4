"""The whole demo while processes are killed: any of them, also the broker and the database."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from tests.e2e.launching import ended, family, lonja, nothing_is_left
from tests.support import eventually, words_of

SECONDS = int(os.environ.get("LONJA_CHAOS_SECONDS", "30"))
SEED = int(os.environ.get("LONJA_CHAOS_SEED", "1"))
pytestmark = [pytest.mark.stack, pytest.mark.timeout(600 + 5 * SECONDS)]
EVERY = 5.0  # seconds between kills
RATE = 2  # orders a second: the shops are still selling when the last process is killed
ORDERS = RATE * SECONDS
DEMO = ["demo", "--orders", str(ORDERS), "--rate", str(RATE), "--json", "--port", "0"]
# By a word of the command line. The launcher starts the first four again; where a server is gone,
# a person stops everything and starts it again.
AGAIN = {
    "services": "services.console.child",
    "shops": "services.sandbox.server",
    "payments": "services.sandbox.stripe_server",
    "carrier": "services.sandbox.carrier_server",
}
SERVERS = {"broker": "kafka.Kafka", "database": "postgres"}


class Demo:
    """A running demo: what it has said so far, and its processes by what they are."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.said = process, list[dict[str, Any]]()

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(json.loads(line))

    def has_said(self, event: str) -> dict[str, Any] | None:
        assert self.process.returncode is None, "the demo has ended by itself"
        return next((one for one in self.said if one["event"] == event), None)

    def pid(self, name: str) -> int | None:
        """The process, None while it is not there; never the guard that holds it."""
        word = (AGAIN | SERVERS)[name]
        for one in family(self.process):
            words = words_of(one)
            guard = any(part.endswith("guard.py") for part in words)
            if not guard and any(part.endswith(word) for part in words[:40]):
                return one.pid
        return None

    def whole(self) -> bool:
        return all(self.pid(name) for name in AGAIN | SERVERS)


class Killer:
    """Kills one process after the other, each as often as the others; the seed gives the order."""

    def __init__(self) -> None:
        self.killed: Counter[str] = Counter()
        self._names = self._order(Random(SEED))

    @staticmethod
    def _order(rng: Random) -> Iterator[str]:
        names = [*AGAIN, *SERVERS]
        while True:
            yield from rng.sample(names, len(names))

    async def strike(self, demo: Demo) -> list[psutil.Process]:
        """Kill until the time is over, or a server is gone: then what was running with it."""
        while self.killed.total() * EVERY < SECONDS:
            await asyncio.sleep(EVERY)  # what happens in between is what is tested
            name = next(self._names)
            found = await eventually(partial(demo.pid, name), 60)
            assert found is not None
            members = family(demo.process)
            os.kill(found, signal.SIGKILL)
            self.killed[name] += 1
            if name in SERVERS:
                await asyncio.sleep(EVERY / 2)  # all else stops, as well as it can without it
                return members
        return []


async def test_whatever_is_killed_the_report_is_sound_and_the_audit_finds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killer, starts = Killer(), 0
    while True:
        starts += 1
        async with lonja(tmp_path, *DEMO) as process:
            demo = Demo(process)
            listening = asyncio.create_task(demo.listen())
            await eventually(demo.whole, 90)
            if members := await killer.strike(demo):
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await listening
                await nothing_is_left(tmp_path, members)
                continue
            report = await eventually(partial(demo.has_said, "report"), 180)
            async with lonja(tmp_path, "audit", "--at-rest", "--json") as audit:
                code, found, errors = await ended(audit)
            process.terminate()
            await listening
        break
    assert report is not None
    with capsys.disabled():
        sys.stdout.write(f"\nkilled {dict(killer.killed)}, started {starts} times\n")
    assert report["faults"] == []
    assert report["report"]["orders"]["received"] > ORDERS
    assert code == 0, found + errors
    assert json.loads(found)["findings"] == []
    assert killer.killed.keys() == AGAIN.keys() | SERVERS.keys()
