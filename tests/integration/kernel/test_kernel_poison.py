"""Poison in a batch: one input is set aside and shown, all others take effect, order is kept."""

from typing import Any

import msgspec
import pytest

from libs.eventsourcing.decided import Reply
from libs.eventsourcing.inputs import Failure, Input
from libs.eventsourcing.names import UNNAMED
from libs.store.event_store import PostgresStore
from libs.store.store import Store
from tests.contract import toy
from tests.contract.instances import LosesReplies, Runs
from tests.contract.toy import CONSUMER, TOPIC, Put, read, received

INTAKE = f"intake-{TOPIC}/0"
GARBAGE = b"\x00" + (100_999).to_bytes(4, "big") + b"?"


def poisoned(document: str, **more: Any) -> Input:
    return read(250, document, key="poison", **more)


POISON = {
    "bad avro": (poisoned("x", value=toy.record(0, received("x")).value[:-3]), INTAKE, "undecodable"),
    "unknown schema": (poisoned("x", value=GARBAGE), INTAKE, "unknown-schema"),
    "empty value": (poisoned("x", value=b""), INTAKE, "truncated"),
    "foreign": (poisoned("x", value=b"{}", ours=False), INTAKE, "foreign-record"),
    "react raises": (poisoned("react-raises"), INTAKE, "fault"),
    "decide raises": (poisoned("decide-raises"), "shelf-hot", "fault"),
    "refused": (poisoned("refused"), "shelf-hot", "no-room"),
    "U+0000": (poisoned("nul"), "shelf-hot", "unencodable"),
    "lone surrogate": (poisoned("surrogate"), "shelf-hot", "unencodable"),
    "2^70": (poisoned("big"), "shelf-hot", "unencodable"),
    "oversize": (poisoned("huge"), "shelf-hot", "too-large"),
    "evolve raises": (poisoned("evolve-raises"), "shelf-hot", "fault"),
    "plan raises": (poisoned("plan-raises"), "shelf-hot", "fault"),
    "planned name": (poisoned("bad-timer"), "shelf-hot", "bad-name"),
    "planned kind": (poisoned("bad-effect"), "shelf-hot", "bad-name"),
    "planned time": (poisoned("late-timer"), "shelf-hot", "unencodable"),
    "planned command": (poisoned("big-timer"), "shelf-hot", "fault"),
    "stream with U+0000": (poisoned("x", sku="nameless"), UNNAMED, "bad-name"),
    "stream with half a letter": (poisoned("x", sku="half"), UNNAMED, "bad-name"),
    "stream of 5000 letters": (poisoned("x", sku="endless"), UNNAMED, "bad-name"),
    "no such stream": (
        toy.fact(250, ("nowhere-a", Put("x")), source="upstream/poison"), "nowhere-a", "stream-unknown",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", POISON)
async def test_of_500_inputs_499_are_applied_and_the_poison_is_parked(
    store: Store, kind: str
) -> None:
    poison, stream, code = POISON[kind]
    await store.claim(CONSUMER, TOPIC, 0)
    inputs = [read(n, f"{n}", key=f"k{n % 25}") for n in range(500)]
    inputs[250] = poison
    runs = Runs(store)
    end = await runs.run(*inputs)
    assert set(end.by_id.values()) == {None}
    applied = [d for d in await toy.documents(store, "shelf-hot") if not d.startswith("<")]
    assert applied == [str(n) for n in range(500) if n != 250]
    (parked,) = await store.parked(None, None, 10)
    assert (parked.stream, parked.code) == (stream, code)
    assert parked.input_id == poison.id
    assert (await store.heads([stream]))[stream].notes == {parked.source: 1}
    assert (await store.claim(CONSUMER, TOPIC, 0)).next_offset == 500
    assert len(runs.committed) == 1, "in one turn"


async def test_later_commands_of_the_source_queue_behind_and_other_sources_go_on(
    store: Store,
) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    runs = Runs(store)
    bad = {3: "decide-raises"}
    await runs.run(*(read(n, bad.get(n, f"{n}"), key=f"k{n % 3}") for n in range(30)))
    await Runs(store).run(*(read(n, f"{n}", key=f"k{n % 3}") for n in range(30, 40)))
    applied = [d for d in await toy.documents(store, "shelf-hot") if not d.startswith("<")]
    assert applied == [str(n) for n in range(40) if n == 0 or n % 3]
    parked = await store.parked("shelf-hot", "upstream/k0", 100)
    assert [p.code for p in parked] == ["fault"] + ["queued"] * 12
    assert [msgspec.msgpack.decode(p.command or b"")["document"] for p in parked[1:]] == [
        str(n) for n in range(6, 40, 3)
    ]
    # The same source goes on at another stream: order is promised within (stream, source).
    await runs.run(read(40, "40", key="k0", sku="cold"))
    assert await toy.documents(store, "shelf-cold") == ["40"]


async def test_later_records_of_the_key_queue_behind_an_unreadable_one(store: Store) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    runs = Runs(store)
    await runs.run(
        read(0, "0"), read(1, "react-raises"), read(2, "2", sku="hot+cold"), read(3, "3", key="two")
    )
    await runs.run(read(4, "4"))
    assert await toy.documents(store, "shelf-hot") == ["0", "3"]
    parked = await store.parked(INTAKE, "upstream/one", 10)
    assert [(p.code, p.work) for p in parked] == [
        ("fault", 0),
        ("queued", 0),
        ("queued", 1),
        ("queued", 0),
    ]
    assert parked[0].raw == toy.record(1, received("react-raises", sku="hot")).value


async def test_of_several_commands_of_a_record_each_is_applied_or_parked_by_itself(
    store: Store,
) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    runs = Runs(store)
    await runs.run(toy.call("c", "shelf-b", Put("3")))
    broken = toy.fact(0, ("shelf-a", Put("1")), ("shelf-b", Put("refused")), ("shelf-c", Put("1")))
    await runs.run(broken, toy.fact(1, ("shelf-a", Put("2")), ("shelf-b", Put("2"))))
    assert await toy.documents(store, "shelf-a") == ["1", "2"]
    assert await toy.documents(store, "shelf-b") == ["3", "<CommandParked>", "<CommandParked>"]
    assert await toy.documents(store, "shelf-c") == ["1"]
    assert [(p.stream, p.work) for p in await store.parked(None, None, 10)] == [
        ("shelf-b", 1),
        ("shelf-b", 1),
    ]


async def test_foreign_records_are_parked_and_block_nothing(store: Store) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    foreign = [read(n, "x", value=b"{}", ours=False) for n in range(3)]
    await Runs(store).run(*foreign, read(3, "3"))
    assert await toy.documents(store, "shelf-hot") == ["3"]
    parked = await store.parked(INTAKE, None, 10)
    assert [(p.code, p.raw) for p in parked] == [("foreign-record", b"{}")] * 3
    assert len({p.source for p in parked}) == 3


async def test_a_stream_whose_history_cannot_be_folded_is_parked_and_others_go_on(
    store: Store,
) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    await Runs(store, toy.mind(toy.MENDED)).run(toy.call("1", "shelf-hot", Put("evolve-raises")))
    head = (await store.heads(["shelf-hot"]))["shelf-hot"]
    broken = toy.mind()
    broken.folds["shelf"] = "0002:folds again"
    runs = Runs(store, broken)
    await runs.run(read(0, "0"), read(1, "1", sku="cold"), read(2, "2", key="two"))
    assert await toy.documents(store, "shelf-cold") == ["1"]
    assert [(p.source, p.code) for p in await store.parked("shelf-hot", None, 10)] == [
        ("upstream/one", "stream-unreadable"), ("upstream/two", "stream-unreadable"),
    ]  # fmt: skip
    after = (await store.heads(["shelf-hot"]))["shelf-hot"]
    assert (after.state, after.version) == (head.state, head.version + 2)
    end = await runs.run(toy.call("2", "shelf-hot", Put("2")))
    reply = end.by_id["command/2"]
    assert isinstance(reply, Reply)
    assert (reply.refused, reply.request_hash) == ("stream-unreadable", b""), "a fault, not kept"


async def test_a_history_with_a_missing_event_is_not_folded_as_if_it_were_whole(
    postgres: PostgresStore,
) -> None:
    await Runs(postgres).run(*(toy.call(str(n), "shelf-a", Put(str(n))) for n in range(3)))
    await postgres.pool.execute("DELETE FROM events WHERE stream_id = 'shelf-a' AND version = 3")
    await postgres.pool.execute("UPDATE streams SET state = NULL, state_version = 0")
    end = await Runs(postgres).run(toy.call("4", "shelf-a", Put("4")))
    reply = end.by_id["command/4"]
    assert isinstance(reply, Reply)
    assert reply.refused == "stream-unreadable"


async def test_a_state_that_cannot_be_written_stops_nothing(store: Store) -> None:
    for n in range(6):
        await Runs(store).run(toy.call(str(n), "shelf-a", Put(str(n), 2**62)))
    heads = await store.heads(["shelf-a"])
    assert (heads["shelf-a"].version, heads["shelf-a"].state_version) == (6, 3), (
        "beyond 2**64 from 4 on"
    )
    runs = Runs(store)
    assert (await runs.runner.heads.load(["shelf-a"]))["shelf-a"].state.units == 6 * 2**62


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "", "x" * 3000])
async def test_names_of_an_input_that_cannot_be_held_are_replaced(store: Store, text: str) -> None:
    """A provider's own ids become a source; whatever they are, one input is one input."""
    await store.accept([toy.delivery("0"), toy.delivery("1"), toy.delivery("2")])
    one = toy.delivered(1, "shelf-a", Put("refused"), source=text)
    two = msgspec.structs.replace(
        toy.delivered(2, "shelf-a", Put("2"), source=text), trace="\0\ud800"
    )
    runs = Runs(store)
    end = await runs.run(one, two, toy.delivered(3, "shelf-a", Put("3")))
    assert set(end.by_id) == {one.id, two.id, "inbox/p/a/3"}
    assert [d for d in await toy.documents(store, "shelf-a") if not d.startswith("<")] == ["3"]
    assert [p.code for p in await store.parked("shelf-a", None, 10)] == ["no-room", "queued"]
    assert len(runs.committed) == 1


