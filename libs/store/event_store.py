"""The event store on PostgreSQL: a turn is one call of `commit_turn`."""

from collections import Counter
from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from libs.eventsourcing.decided import Parked, Turn
from libs.eventsourcing.inputs import Position
from libs.store.arrays import PARAMETERS, arguments, columns
from libs.store.pool import Pool, commit_function, writing
from libs.store.store import (
    Call,
    Conflict,
    Delivery,
    DueTimer,
    Fenced,
    Repeated,
    Settled,
    StoredEvent,
    StoredHead,
    StoredReply,
)

_ACCEPT = """
    INSERT INTO inbox (provider, account, key, topic, received_at, body, trace, deliveries)
    SELECT u.provider, u.account, u.key, u.topic, u.received_at, u.body, u.trace, u.deliveries
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[],
        $7::text[], $8::integer[])
        AS u(provider, account, key, topic, received_at, body, trace, deliveries)
    ORDER BY u.provider, u.account, u.key
    ON CONFLICT (provider, account, key) DO UPDATE
        SET deliveries = inbox.deliveries + excluded.deliveries
    RETURNING provider, account, key,
        CASE WHEN xmax <> 0 THEN received_at END"""  # an xmax: updated, not inserted
_RECEIVED = """
    SELECT seq, provider, account, key, topic, received_at, body, trace FROM inbox
    WHERE state = 'received' AND seq <> ALL ($1::bigint[]) ORDER BY seq LIMIT $2"""
_CLAIM = """
    INSERT INTO positions AS p (consumer, topic, partition) VALUES ($1, $2, $3)
    ON CONFLICT (consumer, topic, partition) DO UPDATE SET epoch = p.epoch + 1
    RETURNING epoch, next_offset, last_pseq, coalesce(last_id::text, '') AS last_id, applied"""
_POSITIONS = """
    SELECT p.consumer, p.topic, p.partition, p.epoch, p.next_offset, p.last_pseq,
           coalesce(p.last_id::text, '') AS last_id, p.applied
    FROM unnest($1::text[], $2::text[], $3::integer[]) AS u(consumer, topic, partition)
    JOIN positions p USING (consumer, topic, partition)
    ORDER BY p.consumer, p.topic, p.partition FOR UPDATE OF p"""
_EVENT = """lane, pseq, id::text AS id, stream_id AS stream, version, type, schema_version, data,
    recorded_at AS at, cause::text AS cause, correlation::text AS correlation, trace"""
_CLAIM_EFFECTS = """
    WITH taken AS (
        SELECT due.id, due.doubt_since FROM unnest($4::text[]) AS k(kind) CROSS JOIN LATERAL (
            SELECT id, doubt_since, next_at FROM effects
            WHERE state IN ('planned', 'in-flight', 'unknown') AND kind = k.kind
                AND next_at <= $1
                AND CASE state WHEN 'in-flight' THEN lease_till ELSE next_at END <= $1
            ORDER BY next_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
        ) AS due ORDER BY due.next_at, due.id LIMIT $3
    )
    UPDATE effects e SET state = 'in-flight', attempt = e.attempt + 1, token = e.token + 1,
        lease_till = $2, doubt_since = CASE e.doubt_since WHEN 0 THEN $1 ELSE e.doubt_since END
    FROM taken WHERE e.id = taken.id
    RETURNING e.id, e.kind, e.stream, e.request, e.attempt, e.token, taken.doubt_since,
        e.planned_at, e.cause, e.correlation, e.trace"""
_PARKED = """
    SELECT id, stream, source, input_id, work, code, detail, fingerprint, at, command, raw,
           cause::text AS cause, correlation::text AS correlation, trace, history
    FROM parked WHERE ($1::text IS NULL OR stream = $1) AND ($2::text IS NULL OR source = $2)
    ORDER BY seq LIMIT $3"""


