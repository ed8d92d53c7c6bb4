"""How inputs fall into batches changes nothing: the same events, states, parked work and answers."""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.eventsourcing.decided import Turn
from libs.eventsourcing.inputs import Failure, FromOperator, Head, Input
from libs.eventsourcing.states import pack_whatever, unpack
from libs.eventsourcing.turn import take_turn
from libs.store.folding import Fold
from libs.store.memory import MemoryStore
from tests.contract import toy
from tests.contract.toy import CONSUMER, NOON, TOPIC, Put, Take, read
from tests.examples import examples

DOCUMENTS = [
    "decide-raises", "refused", "evolve-raises", "plan-raises", "bad-timer:", "timer:t", "effect:e",
    "a\0b", "a\ud800b", "one", "two", "three",
]  # fmt: skip
MIND = toy.mind()
streams = st.sampled_from(["shelf-a", "shelf-b", "shelf-c", "nowhere-a", "shelf-\0"])
commands = st.builds(
    lambda kind, document, quantity: kind(document, quantity),
    st.sampled_from([Put, Put, Take]), st.sampled_from(DOCUMENTS), st.sampled_from([1, 2, 5, 2**70]),
)  # fmt: skip
works = st.lists(st.tuples(streams, commands), min_size=1, max_size=3)
sources = st.sampled_from(["s/1", "s/2", "s/3", "s\0"])


@st.composite
def inputs(draw: st.DrawFn) -> list[Input]:
    """Facts, calls and records (some unreadable), as they might come in."""
    out: list[Input] = []
    for n in range(draw(st.integers(1, 25))):
        match draw(st.sampled_from(["fact", "fact", "fact", "call", "record", "poison"])):
            case "fact":
                out.append(toy.fact(n, *draw(works), source=draw(sources)))
            case "call":
                ((stream, command), *_) = draw(works)
                out.append(toy.call(str(n), stream, command))
            case "record":
                out.append(
                    read(n, draw(st.sampled_from(["x", "nul", "react-raises"])), key=draw(sources))
                )
            case _:
                failure = Failure("undecodable", "", b"?")
                out.append(
                    msgspec.structs.replace(toy.fact(n, source=draw(sources)), failure=failure)
                )
    return out


def play(batches: Sequence[Sequence[Input]]) -> tuple[MemoryStore, list[Turn]]:
    """Take and commit the batches one after the other, from what the store holds each time."""
    store = MemoryStore()
    store.claim_now(CONSUMER, TOPIC, 0)
    turns = []
    for batch in batches:
        turn = take_turn(MIND, batch, heads(store, batch), NOON)
        store.commit_now(turn)
        turns.append(turn)
    return store, turns


def heads(store: MemoryStore, batch: Sequence[Input]) -> dict[str, Head]:
    loaded = {}
    for name in {s for i in batch for s in i.streams()}:
        fold = Fold(MIND, name, store.streams.get(name))
        if fold.missing():
            fold.read(store.history_now(name, fold.version, fold.left()))
        loaded[name] = fold.head()
    return loaded


def split(given_: list[Input], cuts: list[bool]) -> list[list[Input]]:
    batches: list[list[Input]] = [[]]
    for given_one, cut in zip(given_, cuts, strict=False):
        if cut and batches[-1]:
            batches.append([])
        batches[-1].append(given_one)
    return batches


def told(store: MemoryStore) -> dict[str, Any]:
    """Everything that a store holds, without which state was stored when."""
    return {
        "streams": {n: (h.version, h.notes) for n, h in store.streams.items()},
        "events": store.histories, "lanes": {e.stream: n for n, lane in enumerate(store.lanes) for e in lane},
        "positions": store.positions, "answers": store.answers, "timers": store.timers,
        "effects": {n: e.kind for n, e in store.effects.items()}, "parked": store.aside,
    }  # fmt: skip


@settings(max_examples=examples(150), deadline=None)
@given(inputs(), st.lists(st.booleans(), min_size=25, max_size=25))
def test_however_inputs_fall_into_batches_the_same_is_recorded(
    given_: list[Input], cuts: list[bool]
) -> None:
    one_by_one, _ = play([[given_one] for given_one in given_])
    batched, _ = play(split(given_, cuts))
    assert told(batched) == told(one_by_one)
    assert [[e.id for e in lane] for lane in batched.lanes] == [
        [e.id for e in lane] for lane in one_by_one.lanes
    ]


@settings(max_examples=examples(100), deadline=None)
@given(inputs())
def test_whatever_comes_in_a_turn_never_fails_and_loses_no_work(given_: list[Input]) -> None:
    store, (turn,) = play([given_])
    ids = [e.id for e in turn.events]
    assert len(ids) == len(set(ids))
    parked = {(p.input_id, p.work) for p in turn.parked}
    # Each piece of work of a fact was decided by itself or is parked; a decider that says nothing
    # leaves its document in the state.
    for one in given_:
        if one.id.startswith("command/"):
            assert any(f"command/{reply.key}" == one.id for reply in turn.replies)
            continue
        for number, (stream, command) in enumerate(one.work):
            if (one.id, number) not in parked:
                documents = heads(store, [one])[stream].state.documents
                assert command.document in documents
        if one.failure is not None:
            assert (one.id, 0) in parked


@settings(max_examples=examples(100), deadline=None)
@given(inputs())
def test_a_stored_state_is_the_fold_of_its_events(given_: list[Input]) -> None:
    store, _ = play([given_])
    for name, stored in store.streams.items():
        if name.startswith("shelf-"):
            whole = Fold(MIND, name, msgspec.structs.replace(stored, state=None))
            whole.read(store.history_now(name, 0, 1000))
            kept = Fold(MIND, name, stored)
            if kept.missing():
                kept.read(store.history_now(name, kept.version, 1000))
            assert kept.state == whole.state
            assert whole.version == stored.version == len(store.histories[name])


@settings(max_examples=examples(100), deadline=None)
@given(inputs(), st.lists(st.booleans(), min_size=25, max_size=25))
def test_redriving_everything_leaves_no_note_without_its_command(
    given_: list[Input], cuts: list[bool]
) -> None:
    store, _ = play(split(given_, cuts))
    again = []
    for item in list(store.aside.values()):
        origin = FromOperator(item.id, item.stream, item.source, "anna", discard="enough")
        again.append(Input(origin, item.input_id, item.source, item.cause, item.correlation, ""))
    store.commit_now(take_turn(MIND, again, heads(store, again), NOON))
    assert store.aside == {}
    assert all(head.notes == {} for head in store.streams.values())


@given(st.text(st.characters(), max_size=20), st.integers(-(2**200), 2**200))
def test_any_command_survives_being_parked(text: str, number: int) -> None:
    command = Put(text, number)
    assert unpack(Put | Take, pack_whatever(command)) == command
