"""Everything that `lonja up` starts: how fast it is there, what it takes at rest, how it answers."""

import asyncio
import time
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio

from libs.stack.stack import attach
from tests.bench.apart import served_apart
from tests.bench.seller import Shop, latency
from tests.bench.table import Table
from tests.conftest import own_folder
from tests.e2e.launching import family, lonja, told
from tests.e2e.test_hostile import CONFIG

pytestmark = [pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(table: Table) -> AsyncIterator[Shop]:
    with own_folder() as folder:
        (folder / "lonja.toml").write_text(CONFIG)
        async with lonja(folder, "up", "--port", "0", "--json") as process:
            await told(process, "ready")
            process.terminate()
            await process.wait()
        began = time.perf_counter()
        async with lonja(folder, "up", "--port", "0", "--json") as process:
            ready = await told(process, "ready")
            warm = time.perf_counter() - began
            table.add("Warm start of everything to ready", f"{warm:.1f} s", target="< 15 s",
                      met=warm < 15)  # fmt: skip
            servers = attach(folder / ".lonja")
            assert servers is not None
            found = Shop(process, ready["url"], servers)
            await found.open()
            yield found
            await found.inventory.close()


def _usage(shop: Shop) -> dict[str, tuple[float, float]]:
    """Return CPU seconds and resident MB of the services, and of broker with database."""
    found = {"services": (0.0, 0.0), "broker and database": (0.0, 0.0)}
    for process in family(shop.process):
        words = " ".join(process.cmdline())
        if "guard" in words:
            continue
        kind = "services" if "services.console.child" in words else "broker and database"
        if process.pid == shop.process.pid:
            continue
        times, memory = process.cpu_times(), process.memory_info().rss / 1e6
        before = found[kind]
        found[kind] = (before[0] + times.user + times.system, max(before[1], memory))
    return found


async def bench_idle(shop: Shop, table: Table) -> None:
    await asyncio.sleep(8)
    before = _usage(shop)
    await asyncio.sleep(20)
    after = _usage(shop)
    for kind in before:
        share = (after[kind][0] - before[kind][0]) / 20
        table.add(f"Idle, {kind}", f"{share:.1%} of a core", target="< 5 %", met=share < 0.05)
    memory = after["services"][1]
    table.add("Idle memory, all services in one process", f"{memory:.0f} MB",
              target="< 260 MB", met=memory < 260)  # fmt: skip


async def bench_latency_of_everything(shop: Shop, table: Table) -> None:
    await latency(shop, table, "all seven services in one process")


async def bench_latency_in_two_processes(table: Table) -> None:
    with own_folder() as folder:
        (folder / "lonja.toml").write_text(CONFIG)
        async with served_apart(folder) as (url, front, _):
            servers = attach(folder / ".lonja")
            assert servers is not None
            shop = Shop(front, url, servers)
            await shop.open()
            await latency(shop, table, "all seven services in two processes")
            await shop.inventory.close()


async def bench_one_service_alone(table: Table) -> None:
    with own_folder() as folder:
        (folder / "lonja.toml").write_text(CONFIG)
        async with lonja(folder, "serve", "inventory", "--port", "0", "--json") as process:
            await told(process, "serving")
            await asyncio.sleep(5)
            memory = psutil.Process(process.pid).memory_info().rss / 1e6
    table.add("Idle memory, one service alone", f"{memory:.0f} MB", target="< 120 MB",
              met=memory < 120)  # fmt: skip
