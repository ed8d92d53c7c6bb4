"""What a reactor is given: each event once and in order, through rebalances, zombies, gaps, repeats."""

import signal
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer

from libs.bus.consumer import end_offsets
from libs.bus.records import Record
from libs.values.lanes import PARTITIONS
from tests.integration.bus.applier import Applier, applying, applying_apart
from tests.integration.bus.toy import Toy, counted, event_id, lane_with_things, running, until
from tests.support import eventually

pytestmark = pytest.mark.stack


def held(applier: Applier) -> bool:
    return bool(applier.source.feed.held)


async def assert_applied_once(toy: Toy) -> None:
    heads = await toy.heads()

    async def all_applied() -> bool:
        return int(await toy.pool.fetchval("SELECT count(*) FROM applied WHERE pseq > 0")) >= sum(
            heads.values()
        )

    await until(all_applied, 40)
    rows = await toy.pool.fetch("SELECT lane, pseq FROM applied WHERE pseq > 0")
    counts = Counter(map(tuple, rows))
    assert counts == Counter((lane, n) for lane, head in heads.items() for n in range(1, head + 1))


async def test_every_event_is_applied_once(applied: Toy) -> None:
    async with running(applied.relay()), applying(Applier(applied)):
        await applied.commit(counted(300))
        await assert_applied_once(applied)


async def test_members_that_join_and_leave_under_load_apply_everything_once(applied: Toy) -> None:
    relay = applied.relay()
    async with running(relay), applying(Applier(applied)):
        for _ in range(3):
            relay.poke(await applied.commit(counted(400)))
            guest = Applier(applied)
            async with applying(guest):
                relay.poke(await applied.commit(counted(400)))
                await eventually(partial(held, guest), 30)
                relay.poke(await applied.commit(counted(400)))
        await assert_applied_once(applied)


async def test_a_zombie_that_wakes_up_commits_nothing(applied: Toy) -> None:
    zombie = Applier(applied)
    async with running(applied.relay()):
        await applied.commit(counted(200))
        await zombie.source.start()
        kept: list[Record] = []

        async def fetched() -> bool:
            kept.extend(await zombie.source.get(1000))
            return len(kept) == 200

        await until(fetched, 20)
        await zombie.source.stop()
        async with applying(Applier(applied)):
            await assert_applied_once(applied)
        await zombie.apply(kept)
        assert zombie.fenced == len(await applied.heads())
        await assert_applied_once(applied)


