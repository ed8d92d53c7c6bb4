"""What a service's database no longer needs: finished bodies first, later the rows themselves.

Events, heads and positions are never touched. A sweep waits for nobody: what somebody holds is
dropped by the next one.
"""

from collections.abc import Sequence

from libs.store.pool import Pool

PAGE = 200  # rows that are read and sealed again
AT_ONCE = 2000  # rows that one statement drops

_BODIES = """
    UPDATE inbox SET body = NULL FROM (
        SELECT seq FROM inbox WHERE body IS NOT NULL AND received_at < $1
            AND state NOT IN ('received', 'parked') ORDER BY received_at LIMIT $2
            FOR UPDATE SKIP LOCKED
    ) old WHERE inbox.seq = old.seq"""
# Longer than any provider retries: a delivery or a command that comes again is new.
_OLD = (
    """DELETE FROM inbox USING (
        SELECT seq FROM inbox WHERE body IS NULL AND received_at < $1
            AND state NOT IN ('received', 'parked') ORDER BY received_at LIMIT $2
            FOR UPDATE SKIP LOCKED
    ) old WHERE inbox.seq = old.seq""",
    """DELETE FROM commands USING (
        SELECT key FROM commands WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) old WHERE commands.key = old.key""",
    """DELETE FROM timers USING (
        SELECT id FROM timers WHERE done_at IS NOT NULL AND done_at < $1
            ORDER BY done_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) old WHERE timers.id = old.id""",
    """DELETE FROM effects USING (
        SELECT id FROM effects WHERE planned_at < $1
            AND state IN ('confirmed', 'rejected', 'reconciled', 'suppressed')
            ORDER BY planned_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) old WHERE effects.id = old.id""",
)
_OPEN = """
    SELECT seq, body, provider || '/' || account FROM inbox
    WHERE state = '{}' AND body IS NOT NULL AND received_at < $1 AND seq > $2"""
_UNRESOLVED = f"""
    {_OPEN.format("received")} UNION ALL {_OPEN.format("parked")}
    ORDER BY seq LIMIT $3"""
_RESEAL = "UPDATE inbox SET body = $2 WHERE seq = $1 AND body IS NOT NULL"
_PARKED = """
    SELECT seq, raw, stream FROM parked
    WHERE raw IS NOT NULL AND raw <> '' AND stream <> $4 AND at < $1 AND seq > $2
    ORDER BY seq LIMIT $3"""
_RESEAL_PARKED = "UPDATE parked SET raw = $2 WHERE seq = $1"


class Retention:
    """The rows of one service's database that time concerns. Times are microseconds."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def drop_bodies(self, before: int) -> int:
        """Drop bodies of finished deliveries, the oldest first; how many, 0 where none is left."""
        return _count(await self.pool.execute(_BODIES, before, AT_ONCE))

    async def drop_rows(self, before: int) -> int:
        """Drop finished deliveries, command keys, timers and effects; how many, 0 at the end."""
        dropped = [await self.pool.execute(one, before, AT_ONCE) for one in _OLD]
        return sum(map(_count, dropped))

    async def unresolved(self, before: int, after: int) -> Sequence[tuple[int, bytes, str]]:
        """Return a page of (number, sealed body, field) of deliveries that are not finished."""
        rows = await self.pool.fetch(_UNRESOLVED, before, after, PAGE)
        return [(row[0], row[1], row[2]) for row in rows]

    async def parked(self, before: int, after: int, plain: str) -> Sequence[tuple[int, bytes, str]]:
        """Return a page of (number, sealed bytes, field) of parked inputs; not those of `plain`."""
        rows = await self.pool.fetch(_PARKED, before, after, PAGE, plain)
        return [(row[0], row[1], row[2]) for row in rows]

    async def keep_body(self, seq: int, body: bytes) -> None:
        """Store a delivery's body as it was sealed again."""
        await self.pool.execute(_RESEAL, seq, body)

    async def keep_parked(self, seq: int, raw: bytes) -> None:
        """Store a parked input's bytes as they were sealed again."""
        await self.pool.execute(_RESEAL_PARKED, seq, raw)


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
