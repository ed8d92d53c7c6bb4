"""Where a relay goes on: the end of its topic compared with the store. Sends nothing."""

from collections.abc import Mapping

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.bus.records import headers_of
from libs.bus.tail import lone_reader
from libs.values.lanes import PARTITIONS

CHUNK = 100  # records looked at first, from the end of a partition


class HistoryMismatch(Exception):  # noqa: N818
    """The topic holds events that the store does not: the service must not start."""


class TopicTrimmed(Exception):  # noqa: N818
    """The beginning of a topic is gone, and nobody knows how much had been sent."""


class Found(msgspec.Struct, frozen=True):
    """The end of one partition: the highest number of ours among its last records (0: none)."""

    begin: int
    end: int
    pseq: int = 0
    id: str = ""


class Known(msgspec.Struct, frozen=True):
    """What the store says of a lane: its head, and the id at the number found in the topic.

    `noted` is the number up to which, at least, the relay knows that all was acknowledged.
    """

    head: int
    id: str | None
    noted: int


async def read_ends(bootstrap: str, topic: str, service: str) -> Mapping[int, Found]:
    """Walk back from each partition's end to the last record of this service."""
    async with lone_reader(bootstrap) as consumer:
        parts = [TopicPartition(topic, lane) for lane in range(PARTITIONS)]
        consumer.assign(parts)
        begins = await consumer.beginning_offsets(parts)
        ends = await consumer.end_offsets(parts)
        return {
            part.partition: await _walk_back(consumer, part, begins[part], ends[part], service)
            for part in parts
        }


async def _walk_back(
    consumer: AIOKafkaConsumer, part: TopicPartition, begin: int, end: int, service: str
) -> Found:
    size, upper = CHUNK, end
    while upper > begin:
        lower = max(begin, upper - size)
        best = Found(begin, end)
        consumer.seek(part, lower)
        while await consumer.position(part) < upper:
            fetched = await consumer.getmany(part, timeout_ms=1000)
            for record in fetched.get(part, ()):
                headers = headers_of(service, record.headers)
                if headers is not None and record.offset < upper and headers.pseq >= best.pseq:
                    best = Found(begin, end, headers.pseq, headers.id)
        if best.pseq:
            return best
        size, upper = size * 4, lower
    return Found(begin, end)


def resume_after(
    topic: str, service: str, lane: int, found: Found, known: Known
) -> tuple[int, bool]:
    """Return the number behind which to send, and whether the topic's beginning is gone.

    Raises HistoryMismatch or TopicTrimmed; both name the command that mends it.
    """
    where = f"{topic}/{lane}"
    if found.pseq > known.head:
        raise HistoryMismatch(
            f"{where} holds event {found.pseq}, but the store of {service} ends at {known.head}: "
            "the store is older than its topic. Restore the database's newest base backup, recover "
            "it to the end of its WAL (recovery_target_timeline = latest), then start again."
        )
    if found.pseq and found.id != known.id:
        raise HistoryMismatch(
            f"{where} holds another event {found.pseq} than the store of {service}: they come "
            "from two histories. Restore the database that wrote this topic, then start again."
        )
    if found.pseq or found.begin == 0 or known.head == 0:
        return found.pseq, found.begin > 0
    if known.noted:
        return known.noted, True
    raise TopicTrimmed(
        f"{where} begins at offset {found.begin} and holds no event of {service}, whose store has "
        f"{known.head}: records were deleted. Check the topic's retention, then fill it again "
        f"from the store (lonja relay resend {service} --lane {lane} --apply)."
    )
