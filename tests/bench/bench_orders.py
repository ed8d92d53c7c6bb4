"""From a signed webhook to reserved stock in the read model, with everything on two cores."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka import TopicPartition

from libs.bus.tail import lone_reader
from libs.bus.topics import topic_of
from libs.codec.framing import EventCodec
from libs.codec.registry import Registry
from libs.contracts import kernel
from libs.replay.rebuild import rebuild
from libs.replay.shares import workers_at
from libs.runtime.memory import settle
from libs.stack.stack import attach, database_dsn
from libs.store.pool import close_pool, open_pool
from libs.values.lanes import PARTITIONS
from services.orders.read_model import ORDERS
from services.orders.service import SERVICE
from tests.bench.seller import Shop, latency
from tests.bench.table import Table
from tests.conftest import own_folder
from tests.e2e.launching import lonja, told
from tests.e2e.test_hostile import CONFIG

pytestmark = [pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]
SERVED = ("channels", "orders", "inventory")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[Shop]:
    """The three services of the way from a webhook to reserved stock, in one process."""
    with own_folder() as folder:
        (folder / "lonja.toml").write_text(CONFIG)
        async with lonja(folder, "serve", *SERVED, "--port", "0", "--json") as process:
            ready = await told(process, "serving")
            servers = attach(folder / ".lonja")
            assert servers is not None
            found = Shop(process, ready["url"], servers)
            await found.open()
            yield found
            await found.inventory.close()


async def bench_latency(shop: Shop, table: Table) -> None:
    await latency(shop, table, "three services")


async def bench_throughput(shop: Shop, table: Table) -> None:
    commits = await _commits(shop)
    count = 24_000
    _, took = await shop.sell(0, count)
    rate = count / took
    table.add("Orders from webhook to reserved, three services, sustained", f"{rate:.0f}/s",
              anchor=f"{commits:.0f} one-row commits/s, one after the other",
              target=">= 400/s", met=rate >= 400)  # fmt: skip


async def _commits(shop: Shop) -> float:
    connection = shop.inventory
    await connection.execute("CREATE TABLE IF NOT EXISTS anchor_of_bench (n bigint PRIMARY KEY)")
    began = time.perf_counter()
    for n in range(1000):
        await connection.execute("INSERT INTO anchor_of_bench VALUES ($1)", n)
    took = time.perf_counter() - began
    await connection.execute("DROP TABLE anchor_of_bench")
    return 1000 / took


async def bench_rebuild(shop: Shop, table: Table) -> None:
    settle()  # as `lonja rebuild` does
    topic = topic_of("", "orders")
    kafka = shop.servers.kafka
    raw = await _raw(kafka, topic)
    dsn = database_dsn(shop.servers.postgres, "lonja_orders")
    pool = await open_pool(dsn)
    codec = EventCodec(SERVICE.contracts + kernel.CONTRACTS, Registry.from_lock())
    try:
        workers = workers_at(dsn)  # as `lonja rebuild` does, too
        done = await rebuild(pool, kafka, {topic: "orders"}, ORDERS, codec, workers=workers)
    finally:
        await close_pool(pool)
    share = done.rate / raw
    table.add(f"Rebuild of the orders read model, {done.records:,} events",
              f"{done.rate:,.0f} events/s",
              anchor=f"getmany {raw:,.0f}/s: {share:.2f} of it", target=">= 0.25",
              met=share >= 0.25)  # fmt: skip


async def _raw(kafka: str, topic: str) -> float:
    """Return the records a second that aiokafka reads with nothing done to them."""
    async with lone_reader(kafka) as consumer:
        parts = [TopicPartition(topic, lane) for lane in range(PARTITIONS)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning(*parts)
        records, began = 0, time.perf_counter()
        while left := [part for part in parts if await consumer.position(part) < ends[part]]:
            fetched = await consumer.getmany(*left, timeout_ms=500, max_records=5000)
            records += sum(map(len, fetched.values()))
        return records / (time.perf_counter() - began)
