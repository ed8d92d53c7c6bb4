"""The projector: folds what the topics say into the live tables of a service's read models.

A bug in a fold, or a record of ours that cannot be decoded, halts that projection with an alarm;
skipping it would make a row wrong. A record of nobody of ours is passed over.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.bus.consumer import Source
from libs.bus.records import Record
from libs.codec.framing import EventCodec
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.inputs import Position
from libs.eventsourcing.projection import Key, Projection
from libs.replay.models import ensure
from libs.replay.table import Table
from libs.store.pool import Connection, Pool
from libs.store.store import Fenced
from libs.telemetry.logs import log

BATCH = 2000
_LOCK = """
    SELECT p.epoch = u.epoch FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[])
        AS u(consumer, topic, partition, epoch)
    JOIN positions p USING (consumer, topic, partition)
    ORDER BY p.consumer, p.topic, p.partition FOR UPDATE OF p"""
_MOVE = """
    UPDATE positions p SET next_offset = u.o, last_pseq = u.s, last_id = nullif(u.i, '')::uuid
    FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[])
        AS u(c, t, n, o, s, i)
    WHERE (p.consumer, p.topic, p.partition) = (u.c, u.t, u.n)"""


def envelope_of(codec: EventCodec, record: Record) -> Envelope[Any]:
    """Decode a record of ours. Raises CodecError."""
    headers = record.headers
    assert headers is not None
    contract, event = codec.decode_value(record.value)
    return Envelope(event, contract.name, headers.id, record.key, headers.version, headers.time,
                    record.service, record.partition, headers.pseq, headers.cause,
                    headers.correlation, headers.traceparent)  # fmt: skip


def fold(
    projection: Projection[Any], rows: dict[Key, Any], envelopes: Sequence[Envelope[Any]]
) -> set[Key]:
    """Fold events into rows (None: no row) and return the keys that they touched."""
    touched: set[Key] = set()
    for envelope in envelopes:
        for key in projection.keys(envelope):
            rows[key] = projection.evolve(rows.get(key), key, envelope)
            touched.add(key)
    return touched


class Live:
    """One projection, from its own position to the end of its topics."""

    def __init__(self, pool: Pool, table: Table[Any], source: Source, codec: EventCodec) -> None:
        self.pool, self.table, self.source, self.codec = pool, table, source, codec
        self.halted: str | None = None
        self.beat = 0.0

    async def run(self) -> None:
        """Run until cancelled, or halted."""
        while self.halted is None:
            self.beat = asyncio.get_running_loop().time()
            try:
                await self.step()
            except Fenced:
                await self.source.fenced(list(self.source.feed.held))
            except Exception as error:
                log.error("projector-failed", projection=self.table.projection.name,
                          cause=type(error).__name__)  # fmt: skip
                await asyncio.sleep(0.3)
                await self.source.restart()
        while True:
            await asyncio.sleep(3600)

    def _halt(self, reason: str, error: Exception) -> None:
        name = self.table.projection.name
        self.halted = f"{reason}: {type(error).__name__}"
        log.critical(
            "projection-halted", projection=name, reason=reason, cause=type(error).__name__
        )

    async def step(self) -> int:
        """Apply what has arrived; the number of events."""
        records = await self.source.get(BATCH)
        if not records:
            return 0
        ours = [record for record in records if record.headers is not None]
        try:
            envelopes = [envelope_of(self.codec, record) for record in ours]
        except Exception as error:
            self._halt("unreadable-record", error)
            return 0
        after = {(r.topic, r.partition): r.after for r in records}
        await self._apply(envelopes, after)
        for position in after.values():
            self.source.applied(position)
        return len(envelopes)

    async def _apply(
        self, envelopes: Sequence[Envelope[Any]], after: Mapping[tuple[str, int], Position]
    ) -> None:
        projection = self.table.projection
        try:
            keys = {key for envelope in envelopes for key in projection.keys(envelope)}
        except Exception as error:
            self._halt("fold-failed", error)
            raise Fenced from error
        async with self.pool.acquire() as connection, connection.transaction():
            # The tail of a read model may be lost: its position goes with it, and it is read again.
            await connection.execute("SET LOCAL synchronous_commit = off")
            await self._own(connection, list(after.values()))
            rows: dict[Key, Any] = dict.fromkeys(keys)
            if keys:
                columns = [list(column) for column in zip(*keys, strict=True)]
                for record in await connection.fetch(self.table.load, *columns):
                    row = self.table.row(tuple(record))
                    rows[self.table.key(row)] = row
            before = dict(rows)
            try:
                touched = fold(projection, rows, envelopes)
            except Exception as error:
                self._halt("fold-failed", error)
                raise Fenced from error
            await self._write(connection, before, rows, touched)

    async def _own(self, connection: Connection, after: Sequence[Position]) -> None:
        ordered = sorted(after, key=lambda p: (p.consumer, p.topic, p.partition))
        columns = [
            [p.consumer for p in ordered], [p.topic for p in ordered], [p.partition for p in ordered]
        ]  # fmt: skip
        mine = await connection.fetch(_LOCK, *columns, [p.epoch for p in ordered])
        if len(mine) != len(ordered) or not all(row[0] for row in mine):
            raise Fenced
        await connection.execute(
            _MOVE, *columns, [p.next_offset for p in ordered], [p.last_pseq for p in ordered],
            [p.last_id for p in ordered],
        )  # fmt: skip

    async def _write(
        self,
        connection: Connection,
        before: Mapping[Key, Any],
        rows: Mapping[Key, Any],
        touched: set[Key],
    ) -> None:
        table = self.table
        changed = [rows[k] for k in sorted(touched) if rows[k] is not None and rows[k] != before[k]]
        gone = [k for k in sorted(touched) if rows[k] is None and before[k] is not None]
        if changed:
            values = [table.values(row) for row in changed]
            await connection.execute(table.upsert, *map(list, zip(*values, strict=True)))
        if gone:
            await connection.execute(table.delete, *map(list, zip(*gone, strict=True)))


class Projector:
    """All read models of one service."""

    def __init__(
        self,
        pool: Pool,
        bootstrap: str,
        topics: Mapping[str, str],
        projections: Sequence[Projection[Any]],
        codec: EventCodec,
    ) -> None:
        self.pool, self.bootstrap, self.topics = pool, bootstrap, topics
        self.projections, self.codec = projections, codec
        self.live: dict[str, Live] = {}

    async def start(self) -> None:
        """Create the tables and join."""
        tables = await ensure(self.pool, self.projections)
        for name, table in tables.items():
            read = {t: s for t, s in self.topics.items() if s in table.projection.topics}
            source = Source(self.pool, self.bootstrap, table.name, read)
            await source.start()
            self.live[name] = Live(self.pool, table, source, self.codec)

    async def run(self) -> None:
        """Run until cancelled."""
        await asyncio.gather(*(live.run() for live in self.live.values()))

    def halted(self) -> Mapping[str, str]:
        """Return the projections that have halted, with the reason."""
        return {name: live.halted for name, live in self.live.items() if live.halted is not None}

    async def stop(self) -> None:
        """Leave the groups."""
        await asyncio.gather(*(live.source.stop() for live in self.live.values()))
