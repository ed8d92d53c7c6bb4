"""Retention: what is open outlives the day keys, what is finished goes, and repeating is harmless."""

import msgspec
import pytest

from libs.eventsourcing.inputs import Failure
from libs.runtime.housekeeping import Housekeeping
from libs.runtime.inbox import StoreInbox
from libs.runtime.redrive import ParkedWork
from libs.runtime.settings import Limits
from libs.security.vault.memory import MemoryVault
from libs.security.vault.sealing import Shredded, decode_sealed
from libs.security.vault.vault import DAY
from libs.store.event_store import PostgresStore
from libs.store.migrations import STEPS, first_start, migrate, pending
from libs.store.pool import BOUNDS, close_pool, open_pool, sql
from libs.store.retention import Retention
from libs.values.lanes import PARTITIONS
from tests.contract import toy
from tests.contract.instances import Runs, looping
from tests.contract.toy import CONSUMER, NOON, TOPIC, Put


class Shop:
    """A service's database with a vault, and a clock that can be set."""

    def __init__(self, store: PostgresStore) -> None:
        self.store, self.vault, self.now = store, MemoryVault(), NOON
        self.inbox = StoreInbox("toy", store, self.vault, lambda: self.now)
        self.house = Housekeeping(
            "toy", Retention(store.pool), self.vault, Limits(), lambda: self.now
        )

    async def accept(self, key: str) -> int | None:
        return await self.inbox.accept(
            provider="p", account="a", key=key, topic="t", body=key.encode(), trace=""
        )

    async def body(self, key: str) -> bytes | None:
        body = await self.store.pool.fetchval("SELECT body FROM inbox WHERE key = $1", key)
        return None if body is None else await self.vault.open(decode_sealed(body), "p/a")

    async def sweep(self, days: int) -> None:
        self.now = NOON + days * DAY
        await self.house.sweep()


async def finish(shop: Shop, seq: int) -> None:
    runs = Runs(shop.store)
    await runs.run(toy.delivered(seq, "shelf-a", Put(f"delivery-{seq}")))


async def test_a_finished_body_lives_thirty_days_and_its_key_ninety(
    postgres: PostgresStore,
) -> None:
    shop = Shop(postgres)
    assert await shop.accept("one") is None
    await finish(shop, 1)
    await shop.sweep(29)
    assert await shop.body("one") == b"one"
    await shop.sweep(31)
    assert await shop.body("one") is None
    assert await shop.accept("one") == NOON
    await shop.sweep(91)
    assert await shop.accept("one") is None


async def test_what_is_not_finished_outlives_its_day_key(postgres: PostgresStore) -> None:
    shop = Shop(postgres)
    await shop.accept("waits")
    first = decode_sealed(await postgres.pool.fetchval("SELECT body FROM inbox"))
    for day in range(1, 100, 9):
        await shop.sweep(day)
    assert await shop.body("waits") == b"waits"
    with pytest.raises(Shredded):
        await shop.vault.open(first, "p/a")


async def test_parked_bytes_outlive_their_day_key_too(postgres: PostgresStore) -> None:
    shop = Shop(postgres)
    await postgres.claim(CONSUMER, TOPIC, 0)
    raw = await shop.inbox.sealed(f"intake-{TOPIC}/0", b"nonsense", NOON)
    bad = toy.read(0, "x", value=b"nonsense")
    assert bad.failure is not None
    failure = msgspec.structs.replace(bad.failure, raw=raw)
    await Runs(postgres).run(msgspec.structs.replace(bad, failure=failure))
    for day in range(1, 100, 9):
        await shop.sweep(day)
    (parked,) = await postgres.parked(None, None, 10)
    assert parked.raw is not None
    assert await shop.vault.open(decode_sealed(parked.raw), parked.stream) == b"nonsense"


