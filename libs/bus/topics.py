"""Topics: their names, their contract, the creation of missing ones. Changes none that exists."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from libs.values.lanes import PARTITIONS

SETTINGS: Mapping[str, str] = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(1024 * 1024),
}
COPIES = 3
VISIBLE = 10.0  # seconds that a new topic may take until the broker shows it


class TopicMismatch(Exception):  # noqa: N818
    """A topic is not what its readers rely on; the message says what to do."""


def topic_of(prefix: str, service: str) -> str:
    """Return the name of a service's topic."""
    return f"{prefix}{service}.events"


def safety_of(brokers: int) -> tuple[int, int]:
    """Return how many brokers keep an event, and how many must have it before it counts as sent.

    One broker can be lost, or be away, and nothing is lost and sales go on: where there are enough.
    """
    copies = min(brokers, COPIES)
    return copies, max(1, copies - 1)


async def ensure_topics(bootstrap: str, topics: Sequence[str]) -> None:
    """Create the topics that are missing, and compare the others with the contract.

    Raises TopicMismatch for another number of partitions or other settings.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        missing = set(topics) - set(await admin.list_topics())
        if missing:
            missing -= await _create(admin, sorted(missing))
        await _compare(admin, [topic for topic in topics if topic not in missing])
    finally:
        await admin.close()


async def examine(bootstrap: str, topics: Sequence[str]) -> Mapping[str, str]:
    """Return what is wrong with each topic that is not as the contract says; changes nothing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        problems = {topic: "it is missing" for topic in topics if topic not in there}
        for topic in (one for one in topics if one in there):
            try:
                await _compare(admin, [topic])
            except TopicMismatch as mismatch:
                problems[topic] = str(mismatch)
        return problems
    finally:
        await admin.close()


async def _create(admin: Any, topics: Sequence[str]) -> set[str]:
    """Create topics; return those that somebody else has created meanwhile."""
    copies, needed = safety_of(len((await admin.describe_cluster())["brokers"]))
    settings = {**SETTINGS, "min.insync.replicas": str(needed)}
    new = [NewTopic(name, PARTITIONS, copies, topic_configs=settings) for name in topics]
    answer = await admin.create_topics(new)
    there: set[str] = set()
    for name, code, *rest in answer.topic_errors:
        if code == TopicAlreadyExistsError.errno:
            there.add(name)
        elif code:
            raise TopicMismatch(f"{name} cannot be created: {for_code(code).__name__} {rest}")
    return there


async def _described(admin: Any, topics: Sequence[str]) -> list[dict[str, Any]]:
    """Return the topics as the broker has them; one that was made just now is waited for."""
    end = asyncio.get_running_loop().time() + VISIBLE
    while True:
        found: list[dict[str, Any]] = await admin.describe_topics(list(topics))
        unseen = any(one["error_code"] or not one["partitions"] for one in found)
        if not unseen or asyncio.get_running_loop().time() > end:
            return found
        await asyncio.sleep(0.05)


async def _compare(admin: Any, topics: Sequence[str]) -> None:
    if not topics:
        return
    for found in await _described(admin, topics):
        count = len(found["partitions"])
        if count != PARTITIONS:
            raise TopicMismatch(
                f"{found['topic']} has {count} partitions, not {PARTITIONS}. Streams would change "
                "their partition: start a new topic generation, or remove the empty topic."
            )
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    for answer in await admin.describe_configs(wanted):
        for _, _, _, name, entries in answer.resources:
            found = {entry[0]: entry[1] for entry in entries}
            wrong = {k: found.get(k) for k, v in SETTINGS.items() if found.get(k) != v}
            if wrong:
                raise TopicMismatch(
                    f"{name} has {wrong}, where it needs {dict(SETTINGS)}: events would be lost or "
                    "refused. Set them with kafka-configs --alter, then start again."
                )
