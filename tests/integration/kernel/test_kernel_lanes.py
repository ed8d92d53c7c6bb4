"""Lanes under load, on a real database: numbers, order, and no deadlock."""

import asyncio
import random
from collections import Counter, defaultdict

import asyncpg
import pytest

from libs.eventsourcing.inputs import Input
from libs.eventsourcing.turn import take_turn
from libs.store.event_store import PostgresStore
from libs.store.folding import Heads
from libs.store.migrations import StoreMismatch, migrate
from libs.store.store import Conflict, Repeated
from libs.values.lanes import PARTITIONS
from tests.contract import toy
from tests.contract.instances import Runs
from tests.contract.toy import NOON, Put

WRITERS, TURNS = 16, 25
MIND = toy.mind()


async def write(store: PostgresStore, writer: int, seen: Counter[str]) -> None:
    """Commit turns over many streams, some of which are made to fail when they hold every lock."""
    chance = random.Random(writer)
    for turn_number in range(TURNS):
        names = [f"shelf-{chance.randrange(40)}" for _ in range(chance.randrange(1, 12))]
        name = f"{writer}/{turn_number}"
        inputs: list[Input] = [
            toy.call(f"{name}/{n}", stream, Put(f"{name}/{n}")) for n, stream in enumerate(names)
        ]
        fails = chance.random() < 0.25
        for _ in range(500):
            turn = take_turn(MIND, inputs, await Heads(MIND, store).load(names), NOON)
            if fails:
                turn.events.append(
                    turn.events[0]
                )  # (stream, version) twice: fails behind the lanes
            try:
                await store.commit(turn)
            except Conflict:
                seen["conflict"] += 1
                continue
            except asyncpg.UniqueViolationError:
                seen["rolled back"] += 1
                break
            except asyncpg.DeadlockDetectedError:
                seen["deadlock"] += 1
                continue
            seen["committed"] += 1
            break


async def test_lanes_are_gapless_and_ordered_under_16_writers_that_roll_back(
    postgres: PostgresStore,
) -> None:
    seen: Counter[str] = Counter()
    await asyncio.gather(*(write(postgres, writer, seen) for writer in range(WRITERS)))
    assert seen["deadlock"] == 0
    assert seen["conflict"] > 50
    assert seen["rolled back"] > 50
    assert seen["committed"] + seen["rolled back"] == WRITERS * TURNS
    versions: dict[str, list[int]] = defaultdict(list)
    ids = set[str]()
    for lane in range(PARTITIONS):
        events = await postgres.read(lane, 0, 100_000)
        assert [e.pseq for e in events] == list(range(1, len(events) + 1))
        assert await postgres.pool.fetchval("SELECT head FROM lanes WHERE lane = $1", lane) == len(
            events
        )
        for event in events:
            versions[event.stream].append(event.version)
            ids.add(event.id)
    assert all(v == list(range(1, len(v) + 1)) for v in versions.values())
    assert len(ids) == sum(len(v) for v in versions.values())
    # In commit order: a later number never stands in an earlier transaction.
    rows = await postgres.pool.fetch(
        "SELECT lane, max(pseq) - min(pseq) + 1 - count(*) AS holes FROM events GROUP BY lane, xmin"
    )
    assert {row["holes"] for row in rows} == {0}


async def test_what_a_reader_sees_of_a_lane_never_has_a_hole(postgres: PostgresStore) -> None:
    """Read while it is written: what was seen stays a prefix."""
    seen: Counter[str] = Counter()
    writing = asyncio.gather(*(write(postgres, writer, seen) for writer in range(WRITERS)))
    tails = dict.fromkeys(range(PARTITIONS), 0)
    while not writing.done():
        for lane, tail in tails.items():
            numbers = [e.pseq for e in await postgres.read(lane, tail, 1000)]
            assert numbers == list(range(tail + 1, tail + 1 + len(numbers)))
            tails[lane] = tail + len(numbers)
    await writing
    assert sum(tails.values()) > 0


async def test_turns_with_every_kind_of_lock_do_not_deadlock(postgres: PostgresStore) -> None:
    """Positions, keys, rows, heads, timers, effects and lanes, in different orders, again and again."""
    for partition in range(4):
        await postgres.claim(toy.CONSUMER, toy.TOPIC, partition)
    await postgres.accept([toy.delivery(str(n)) for n in range(40)])
    runs = [Runs(postgres) for _ in range(8)]
    deadlocks = 0

    async def work(writer: int) -> None:
        nonlocal deadlocks
        chance = random.Random(writer)
        for n in range(20):
            inputs = [
                toy.call(f"{writer}/{n}", f"shelf-{chance.randrange(9)}", Put(f"effect:{writer}/{n}")),
                toy.call(f"{writer}/{n}/t", f"shelf-{chance.randrange(9)}", Put(f"timer:{n}")),
                *(toy.delivered(1 + (n + 7 * k) % 40, f"shelf-{chance.randrange(9)}", Put(f"d{n}/{k}"))
                  for k in range(3)),
            ]  # fmt: skip
            chance.shuffle(inputs)
            heads = await Heads(MIND, postgres).load(s for i in inputs for s in i.streams())
            turn = take_turn(MIND, inputs, heads, NOON)
            for partition in chance.sample(range(4), 3):
                after = toy.position(n, partition)
                turn.positions[after.consumer, after.topic, partition] = after
            try:
                await postgres.commit(turn)
            except asyncpg.DeadlockDetectedError:
                deadlocks += 1
            except (Conflict, Repeated):
                await postgres.settled(turn)

    await asyncio.gather(*(work(n) for n in range(len(runs))))
    assert deadlocks == 0


async def test_a_store_of_another_topic_or_partition_count_refuses_and_is_left_as_it_was(
    postgres: PostgresStore,
) -> None:
    for service, topic, partitions in (
        ("toy", "other", 8),
        ("toy", "toy.events", 16),
        ("other", "toy.events", 8),
    ):
        with pytest.raises(StoreMismatch, match=topic):
            await migrate(postgres.pool, service, topic, partitions, "lock")
    assert await postgres.pool.fetchval("SELECT count(*) FROM lanes") == PARTITIONS
    assert await postgres.pool.fetchval("SELECT count(*) FROM identity") == 1
    await migrate(postgres.pool, "toy", "toy.events", PARTITIONS, "lock")
