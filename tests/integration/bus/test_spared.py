"""Who of a group can do less waits in it: it does not have the others share anew."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from libs.bus import feed as feeding
from libs.bus.feed import Feed
from libs.bus.records import Place
from tests.integration.bus.toy import Toy
from tests.support import eventually

pytestmark = pytest.mark.stack


async def from_the_first(places: Sequence[Place]) -> Mapping[Place, int]:
    return dict.fromkeys(places, 0)


async def test_a_member_without_partitions_because_others_can_do_more_stays(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "STALL", 0.2)
    monkeypatch.setattr(feeding, "EMPTY", 0.5)
    able = Feed(toy.hub, f"{toy.prefix}spared", toy.topics, from_the_first)
    less = Feed(toy.hub, f"{toy.prefix}spared", toy.topics, from_the_first, fitness=lambda: 0)

    async def reads(feed: Feed) -> None:
        while True:
            await feed.get(100, 0.1)

    await able.start()
    reading = [asyncio.create_task(reads(able))]
    try:
        await eventually(lambda: len(able.held) == 8)
        await less.start()  # it has joined
        reading.append(asyncio.create_task(reads(less)))
        await asyncio.sleep(3)
        await eventually(lambda: len(able.held) == 8)
        assert (less.restarts, len(less.held)) == (0, 0)
    finally:
        for one in reading:
            one.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        await asyncio.gather(able.stop(), less.stop())
