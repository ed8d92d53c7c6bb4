"""What a store promises, proved alike for memory and PostgreSQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from libs.eventsourcing.inputs import Head
from libs.eventsourcing.turn import take_turn
from libs.store.folding import Heads
from libs.store.store import Conflict, Fenced, Repeated, Store, StoredEvent
from libs.values.lanes import PARTITIONS, lane_of
from tests.contract import toy
from tests.contract.instances import Runs
from tests.contract.toy import NOON, Put, Take
from tests.contract.turns import MIND, done, turn_of


async def test_a_new_stream_and_an_old_one_are_committed_with_their_states(store: Store) -> None:
    await done(store, toy.call("1", "shelf-a", Put("one", 5)))
    await done(store, toy.call("2", "shelf-a", Take("two", 2)), toy.call("3", "shelf-b", Put("x")))
    heads = await store.heads(["shelf-a", "shelf-b", "shelf-c"])
    assert {name: head.version for name, head in heads.items()} == {"shelf-a": 2, "shelf-b": 1}
    assert heads["shelf-a"].state_version == 2
    assert await toy.documents(store, "shelf-a") == ["one", "two"]
    loaded = (await Heads(MIND, store).load(["shelf-a"]))["shelf-a"]
    assert loaded == Head(
        "shelf-a", 2, toy.Shelf(3, ("one", "two")), {}, 2, None, loaded.saved_size
    )


async def test_a_commit_on_a_moved_version_conflicts_and_leaves_nothing(store: Store) -> None:
    await done(store, toy.call("1", "shelf-a", Put("one")))
    late = await turn_of(
        store, toy.call("2", "shelf-a", Put("late")), toy.call("3", "shelf-n", Put("n"))
    )
    await done(store, toy.call("4", "shelf-a", Put("two")))
    with pytest.raises(Conflict):
        await store.commit(late)
    assert await toy.documents(store, "shelf-a") == ["one", "two"]
    assert await store.heads(["shelf-n"]) == {}
    assert await store.replies(["2", "3"]) == {}


async def test_of_two_commits_that_create_a_stream_one_conflicts(store: Store) -> None:
    both = [await turn_of(store, toy.call(k, "shelf-a", Put(k))) for k in ("1", "2")]
    ends = await asyncio.gather(*(store.commit(turn) for turn in both), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["Conflict", "dict"]
    assert [e.version for e in await store.history("shelf-a", 0, 10)] == [1]


async def test_a_decision_of_nothing_on_a_moved_stream_conflicts(store: Store) -> None:
    """A remembered head may be old: that nothing was to be done is a decision as well."""
    await done(store, toy.call("1", "shelf-a", Put("one")))
    old = await Heads(MIND, store).load(["shelf-a", "shelf-b"])
    await done(store, toy.call("2", "shelf-a", Put("two", 9)), toy.call("3", "shelf-b", Put("b")))
    for stream in ("shelf-a", "shelf-b"):
        refused = await turn_of(store, toy.call("4", stream, Take("t", 5)), heads=old)
        assert not refused.events
        with pytest.raises(Conflict):
            await store.commit(refused)
    assert await store.replies(["4"]) == {}


async def test_an_older_epoch_is_fenced_and_commits_nothing(store: Store) -> None:
    await store.claim(toy.CONSUMER, toy.TOPIC, 0)
    await store.claim(toy.CONSUMER, toy.TOPIC, 1)
    turn = await turn_of(
        store, toy.fact(0, ("shelf-a", Put("a"))), toy.fact(0, ("shelf-b", Put("b")), partition=1)
    )
    again = await store.claim(toy.CONSUMER, toy.TOPIC, 0)
    assert again.epoch == 2
    with pytest.raises(Fenced):
        await store.commit(turn)
    assert await toy.log_of(store) == []
    assert (await store.claim(toy.CONSUMER, toy.TOPIC, 1)).next_offset == 0


async def test_a_position_that_has_been_reached_is_repeated_and_changes_nothing(
    store: Store,
) -> None:
    await store.claim(toy.CONSUMER, toy.TOPIC, 0)
    first = toy.fact(0, ("shelf-a", Put("a")))
    await done(store, first)
    before = await toy.log_of(store)
    with pytest.raises(Repeated):
        await store.commit(await turn_of(store, first))
    assert await toy.log_of(store) == before
    await done(store, toy.fact(1, ("shelf-a", Put("b"))))


async def test_a_position_that_was_never_claimed_is_fenced(store: Store) -> None:
    with pytest.raises(Fenced):
        await store.commit(await turn_of(store, toy.fact(0, ("shelf-a", Put("a")))))


async def test_a_claim_goes_on_where_the_last_commit_ended(store: Store) -> None:
    assert (await store.claim(toy.CONSUMER, toy.TOPIC, 0)).next_offset == 0
    turn = await done(store, toy.fact(0, ("shelf-a", Put("a"))), toy.fact(1, ("shelf-a", Put("b"))))
    claimed = await store.claim(toy.CONSUMER, toy.TOPIC, 0)
    assert claimed.epoch == 2
    assert (claimed.next_offset, claimed.last_pseq) == (2, 2)
    assert claimed.last_id == next(iter(turn.positions.values())).last_id


async def test_a_key_that_was_answered_is_repeated_with_its_reply_kept(store: Store) -> None:
    first = await done(store, toy.call("k", "shelf-a", Put("one")))
    with pytest.raises(Repeated):
        await store.commit(await turn_of(store, toy.call("k", "shelf-b", Put("two"))))
    assert await store.heads(["shelf-b"]) == {}
    settled = await store.settled(first)
    assert settled.replies["k"].request_hash == b"content"


async def test_a_fault_of_ours_is_not_kept_under_its_key(store: Store) -> None:
    turn = await done(store, toy.call("k", "shelf-a", Put("decide-raises")))
    assert turn.replies[0].refused == "fault"
    assert await store.replies(["k"]) == {}
    await done(store, toy.call("k", "shelf-a", Put("one")))
    assert set(await store.replies(["k", "other"])) == {"k"}


async def test_nothing_is_settled_before_its_commit(store: Store) -> None:
    await done(store, toy.call("0", "shelf-a", Put("timer:t")))
    await store.accept([toy.delivery("one")])
    (row,) = await store.received([], 10)
    await store.claim(toy.CONSUMER, toy.TOPIC, 0)
    turn = await turn_of(
        store, toy.fact(0, ("shelf-a", Put("f"))), toy.call("k", "shelf-a", Put("c")),
        toy.delivered(row[0], "shelf-a", Put("d")), toy.timed("t", "shelf-a", Put("t")),
    )  # fmt: skip
    before = await store.settled(turn)
    assert [p.next_offset for p in before.positions.values()] == [0]
    assert (before.replies, before.inbox, before.timers) == ({}, frozenset(), frozenset())
    await store.commit(turn)
    after = await store.settled(turn)
    assert [p.next_offset for p in after.positions.values()] == [1]
    assert set(after.replies) == {"k"}
    assert after.inbox == {row[0]}
    assert after.timers == {"t"}


async def test_lanes_are_gapless_and_in_commit_order(store: Store) -> None:
    heads: dict[int, int] = {}
    for n in range(40):
        turn = await turn_of(
            store, *(toy.call(f"{n}/{s}", f"shelf-{s}", Put(f"{n}")) for s in range(n % 5))
        )
        if n % 3 == 2:
            turn.timers_done.append("none")
            with pytest.raises(Repeated):
                await store.commit(turn)
            continue
        heads |= await store.commit(turn)
    for lane in range(PARTITIONS):
        events = await store.read(lane, 0, 1000)
        assert [e.pseq for e in events] == list(range(1, len(events) + 1))
        assert heads.get(lane, 0) == len(events)
        assert [
            int(toy.CODEC.decode(e.type, e.schema_version, e.data).document) for e in events
        ] == sorted(
            int(toy.CODEC.decode(e.type, e.schema_version, e.data).document) for e in events
        )
        assert all(lane_of(e.stream) == lane for e in events)
        assert await store.read(lane, 2, 3) == events[2:5]


async def test_a_small_state_is_stored_every_turn_and_a_large_one_every_64_events(
    store: Store,
) -> None:
    saved: dict[str, list[int]] = {"small": [], "large": []}
    heads = Heads(MIND, store)
    for n in range(70):
        inputs = [
            toy.call(f"{n}/{s}", f"shelf-{s}", Put(f"{n}/" + "x" * w))
            for s, w in (("small", 1), ("large", 6000))
        ]
        turn = take_turn(
            MIND, inputs, await heads.load(s for i in inputs for s in i.streams()), NOON
        )
        await store.commit(turn)
        heads.keep(turn.after)
        for name, head in (await store.heads(["shelf-small", "shelf-large"])).items():
            saved[name[6:]].append(head.state_version)
    assert saved["small"] == list(range(1, 71))
    assert saved["large"] == [1] * 64 + [65] * 6
    fresh = (await Heads(MIND, store).load(["shelf-large"]))["shelf-large"]
    assert (fresh.version, len(fresh.state.documents), fresh.saved_version) == (70, 70, 65)


async def test_a_state_of_a_newer_fold_is_not_overwritten_by_an_older_one(store: Store) -> None:
    newer = toy.mind()
    newer.folds["shelf"] = "0002:newer"
    await done(store, toy.call("1", "shelf-a", Put("one")))
    turn = take_turn(newer, [toy.call("2", "shelf-a", Put("two"))],
                     await Heads(newer, store).load(["shelf-a"]), NOON)  # fmt: skip
    change = turn.heads["shelf-a"]
    assert change.state is None, "folded again: the old state was not taken over"
    await store.commit(turn)
    forced = await turn_of(store, toy.call("3", "shelf-a", Put("three")))
    forced.heads["shelf-a"] = msgspec.structs.replace(
        forced.heads["shelf-a"], state=b"new", fold="0002:newer"
    )
    await store.commit(forced)
    old = await turn_of(store, toy.call("4", "shelf-a", Put("four")))
    old.heads["shelf-a"] = msgspec.structs.replace(old.heads["shelf-a"], state=b"old")
    await store.commit(old)
    head = (await store.heads(["shelf-a"]))["shelf-a"]
    assert (head.version, head.state, head.state_version, head.fold) == (4, b"new", 3, "0002:newer")


async def test_of_one_number_the_last_shape_of_a_state_is_kept(store: Store) -> None:
    """A type that is spelt otherwise is not worth a number, and must not be folded for ever."""
    for content, fold in ((b"one", "0003:fff"), (b"two", "0003:aaa")):
        turn = await turn_of(store, toy.call(fold, "shelf-a", Put(fold)))
        change = msgspec.structs.replace(turn.heads["shelf-a"], state=content, fold=fold)
        turn.heads["shelf-a"] = change
        await store.commit(turn)
        head = (await store.heads(["shelf-a"]))["shelf-a"]
        assert (head.state, head.fold) == (content, fold)


async def test_behind_another_release_only_the_new_end_of_a_history_is_folded(store: Store) -> None:
    """The newer one stores states that the older one cannot use."""
    newer = Runs(store, toy.mind(replace(toy.SHELF, version=2)))
    await newer.run(*(toy.call(str(n), "shelf-a", Put(f"{n}")) for n in range(50)))
    read: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def history(self, stream: str, after: int, limit: int) -> Sequence[StoredEvent]:
            page = await store.history(stream, after, limit)
            read.append(len(page))
            return page

    counting: Any = Counting()
    older = Runs(counting)
    for n in range(50, 60):
        await newer.run(toy.call(f"newer-{n}", "shelf-a", Put(f"newer-{n}")))
        await older.run(toy.call(f"older-{n}", "shelf-a", Put(f"older-{n}")))
    assert read == [51] + [1] * 9
    assert len(await toy.documents(store, "shelf-a")) == 70
