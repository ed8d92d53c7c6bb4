"""Nothing that was committed is lost or reordered on its way to Kafka, whatever kills the relay."""

import asyncio
import math
import time
from typing import Any

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from structlog.testing import capture_logs

from libs.bus import relay as relaying
from libs.bus.client import producer_for
from libs.bus.readback import HistoryMismatch, TopicTrimmed
from libs.bus.topics import TopicMismatch, ensure_topics
from libs.values.lanes import lane_of
from tests.integration.bus.toy import (
    REGISTRY,
    Counted,
    Toy,
    counted,
    lane_with_things,
    running,
    until,
)
from tests.support import eventually

pytestmark = pytest.mark.stack


def without_repeats(numbers: list[int]) -> list[int]:
    """What a consumer applies of these: each number that is the next one."""
    last, out = 0, []
    for number in numbers:
        if number == last + 1:
            out.append(number)
            last = number
        else:
            assert number <= last, f"a gap behind {last}: {numbers}"
    return out


async def assert_complete(toy: Toy) -> None:
    heads = await toy.heads()
    published = await toy.published()
    for lane, head in heads.items():
        ours = [n for n in published.get(lane, []) if n]
        assert without_repeats(ours) == list(range(1, head + 1))


async def test_committed_events_arrive_in_order_each_once(toy: Toy) -> None:
    relay = toy.relay()
    await relay.start()
    async with running(relay):
        for _ in range(10):
            relay.poke(await toy.commit(counted(50)))
        assert await relay.drain(10)
    assert {k: v for k, v in (await toy.published()).items() if v} == {
        lane: list(range(1, head + 1)) for lane, head in (await toy.heads()).items()
    }
    assert relay.sent_total == 500


async def test_a_commit_of_another_process_is_found_without_a_poke(toy: Toy) -> None:
    relay = toy.relay()
    async with running(relay):
        await toy.commit(counted(5))
        await eventually(lambda: relay.sent_total == 5)


class SlowProducer(AIOKafkaProducer):  # type: ignore[misc]
    """The producer of a relay that always has something to send."""

    async def send_batch(self, *args: Any, **more: Any) -> Any:
        await asyncio.sleep(0.05)
        return await super().send_batch(*args, **more)


async def test_a_commit_of_another_process_is_found_by_a_relay_that_never_rests(toy: Toy) -> None:
    relay = toy.relay(
        make_producer=lambda bootstrap: SlowProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=0
        )
    )

    async def work() -> None:
        while True:
            relay.poke(await toy.commit([Counted("busy", 1)]))

    async with running(relay):
        busy = asyncio.create_task(work())
        try:
            await eventually(lambda: relay.sent_total > 20)
            other = next(
                f"t{n}" for n in range(99) if lane_of(f"thing-t{n}") != lane_of("thing-busy")
            )
            (lane,) = await toy.commit([Counted(other, 1)])
            await eventually(lambda: relay.sent.get(lane) == 1, 5)
        finally:
            busy.cancel()


async def test_what_only_a_newer_release_can_send_is_left_to_it_and_then_gone_on_behind(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "LOOK", 0.2)
    lane = lane_with_things()
    await toy.commit(counted(100))
    await toy.pool.execute(
        "UPDATE events SET schema_version = 2 WHERE (lane, pseq) = ($1, 2)", lane
    )
    older = toy.relay()
    async with running(older):
        heads = await toy.heads()
        others = {n: head for n, head in heads.items() if n != lane}
        await eventually(lambda: others.items() <= older.sent.items() and older.left == {lane})
        assert older.sent[lane] == 1
        ids = {**REGISTRY.ids, ("toy.Counted", 2): 8}
        newer = toy.relay()
        newer.registry = msgspec.structs.replace(REGISTRY, ids=ids)
        async with running(newer):
            await eventually(lambda: newer.sent_total > 0 and not any(newer.lag.values()))
        await eventually(lambda: not older.left and not any(older.lag.values()))
        older.poke(await toy.commit(counted(100)))
        assert await older.drain(10)
    await assert_complete(toy)


