"""From a signed webhook to posted ledger entries: with the whole outside world, and without it."""

import asyncio
import csv
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil
import pytest

from libs.codec.framing import EventCodec
from libs.contracts import accounting
from libs.stack.stack import Servers, attach, database_dsn
from services.sandbox.retail.rows import EXTRACT
from tests.bench.apart import served_apart
from tests.bench.shop import SKUS
from tests.bench.table import Table
from tests.conftest import own_folder
from tests.e2e.launching import ROOT, family, lonja, told
from tests.e2e.test_hostile import CONFIG

pytestmark = [pytest.mark.timeout(1200), pytest.mark.asyncio(loop_scope="module")]
ORDERS = int(os.environ.get("LONJA_BENCH_ORDERS", "2000"))
TARGET = 250  # orders a second
COPIES = 20  # of the retail file's extract, each with invoice numbers of its own
MOST = 0.9  # of the orders: the last ones wait for second tries, buyers and backorders
# Quotas are the outside's, not ours: the sandbox has none that is lower.
NO_QUOTA = {"LONJA_PAYMENTS__CARD__PER_SECOND": "5000", "LONJA_CARRIERS__POST__PER_SECOND": "5000"}
REVENUE, PAID = "dispatch_revenue", "payment"


class Ledger:
    """The entries of a run, read from the accounting service's store; times in µs."""

    def __init__(self, servers: Servers) -> None:
        self._servers, self._codec = servers, EventCodec(accounting.CONTRACTS)

    async def posted(self) -> dict[str, int]:
        """Return when the later of each order's payment and revenue was posted, where both are."""
        found: dict[str, dict[str, int]] = {}
        for row in await self._read(
            "accounting", "SELECT type, schema_version, data, recorded_at FROM events"
            " WHERE type LIKE '%.EntryPosted' ORDER BY recorded_at"
        ):  # fmt: skip
            event = self._codec.decode(row[0], row[1], row[2])
            assert isinstance(event, accounting.EntryPosted)
            if event.order_id is not None and event.kind in {REVENUE, PAID}:
                found.setdefault(event.order_id, {}).setdefault(event.kind, row[3])
        return {name: max(at.values()) for name, at in found.items() if len(at) == 2}

    async def began(self) -> int:
        """Return when the first order was taken in."""
        rows = await self._read(
            "channels",
            "SELECT min(recorded_at) FROM events WHERE type LIKE '%.ChannelOrderReceived'",
        )
        return int(rows[0][0])

    async def events(self) -> int:
        """Return how many events all services have written."""
        names = ("channels", "orders", "inventory", "payments", "fulfilment", "accounting")
        counts = [await self._read(name, "SELECT count(*) FROM events") for name in names]
        return sum(rows[0][0] for rows in counts)

    async def _read(self, service: str, query: str) -> list[Any]:
        dsn = database_dsn(self._servers.postgres, f"lonja_{service}")
        connection = await asyncpg.connect(dsn)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()


@asynccontextmanager
async def running(*arguments: str, config: str = "") -> AsyncIterator[tuple[Any, Path]]:
    """A command of ours in a folder of its own, on the bench's two cores."""
    with own_folder() as folder:
        if config:
            (folder / "lonja.toml").write_text(config)
        async with lonja(folder, *arguments, settings=NO_QUOTA if not config else None) as process:
            yield process, folder
            process.terminate()
            await process.communicate()


def _cpu(*commands: asyncio.subprocess.Process) -> Mapping[str, float]:
    """Return the CPU seconds of each kind of process so far."""
    found = {"services": 0.0, "database": 0.0, "broker": 0.0, "outside": 0.0}
    for one in {one for command in commands for one in family(command)}:
        try:
            words, times = " ".join(one.cmdline()), one.cpu_times()
        except psutil.Error:
            continue
        if "guard.py" in words or "main() up" in words or "main() demo" in words:
            continue
        kind = (
            "services" if "services.console.child" in words or "main() serve" in words
            else "outside" if "services.sandbox" in words
            else "broker" if "kafka.Kafka" in words
            else "database"
        )  # fmt: skip
        found[kind] += times.user + times.system
    return found


class Meter:
    """What the commands have spent, sample after sample; times in µs."""

    def __init__(self, *commands: asyncio.subprocess.Process) -> None:
        self._commands = commands
        self._samples: list[tuple[int, Mapping[str, float]]] = []

    async def run(self) -> None:
        while True:
            self._samples.append((int(time.time() * 1_000_000), _cpu(*self._commands)))
            await asyncio.sleep(2)  # a look costs as much as some orders

    def spent(self, until: int) -> Mapping[str, float]:
        """Return the CPU seconds by kind from the first sample to the first one behind a time."""
        first = self._samples[0][1]
        last = next((cpu for at, cpu in self._samples if at >= until), self._samples[-1][1])
        return {kind: last[kind] - first[kind] for kind in first}


