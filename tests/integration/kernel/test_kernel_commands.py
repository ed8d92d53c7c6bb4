"""Idempotency keys: one key, one answer, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from libs.eventsourcing.decider import Refused
from libs.runtime.commands import KeyReused, TurnCommands
from libs.runtime.ports import Answer
from libs.store.store import Store
from libs.values.lanes import lane_of
from tests.contract import toy
from tests.contract.instances import LosesReplies, Runs, looping
from tests.contract.toy import Put, Take


@asynccontextmanager
async def commands(store: Any, made: Any = None) -> AsyncIterator[tuple[TurnCommands, Runs]]:
    runs = Runs(store, made)
    async with looping(runs) as loop:
        yield TurnCommands("toy", loop, store), runs


def falls(_: Any, __: Any) -> Sequence[Any]:
    raise RuntimeError("not today")


async def put(way: TurnCommands, key: str, document: str, quantity: int = 1) -> Answer:
    return await way.execute(
        "shelf-a", Put(document, quantity), key=key, request=document.encode("utf-8", "replace")
    )


async def test_the_same_key_gives_the_same_answer_also_after_a_restart(store: Store) -> None:
    async with commands(store) as (way, _):
        first = await put(way, "k", "one")
        assert await put(way, "k", "one") == first
        lane = lane_of("shelf-a")
        assert first == Answer("shelf-a", 1, ("lonja.inventory.StockReceived",), f"toy:{lane}:1")
        await put(way, "l", "two")
    async with commands(store) as (way, _):
        again = await put(way, "k", "one")
    assert (again.stream, again.version, again.events) == (
        first.stream,
        first.version,
        first.events,
    )
    assert await toy.documents(store, "shelf-a") == ["one", "two"]


async def test_the_same_key_with_other_content_is_refused(store: Store) -> None:
    async with commands(store) as (way, _):
        await put(way, "k", "one")
        with pytest.raises(KeyReused):
            await put(way, "k", "two")
    async with commands(store) as (way, _):
        with pytest.raises(KeyReused):
            await put(way, "k", "decide-raises")
    assert await toy.documents(store, "shelf-a") == ["one"]


async def test_ten_at_once_with_one_key_are_decided_once_and_all_get_the_answer(
    store: Store,
) -> None:
    async with commands(store) as (way, _):
        answers = await asyncio.gather(
            *(way.execute("shelf-a", Put(f"{n}"), key="k", request=b"same") for n in range(10))
        )
    assert len({(a.stream, a.version, a.events) for a in answers}) == 1
    assert await toy.documents(store, "shelf-a") == ["0"]


async def test_two_instances_at_once_with_one_key_decide_once(store: Store) -> None:
    async with commands(store) as (one, _), commands(store) as (two, _):
        answers = await asyncio.gather(
            *(
                way.execute(f"shelf-{n}", Put("x"), key="k", request=b"same")
                for n, way in enumerate((one, two))
            )
        )
    assert answers[0].stream == answers[1].stream
    assert len(await toy.log_of(store)) == 1


async def test_commands_that_arrive_together_share_a_commit_and_each_has_its_answer(
    store: Store,
) -> None:
    async with commands(store) as (way, runs):
        ends = await asyncio.gather(
            *(
                put(way, str(n), "decide-raises" if n == 3 else "refused" if n == 5 else f"{n}")
                for n in range(8)
            ),
            return_exceptions=True,
        )
    assert len(runs.committed) == 1
    assert [end.code for end in ends if isinstance(end, Refused)] == ["internal-error", "no-room"]
    assert [end.version for end in ends if isinstance(end, Answer)] == [1, 2, 3, 4, 5, 6]


async def test_a_refusal_is_stored_and_given_again_even_when_it_would_not_be_refused_now(
    store: Store,
) -> None:
    async with commands(store) as (way, _):
        for _ in range(2):
            with pytest.raises(Refused) as no:
                await way.execute("shelf-a", Take("t", 5), key="t", request=b"t")
            assert (no.value.code, no.value.details) == ("not-enough", {"units": 0})
            await put(way, "p", "many", 10)
        assert (await way.execute("shelf-a", Take("t", 5), key="u", request=b"t")).events
    assert await toy.documents(store, "shelf-a") == ["many", "t"]


async def test_a_fault_of_ours_is_not_stored_and_the_key_may_be_tried_again(store: Store) -> None:
    async with commands(store) as (way, _):
        with pytest.raises(Refused) as no:
            await put(way, "k", "decide-raises")
        assert no.value.code == "internal-error"
        assert "falls down" not in no.value.message
    async with commands(store, toy.mind(toy.MENDED)) as (way, _):
        assert (await put(way, "k", "decide-raises")).version == 1


async def test_a_fault_of_today_does_not_hide_the_answer_of_yesterday(store: Store) -> None:
    async with commands(store, toy.mind(toy.MENDED)) as (way, _):
        first = await put(way, "k", "refused")
        await put(way, "l", "x")
    broken = toy.mind()
    broken.deciders = {"shelf": replace(toy.SHELF, decide=falls)}
    async with commands(store, broken) as (way, _):
        again = await put(way, "k", "refused")
    assert (again.version, again.events) == (first.version, first.events)


@pytest.mark.parametrize("losses", [("after",), ("before",), ("before", "after")])
async def test_an_answer_that_was_lost_is_found(store: Store, losses: tuple[Any, ...]) -> None:
    async with commands(LosesReplies(store, *losses)) as (way, _):
        answer = await put(way, "k", "one")
    assert (answer.version, len(answer.events)) == (1, 1)
    assert await toy.documents(store, "shelf-a") == ["one"]


@pytest.mark.parametrize("key", ["", "a\0b", "a\ud800", "k" * 3000])
async def test_a_key_that_cannot_be_held_is_refused_before_the_turn(store: Store, key: str) -> None:
    async with commands(store) as (way, runs):
        with pytest.raises(Refused) as no:
            await put(way, key, "one")
        assert no.value.code == "bad-idempotency-key"
    assert runs.committed == []


BOTH = [("shelf-a", Put("effect:a")), ("shelf-b", Put("timer:b")), ("shelf-a", Put("two"))]


async def together(way: TurnCommands, key: str, *work: tuple[str, Any]) -> Answer:
    (stream, command), *also = work
    return await way.execute(stream, command, key=key, request=b"both", also=also)


async def test_several_commands_of_a_request_have_one_answer(store: Store) -> None:
    async with commands(store) as (way, runs):
        first = await together(way, "k", *BOTH)
        assert [(one.stream, one.version) for one in (first, *first.also)] == [
            ("shelf-a", 1), ("shelf-b", 1), ("shelf-a", 2),
        ]  # fmt: skip
        assert (len(runs.committed), len(runs.committed[0].effects)) == (1, 1)
        assert await together(way, "k", *BOTH) == first
    async with commands(store) as (way, _):
        assert await way.known("k", b"both") == first
    assert await toy.documents(store, "shelf-a") == ["effect:a", "two"]


@pytest.mark.parametrize(
    ("last", "code"), [("refused", "no-room"), ("decide-raises", "internal-error")]
)
async def test_of_several_commands_all_take_effect_or_none(
    store: Store, last: str, code: str
) -> None:
    async with commands(store) as (way, runs):
        no, other = await asyncio.gather(
            together(way, "k", *BOTH, ("shelf-c", Put(last))), put(way, "l", "other"),
            return_exceptions=True,
        )  # fmt: skip
        assert isinstance(no, Refused)
        assert isinstance(other, Answer)
        assert (no.code, other.version, len(runs.committed)) == (code, 1, 1)
        turn = runs.committed[0]
    assert (turn.effects, turn.timers, len(turn.recorded)) == ([], [], 1)
    assert [event.stream for event in await toy.log_of(store)] == ["shelf-a"]


async def test_what_is_stored_under_a_key_is_known_without_a_command(store: Store) -> None:
    async with commands(store) as (way, _):
        answer = await put(way, "k", "one")
        with pytest.raises(Refused):
            await way.execute("shelf-a", Take("t", 5), key="t", request=b"t")
        assert await way.known("k", b"one") == answer
        assert await way.known("l", b"one") is None
        with pytest.raises(KeyReused):
            await way.known("k", b"two")
        with pytest.raises(Refused, match="Not enough"):
            await way.known("t", b"t")