async def test_events_handed_over_are_sent_in_order_with_those_that_were_not(toy: Toy) -> None:
    relay = toy.relay()
    await relay.start()
    async with running(relay):
        for n in range(12):
            before = await toy.heads()
            heads = await toy.commit(counted(50 if n != 5 else 2000))
            if n % 3:  # each third commit is another process's: only the store tells of it
                relay.poke(heads, await toy.appended(before))
        assert await relay.drain(20)
    assert {k: v for k, v in (await toy.published()).items() if v} == {
        lane: list(range(1, head + 1)) for lane, head in (await toy.heads()).items()
    }


class Dies(Exception):  # noqa: N818
    pass


class Mortal(AIOKafkaProducer):  # type: ignore[misc]
    """A producer whose process dies around its n-th batch."""

    point, countdown = "before", 3

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        Mortal.countdown -= 1
        if Mortal.countdown == 0 and Mortal.point == "before":
            raise Dies
        future = await super().send_batch(batch, topic, partition=partition)
        if Mortal.countdown == 0:
            if Mortal.point == "acknowledged":
                await future
            raise Dies
        return future


@pytest.mark.parametrize("point", ["before", "after", "acknowledged"])
async def test_a_relay_that_is_killed_at_any_point_is_taken_over_without_loss(
    toy: Toy, point: str
) -> None:
    Mortal.point = point
    for countdown in (1, 4):
        Mortal.countdown = countdown
        await toy.commit(counted(300))
        relay = toy.relay(
            make_producer=lambda kafka: Mortal(bootstrap_servers=kafka, enable_idempotence=True)
        )
        with pytest.raises(Dies):
            await relay.run()
        await relay._throw_away()
    after = toy.relay()
    async with running(after):
        await eventually(lambda: after.sent and not any(after.lag.values()))
    await assert_complete(toy)


async def test_a_relay_that_is_cancelled_at_any_moment_is_taken_over_without_loss(toy: Toy) -> None:
    for moment in range(12):
        relay = toy.relay()
        await relay.start()
        task = asyncio.create_task(relay.run())
        relay.poke(await toy.commit(counted(1)))
        await relay.drain(10)  # aiokafka leaks a connection that is cancelled while it opens
        relay.poke(await toy.commit(counted(200)))
        for _ in range(moment * 3):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await relay._throw_away()
    last = toy.relay()
    async with running(last):
        await eventually(lambda: last.sent and not any(last.lag.values()))
    await assert_complete(toy)


async def test_two_relays_at_once_only_repeat(toy: Toy) -> None:
    one, two = toy.relay(), toy.relay()
    async with running(one), running(two):
        for _ in range(30):
            heads = await toy.commit(counted(40))
            one.poke(heads)
            two.poke(heads)
        assert await one.drain(10)
        assert await two.drain(10)
    await assert_complete(toy)


