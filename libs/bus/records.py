"""A record as it was read, and as a consumer hands it on: where its partition stands behind it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError

from libs.bus.screening import Mark
from libs.codec.errors import DecodeError
from libs.codec.headers import EventHeaders, parse_headers
from libs.eventsourcing.inputs import Position

Place = tuple[str, int]  # topic, partition
PATIENCE = 0.1  # seconds that a consumer may take to say where it is


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """A record as it came from a topic of `service`; `headers` is None where it is not ours.

    Whoever reads in this process is handed the same one: its headers are understood once.
    `timestamp` is the broker's, in milliseconds since the epoch.
    """

    service: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: EventHeaders | None
    mark: Mark


Records = Sequence[Arrived]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record that is to be applied; `after` is where its partition stands once it is."""

    service: str
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: EventHeaders | None
    after: Position


def arrived(service: str, record: Any) -> Arrived:
    """Read a consumer's record of a topic that belongs to this service."""
    headers = headers_of(service, record.headers)
    offset = record.offset
    mark = Mark(offset, headers.pseq, headers.id) if headers is not None else Mark(offset, 0, "")
    return Arrived(service, record.topic, record.partition, offset, record.timestamp,
                   record.key or b"", record.value or b"", headers, mark)  # fmt: skip


def arrivals(
    topics: Mapping[str, str], fetched: Mapping[Any, Sequence[Any]]
) -> dict[Place, list[Arrived]]:
    """Read what a consumer fetched, by partition; `topics` maps topics to their services."""
    return {
        (part.topic, part.partition): [arrived(topics[part.topic], record) for record in records]
        for part, records in fetched.items()
    }


async def add_passed(
    consumer: Any, service: str, place: Place, found: dict[Place, list[Arrived]], known: int
) -> None:
    """Add what stands for offsets that a consumer has passed over, behind what it has found.

    Whoever writes in transactions leaves an offset without a record behind each. A position that
    stood before it would never come to the end of the topic, which some wait for. `known` is the
    offset behind what was found before.
    """
    end = found[place][-1].offset + 1 if place in found else known
    try:
        async with asyncio.timeout(PATIENCE):
            at = await consumer.position(TopicPartition(*place))
    except (TimeoutError, IllegalStateError):
        return  # it is not assigned any more
    if at > end:
        mark, now = Mark(at - 1, -1, ""), int(time.time() * 1000)
        nothing = Arrived(service, *place, at - 1, now, b"", b"", None, mark)
        found.setdefault(place, []).append(nothing)


def headers_of(service: str, headers: Sequence[tuple[str, bytes]]) -> EventHeaders | None:
    """Read a record's headers; None where this service did not write it."""
    try:
        found = parse_headers(headers)
    except DecodeError:
        return None
    return found if found is not None and found.service == service else None
