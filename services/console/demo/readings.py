"""What a run has come to, read from the services' databases and read models. It writes nothing."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import asyncpg

from libs.stack.stack import Servers
from libs.store.pool import Pool, close_pool, database_dsn, open_pool
from libs.values.ids import derive
from services.console.demo.report import Standing, StockFacts
from services.console.launch import ALL

# States in which an order rests; one that is on its way rests when its carrier is silent.
SETTLED = frozenset({
    "completed", "part_confirmed", "cancelled", "waiting", "held", "dispatched",
})  # fmt: skip
SOON = 3_000_000  # microseconds: a call that is tried again later than that is a named queue's
_EFFECTS = """
    SELECT count(*) FROM effects
    WHERE state IN ('planned', 'in-flight', 'unknown') AND next_at < $1"""
_LIVE = """
    SELECT topic, partition, last_pseq FROM positions
    WHERE consumer LIKE '%.reactor' OR consumer IN (SELECT consumer FROM read_models)"""
_STOCK = """
    SELECT count(*), coalesce(sum(promised_without_stock), 0)::bigint,
        (SELECT coalesce(sum(sold_short), 0)::bigint FROM reservations),
        (SELECT coalesce(sum(short), 0)::bigint FROM reservations),
        coalesce(sum(written_off), 0)::bigint
    FROM stock"""
_STANDINGS = """
    SELECT state, reason, count(*), sum(value_at_risk_minor)::bigint FROM orders
    GROUP BY 1, 2 ORDER BY 1, 2"""


class Readings:
    """The services' databases."""

    def __init__(self, servers: Servers, prefix: str) -> None:
        self._servers, self._prefix = servers, prefix
        self._pools: dict[str, Pool] = {}

    async def __aenter__(self) -> Self:
        for name in ALL:
            dsn = database_dsn(self._servers.postgres, f"{self._prefix}{name}")
            self._pools[name] = await open_pool(dsn, size=2, timeouts=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*map(close_pool, self._pools.values()))

    async def standings(self) -> list[Standing]:
        """Return the orders by state and reason."""
        return [Standing(*row) for row in await self._pools["orders"].fetch(_STANDINGS)]

    async def totals(self) -> Mapping[tuple[str, str], int]:
        """Return each order's total by (account, external id)."""
        rows = await self._pools["orders"].fetch(
            "SELECT account, external_id, total_minor FROM orders"
        )
        return {(row[0], row[1]): row[2] for row in rows}

    async def order(self, account: str, external_id: str) -> asyncpg.Record | None:
        """Return where an order stands."""
        return await self._pools["orders"].fetchrow(
            "SELECT order_id, state, reason, display_number FROM orders"
            " WHERE account = $1 AND external_id = $2",
            account, external_id,
        )  # fmt: skip

    async def times_received(self, account: str, external_id: str) -> int:
        """Return how often an order has come into being: once, whatever was delivered."""
        count: int = await self._pools["channels"].fetchval(
            "SELECT count(*) FROM events"
            " WHERE stream_id = $1 AND type LIKE '%ChannelOrderReceived'",
            f"channelorder-{account}:{external_id}",
        )
        return count

    async def known_items(self) -> int:
        """Return how many items channels knows."""
        count: int = await self._pools["channels"].fetchval("SELECT count(*) FROM items")
        return count

    async def busy(self, now: int) -> dict[str, int]:
        """Return what is still to be done: deliveries, records, calls, orders; `now` in µs."""
        heads: dict[tuple[str, int], int] = {}
        for pool in self._pools.values():
            for topic, lane, head in await pool.fetch(
                "SELECT i.topic, l.lane, l.head FROM lanes l, identity i"
            ):
                heads[topic, lane] = head
        behind = 0
        for pool in self._pools.values():
            for topic, partition, applied in await pool.fetch(_LIVE):
                behind += max(0, heads.get((topic, partition), 0) - applied)
        inbox, effects = 0, 0
        for pool in self._pools.values():
            inbox += await pool.fetchval("SELECT count(*) FROM inbox WHERE state = 'received'")
            effects += await pool.fetchval(_EFFECTS, now + SOON)
        unsettled = sum(one.orders for one in await self.standings() if one.state not in SETTLED)
        return {"inbox": inbox, "behind": behind, "effects": effects, "unsettled": unsettled}

    async def finished_once(self) -> set[tuple[str, str]]:
        """Return (account, key) of deliveries that reached a final state exactly once."""
        rows = await self._pools["channels"].fetch(
            "SELECT account, key FROM inbox WHERE state IN ('done', 'ignored') AND finished = 1"
        )
        return {(row[0], row[1]) for row in rows}

    async def left(self) -> list[str]:
        """Return the tracking codes of all parcels that have left us."""
        rows = await self._pools["fulfilment"].fetch(
            "SELECT tracking_code FROM shipments WHERE tracking_code <> ''"
            " AND state IN ('dispatched', 'delivered', 'failed', 'lost', 'returned')"
        )
        return [row[0] for row in rows]

    async def parked(self) -> int:
        """Return how many deliveries and commands wait for a person."""
        counts = [
            await pool.fetchval(
                "SELECT (SELECT count(*) FROM parked)"
                " + (SELECT count(*) FROM inbox WHERE state = 'parked')"
            )
            for pool in self._pools.values()
        ]
        return sum(counts)

    async def events(self) -> int:
        """Return the rows of all events tables."""
        return sum(
            [await pool.fetchval("SELECT count(*) FROM events") for pool in self._pools.values()]
        )

    async def seconds(self) -> float:
        """Return the time from the first delivery to the last event of an order."""
        first = await self._pools["channels"].fetchval("SELECT min(received_at) FROM inbox")
        last = await self._pools["orders"].fetchval("SELECT max(recorded_at) FROM events")
        return max(0, last - first) / 1e6 if first and last else 0.0

    async def latencies(self, since: int = 0) -> list[int]:
        """Return µs from an order's first delivery to inventory's first answer, by answer."""
        deliveries, placed, answered = await asyncio.gather(
            self._pools["channels"].fetch(
                "SELECT provider, account, key, received_at FROM inbox WHERE received_at >= $1",
                since,
            ),
            self._pools["channels"].fetch(
                "SELECT correlation::text FROM events"
                " WHERE type LIKE '%ChannelOrderReceived' AND recorded_at >= $1",
                since,
            ),
            self._pools["inventory"].fetch(
                "SELECT correlation::text, min(recorded_at) FROM events"
                " WHERE (type LIKE '%StockReserved' OR type LIKE '%StockShort')"
                " AND recorded_at >= $1 GROUP BY 1 ORDER BY 2",
                since,
            ),
        )
        received = {
            derive("channels", f"inbox/{provider}/{account}/{key}"): at
            for provider, account, key, at in deliveries
        }
        firsts = {row[0] for row in placed}
        return [at - received[one] for one, at in answered if one in firsts and one in received]

    async def stock(self) -> StockFacts:
        """Return the sums over all SKUs of the inventory read model."""
        row = await self._pools["inventory"].fetchrow(_STOCK)
        assert row is not None
        return StockFacts(*row)