async def not_understood(shop: Shop, key: str) -> None:
    """A delivery that was parked because nobody could read it."""
    await shop.accept(key)
    failed = msgspec.structs.replace(
        toy.delivered(1, "shelf-a", Put("x"), source=f"delivery/{key}"), work=(),
        intake="intake-inbox/a", id=f"inbox/p/a/{key}", failure=Failure("not-json", "", b""),
    )  # fmt: skip
    await Runs(shop.store).run(failed)


async def test_a_delivery_that_was_given_up_is_forgotten_like_any_other(
    postgres: PostgresStore,
) -> None:
    shop = Shop(postgres)
    await not_understood(shop, "one")
    (parked,) = await postgres.parked(None, None, 10)
    runs = Runs(postgres)
    async with looping(runs) as loop:
        work = ParkedWork(runs.mind, postgres, loop, toy.INTERPRETER, shop.vault)
        await work.discard(parked.id, parked.stream, parked.source, "anna", "spam")
    await shop.sweep(29)
    assert await shop.body("one") == b"one"
    await shop.sweep(31)
    assert await shop.body("one") is None


async def test_what_was_given_up_before_this_step_is_forgotten_too(
    postgres: PostgresStore,
) -> None:
    shop = Shop(postgres)
    await not_understood(shop, "one")
    await not_understood(shop, "two")
    await postgres.pool.execute("DELETE FROM parked WHERE input_id = 'inbox/p/a/one'")
    await postgres.pool.execute(sql("discarded.sql"))
    await shop.sweep(31)
    assert await shop.body("one") is None
    assert await shop.body("two") == b"two"


async def test_command_keys_finished_timers_and_effects_go_after_ninety_days(
    postgres: PostgresStore,
) -> None:
    shop, runs = Shop(postgres), Runs(postgres)
    await runs.run(toy.call("1", "shelf-a", Put("timer:t")))
    await runs.run(toy.call("2", "shelf-a", Put("effect:done")))
    await runs.run(toy.call("3", "shelf-a", Put("effect:open")))
    await toy.call_out(postgres, "done", 1)
    await runs.run(toy.timed("t", "shelf-a", Put("x")))
    await runs.run(toy.answered("done", 1, "shelf-a", Put("y")))

    async def left() -> list[int]:
        return [
            await postgres.pool.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("commands", "timers", "effects", "events")
        ]

    await shop.sweep(89)
    assert await left() == [3, 1, 2, 5]
    await shop.sweep(91)
    assert await left() == [0, 0, 1, 5]


async def test_a_database_of_the_first_schema_is_brought_up_to_date(database: str) -> None:
    pool = await open_pool(database)
    await pool.execute("CREATE TABLE migrations (step integer PRIMARY KEY, name text NOT NULL)")
    await pool.execute(sql("schema.sql"))
    await pool.execute("INSERT INTO migrations VALUES (1, 'schema.sql')")
    await pool.execute(
        "INSERT INTO timers (id, due, stream, command) VALUES ('old', 1, 'shelf-a', '\\x00')"
    )
    assert await pending(pool) == len(STEPS) - 1
    await migrate(pool, "toy", "toy.events", PARTITIONS, "lock")
    assert await pending(pool) == 0
    (timer,) = await PostgresStore(pool).due(NOON, 10)
    assert (timer.id, timer.cause, timer.trace) == ("old", "", "")
    await close_pool(pool)


async def test_a_step_may_take_longer_than_any_other_statement(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(name: str) -> str:
        return sql(name) + ("; SELECT pg_sleep(0.5)" if name == "schema.sql" else "")

    monkeypatch.setattr("libs.store.migrations.sql", slow)
    monkeypatch.setitem(BOUNDS, "statement_timeout", "300")
    pool = await open_pool(database)
    await migrate(pool, "toy", "toy.events", PARTITIONS, "lock")
    assert await pending(pool) == 0
    await close_pool(pool)


async def test_a_first_start_is_noted_once(postgres: PostgresStore) -> None:
    assert await first_start(postgres.pool, "toy.reactor", NOON) == NOON
    assert await first_start(postgres.pool, "toy.reactor", NOON + 5) == NOON
