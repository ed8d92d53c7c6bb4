"""A reactor's source: the records of its partitions that are to be applied, each once and in order.

A position row per partition, advanced in the transaction of the results, is what makes it so.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from libs.bus.feed import Feed
from libs.bus.gaps import Gaps
from libs.bus.hub import Hub
from libs.bus.records import Place, Record, Records
from libs.bus.screening import Cursor, Screened, screen_marks
from libs.bus.tail import end_offsets as end_offsets
from libs.bus.topics import topic_of
from libs.eventsourcing.inputs import Position
from libs.store.pool import Pool
from libs.telemetry.logs import log

# One statement for many partitions, in the order in which every transaction locks them.
CLAIM = """
    INSERT INTO positions AS p (consumer, topic, partition)
    SELECT u.consumer, u.topic, u.partition
    FROM unnest($1::text[], $2::text[], $3::integer[]) AS u(consumer, topic, partition)
    ORDER BY u.consumer, u.topic, u.partition
    ON CONFLICT (consumer, topic, partition) DO UPDATE SET epoch = p.epoch + 1
    RETURNING consumer, topic, partition, epoch, next_offset, last_pseq,
              coalesce(last_id::text, '') AS last_id, applied"""
_MOVE_ON = """
    UPDATE positions SET next_offset = $6
    WHERE consumer = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND applied = $5"""


async def claim(pool: Pool, consumers: Sequence[tuple[str, str, int]]) -> list[Position]:
    """Become the owner of (consumer, topic, partition)s: raises their epochs."""
    rows = await pool.fetch(CLAIM, *(list(column) for column in zip(*consumers, strict=True)))
    return [Position(*row) for row in rows]


class Source:
    """Records for one reactor. Single-tasked: get, apply, `applied` or `fenced`, get again.

    `topics` maps topics to the services that own them. `problems` names partitions that wait for a
    person ("gap", "two-histories").
    """

    def __init__(
        self,
        pool: Pool,
        hub: Hub,
        consumer: str,
        topics: Mapping[str, str],
        member: str | None = None,
    ) -> None:
        self.pool, self.consumer, self.topics = pool, consumer, topics
        topic, service = next(iter(topics.items()))
        prefix = topic.removesuffix(topic_of("", service))
        self.feed = Feed(hub, f"{prefix}{consumer}", topics, self._claim, member)
        self.problems: dict[Place, str] = {}
        self.positions: dict[Place, Position] = {}
        self._cursors: dict[Place, Cursor] = {}
        self._gaps = Gaps()

    async def start(self) -> None:
        """Join the group."""
        await self.feed.start()

    async def stop(self) -> None:
        """Leave the group."""
        await self.feed.stop()

    async def restart(self) -> None:
        """Begin again from the positions, after any doubt."""
        self.problems.clear()
        await self.feed.restart()

    async def get(self, limit: int, seconds: float = 0.5) -> list[Record]:
        """Return what is to be applied next; nothing after so many seconds."""
        for place in self._gaps.due(self.feed.held):
            self.feed.seek(place, 0)
        due: list[Record] = []
        for place, records in (await self.feed.get(limit, seconds)).items():
            due += await self._screened(place, records)
        return due

    def applied(self, after: Position) -> None:
        """Note that a position is committed."""
        self.feed.reached((after.topic, after.partition), after.next_offset)

    async def fenced(self, places: Iterable[Place]) -> None:
        """Drop partitions that another has claimed; claim again what is still assigned."""
        self.feed.release(places)

    async def _claim(self, places: Sequence[Place]) -> Mapping[Place, int]:
        offsets = {}
        for position in await claim(self.pool, [(self.consumer, *place) for place in places]):
            place = (position.topic, position.partition)
            self.positions[place] = position
            self._cursors[place] = Cursor(
                position.next_offset, position.last_pseq, position.last_id
            )
            self.problems.pop(place, None)
            self._gaps.filled(place)
            offsets[place] = position.next_offset
        return offsets

    async def _screened(self, place: Place, records: Records) -> list[Record]:
        before = self._cursors[place]
        screened = screen_marks(before, [record.mark for record in records])
        self._cursors[place] = screened.cursor
        self._flag(place, screened)
        if screened.taken:
            return self._taken(place, records, screened)
        if screened.problem is None and screened.cursor.next_offset != before.next_offset:
            await self._move_on(place, screened.cursor)
        return []

    def _flag(self, place: Place, screened: Screened) -> None:
        topic, partition = place
        pseq = screened.cursor.last_pseq
        match screened.problem:
            case "gap":
                self.problems[place] = "gap"
                if self._gaps.gap(place):
                    log.critical(
                        "gap", consumer=self.consumer, topic=topic, partition=partition, pseq=pseq
                    )
            case "filled":
                self.problems.pop(place, None)
                self._gaps.filled(place)
                self.feed.seek(place, screened.cursor.next_offset)
            case "two-histories":
                self.problems[place] = "two-histories"
                self.feed.pause(place)
                log.critical("two-histories", consumer=self.consumer, topic=topic,
                             partition=partition, pseq=pseq)  # fmt: skip
            case None:
                pass

    def _taken(self, place: Place, records: Records, screened: Screened) -> list[Record]:
        position = self.positions[place]
        # Duplicates at the end are passed with the last record that is applied.
        after = [*screened.after[:-1], screened.cursor]
        taken = []
        numbered = enumerate(zip(screened.taken, after, strict=True), position.applied + 1)
        for applied, (index, cursor) in numbered:
            record = records[index]
            behind = msgspec.structs.replace(
                position, next_offset=cursor.next_offset, last_pseq=cursor.last_pseq,
                last_id=cursor.last_id, applied=applied,
            )  # fmt: skip
            taken.append(
                Record(record.service, *place, record.offset, _text(record.key), record.value,
                       record.headers, behind)
            )  # fmt: skip
        self.positions[place] = taken[-1].after
        return taken

    async def _move_on(self, place: Place, cursor: Cursor) -> None:
        """Move the offset behind duplicates, with which nothing is to be done."""
        position = self.positions[place]
        told = await self.pool.execute(_MOVE_ON, self.consumer, *place, position.epoch,
                                       position.applied, cursor.next_offset)  # fmt: skip
        if told == "UPDATE 0":
            await self.fenced([place])
            return
        moved = msgspec.structs.replace(position, next_offset=cursor.next_offset)
        self.positions[place] = moved
        self.applied(moved)


def _text(key: bytes) -> str:
    return key.decode(errors="replace")
