"""Ten thousand buyers at once on one SKU that has five thousand units."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from libs.bus.topics import topic_of
from libs.codec.framing import EventCodec, frame
from libs.codec.headers import EventHeaders, build_headers, links
from libs.codec.registry import Registry
from libs.contracts import orders
from libs.contracts.common import Demand
from libs.runtime.commands import TurnCommands
from libs.runtime.host import Host
from libs.runtime.memory import settle
from libs.runtime.running import RunningService
from libs.runtime.settings import Settings
from libs.stack.stack import Servers
from libs.values.ids import derive
from libs.values.lanes import lane_of
from services.inventory import commands
from services.inventory.process import stream_of
from services.inventory.service import SERVICE
from tests.bench.table import Table
from tests.support import eventually

pytestmark = [pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]
BUYERS, UNITS = 10_000, 5_000
NOW = 1_767_600_000_000_000
AT_ONCE = 16  # connections of the anchor
FACTOR = 15


@pytest_asyncio.fixture(loop_scope="session")
async def inventory(servers: Servers, tmp_path: Path) -> AsyncIterator[RunningService]:
    settings = Settings(topic_prefix="hot.", database_prefix="hot_")
    async with Host([SERVICE], servers, settings, tmp_path) as host:
        settle()  # as the process that serves does
        yield host.running["inventory"]


async def bench_hot_sku(inventory: RunningService, servers: Servers, table: Table) -> None:
    locked = await _select_for_update(servers)
    for name, buy in (("commands", _by_commands), ("events", _by_events)):
        sku = f"HOT-{name.upper()}"
        await _receive(inventory, sku)
        rate = BUYERS / await buy(inventory, sku)
        winners = await _outcome(inventory, sku)
        assert winners == {"StockReserved": UNITS, "StockShort": BUYERS - UNITS}, winners
        table.add(f"Hot SKU, {BUYERS:,} buyers of {UNITS:,} units by {name}, {UNITS:,} winners",
                  f"{rate:,.0f}/s",
                  anchor=f"SELECT ... FOR UPDATE {locked:,.0f}/s: {rate / locked:.1f} times",
                  target=f">= {FACTOR} times", met=rate >= FACTOR * locked)  # fmt: skip


async def _receive(inventory: RunningService, sku: str) -> None:
    calls = TurnCommands("inventory", inventory.loop, inventory.store)
    receipt = commands.ReceiveStock(
        "main", sku, "main", True, UNITS, None, None, f"opening {sku}", "bench", NOW
    )
    await calls.execute(stream_of(sku), receipt, key=f"opening-{sku}", request=b"")


async def _by_commands(inventory: RunningService, sku: str) -> float:
    """Give all commands at once; seconds until all are answered."""
    calls = TurnCommands("inventory", inventory.loop, inventory.store)

    async def buy(n: int) -> None:
        need = commands.RequireUnits(
            "main", sku, f"ord_{n}", 1, 1, "commitment", None, 5, NOW + n, NOW, NOW
        )
        await calls.execute(stream_of(sku), need, key=f"{sku}-{n}", request=b"")

    began = time.perf_counter()
    await asyncio.gather(*map(buy, range(BUYERS)))
    return time.perf_counter() - began


async def _by_events(inventory: RunningService, sku: str) -> float:
    """Write what orders would say to its topic; seconds until all are answered."""
    registry = Registry.from_lock()
    codec = EventCodec(orders.CONTRACTS, registry)
    topic = topic_of("hot.", "orders")
    needs: dict[int, list[tuple[bytes, bytes, list[tuple[str, bytes]]]]] = {}
    for n in range(BUYERS):
        stream = f"order-ord_{n}"
        mine = needs.setdefault(lane_of(stream), [])
        kind, schema, data = codec.encode(_required(n, sku))
        cause = derive("bench", str(n))
        origin = EventHeaders(
            derive("bench event", str(n)),
            "orders",
            kind,
            NOW,
            "",
            len(mine) + 1,
            1,
            links(cause, cause),
        )
        value = frame(registry.ids[kind, schema], data)
        mine.append((stream.encode(), value, build_headers(origin)))
    async with AIOKafkaProducer(bootstrap_servers=inventory.servers.kafka) as producer:
        began = time.perf_counter()
        for lane, records in needs.items():
            batch = producer.create_batch()
            for key, value, headers in records:
                if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                    batch.close()
                    await producer.send_batch(batch, topic, partition=lane)
                    batch = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=None, headers=headers)
            batch.close()
            await producer.send_batch(batch, topic, partition=lane)
        await eventually(partial(_moved, inventory, sku, BUYERS + 1), 120)
    return time.perf_counter() - began


async def _moved(inventory: RunningService, sku: str, version: int) -> bool:
    await asyncio.sleep(0.01)
    found = await inventory.pool.fetchval(
        "SELECT version FROM streams WHERE stream_id = $1", stream_of(sku)
    )
    return bool(found >= version)


def _required(n: int, sku: str) -> orders.StockRequired:
    return orders.StockRequired(
        entity="main", occurred_at=NOW, order_id=f"ord_{n}", revision=1, account="shop",
        demands=(Demand(sku=sku, units=1),), reservation_class="commitment", priority=5,
        placed_at=NOW + n, decide_by=NOW,
    )  # fmt: skip


async def _outcome(inventory: RunningService, sku: str) -> dict[str, int]:
    rows = await inventory.pool.fetch(
        "SELECT split_part(type, '.', 3), count(*) FROM events"
        " WHERE stream_id = $1 AND type NOT LIKE '%Received' GROUP BY 1",
        stream_of(sku),
    )
    return {row[0]: row[1] for row in rows}


async def _select_for_update(servers: Servers) -> float:
    """Reserve as a shop's database does: lock the row, look, write, commit; orders a second."""
    async with asyncpg.create_pool(servers.postgres, min_size=AT_ONCE, max_size=AT_ONCE) as pool:
        await pool.execute(
            "CREATE TABLE hot_stock (sku text PRIMARY KEY, on_hand bigint, reserved bigint);"
            "CREATE TABLE hot_orders (id bigint PRIMARY KEY, sku text, reserved bool);"
            f"INSERT INTO hot_stock VALUES ('HOT', {UNITS}, 0)"
        )
        buyers = iter(range(BUYERS))

        async def work() -> None:
            async with pool.acquire() as connection:
                for n in buyers:
                    async with connection.transaction():
                        row = await connection.fetchrow(
                            "SELECT on_hand - reserved FROM hot_stock WHERE sku = $1 FOR UPDATE",
                            "HOT",
                        )
                        won = row is not None and row[0] > 0
                        if won:
                            await connection.execute(
                                "UPDATE hot_stock SET reserved = reserved + 1 WHERE sku = $1", "HOT"
                            )
                        await connection.execute(
                            "INSERT INTO hot_orders VALUES ($1, $2, $3)", n, "HOT", won
                        )

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        took = time.perf_counter() - began
        assert await pool.fetchval("SELECT count(*) FROM hot_orders WHERE reserved") == UNITS
        await pool.execute("DROP TABLE hot_stock, hot_orders")
    return BUYERS / took
