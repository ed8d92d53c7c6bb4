"""Rows are what the topics say: folded once, halted on a bug, rebuilt equal while everything runs."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import msgspec
import pytest

from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.replay.memory import MemoryRows
from libs.replay.projector import Projector
from libs.replay.rebuild import rebuild
from libs.replay.rows import TableRows
from libs.replay.table import Table
from libs.store import pool
from tests.integration.bus.toy import CODEC, Counted, Toy, counted, lane_with_things, running
from tests.support import eventually

pytestmark = pytest.mark.stack


class Total(msgspec.Struct, frozen=True):
    group: str
    total: int = 0
    by_thing: dict[str, int] = {}
    note: str | None = None


def keys(envelope: Envelope[Any]) -> Sequence[Key]:
    return ((envelope.event.thing[:2],),)


def evolve(row: Total | None, key: Key, envelope: Envelope[Any]) -> Total | None:
    row = row or Total(str(key[0]))
    event: Counted = envelope.event
    by_thing = row.by_thing | {event.thing: row.by_thing.get(event.thing, 0) + event.amount}
    return msgspec.structs.replace(row, total=row.total + event.amount, by_thing=by_thing)


TOTALS: Projection[Total] = Projection(
    "totals", 1, Total, ("group",), ("toy",), keys, evolve, indexes=(("total",),)
)


def each_key(envelope: Envelope[Any]) -> Sequence[Key]:
    return ((envelope.event.thing, envelope.version),)


class Seen(msgspec.Struct, frozen=True):
    thing: str
    version: int
    amount: int


def see(row: Seen | None, key: Key, envelope: Envelope[Any]) -> Seen | None:
    assert row is None, "an event was applied twice"
    return Seen(str(key[0]), int(key[1]), envelope.event.amount)


SEEN: Projection[Seen] = Projection("seen", 1, Seen, ("thing", "version"), ("toy",), each_key, see)


@contextlib.asynccontextmanager
async def projecting(toy: Toy, *projections: Projection[Any]) -> AsyncIterator[Projector]:
    projector = Projector(toy.pool, toy.hub, toy.topics, projections, CODEC)
    await projector.start()
    task = asyncio.create_task(projector.run())
    try:
        yield projector
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await projector.stop()


def rows_of(
    toy: Toy, projection: Projection[Any], projector: Projector | None = None
) -> TableRows[Any]:
    return TableRows(toy.pool, projection, {"toy": toy.topic}, projector, "toy")


def held(projector: Projector) -> bool:
    return bool(projector.feed.held)


async def caught_up(
    toy: Toy, projection: Projection[Any], projector: Projector | None = None
) -> None:
    token = ",".join(f"toy:{lane}:{head}" for lane, head in (await toy.heads()).items())
    assert await rows_of(toy, projection, projector).wait(token, 30)


async def test_rows_hold_every_event_once_and_can_be_waited_for(toy: Toy) -> None:
    async with running(toy.relay()), projecting(toy, TOTALS, SEEN) as projector:
        for _ in range(5):
            await toy.commit(counted(100))
        await caught_up(toy, TOTALS, projector)
        await caught_up(toy, SEEN)
        totals = await rows_of(toy, TOTALS).find(limit=100)
        assert sum(row.total for row in totals) == 500
        assert await rows_of(toy, TOTALS).get("t1") == next(
            row for row in totals if row.group == "t1"
        )
        assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 500


async def test_rows_tell_whether_they_hold_all_that_their_service_has_recorded(toy: Toy) -> None:
    rows = rows_of(toy, TOTALS)
    async with running(toy.relay()):
        async with projecting(toy, TOTALS):
            assert await rows.caught_up()
            await toy.commit(counted(100))
            assert await rows.caught_up(30)
        await toy.commit(counted(100))
        assert not await rows.caught_up(0.1)
        async with projecting(toy, TOTALS):
            assert await rows.caught_up(30)


async def test_pages_go_on_behind_a_key_and_filter_by_columns(toy: Toy) -> None:
    async with running(toy.relay()), projecting(toy, SEEN):
        await toy.commit(counted(100))
        await caught_up(toy, SEEN)
        rows = rows_of(toy, SEEN)
        found, after = [], None
        while page := await rows.find(after=after, limit=7):
            found += page
            after = (page[-1].thing, page[-1].version)
        assert len(found) == 100
        assert [(r.thing, r.version) for r in found] == sorted((r.thing, r.version) for r in found)
        assert [r.version for r in await rows.find(thing="t3")] == [1, 2, 3, 4, 5]
        with pytest.raises(ValueError, match="no column"):
            await rows.find(nothing=1)
        remembered = MemoryRows(lambda: {(row.thing, row.version): row for row in found})
        for read in (rows, remembered):
            by_thing = await read.totals(("thing",), ("version",), thing=["t3", "t4", "none"])
            assert by_thing == {("t3",): (5, 15), ("t4",): (5, 15)}
            assert await read.totals(("version",), thing=["t3"]) == dict.fromkeys(
                [(n,) for n in range(1, 6)], (1,)
            )
            assert [r.version for r in await read.find(thing="t3", after=("t3", 3))] == [4, 5]
        with pytest.raises(ValueError, match="no column"):
            await rows.totals(("nothing",))


async def test_two_projectors_that_come_and_go_apply_each_event_once(toy: Toy) -> None:
    relay = toy.relay()
    async with running(relay), projecting(toy, TOTALS, SEEN):
        for _ in range(2):
            relay.poke(await toy.commit(counted(500)))
            async with projecting(toy, TOTALS, SEEN) as guest:
                relay.poke(await toy.commit(counted(500)))
                await eventually(partial(held, guest), 30)
                relay.poke(await toy.commit(counted(500)))
        await caught_up(toy, TOTALS)
        await caught_up(toy, SEEN)
        assert await toy.pool.fetchval("SELECT sum(total) FROM totals") == 3000
        assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 3000


async def test_positions_behind_records_that_touch_no_row_follow_and_never_go_back(
    toy: Toy,
) -> None:
    quiet: Projection[Seen] = Projection(
        "quiet", 1, Seen, ("thing", "version"), ("toy",), lambda _: (), see
    )
    reached: dict[int, int] = {}

    async def stored() -> dict[int, int]:
        rows = await toy.pool.fetch(
            "SELECT partition, last_pseq FROM positions WHERE consumer = 'rm_quiet_1'"
        )
        found = {row[0]: row[1] for row in rows if row[1]}
        assert all(found.get(lane, 0) >= number for lane, number in reached.items())
        reached.update(found)
        return found

    async def all_stored() -> bool:
        return await stored() == await toy.heads()

    relay = toy.relay()
    async with running(relay), projecting(toy, quiet):
        for _ in range(2):
            relay.poke(await toy.commit(counted(200)))
            async with projecting(toy, quiet) as guest:
                relay.poke(await toy.commit(counted(200)))
                await eventually(partial(held, guest), 30)
                await stored()
            relay.poke(await toy.commit(counted(200)))
        await eventually(all_stored, 30)


async def test_a_projection_that_is_new_is_filled_from_the_start_beside_the_others(
    toy: Toy,
) -> None:
    async with running(toy.relay()):
        async with projecting(toy, TOTALS):
            await toy.commit(counted(200))
            await caught_up(toy, TOTALS)
        async with projecting(toy, TOTALS, SEEN):
            await caught_up(toy, SEEN)
            assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 200
            assert await toy.pool.fetchval("SELECT sum(total) FROM totals") == 200


async def test_a_bug_in_a_fold_halts_that_projection_and_no_other(toy: Toy) -> None:
    def bug(row: Total | None, key: Key, envelope: Envelope[Any]) -> Total | None:
        raise ZeroDivisionError

    broken = Projection("broken", 1, Total, ("group",), ("toy",), keys, bug)
    async with running(toy.relay()), projecting(toy, broken, SEEN) as projector:
        await toy.commit(counted(100))
        await caught_up(toy, SEEN)
        assert projector.halted() == {"broken": "fold-failed: ZeroDivisionError"}
        assert (
            await toy.pool.fetchval(
                "SELECT max(last_pseq) FROM positions WHERE consumer = 'rm_broken_1'"
            )
            == 0
        )


async def test_what_has_halted_goes_on_in_the_table_that_a_rebuild_puts_in_its_place(
    toy: Toy,
) -> None:
    mended: list[bool] = []

    def bug(row: Total | None, key: Key, envelope: Envelope[Any]) -> Total | None:
        if not mended:
            raise ZeroDivisionError
        return evolve(row, key, envelope)

    fragile = Projection("fragile", 1, Total, ("group",), ("toy",), keys, bug)
    async with running(toy.relay()), projecting(toy, fragile, SEEN) as projector:
        await toy.commit(counted(100))
        await caught_up(toy, SEEN)
        assert projector.halted() == {"fragile": "fold-failed: ZeroDivisionError"}
        mended.append(True)
        await rebuild(toy.pool, toy.kafka, toy.topics, fragile, CODEC, swap=True)
        await eventually(lambda: projector.halted() == {}, 20)
        await toy.commit(counted(100))
        await caught_up(toy, fragile, projector)
        assert await toy.pool.fetchval("SELECT sum(total) FROM fragile") == 200


@pytest.mark.parametrize("value", [2**63, "a\0b"])
async def test_a_row_that_its_table_cannot_hold_halts_that_projection_and_no_other(
    toy: Toy, value: int | str
) -> None:
    def unfit(row: Total | None, key: Key, envelope: Envelope[Any]) -> Total | None:
        row = row or Total(str(key[0]))
        if envelope.version < 4:
            return msgspec.structs.replace(row, total=row.total + 1)
        if isinstance(value, str):
            return msgspec.structs.replace(row, note=value)
        return msgspec.structs.replace(row, total=value)

    refused = Projection("refused", 1, Total, ("group",), ("toy",), keys, unfit)
    relay = toy.relay()
    async with running(relay), projecting(toy, refused, SEEN) as projector:
        relay.poke(await toy.commit(counted(40)))
        await caught_up(toy, SEEN, projector)
        await caught_up(toy, refused, projector)
        relay.poke(await toy.commit(counted(60)))
        await caught_up(toy, SEEN)
        assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 100
        assert "row-refused" in projector.halted()["refused"]
        assert await toy.pool.fetchval("SELECT sum(total) FROM refused") == 40


async def test_rows_go_where_a_fold_says_so_and_another_writer_is_noticed(toy: Toy) -> None:
    def fleeting(row: Seen | None, key: Key, envelope: Envelope[Any]) -> Seen | None:
        return Seen(str(key[0]), 0, envelope.event.amount) if envelope.version % 2 else None

    odd = Projection(
        "odd", 1, Seen, ("thing",), ("toy",), lambda e: ((e.event.thing,),), fleeting
    )  # fmt: skip
    relay = toy.relay()
    async with running(relay), projecting(toy, odd, TOTALS) as projector:
        for n in range(1, 6):
            relay.poke(await toy.commit(counted(20)))
            await caught_up(toy, odd, projector)
            await caught_up(toy, TOTALS, projector)
            assert await toy.pool.fetchval("SELECT count(*) FROM odd") == (20 if n % 2 else 0)
            if n == 3:  # somebody writes a row and says so
                await toy.pool.execute("UPDATE totals SET total = total + 1000")
                await toy.pool.execute("UPDATE read_models SET revision = revision + 1")
        groups = await toy.pool.fetchval("SELECT count(*) FROM totals")
        assert await toy.pool.fetchval("SELECT sum(total) FROM totals") == 100 + 1000 * groups


async def test_an_unreadable_record_of_ours_halts_and_a_foreign_one_does_not(toy: Toy) -> None:
    lane = lane_with_things()
    async with running(toy.relay()), projecting(toy, SEEN) as projector:
        await toy.commit(counted(50))
        await caught_up(toy, SEEN)
        await toy.write(lane, 0, ours=False)
        await eventually(lambda: projector.foreign == 1)
        assert projector.halted() == {}
        await toy.commit(counted(50))
        await caught_up(toy, SEEN)
        await toy.write(lane, (await toy.heads())[lane] + 1, data=b"\xc1")
        await eventually(lambda: "unreadable-record" in projector.halted().get("seen", ""))


async def test_a_rebuild_under_load_is_equal_and_takes_the_live_ones_place(toy: Toy) -> None:
    relay = toy.relay()
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            relay.poke(await toy.commit(counted(50)))
            await asyncio.sleep(0)

    async with running(relay), projecting(toy, TOTALS, SEEN) as projector:
        loading = asyncio.create_task(load())
        await eventually(lambda: relay.sent_total > 2000, 30)
        told: list[Any] = []
        for projection in (TOTALS, SEEN):
            done = await rebuild(
                toy.pool,
                toy.kafka,
                toy.topics,
                projection,
                CODEC,
                verify=True,
                swap=True,
                progress=told.append,
            )
            assert done.compared is not None
            assert done.compared.differing == ()
            assert done.compared.equal
            assert done.swapped
        stop.set()
        await loading
        assert told[-1].records > 0
        await caught_up(toy, SEEN, projector)
        await caught_up(toy, TOTALS, projector)
        events = await toy.pool.fetchval("SELECT count(*) FROM events")
        assert await toy.pool.fetchval("SELECT count(*) FROM seen") == events
        assert await toy.pool.fetchval("SELECT sum(total) FROM totals") == events
        tables = await toy.pool.fetch(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'rm\\_%' ORDER BY 1"
        )
        assert [row[0] for row in tables] == ["rm_seen_2", "rm_totals_2"]


async def test_rows_that_were_changed_by_hand_are_named_and_not_replaced(toy: Toy) -> None:
    async with running(toy.relay()), projecting(toy, TOTALS):
        await toy.commit(counted(100))
        await caught_up(toy, TOTALS)
        await toy.pool.execute("UPDATE totals SET total = 7 WHERE \"group\" = 't3'")
        done = await rebuild(toy.pool, toy.kafka, toy.topics, TOTALS, CODEC, verify=True, swap=True)
        assert done.compared is not None
        assert done.compared.differing == (("t3",),)
        assert not done.swapped
        again = await rebuild(toy.pool, toy.kafka, toy.topics, TOTALS, CODEC, swap=True)
        assert again.swapped
        assert await toy.pool.fetchval("SELECT sum(total) FROM totals") == 100


@pytest.mark.parametrize("in_memory", [5, 100_000])
async def test_a_rebuild_from_nothing_brings_the_rows_back(toy: Toy, in_memory: int) -> None:
    async with running(toy.relay()):
        async with projecting(toy, SEEN):
            await toy.commit(counted(300))
            await caught_up(toy, SEEN)
        await toy.pool.execute("TRUNCATE rm_seen_1")
        done = await rebuild(
            toy.pool,
            toy.kafka,
            toy.topics,
            SEEN,
            CODEC,
            from_nothing=True,
            swap=True,
            in_memory=in_memory,
        )
        assert (done.rows, done.swapped) == (300, True)
        async with projecting(toy, SEEN):
            await toy.commit(counted(10))
            await caught_up(toy, SEEN)
            assert await toy.pool.fetchval("SELECT count(*) FROM seen") == 310


async def test_a_copy_may_take_longer_than_any_other_statement(
    toy: Toy, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = Table.values

    def slowly(table: Table[Any], row: Any) -> list[Any]:
        time.sleep(0.005)
        return values(table, row)

    monkeypatch.setattr(Table, "values", slowly)
    monkeypatch.setattr(pool, "ANSWER", 0.5)
    impatient = await pool.open_pool(database)
    async with running(toy.relay()):
        await toy.commit(counted(300))
        await eventually(lambda: published(toy, 300))
        done = await rebuild(impatient, toy.kafka, toy.topics, SEEN, CODEC, swap=True)
    assert (done.rows, done.swapped) == (300, True)
    await pool.close_pool(impatient)


async def published(toy: Toy, count: int) -> bool:
    return sum(map(len, (await toy.published()).values())) == count
