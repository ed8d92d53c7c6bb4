"""Records with which nothing is to be done: passed over, and still their positions are true."""

import asyncio
from collections import Counter
from functools import partial

import pytest

from libs.bus.consumer import SAVE, claim
from libs.bus.records import Arrived
from libs.values.lanes import PARTITIONS
from tests.integration.bus.applier import Applier, applying
from tests.integration.bus.test_consumer import held
from tests.integration.bus.toy import Toy, counted, running, until
from tests.support import eventually

pytestmark = pytest.mark.stack
THINGS = 20


def uneven(record: Arrived) -> bool:
    """Whether the thing's number is odd."""
    return int(record.key.decode().removeprefix("thing-t")) % 2 == 1


async def standing(toy: Toy) -> dict[int, int]:
    """The last number behind which each partition's position stands."""
    rows = await toy.pool.fetch(
        "SELECT partition, last_pseq FROM positions WHERE consumer = 'applier' AND last_pseq > 0"
    )
    return dict(map(tuple, rows))


async def at_the_end(toy: Toy) -> bool:
    """Whether every position is written behind the last event of its partition."""
    return await standing(toy) == await toy.heads()


async def assert_even_things_once(toy: Toy, each: int) -> None:
    """Every event of an even thing is applied once, no other is, and all positions are written."""
    await until(partial(at_the_end, toy), 40)
    rows = await toy.pool.fetch("SELECT stream, count(*) FROM applied GROUP BY stream")
    assert Counter(dict(map(tuple, rows))) == Counter(
        {f"thing-t{n}": each for n in range(0, THINGS, 2)}
    )


async def test_what_is_idle_is_passed_over_and_the_rest_applied_once(applied: Toy) -> None:
    async with running(applied.relay()), applying(Applier(applied, idle=uneven)):
        await applied.commit(counted(300, THINGS))
        await assert_even_things_once(applied, 15)


async def test_positions_are_written_where_all_is_idle(applied: Toy) -> None:
    async with running(applied.relay()), applying(Applier(applied, idle=lambda _: True)):
        for _ in range(3):
            await applied.commit(counted(100, THINGS))
            await until(partial(at_the_end, applied), 20)
    assert not await applied.pool.fetchval("SELECT count(*) FROM applied")


async def test_members_that_join_and_leave_pass_over_the_same(applied: Toy) -> None:
    relay = applied.relay()
    async with running(relay), applying(Applier(applied, idle=uneven)):
        for _ in range(2):
            relay.poke(await applied.commit(counted(400, THINGS)))
            guest = Applier(applied, idle=uneven)
            async with applying(guest):
                relay.poke(await applied.commit(counted(400, THINGS)))
                await eventually(partial(held, guest), 30)
                relay.poke(await applied.commit(counted(400, THINGS)))
        await assert_even_things_once(applied, 120)


async def test_a_zombie_does_not_write_how_far_it_passed(applied: Toy) -> None:
    zombie = Applier(applied, idle=lambda _: True)
    async with running(applied.relay()):
        await applied.commit(counted(100, THINGS))
        await zombie.source.start()

        async def passed() -> bool:
            return not await zombie.source.get(1000) and zombie.source.unwritten

        await until(passed, 20)
        before = await standing(applied)
        await claim(applied.pool, [("applier", applied.topic, lane) for lane in range(PARTITIONS)])
        await asyncio.sleep(2 * SAVE)
        await zombie.source.get(1000, 0)
        assert not zombie.source.unwritten
        assert await standing(applied) == before

        async def claimed_again() -> bool:
            return not await zombie.source.get(1000) and await at_the_end(applied)

        await until(claimed_again, 20)
        await zombie.source.stop()