async def test_texts_in_a_refusal_that_cannot_be_held_reach_the_caller_cleaned(
    store: Store,
) -> None:
    end = await Runs(store).run(
        toy.call("1", "shelf-a\0", Put("x")), toy.call("2", "shelf-a", Put("y"))
    )
    reply = end.by_id["command/1"]
    assert isinstance(reply, Reply)
    assert reply.refused == "bad-name"
    assert await toy.documents(store, "shelf-a") == ["y"]


class Breaks(LosesReplies):
    """A database that cannot hold a certain document: for no reason that the turn could know."""

    def __init__(self, store: Any, document: bytes, key: Any = "a\0b") -> None:
        super().__init__(store)
        self.document, self.key = document, key

    async def commit(self, turn: Any) -> Any:
        if any(self.document in event.data for event in turn.events):
            turn.timers_done = [self.key]  # what PostgreSQL cannot hold
        return await super().commit(turn)


@pytest.mark.parametrize("key", ["a\0b", "a\ud800b", 2**70])
async def test_a_commit_that_fails_for_one_input_is_run_one_by_one_and_that_one_parked(
    postgres: PostgresStore, key: Any
) -> None:
    await postgres.claim(CONSUMER, TOPIC, 0)
    await postgres.accept([toy.delivery("one")])
    runs = Runs(Breaks(postgres, b"poison", key))
    inputs = [read(n, f"{n}", key=f"k{n % 5}") for n in range(20)]
    inputs[7] = read(7, "poison", key="k2")
    inputs.append(toy.delivered(1, "shelf-hot", Put("poison too")))
    inputs.append(toy.call("k", "shelf-hot", Put("poisoned call")))
    end = await runs.run(*inputs)
    assert [d for d in await toy.documents(postgres, "shelf-hot") if not d.startswith("<")] == [
        str(n) for n in range(20) if n % 5 != 2 or n < 7
    ]
    parked = await postgres.parked("shelf-hot", None, 10)
    assert [(p.source, p.code) for p in parked] == [
        ("upstream/k2", "commit-failed"), ("upstream/k2", "queued"), ("upstream/k2", "queued"),
        ("shop/one", "commit-failed"),
    ]  # fmt: skip
    reply = end.by_id["command/k"]
    assert isinstance(reply, Reply)
    assert (reply.refused, reply.request_hash) == ("internal-error", b"")
    row = await postgres.pool.fetchrow("SELECT state, reason, finished FROM inbox")
    assert row is not None
    assert tuple(row) == ("done", "commit-failed", 1)
    assert await postgres.received([], 10) == []


