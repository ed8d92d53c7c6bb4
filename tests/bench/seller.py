"""A shop that sells to running services, and watches when its orders have their units."""

import asyncio
import json
import os
import sys
import time

import aiohttp
import asyncpg

from libs.stack.stack import Servers, database_dsn
from libs.values.ids import short
from tests.bench.shop import SKUS
from tests.bench.table import Table, quantile
from tests.e2e.launching import ROOT
from tests.support import eventually

SAMPLE = 5  # every so many orders is watched


class Shop:
    """`lonja up`, stocked, and what it has done so far."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, servers: Servers) -> None:
        self.process, self.url, self.servers = process, url, servers
        self.orders = 0
        self.inventory: asyncpg.Connection[asyncpg.Record]

    async def open(self) -> None:
        """Wait until the services are ready, and fill the shelves."""
        await eventually(self._ready, 60)
        dsn = database_dsn(self.servers.postgres, "lonja_inventory")
        # Planned anew each time: the table grows while it is looked at.
        bounds = {"plan_cache_mode": "force_custom_plan", "enable_seqscan": "off"}
        self.inventory = await asyncpg.connect(dsn, server_settings=bounds)
        async with aiohttp.ClientSession() as http:
            for n in range(SKUS):
                path = f"{self.url}/inventory/stock/SKU{n}/receipts"
                body, headers = {"quantity": 1_000_000}, {"Idempotency-Key": f"r{n}"}
                async with http.post(path, json=body, headers=headers) as answer:
                    assert answer.status == 201

    async def _ready(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"{self.url}/health/ready") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def sell(self, rate: float, count: int) -> tuple[list[float], float]:
        """Sell; seconds from sent to reserved of some orders, and from first sent to all reserved."""
        first, self.orders = self.orders + 1, self.orders + count
        seller = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.shop", self.url, str(rate), str(first), str(count),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        names = {
            "ord_" + short("shop", str(n)): str(n) for n in range(first, first + count, SAMPLE)
        }
        seen = asyncio.create_task(self._watch(list(names), rate))
        out, _ = await seller.communicate()
        sent = json.loads(out)["sent"]
        reserved = await asyncio.wait_for(seen, 120)
        await eventually(self._all_reserved, 120)
        took = time.time() - min(sent.values())
        return [at - sent[names[name]] for name, at in reserved.items()], took

    async def _watch(self, names: list[str], rate: float) -> dict[str, float]:
        """Return when each order's row was seen to have its units; looks for what is sent by now.

        Looks at more than is needed would take processor time from what is measured.
        """
        reserved: dict[str, float] = {}
        began, count = time.time(), len(names)
        query = await self.inventory.prepare(
            "SELECT order_id FROM reservations WHERE order_id = ANY ($1::text[]) AND reserved + shipped > 0"
        )
        left = names
        while left:
            now = time.time()
            sent = int(rate * (now - began) / SAMPLE) + 2 if rate else count
            ahead = min(max(0, sent - len(reserved)), 400)
            found = {row[0] for row in await query.fetch(left[:ahead])}
            reserved |= dict.fromkeys(found, (now + time.time()) / 2)
            left = [name for name in left if name not in found]
            await asyncio.sleep(0.01)
        return reserved

    async def _all_reserved(self) -> bool:
        count = await self.inventory.fetchval(
            "SELECT count(*) FROM reservations WHERE reserved + shipped > 0"
        )
        await asyncio.sleep(0.05)
        return bool(count == self.orders)


async def latency(shop: Shop, table: Table, who: str) -> None:
    """Measure two steady rates, behind half a minute in which plans are made."""
    await shop.sell(50, 1500)
    for rate, limit in ((50, 0.150), (150, 0.400)):
        took, _ = await shop.sell(rate, rate * 30)
        middle, late = quantile(took, 0.5), quantile(took, 0.99)
        table.add(f"Webhook to reserved at {rate} orders/s, {who}, p99",
                  f"{1000 * late:.0f} ms (p50 {1000 * middle:.0f} ms)",
                  target=f"< {1000 * limit:.0f} ms", met=late < limit)  # fmt: skip