class PostgresStore:
    """A service's store in its own database."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._commit = f"SELECT lane, head FROM {commit_function()[0]}({PARAMETERS})"

    async def heads(self, streams: Sequence[str]) -> Mapping[str, StoredHead]:
        rows = await self.pool.fetch(
            "SELECT stream_id, version, state, state_version, fold, notes FROM streams"
            " WHERE stream_id = ANY ($1::text[])", streams,
        )  # fmt: skip
        return {
            row[0]: StoredHead(
                row[0], row[1], row[2], row[3], row[4], msgspec.msgpack.decode(row[5])
            )
            for row in rows
        }

    async def history(self, stream: str, after: int, limit: int) -> Sequence[StoredEvent]:
        rows = await self.pool.fetch(
            f"SELECT {_EVENT} FROM events WHERE stream_id = $1 AND version > $2"
            " ORDER BY version LIMIT $3", stream, after, limit,
        )  # fmt: skip
        return [StoredEvent(*row) for row in rows]

    async def read(self, lane: int, after: int, limit: int) -> Sequence[StoredEvent]:
        rows = await self.pool.fetch(
            f"SELECT {_EVENT} FROM events WHERE lane = $1 AND pseq > $2 ORDER BY pseq LIMIT $3",
            lane, after, limit,
        )  # fmt: skip
        return [StoredEvent(*row) for row in rows]

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        try:
            async with writing(self.pool):
                rows = await self.pool.fetch(self._commit, *arguments(turn))
        except asyncpg.UniqueViolationError as error:
            if error.table_name == "commands":
                raise Repeated from error
            if error.table_name == "streams":
                raise Conflict from error
            raise
        except asyncpg.PostgresError as error:
            match error.sqlstate:
                case "LJ001":
                    raise Fenced from error
                case "LJ002":
                    raise Conflict from error
                case "LJ003":
                    raise Repeated from error
                case _:
                    raise
        return {row[0]: row[1] for row in rows}

    async def settled(self, turn: Turn) -> Settled:
        keys = sorted(turn.positions)
        async with self.pool.acquire() as connection, connection.transaction():
            positions = await connection.fetch(_POSITIONS, *columns(keys, 3))
            replies = await connection.fetch(
                "SELECT key, request_hash, reply FROM commands WHERE key = ANY ($1::text[])",
                [reply.key for reply in turn.replies],
            )
            inbox = await connection.fetch(
                "SELECT seq FROM inbox WHERE seq = ANY ($1::bigint[]) AND state = 'received'"
                " ORDER BY provider, account, key FOR UPDATE", [seq for seq, _, _ in turn.inbox],
            )  # fmt: skip
            effects = await connection.fetch(
                "SELECT e.id, e.token FROM unnest($1::text[], $2::bigint[]) AS u(id, token)"
                " JOIN effects e USING (id) WHERE e.token = u.token AND e.state = 'in-flight'"
                " ORDER BY e.id FOR UPDATE OF e",
                [done.id for done in turn.effects_done], [done.token for done in turn.effects_done],
            )  # fmt: skip
            timers = await connection.fetch(
                "SELECT id FROM timers WHERE id = ANY ($1::text[]) AND done_at IS NULL"
                " ORDER BY id FOR UPDATE", turn.timers_done,
            )  # fmt: skip
            parked = await connection.fetch(
                "SELECT id FROM parked WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE",
                turn.unparked,
            )
        return Settled(
            {(p[0], p[1], p[2]): Position(*p) for p in positions},
            {row[0]: StoredReply(row[1], row[2]) for row in replies},
            frozenset(seq for seq, _, _ in turn.inbox) - {row[0] for row in inbox},
            frozenset(turn.timers_done) - {row[0] for row in timers},
            frozenset((done.id, done.token) for done in turn.effects_done)
            - set(map(tuple, effects)),
            frozenset(turn.unparked) - {row[0] for row in parked},
        )

    async def claim(self, consumer: str, topic: str, partition: int) -> Position:
        row = await self.pool.fetchrow(_CLAIM, consumer, topic, partition)
        assert row is not None
        return Position(consumer, topic, partition, *row)

    async def lane_head(self, lane: int) -> int:
        return int(await self.pool.fetchval("SELECT head FROM lanes WHERE lane = $1", lane))

    async def accept(self, deliveries: Sequence[Delivery]) -> Sequence[int | None]:
        first = {(d.provider, d.account, d.key): d for d in reversed(deliveries)}
        copies = Counter((d.provider, d.account, d.key) for d in deliveries)
        given = [(*msgspec.structs.astuple(d), copies[key]) for key, d in first.items()]
        async with writing(self.pool):
            rows = await self.pool.fetch(_ACCEPT, *columns(given, 8))
        known: dict[tuple[str, str, str], int | None] = {tuple(row)[:3]: row[3] for row in rows}
        answers = []
        for delivery in deliveries:
            key = (delivery.provider, delivery.account, delivery.key)
            answers.append(known[key])
            known[key] = known[key] or first[key].received_at
        return answers

    async def received(self, busy: Sequence[int], limit: int) -> Sequence[tuple[int, Delivery]]:
        rows = await self.pool.fetch(_RECEIVED, busy, limit)
        return [(row[0], Delivery(*tuple(row)[1:])) for row in rows]

    async def reopen(self, input_id: str) -> None:
        await self.pool.execute(
            "UPDATE inbox SET state = 'received' WHERE state = 'parked'"
            " AND 'inbox/' || provider || '/' || account || '/' || key = $1", input_id,
        )  # fmt: skip

    async def due(self, now: int, limit: int) -> Sequence[DueTimer]:
        rows = await self.pool.fetch(
            "SELECT id, due, stream, command, cause, correlation, trace FROM timers"
            " WHERE done_at IS NULL AND due <= $1 ORDER BY due, id LIMIT $2", now, limit,
        )  # fmt: skip
        return [DueTimer(*row) for row in rows]

    async def claim_effects(
        self, kinds: Sequence[str], now: int, lease_till: int, limit: int
    ) -> Sequence[Call]:
        rows = await self.pool.fetch(_CLAIM_EFFECTS, now, lease_till, limit, kinds)
        return [Call(*row) for row in rows]

    async def replies(self, keys: Sequence[str]) -> Mapping[str, StoredReply]:
        rows = await self.pool.fetch(
            "SELECT key, request_hash, reply FROM commands WHERE key = ANY ($1::text[])", keys
        )
        return {row[0]: StoredReply(row[1], row[2]) for row in rows}

    async def parked(self, stream: str | None, source: str | None, limit: int) -> Sequence[Parked]:
        rows = await self.pool.fetch(_PARKED, stream, source, limit)
        return [Parked(*row) for row in rows]
