"""Reads every topic to its present end: aiokafka, fastavro and the published schemas, no more."""

import io
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import fastavro
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.console.audit.record import Record

ASYNCAPI = Path(__file__).resolve().parents[3] / "schemas" / "asyncapi.json"
BATCH = 5000


def schemas(path: Path = ASYNCAPI) -> Mapping[int, tuple[Any, Any]]:
    """Return for every id that may stand before a value what wrote it, and its present form.

    The present form is None where it is the same.
    """
    messages = json.loads(path.read_text())["components"]["messages"].values()
    parsed = {m["x-schema-id"]: fastavro.parse_schema(m["payload"]["schema"]) for m in messages}
    newest: dict[str, tuple[int, int]] = {}
    for one in messages:
        version = one["x-schema-version"], one["x-schema-id"]
        newest[one["name"]] = max(version, newest.get(one["name"], version))
    return {
        one["x-schema-id"]: (
            parsed[one["x-schema-id"]],
            None if (now := newest[one["name"]][1]) == one["x-schema-id"] else parsed[now],
        )
        for one in messages
    }


class MissingTopic(Exception):  # noqa: N818 - nothing can be proved without it
    """There is no such topic: the message names it."""


class Foreign(Exception):  # noqa: N818 - a record that is not ours
    """A record without our headers."""


def read_record(service: str, message: Any, known: Mapping[int, tuple[Any, Any]]) -> Record:
    """Read one message, in its type's present form. Raises Foreign, or what makes it unreadable."""
    found = dict(message.headers)
    ours = found.get("lonja")
    if ours is None or len(ours) != 96:
        raise Foreign
    headers = {name: found[name].decode() for name in ("ce_type", "ce_id", "ce_time")}
    writer, reader = known[int.from_bytes(message.value[1:5], "big")]
    data: Any = fastavro.schemaless_reader(io.BytesIO(message.value[5:]), writer, reader)
    at = datetime.fromisoformat(headers["ce_time"])
    return Record(
        service, headers["ce_type"].rpartition(".")[2], message.key.decode(), int(ours[16:32], 16),
        int(ours[:16], 16), headers["ce_id"], round(at.timestamp() * 1_000_000),
        message.partition, message.offset, data,
    )  # fmt: skip


async def records(
    bootstrap: str, topics: Mapping[str, str]
) -> AsyncIterator[tuple[Sequence[Record], int, int]]:
    """Yield batches of records (topics by service), with records read so far and in all.

    Foreign records are left out: the services park them. An unreadable one of ours ends the audit.
    Raises MissingTopic.
    """
    known = schemas()
    by_topic = {topic: service for service, topic in topics.items()}
    parts = await _partitions(bootstrap, by_topic)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )  # fmt: skip
    await consumer.start()
    try:
        consumer.assign(parts)
        begins, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
        for part in parts:
            consumer.seek(part, begins[part])
        total, seen = sum(ends[part] - begins[part] for part in parts), 0
        open_ = {part for part in parts if ends[part] > begins[part]}
        while open_:
            found = await consumer.getmany(*open_, timeout_ms=500, max_records=BATCH)
            for part, messages in found.items():
                mine = [m for m in messages if m.offset < ends[part]]
                seen += len(mine)
                batch = []
                for message in mine:
                    try:
                        batch.append(read_record(by_topic[part.topic], message, known))
                    except Foreign:
                        continue
                yield batch, seen, total
            for part in list(open_):
                if await consumer.position(part) >= ends[part]:
                    open_.remove(part)
    finally:
        await consumer.stop()


async def _partitions(bootstrap: str, topics: Iterable[str]) -> list[TopicPartition]:
    """Return the partitions of these topics. Raises MissingTopic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        told = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    for one in told:
        if one["error_code"] or not one["partitions"]:
            raise MissingTopic(one["topic"])
    return [
        TopicPartition(one["topic"], part["partition"])
        for one in told
        for part in one["partitions"]
    ]