async def test_members_that_are_killed_or_paused_beyond_their_session_repeat_and_lose_nothing(
    applied: Toy, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.bus.feed.SESSION", 6000)
    relay, here = applied.relay(), Applier(applied)

    async def load_until(condition: Callable[[], bool]) -> None:
        async def loaded() -> bool:
            relay.poke(await applied.commit(counted(20)))
            return condition()

        await until(loaded, 40)

    def halved() -> bool:
        return 0 < len(here.source.feed.held) < PARTITIONS

    def alone() -> bool:
        return len(here.source.feed.held) == PARTITIONS

    async with running(relay), applying(here), applying_apart(database, applied) as other:
        await load_until(halved)
        other.send_signal(signal.SIGSTOP)
        await load_until(alone)
        other.send_signal(signal.SIGCONT)
        await load_until(halved)
        other.kill()
        await load_until(alone)
        await assert_applied_once(applied)


async def test_a_fenced_member_that_is_still_assigned_goes_on(applied: Toy) -> None:
    member = Applier(applied)
    async with running(applied.relay()), applying(member):
        await applied.commit(counted(100))
        await assert_applied_once(applied)
        await applied.pool.execute(
            "UPDATE positions SET epoch = epoch + 1 WHERE consumer = 'applier'"
        )
        await applied.commit(counted(100))
        await assert_applied_once(applied)
        assert member.fenced


async def test_repeats_are_skipped_and_the_offset_still_moves_to_the_end(applied: Toy) -> None:
    lane = lane_with_things()
    async with running(applied.relay()), applying(Applier(applied)):
        await applied.commit(counted(100))
        await assert_applied_once(applied)
        for pseq in (1, 2, 3):
            await applied.write(lane, pseq)
        ends = await end_offsets(applied.kafka, [applied.topic])

        async def at_the_end() -> bool:
            rows = await applied.pool.fetch(
                "SELECT topic, partition, next_offset FROM positions WHERE consumer = 'applier'"
            )
            return {(r[0], r[1]): r[2] for r in rows} == dict(ends)

        await until(at_the_end)
        await assert_applied_once(applied)


async def test_a_fenced_member_learns_of_it_from_repeats_alone(applied: Toy) -> None:
    lane = lane_with_things()
    member = Applier(applied)
    async with running(applied.relay()), applying(member):
        await applied.commit(counted(50))
        await assert_applied_once(applied)
        await applied.pool.execute(
            "UPDATE positions SET epoch = epoch + 1 WHERE consumer = 'applier'"
        )
        await applied.write(lane, 1)
        ends = await end_offsets(applied.kafka, [applied.topic])

        async def at_the_end() -> bool:
            rows = await applied.pool.fetch(
                "SELECT next_offset FROM positions WHERE consumer = 'applier' AND partition = $1",
                lane,
            )
            return bool(rows[0][0] == ends[applied.topic, lane])

        await until(at_the_end, 20)
        await assert_applied_once(applied)


async def test_a_foreign_record_is_handed_on_and_numbers_go_on_behind_it(applied: Toy) -> None:
    lane = lane_with_things()
    async with running(applied.relay()), applying(Applier(applied)):
        await applied.commit(counted(50))
        await assert_applied_once(applied)
        await applied.write(lane, 0, ours=False)
        await applied.commit(counted(50))
        await assert_applied_once(applied)
        assert await applied.pool.fetchval("SELECT count(*) FROM applied WHERE pseq = 0") == 1


async def test_nothing_behind_a_gap_is_applied_until_it_is_filled(applied: Toy) -> None:
    lane = lane_with_things()
    member = Applier(applied)
    await applied.commit(counted(200))
    head = (await applied.heads())[lane]
    for pseq in (1, 2, 5, 6):
        await applied.write(lane, pseq)
    async with applying(member):
        await eventually(lambda: "gap" in member.source.problems.values(), 20)
        applied_now = "SELECT array_agg(pseq ORDER BY pseq) FROM applied WHERE lane = $1"
        assert await applied.pool.fetchval(applied_now, lane) == [1, 2]
        await applied.relay().resend(lane, 2)

        async def filled() -> bool:
            return bool(await applied.pool.fetchval(applied_now, lane) == list(range(1, head + 1)))

        await until(filled, 20)
        await eventually(lambda: not member.source.problems)


async def test_a_gap_is_filled_in_a_partition_that_takes_long_to_read(
    applied: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.bus.gaps.FIRST", 0.01)  # as if it took minutes
    monkeypatch.setattr("libs.bus.gaps.LAST", 0.01)
    lane = lane_with_things()
    await applied.commit(counted(4000, things=1))
    await applied.relay().resend(lane, 1)
    member = Applier(applied)
    async with applying(member):
        await eventually(lambda: "gap" in member.source.problems.values(), 20)
        await applied.relay().resend(lane, 0)
        await assert_applied_once(applied)
        await eventually(lambda: not member.source.problems)


async def test_two_events_with_one_number_halt_the_partition(applied: Toy) -> None:
    lane = lane_with_things()
    member = Applier(applied)
    async with running(applied.relay()), applying(member):
        await applied.commit(counted(50))
        await assert_applied_once(applied)
        await applied.write(lane, (await applied.heads())[lane], other=True)
        await eventually(lambda: member.source.problems == {(applied.topic, lane): "two-histories"})


async def test_positions_name_the_last_event(applied: Toy) -> None:
    async with running(applied.relay()), applying(Applier(applied)):
        await applied.commit(counted(50))
        await assert_applied_once(applied)
    for lane, head in (await applied.heads()).items():
        row = await applied.pool.fetchrow(
            "SELECT last_pseq, last_id::text FROM positions WHERE consumer = 'applier' AND partition = $1",
            lane,
        )
        assert tuple(row or ()) == (head, event_id(lane, head))


async def test_the_end_of_a_foreign_transaction_is_passed_and_holds_up_no_timer(
    applied: Toy,
) -> None:
    lane = lane_with_things()

    async def all_reached() -> bool:
        rows = await applied.pool.fetch(
            "SELECT topic, partition, next_offset FROM positions WHERE consumer = 'applier'"
        )
        reached = {(row[0], row[1]): row[2] for row in rows}
        return reached == await end_offsets(applied.kafka, [applied.topic])

    async with running(applied.relay()):
        for _ in range(2):  # by the process's reader, and by a member that begins before it
            async with applying(Applier(applied)):
                await applied.commit(counted(100))
                await assert_applied_once(applied)
                await foreign_transaction(applied, lane)
                await until(all_reached, 20)
            await foreign_transaction(applied, lane)
        async with applying(Applier(applied)):
            await until(all_reached, 20)
            await applied.commit(counted(100))
            await assert_applied_once(applied)


async def foreign_transaction(toy: Toy, lane: int) -> None:
    """Leave a record and, behind it, what ends a transaction: an offset without a record."""
    producer = AIOKafkaProducer(bootstrap_servers=toy.kafka, transactional_id=toy.prefix)
    async with producer, producer.transaction():
        await producer.send_and_wait(toy.topic, b"foreign", partition=lane)