async def test_an_input_that_cannot_even_be_parked_is_given_back_and_not_passed_over(
    postgres: PostgresStore,
) -> None:
    await postgres.claim(CONSUMER, TOPIC, 0)
    await postgres.pool.execute("ALTER TABLE parked ADD CHECK (code <> 'commit-failed')")
    runs = Runs(Breaks(postgres, b"poison"))
    with pytest.raises(Exception, match="parked"):
        await runs.run(read(0, "0"), read(1, "poison"), read(2, "2"))
    assert await toy.documents(postgres, "shelf-hot") == ["0"]
    assert (await postgres.claim(CONSUMER, TOPIC, 0)).next_offset == 1


async def test_an_inbox_row_that_was_not_understood_is_parked_with_its_reason(
    postgres: PostgresStore,
) -> None:
    await postgres.accept([toy.delivery("one"), toy.delivery("two")])
    failed = msgspec.structs.replace(
        toy.delivered(1, "shelf-a", Put("x"), source="delivery/1"), work=(), intake="intake-inbox/a",
        failure=Failure("not-json", "", b""),
    )  # fmt: skip
    await Runs(postgres).run(failed, toy.delivered(2, "shelf-a", Put("two")))
    rows = await postgres.pool.fetch("SELECT state, reason, finished FROM inbox ORDER BY seq")
    assert [tuple(row) for row in rows] == [("parked", "not-json", 0), ("done", None, 1)]
    assert [p.code for p in await postgres.parked("intake-inbox/a", None, 10)] == ["not-json"]
