"""One batch of read-model changes: registry locked, rows folded, written, positions moved."""

from collections.abc import Sequence

import asyncpg

from libs.replay.folding import fold
from libs.replay.live import Work
from libs.store.pool import Connection

# Whoever writes rows of a read model holds its row of the registry: rows that are folded from
# several partitions stay right when two processes own those. The tail may be lost in a crash: the
# positions go with it, and the topics give it again.
_LOCK = """
    SELECT name, generation, revision, set_config('synchronous_commit', 'off', true)
    FROM read_models WHERE name = ANY ($1::text[]) ORDER BY name FOR UPDATE"""
_MOVE = """
    WITH mine AS (
        SELECT p.consumer, p.topic, p.partition, u.next_offset, u.last_pseq, u.last_id
        FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[],
                    $6::bigint[], $7::text[])
            AS u(consumer, topic, partition, epoch, next_offset, last_pseq, last_id)
        JOIN positions p USING (consumer, topic, partition)
        WHERE p.epoch = u.epoch ORDER BY 1, 2, 3 FOR UPDATE OF p
    ), raised AS (
        UPDATE read_models SET revision = revision + 1 WHERE name = ANY ($8::text[])
    )
    UPDATE positions p SET next_offset = mine.next_offset, last_pseq = mine.last_pseq,
        last_id = nullif(mine.last_id, '')::uuid
    FROM mine
    WHERE (p.consumer, p.topic, p.partition) = (mine.consumer, mine.topic, mine.partition)"""

# A row that its table cannot hold, whenever it is written.
UNFIT = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, TypeError, ValueError)


class Stale(Exception):  # noqa: N818
    """Nothing was written: a partition has a newer owner, or a table a newer generation."""

    def __init__(self, *, generation: bool) -> None:
        super().__init__("a newer generation is live" if generation else "a partition is fenced")
        self.generation = generation


async def commit(connection: Connection, works: list[Work]) -> None:
    """Write a batch in one transaction; a projection whose fold fails halts and is left out.

    Raises Stale. After any other error whether it was written is known from the positions only.
    """
    try:
        async with connection.transaction():
            revisions = await _lock(connection, works)
            written = [await _write(connection, w, revisions[w.live.name]) for w in list(works)]
            for work, rows in zip(list(works), written, strict=True):
                if rows is None:
                    works.remove(work)
            await _move(connection, works)
    except BaseException:
        for work in works:
            work.live.forget()
        raise
    kept = [rows for rows in written if rows is not None]
    for work, rows in zip(works, kept, strict=True):
        if rows:
            work.live.remember(rows, revisions[work.live.name] + 1)


async def _lock(connection: Connection, works: Sequence[Work]) -> dict[str, int]:
    found = await connection.fetch(_LOCK, [work.live.name for work in works])
    generations = {row[0]: row[1] for row in found}
    if any(generations.get(work.live.name) != work.live.generation for work in works):
        raise Stale(generation=True)
    return {row[0]: row[2] for row in found}


async def _write(
    connection: Connection, work: Work, revision: int
) -> dict[tuple[str | int, ...], object] | None:
    """Fold and write one projection's rows; None where its fold failed."""
    live, pairs = work.live, work.pairs
    if not pairs:
        return {}
    if live.revision != revision:
        live.forget()
    wanted = {key for key, _ in pairs}
    rows = {key: live.rows[key] for key in wanted if key in live.rows}
    if len(rows) < len(wanted) and not live.table.projection.appends:
        rows |= await live.table.load(connection, wanted - rows.keys())
    try:
        changed = fold(live.table.projection, pairs, rows)
    except Exception as error:
        live.halt("fold-failed", type(error).__name__)
        return None
    known = {key: rows.get(key) for key in wanted}
    different = {key: row for key, row in changed.items() if row != known[key]}
    try:
        await live.table.write(connection, different)
    except UNFIT as error:
        live.halt("row-refused", type(error).__name__)
        raise Stale(generation=False) from error  # the others begin again without this one
    return changed


async def _move(connection: Connection, works: Sequence[Work]) -> None:
    rows = [
        (work.live.table.name, *place, work.epochs[place], c.next_offset, c.last_pseq, c.last_id)
        for work in works
        for place, c in work.cursors.items()
    ]
    if not rows:
        return
    names = [work.live.name for work in works if work.pairs]
    done = await connection.execute(_MOVE, *map(list, zip(*rows, strict=True)), names)
    if done != f"UPDATE {len(rows)}":
        raise Stale(generation=False)