async def test_a_deadline_that_passes_ends_in_a_new_producer_and_a_read_back(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.bus.relay.DEADLINE", 2)
    made = 0

    class Deaf(AIOKafkaProducer):  # type: ignore[misc]
        async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
            await super().send_batch(batch, topic, partition=partition)
            return asyncio.get_running_loop().create_future()

    def make(kafka: str) -> AIOKafkaProducer:
        nonlocal made
        made += 1
        return (
            Deaf(bootstrap_servers=kafka, enable_idempotence=True)
            if made == 1
            else producer_for(kafka)
        )

    await toy.commit(counted(100))
    relay = toy.relay(make_producer=make)
    async with running(relay):
        await eventually(lambda: relay.sent and not any(relay.lag.values()))
    await assert_complete(toy)


async def test_read_back_passes_over_foreign_records_at_the_end(toy: Toy) -> None:
    async with running(toy.relay()) as relay:
        await toy.commit(counted(100))
        await eventually(lambda: relay.sent_total == 100)
    lane = lane_with_things()
    for _ in range(150):
        await toy.write(lane, 0, ours=False)
    await toy.commit(counted(100))
    async with running(toy.relay()) as relay:
        await eventually(lambda: relay.sent and not any(relay.lag.values()))
        assert relay.sent_total == 100
    await assert_complete(toy)


async def test_a_topic_that_was_made_anew_is_filled_from_the_first_event(toy: Toy) -> None:
    async with running(toy.relay()) as relay:
        await toy.commit(counted(100))
        await eventually(lambda: relay.sent_total == 100)
    admin = AIOKafkaAdminClient(bootstrap_servers=toy.kafka)
    await admin.start()
    await admin.delete_topics([toy.topic])

    async def gone() -> bool:
        return toy.topic not in await admin.list_topics()

    await until(gone)
    await admin.close()

    async def made() -> bool:
        await ensure_topics(toy.kafka, [toy.topic])
        return True

    await until(made)
    async with running(toy.relay()) as relay:
        await eventually(lambda: relay.sent and not any(relay.lag.values()))
    await assert_complete(toy)


async def delete_records(toy: Toy, lane: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=toy.kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(toy.topic, lane): RecordsToDelete(before_offset=-1)})
    await admin.close()


async def test_a_trimmed_partition_goes_on_behind_what_was_noted_and_is_flagged(toy: Toy) -> None:
    async with running(toy.relay()) as relay:
        await toy.commit(counted(100))
        await eventually(lambda: relay.sent_total == 100)
    lane = lane_with_things()
    head = (await toy.heads())[lane]
    await delete_records(toy, lane)
    await toy.commit(counted(100))
    async with running(toy.relay()) as relay:
        await eventually(lambda: relay.sent and not any(relay.lag.values()))
        assert relay.trimmed == {lane}
    assert (await toy.published())[lane][0] == head + 1


async def test_a_trimmed_partition_of_which_nothing_was_noted_is_refused(toy: Toy) -> None:
    async with running(toy.relay()) as relay:
        await toy.commit(counted(100))
        await eventually(lambda: relay.sent_total == 100)
    await toy.pool.execute("DELETE FROM positions")
    await delete_records(toy, lane_with_things())
    with pytest.raises(TopicTrimmed, match="relay resend toy"):
        await toy.relay().start()


async def test_a_store_older_than_its_topic_refuses_to_start(toy: Toy) -> None:
    async with running(toy.relay()) as relay:
        await toy.commit(counted(100))
        await eventually(lambda: relay.sent_total == 100)
    lane = lane_with_things()
    await toy.pool.execute("DELETE FROM events WHERE lane = $1 AND pseq > 2", lane)
    await toy.pool.execute("UPDATE lanes SET head = 2 WHERE lane = $1", lane)
    with pytest.raises(HistoryMismatch, match=r"older than its topic\. Restore"):
        await toy.relay().start()


async def test_a_store_that_is_set_back_under_a_relay_at_work_is_refused(toy: Toy) -> None:
    with pytest.raises(HistoryMismatch, match="the store is older than its topic"):
        await set_back_at_work(toy, lane_with_things())


async def set_back_at_work(toy: Toy, lane: int) -> None:
    """Let a standby take over that has not heard of the last events, and nobody be cut off."""
    async with running(toy.relay()) as relay:
        await toy.commit(counted(100))
        await eventually(lambda: relay.sent_total == 100)
        head = (await toy.heads())[lane] - 3
        await toy.pool.execute("DELETE FROM events WHERE lane = $1 AND pseq > $2", lane, head)
        await toy.pool.execute("UPDATE lanes SET head = $2 WHERE lane = $1", lane, head)
        await eventually(lambda: relay.pulse.at == math.inf)  # it has ended


async def test_another_event_at_the_same_number_refuses_to_start(toy: Toy) -> None:
    await toy.commit(counted(100))
    await toy.write(lane_with_things(), 1, other=True)
    with pytest.raises(HistoryMismatch, match="two histories"):
        await toy.relay().start()


