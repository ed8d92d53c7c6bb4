"""One reader for a whole process: who follows it loses nothing, however far behind it is."""

import asyncio

import pytest

from libs.bus import hub
from libs.bus.topics import ensure_topics, topic_of
from libs.values.lanes import PARTITIONS
from tests.integration.bus.applier import Applier, applying
from tests.integration.bus.test_consumer import assert_applied_once
from tests.integration.bus.toy import Toy, counted, running
from tests.support import eventually

pytestmark = pytest.mark.stack


def together(applier: Applier) -> bool:
    """Say whether the member holds everything and reads none of it by itself."""
    feed = applier.source.feed
    return len(feed.held) == PARTITIONS and not feed.apart


async def test_who_is_far_behind_reads_by_itself_until_it_has_caught_up(
    applied: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "KEPT", 5)
    relay, member = applied.relay(), Applier(applied)
    async with running(relay):
        await applied.commit(counted(400))
        async with applying(member):
            relay.poke(await applied.commit(counted(400)))
            await assert_applied_once(applied)
            await eventually(lambda: together(member), 20)
            relay.poke(await applied.commit(counted(20)))
            await assert_applied_once(applied)


async def test_a_hub_in_doubt_begins_anew_and_nobody_misses_a_record(applied: Toy) -> None:
    relay, member = applied.relay(), Applier(applied)
    async with running(relay), applying(member):
        for _ in range(10):
            relay.poke(await applied.commit(counted(100)))
            applied.hub.doubt()
        await assert_applied_once(applied)
        await eventually(lambda: together(member), 20)


async def test_a_hub_that_is_closed_is_done_without(applied: Toy) -> None:
    relay, member = applied.relay(), Applier(applied)
    async with running(relay), applying(member):
        await eventually(lambda: together(member), 20)
        await applied.hub.close()
        applied.hub.doubt()
        relay.poke(await applied.commit(counted(300)))
        await assert_applied_once(applied)


async def test_topics_that_are_followed_later_are_read_at_once(applied: Toy) -> None:
    later = {topic_of(f"{applied.prefix}{n}.", "toy"): "toy" for n in range(6)}
    await ensure_topics(applied.kafka, list(later))
    applied.hub.follow(applied.topics)
    await eventually(lambda: applied.hub.take((applied.topic, 0), 0, 1) == (), 20)
    for topic in later:
        applied.hub.follow({topic: "toy"})
        await asyncio.sleep(0.02)
    places = [(topic, lane) for topic in later for lane in range(PARTITIONS)]
    await eventually(lambda: all(applied.hub.take(p, 0, 1) == () for p in places), 3.5)
