"""One batch of read-model changes: registry locked, rows folded, written, positions moved.

Mostly in one statement, on rows that are remembered; step by step where that finds a difference.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from libs.eventsourcing.projection import Key
from libs.replay.folding import fold
from libs.replay.live import Work
from libs.store.pool import LOST, Connection

# Whoever writes rows of a read model holds its row of the registry: rows that are folded from
# several partitions stay right when two processes own those. The tail may be lost in a crash: the
# positions go with it, and the topics give it again.
_LOCK = """
    SELECT name, generation, revision, set_config('synchronous_commit', 'off', true)
    FROM read_models WHERE name = ANY ($1::text[]) ORDER BY name FOR UPDATE"""

# Nothing is written unless every model is as it is remembered and every partition is still ours.
_AT_ONCE = """
    WITH wanted AS (
        SELECT u.name, u.generation, u.revision
        FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS u(name, generation, revision)
    ), locked AS MATERIALIZED (
        SELECT name, generation, revision FROM read_models
        WHERE name = ANY ($1::text[]) ORDER BY name FOR UPDATE
    ), same AS MATERIALIZED (
        SELECT count(*) = cardinality($1::text[]) AS ok FROM locked l JOIN wanted w USING (name)
        WHERE l.generation = w.generation AND (w.revision IS NULL OR l.revision = w.revision)
    ), mine AS MATERIALIZED (
        SELECT p.consumer, p.topic, p.partition, u.next_offset, u.last_pseq, u.last_id
        FROM unnest($4::text[], $5::text[], $6::integer[], $7::bigint[], $8::bigint[],
                    $9::bigint[], $10::text[])
            AS u(consumer, topic, partition, epoch, next_offset, last_pseq, last_id)
        JOIN positions p USING (consumer, topic, partition)
        WHERE (SELECT ok FROM same) AND p.epoch = u.epoch ORDER BY 1, 2, 3 FOR UPDATE OF p
    ), going AS MATERIALIZED (
        SELECT (SELECT ok FROM same) AND count(*) = cardinality($4::text[]) AS ok FROM mine
    ), raised AS (
        UPDATE read_models r SET revision = r.revision + 1 FROM wanted w
        WHERE r.name = w.name AND w.revision IS NOT NULL AND (SELECT ok FROM going)
    ), moved AS (
        UPDATE positions p SET next_offset = mine.next_offset, last_pseq = mine.last_pseq,
            last_id = nullif(mine.last_id, '')::uuid
        FROM mine WHERE (SELECT ok FROM going)
            AND (p.consumer, p.topic, p.partition) = (mine.consumer, mine.topic, mine.partition)
    )"""
_GOING = "(SELECT ok FROM going)"
_TOLD = " SELECT ok, set_config('synchronous_commit', 'off', true) FROM going"

# A row that its table cannot hold, whenever it is written.
UNFIT = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, TypeError, ValueError)


class Stale(Exception):  # noqa: N818
    """Nothing was written: a partition has a newer owner, or a table a newer generation."""

    def __init__(self, *, generation: bool) -> None:
        super().__init__("a newer generation is live" if generation else "a partition is fenced")
        self.generation = generation


class FoldFailed(Exception):  # noqa: N818
    """A projection's own fold raised; the message is the kind of its error."""


async def commit(connection: Connection, works: list[Work]) -> None:
    """Write a batch in one transaction; a projection whose fold fails halts and is left out.

    Raises Stale. After any other error whether it was written is known from the positions only.
    """
    try:
        if await _at_once(connection, works):
            return
        async with connection.transaction():
            revisions = await _lock(connection, works)
            written = [await _write(connection, w, revisions[w.live.name]) for w in list(works)]
            for work, rows in zip(list(works), written, strict=True):
                if rows is None:
                    works.remove(work)
            await _move(connection, works, revisions)
    except BaseException:
        for work in works:
            work.live.forget()
        raise
    kept = [rows for rows in written if rows is not None]
    for work, rows in zip(works, kept, strict=True):
        if rows:
            work.live.remember(rows, revisions[work.live.name] + 1)


async def _at_once(connection: Connection, works: Sequence[Work]) -> bool:
    """Write a batch as one statement; False, with nothing written, where it has to be looked into.

    Rows are read before anything is locked: the revision tells whether somebody wrote since.
    """
    if not works:
        return True
    busy = [work for work in works if work.pairs]
    if any(work.live.revision < 0 for work in busy):
        return False
    revisions = {work.live.name: work.live.revision for work in works}
    parts, arguments = [_AT_ONCE], [*_models(works, revisions), *_cursors(works)]
    try:
        folded = [await _folded(connection, work) for work in busy]
        for work, (_, different) in zip(busy, folded, strict=True):
            table = work.live.table
            for make, arrays in zip(
                (table.upsert, table.deletion), table.arrays(different), strict=True
            ):
                if arrays:
                    parts.append(f", w{len(arguments)} AS ({make(len(arguments) + 1, _GOING)})")
                    arguments += arrays
        done = await connection.fetchval("".join((*parts, _TOLD)), *arguments)
    except Exception as error:
        if isinstance(error, LOST) and not isinstance(error, UNFIT):
            raise
        return False  # the longer way has more time, and tells whose fault it is
    if done:
        for work, (changed, _) in zip(busy, folded, strict=True):
            work.live.remember(changed, work.live.revision + 1)
    return bool(done)


def _models(works: Sequence[Work], revisions: Mapping[str, int]) -> list[list[Any]]:
    return [
        [work.live.name for work in works],
        [work.live.generation for work in works],
        [revisions[work.live.name] if work.pairs else None for work in works],
    ]


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
    live = work.live
    if not work.pairs:
        return {}
    if live.revision != revision:
        live.forget()
    try:
        changed, different = await _folded(connection, work)
    except FoldFailed as failed:
        live.halt("fold-failed", str(failed))
        return None
    try:
        await live.table.write(connection, different)
    except UNFIT as error:
        live.halt("row-refused", type(error).__name__)
        raise Stale(generation=False) from error  # the others begin again without this one
    return changed


async def _folded(connection: Connection, work: Work) -> tuple[dict[Key, Any], dict[Key, Any]]:
    """Return the rows behind a batch, and those of them that differ. Raises FoldFailed."""
    live, wanted = work.live, {key for key, _ in work.pairs}
    rows = {key: live.rows[key] for key in wanted if key in live.rows}
    if len(rows) < len(wanted) and not live.table.projection.appends:
        rows |= await live.table.load(connection, wanted - rows.keys())
    try:
        changed = fold(live.table.projection, work.pairs, rows)
    except Exception as error:
        raise FoldFailed(type(error).__name__) from error
    return changed, {key: row for key, row in changed.items() if row != rows.get(key)}


def _cursors(works: Sequence[Work]) -> list[list[Any]]:
    """Return where the batch leaves each partition, as columns."""
    rows = [
        (work.live.table.name, *place, work.epochs[place], c.next_offset, c.last_pseq, c.last_id)
        for work in works
        for place, c in work.cursors.items()
    ]
    return list(map(list, zip(*rows, strict=True)))


async def _move(
    connection: Connection, works: Sequence[Work], revisions: Mapping[str, int]
) -> None:
    """Move positions behind rows that are written: the same statement, with no rows in it."""
    told = _AT_ONCE + _TOLD
    columns = [*_models(works, revisions), *_cursors(works)]
    if works and not await connection.fetchval(told, *columns):
        raise Stale(generation=False)