async def test_resending_repeats_a_lane_from_a_number(toy: Toy) -> None:
    async with running(toy.relay()) as relay:
        await toy.commit(counted(100))
        await eventually(lambda: relay.sent_total == 100)
    lane = lane_with_things()
    head = await toy.relay().resend(lane, 2)
    assert (await toy.published())[lane] == [*range(1, head + 1), *range(3, head + 1)]


async def test_a_topic_with_other_settings_or_partitions_is_refused(toy: Toy) -> None:
    await ensure_topics(toy.kafka, [toy.topic])
    admin = AIOKafkaAdminClient(bootstrap_servers=toy.kafka)
    await admin.start()
    await admin.create_topics(
        [NewTopic(f"{toy.prefix}few", 3, 1), NewTopic(f"{toy.prefix}short", 8, 1)]
    )
    await admin.close()
    with pytest.raises(TopicMismatch, match="3 partitions, not 8"):
        await ensure_topics(toy.kafka, [f"{toy.prefix}few"])
    with pytest.raises(TopicMismatch, match="retention"):
        await ensure_topics(toy.kafka, [f"{toy.prefix}short"])


async def test_the_relay_is_quick_alone_and_keeps_up_in_a_crowd(toy: Toy) -> None:
    relay = toy.relay()
    async with running(relay):
        relay.poke(await toy.commit(counted(1)))
        await relay.drain(5)
        took = []
        for _ in range(50):
            heads = await toy.commit(counted(1))
            began = time.perf_counter()
            relay.poke(heads)
            ((lane, head),) = heads.items()
            while relay.sent[lane] < head:
                relay._moved.clear()
                await relay._moved.wait()
            took.append(time.perf_counter() - began)
        for _ in range(10):
            await toy.commit(counted(2000, 500))
        began = time.perf_counter()
        assert await relay.drain(20)
        rate = 20_000 / (time.perf_counter() - began)
    took.sort()
    assert took[25] < 0.03
    assert rate > 5_000


class Gone:
    """The pool of a database that is away; the driver has more than one way to say so."""

    def __init__(self, error: type[Exception]) -> None:
        self.error, self.asked = error, 0

    async def fetch(self, *_: object) -> None:
        self.asked += 1
        raise self.error("away")

    execute = fetch


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError, asyncpg.InternalClientError, asyncpg.InterfaceError]
)
async def test_a_database_that_is_away_neither_ends_a_relay_nor_keeps_it_from_its_end(
    toy: Toy, error: type[Exception]
) -> None:
    relay, gone = toy.relay(), Gone(error)
    there: Any = relay.pool
    async with running(relay):
        await toy.commit(counted(5))
        await eventually(lambda: relay.sent_total == 5)
        relay.pool = gone  # type: ignore[assignment]
        await eventually(lambda: gone.asked > 1)
        relay.pool = there
        await toy.commit(counted(5))
        await eventually(lambda: relay.sent_total == 10)
        relay.pool = gone  # type: ignore[assignment]
        await relay.drain(5)


async def test_a_relay_says_once_that_its_database_is_away_and_once_that_it_goes_on(
    toy: Toy,
) -> None:
    relay, gone = toy.relay(), Gone(ConnectionRefusedError)
    there: Any = relay.pool
    with capture_logs() as lines:
        async with running(relay):
            await toy.commit(counted(5))
            await eventually(lambda: relay.sent_total == 5)
            relay.pool = gone  # type: ignore[assignment]
            await eventually(lambda: gone.asked > 4)
            relay.pool = there
            await toy.commit(counted(5))
            await eventually(lambda: relay.sent_total == 10, 5)
            await eventually(lambda: lines[-1]["event"] == "relay-goes-on")
    assert [line["event"] for line in lines] == ["relay-in-doubt", "relay-goes-on"]
    assert [line["count"] for line in lines] == [1, gone.asked]