@asynccontextmanager
async def metered(*commands: asyncio.subprocess.Process) -> AsyncIterator[Meter]:
    """Measure what commands spend."""
    meter = Meter(*commands)
    task = asyncio.create_task(meter.run())
    try:
        yield meter
    finally:
        task.cancel()


async def _note(table: Table, what: str, ledger: Ledger, meter: Meter) -> None:
    """Note the rate at which the first nine tenths of the orders were posted, and its price."""
    times, began = sorted((await ledger.posted()).values()), await ledger.began()
    count = int(len(times) * MOST)
    rate = count / ((times[count - 1] - began) / 1_000_000)
    spent = meter.spent(times[count - 1])
    total = sum(spent.values())
    parts = [f"{kind} {one / total:.0%}" for kind, one in spent.items() if one]
    table.add(f"Webhook to posted entries, {what}", f"{rate:.0f} orders/s",
              anchor=f"{1000 * total / count:.1f} ms of CPU an order: {', '.join(parts)};"
              f" {await ledger.events() / ORDERS:.0f} events an order",
              target=f">= {TARGET}/s", met=rate >= TARGET)  # fmt: skip


def _many(folder: Path) -> Path:
    """Write the retail file several times over: enough orders of the same mix."""
    with EXTRACT.open(newline="") as source:
        header, *rows = csv.reader(source)
    path = folder / "many.csv"
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(header)
        for copy in range(COPIES):
            for invoice, *rest in rows:
                letter, number = invoice[:-6], int(invoice[-6:]) + 10_000 * copy
                writer.writerow([f"{letter}{number}", *rest])
    return path


async def bench_with_the_outside(table: Table) -> None:
    """Three shops, a provider and a carrier as processes: the demo, without a limit of its rate."""
    with own_folder() as other:
        many = str(await asyncio.to_thread(_many, other))
        arguments = ["demo", "--orders", str(ORDERS), "--rate", "0", "--data", many]
        async with running(*arguments, "--json", "--port", "0") as (process, folder):
            await _said(process, "stock")
            async with metered(process) as meter:
                await _said(process, "report")
            servers = attach(folder / ".lonja")
            assert servers is not None
            ledger = Ledger(servers)
            assert len(await ledger.posted()) > ORDERS / 2
            await _note(table, "the demo's mix with provider, carrier and shops", ledger, meter)


async def _said(process: asyncio.subprocess.Process, event: str) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if json.loads(line)["event"] == event:
            return
    assert process.stderr is not None
    raise AssertionError((await process.stderr.read()).decode())


async def bench_without_the_outside(table: Table) -> None:
    """Money that the channel took, parcels without a carrier, nobody to report to."""
    async with running("up", "--port", "0", "--json", config=CONFIG) as (process, folder):
        url = (await told(process, "ready"))["url"]
        await _sold(table, "outside answered in-process, services in one process",
                    url, folder, process)  # fmt: skip


async def bench_in_two_processes(table: Table) -> None:
    """The same, with the services shared out to two processes."""
    with own_folder() as folder:
        (folder / "lonja.toml").write_text(CONFIG)
        async with served_apart(folder) as (url, front, back):
            await _sold(table, "outside answered in-process, services in two processes",
                        url, folder, front, back)  # fmt: skip


async def _sold(
    table: Table, what: str, url: str, folder: Path, *commands: asyncio.subprocess.Process
) -> None:
    """Stock the shelves, sell as fast as orders are taken, and wait until all are posted."""
    servers = attach(folder / ".lonja")
    assert servers is not None
    ledger = Ledger(servers)
    await _receive(url)
    async with metered(*commands) as meter:
        seller = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.shop", url, "0", "1", str(ORDERS),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        await seller.communicate()
        posted: dict[str, int] = {}
        async with asyncio.timeout(600):
            while len(posted) < ORDERS:
                await asyncio.sleep(2)
                posted = await ledger.posted()
    await _note(table, what, ledger, meter)


async def _receive(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        for n in range(SKUS):
            path = f"{url}/inventory/stock/SKU{n}/receipts"
            body = {"quantity": 1_000_000, "unit_cost": "1.50"}
            async with http.post(path, json=body, headers={"Idempotency-Key": f"r{n}"}) as answer:
                assert answer.status == 201, await answer.text()
