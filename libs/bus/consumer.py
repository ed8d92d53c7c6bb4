"""A reactor's source: the records of its partitions that are to be applied, each once and in order.

A position row per partition, advanced in the transaction of the results, is what makes it so.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from libs.bus.feed import Feed
from libs.bus.gaps import Gaps
from libs.bus.hub import Hub
from libs.bus.pace import PROMPT, Tempo
from libs.bus.records import Arrived, Place, Record, Records
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
# Positions behind records with which nothing was to be done; those that are still ours.
MOVE_ON = """
    WITH mine AS (
        SELECT u.* FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[],
            $6::bigint[], $7::text[], $8::bigint[])
            AS u(consumer, topic, partition, epoch, next_offset, last_pseq, last_id, applied)
        JOIN positions p USING (consumer, topic, partition)
        WHERE p.epoch = u.epoch AND p.applied = u.applied
        ORDER BY p.consumer, p.topic, p.partition FOR UPDATE OF p
    )
    UPDATE positions p SET next_offset = mine.next_offset, last_pseq = mine.last_pseq,
        last_id = nullif(mine.last_id, '')::uuid
    FROM mine WHERE p.consumer = mine.consumer AND p.topic = mine.topic
        AND p.partition = mine.partition
    RETURNING p.topic, p.partition"""
SAVE = 0.5  # seconds until a position is written behind records with which nothing is to be done


async def claim(pool: Pool, consumers: Sequence[tuple[str, str, int]]) -> list[Position]:
    """Become the owner of (consumer, topic, partition)s: raises their epochs."""
    rows = await pool.fetch(CLAIM, *(list(column) for column in zip(*consumers, strict=True)))
    return [Position(*row) for row in rows]


class Source:
    """Records for one reactor. Single-tasked: get, apply, `applied` or `fenced`, get again.

    `topics` maps topics to the services that own them. What is `idle` is passed over: nothing is to
    be done with it, and the position behind it is written with the next one, or a little later.
    `problems` names partitions that wait for a person ("gap", "two-histories"). `read` is how many
    records the last `get` had before it, idle ones and all.
    """

    def __init__(
        self,
        pool: Pool,
        hub: Hub,
        consumer: str,
        topics: Mapping[str, str],
        member: str | None = None,
        idle: Callable[[Arrived], bool] = lambda _: False,
        tempo: Tempo = PROMPT,
        fitness: Callable[[], int] = lambda: 1,
    ) -> None:
        self.pool, self.consumer, self.topics = pool, consumer, topics
        topic, service = next(iter(topics.items()))
        prefix = topic.removesuffix(topic_of("", service))
        self.feed = Feed(hub, f"{prefix}{consumer}", topics, self._claim, member, tempo, fitness)
        self.problems: dict[Place, str] = {}
        self.positions: dict[Place, Position] = {}
        self._cursors: dict[Place, Cursor] = {}
        self._gaps = Gaps()
        self.read = 0
        self.tempo, self._idle = tempo, idle
        self._passed: dict[Place, Position] = {}  # not written yet
        self._save = 0.0

    async def start(self) -> None:
        """Join the group."""
        await self.feed.start()

    async def stop(self) -> None:
        """Leave the group."""
        await self.feed.stop()

    async def restart(self) -> None:
        """Begin again from the positions, after any doubt."""
        self.problems.clear()
        self._passed.clear()
        await self.feed.restart()

    async def get(self, limit: int, seconds: float = 0.5) -> list[Record]:
        """Return what is to be applied next; nothing after so many seconds."""
        for place in self._gaps.due(self.feed.at):
            self.feed.seek(place, 0)
        await self._write_passed()
        due: list[Record] = []
        found = await self.feed.get(limit, seconds)
        self.read = sum(map(len, found.values()))
        for place, records in found.items():
            due += self._screened(place, records)
        return due

    def applied(self, after: Position) -> None:
        """Note that a position is committed, and with it all those before it."""
        place = (after.topic, after.partition)
        passed = self._passed.get(place)
        self.feed.reached(place, passed.next_offset if passed is not None else after.next_offset)

    async def fenced(self, places: Iterable[Place]) -> None:
        """Drop partitions that another has claimed; claim again what is still assigned."""
        given_up = tuple(places)
        for place in given_up:
            self._passed.pop(place, None)
        self.feed.release(given_up)

    @property
    def unwritten(self) -> bool:
        """Return whether there are positions that are not written yet."""
        return bool(self._passed)

    def due(self, now: float) -> bool:
        """Return whether such positions are to be written now (seconds of the loop's clock)."""
        return self.unwritten and now >= self._save

    async def _claim(self, places: Sequence[Place]) -> Mapping[Place, int]:
        offsets = {}
        for position in await claim(self.pool, [(self.consumer, *place) for place in places]):
            place = (position.topic, position.partition)
            self.positions[place] = position
            self._cursors[place] = Cursor(
                position.next_offset, position.last_pseq, position.last_id
            )
            self.problems.pop(place, None)
            self._passed.pop(place, None)
            self._gaps.filled(place)
            offsets[place] = position.next_offset
        return offsets

    def _screened(self, place: Place, records: Records) -> list[Record]:
        screened = screen_marks(self._cursors[place], [record.mark for record in records])
        self._cursors[place] = screened.cursor
        self._flag(place, screened)
        return self._taken(place, records, screened)

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
        """Number what is to be applied; what is idle or came before is passed with the next one."""
        position, idle, taken = self.positions[place], self._idle, []
        for index, cursor in zip(screened.taken, screened.after, strict=True):
            record = records[index]
            if idle(record):
                continue
            position = _behind(position, cursor, position.applied + 1)
            taken.append(
                Record(record.service, *place, record.offset, _text(record.key), record.value,
                       record.headers, position)
            )  # fmt: skip
        standing = _behind(position, screened.cursor, position.applied)
        self.positions[place] = standing
        if standing != position:
            self._passed[place] = standing
            if not taken:
                self.feed.reached(place, standing.next_offset)
        elif taken:
            self._passed.pop(place, None)
        return taken

    async def _write_passed(self) -> None:
        """Write positions behind what nothing was to be done with, now and then."""
        now = asyncio.get_running_loop().time()
        if not self.due(now):
            return
        self._save = now + SAVE
        passed = {place: at for place, at in self._passed.items() if place in self.feed.held}
        self._passed.clear()
        if not passed:
            return
        columns = zip(*(msgspec.structs.astuple(at) for at in passed.values()), strict=True)
        rows = await self.pool.fetch(MOVE_ON, *(list(column) for column in columns))
        if lost := passed.keys() - {(row[0], row[1]) for row in rows}:
            await self.fenced(lost)


def _behind(position: Position, cursor: Cursor, applied: int) -> Position:
    return Position(position.consumer, position.topic, position.partition, position.epoch,
                    cursor.next_offset, cursor.last_pseq, cursor.last_id, applied)  # fmt: skip


def _text(key: bytes) -> str:
    return key.decode(errors="replace")
