"""What a person does with parked work: again in order, or given up; never twice."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from libs.bus.records import Record
from libs.eventsourcing.inputs import Failure, Input
from libs.runtime.commands import KeyReused
from libs.runtime.inbox import StoreInbox
from libs.runtime.interpret import Interpreter
from libs.runtime.once import once
from libs.runtime.redrive import ParkedWork, Redriven
from libs.runtime.timers import TIMERS, timer_input
from libs.security.vault.memory import MemoryVault
from libs.store.store import DueTimer, Store
from tests.contract import toy
from tests.contract.instances import LosesReplies, Runs, looping
from tests.contract.toy import CONSUMER, NOON, TOPIC, Put, read, received

INTAKE = f"intake-{TOPIC}/0"
VAULT = MemoryVault()
MENDED = Interpreter(
    "toy",
    toy.CODEC,
    {
        "upstream": replace(
            toy.react, react=lambda e: [(f"shelf-{e.event.sku}", Put(e.event.document))]
        )
    },
)


async def redrive(
    store: Any, stream: str, source: str = "upstream/one", *, mended: bool = True, discard: str = ""
) -> Sequence[Redriven]:
    """Redrive (or discard one) in an instance of its own, whose decider is mended or as it was."""
    runs = Runs(store, toy.mind(toy.MENDED) if mended else None)
    async with AsyncExitStack() as stack:
        loop = await stack.enter_async_context(looping(runs))
        work = ParkedWork(runs.mind, store, loop, MENDED if mended else toy.INTERPRETER, VAULT)
        if discard:
            return await work.discard(discard, stream, source, "anna", "no longer\0 wanted")
        return await work.redrive(stream, source, "anna")


async def applied(store: Store, stream: str = "shelf-hot") -> list[str]:
    return [d for d in await toy.documents(store, stream) if not d.startswith("<")]


async def parked_three(store: Store) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    await Runs(store).run(
        read(0, "decide-raises"), read(1, "1"), read(2, "2"), read(3, "3", key="two")
    )


async def test_redrive_applies_all_in_order_and_the_last_clears_the_note(store: Store) -> None:
    await parked_three(store)
    done = await redrive(store, "shelf-hot")
    assert [r.code for r in done] == [None, None, None]
    assert await applied(store) == ["3", "decide-raises", "1", "2"]
    assert (await toy.documents(store, "shelf-hot")).count("<ParkedCommandRedriven>") == 3
    assert (await store.heads(["shelf-hot"]))["shelf-hot"].notes == {}
    assert await store.parked(None, None, 10) == []
    await Runs(store).run(read(4, "4"))
    assert (await applied(store))[-1] == "4"


async def test_what_the_source_sends_meanwhile_is_redriven_with_the_rest(store: Any) -> None:
    await parked_three(store)

    class Late:
        """One more record is parked behind the others once they have been listed."""

        def __init__(self) -> None:
            self.coming = [read(4, "late")]

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def parked(self, *what: Any) -> Any:
            found = await store.parked(*what)
            while self.coming:
                await Runs(store).run(self.coming.pop())
            return found

    done = await redrive(Late(), "shelf-hot")
    assert [one.code for one in done] == [None] * 4
    assert (await applied(store))[-1] == "late"
    assert (await store.heads(["shelf-hot"]))["shelf-hot"].notes == {}


async def test_redrive_stops_at_the_first_failure_and_leaves_the_queue_as_it_is(
    store: Store,
) -> None:
    await parked_three(store)
    done = await redrive(store, "shelf-hot", mended=False)
    assert [r.code for r in done] == ["fault", "queued", "queued"]
    assert await applied(store) == ["3"]
    assert (await store.heads(["shelf-hot"]))["shelf-hot"].notes == {"upstream/one": 3}
    assert len(await store.parked("shelf-hot", "upstream/one", 10)) == 3


async def test_redrive_goes_as_far_as_it_can(store: Store) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    await Runs(store).run(toy.fact(0, ("shelf-hot", toy.Take("t", 1))), read(1, "1", key="two"))
    await Runs(store).run(
        toy.fact(2, ("shelf-hot", Put("2"))),
        toy.fact(3, ("shelf-hot", toy.Take("u", 50))),
        toy.fact(4, ("shelf-hot", Put("4"))),
    )
    done = await redrive(store, "shelf-hot", mended=False)
    assert [r.code for r in done] == [None, None, "not-enough", "queued"]
    assert await applied(store) == ["1", "t", "2"]
    assert (await store.heads(["shelf-hot"]))["shelf-hot"].notes == {"upstream/one": 2}


async def test_two_people_who_redrive_at_once_apply_nothing_twice(store: Store) -> None:
    await parked_three(store)
    ends = await asyncio.gather(*(redrive(store, "shelf-hot") for _ in range(4)))
    assert len(ends) == 4
    assert await applied(store) == ["3", "decide-raises", "1", "2"]
    assert (await store.heads(["shelf-hot"]))["shelf-hot"].notes == {}


async def test_a_stale_list_of_parked_work_is_not_applied_twice(store: Store) -> None:
    """The first was taken up and the second still waits: the note alone does not tell."""
    await store.claim(CONSUMER, TOPIC, 0)
    await Runs(store).run(read(0, "decide-raises"), read(1, "1"))
    work = ParkedWork(toy.mind(), store, None, toy.INTERPRETER, VAULT)  # type: ignore[arg-type]
    items = await store.parked("shelf-hot", "upstream/one", 10)
    first = work._input(items[0], "anna", (("shelf-hot", Put("first")),))
    second_time = work._input(items[0], "bert", (("shelf-hot", Put("again")),))
    runs = Runs(store)
    assert (await runs.run(first)).by_id[f"operator/{items[0].id}"] is None
    assert (await runs.run(second_time)).by_id[f"operator/{items[0].id}"] is None
    assert await applied(store) == ["first"]
    assert (await store.heads(["shelf-hot"]))["shelf-hot"].notes == {"upstream/one": 1}


@pytest.mark.parametrize("losses", [("after",), ("before",), ("before", "after")])
async def test_a_redrive_whose_reply_is_lost_takes_effect_once(
    store: Store, losses: tuple[Any, ...]
) -> None:
    await parked_three(store)
    done = await redrive(LosesReplies(store, *losses), "shelf-hot")
    assert [r.code for r in done] == [None, None, None]
    assert await applied(store) == ["3", "decide-raises", "1", "2"]
    assert (await toy.documents(store, "shelf-hot")).count("<ParkedCommandRedriven>") == 3


async def test_a_repeated_request_gets_its_first_answer(store: Store) -> None:
    await parked_three(store)

    async def ask(key: str, request: bytes, *, mended: bool = True) -> list[Redriven]:
        async def act() -> list[Redriven]:
            return [*await redrive(store, "shelf-hot", mended=mended)]

        return await once(store, key, request, list[Redriven], NOON, act)

    failed = await ask("k1", b"redrive", mended=False)
    assert [one.code for one in failed] == ["fault", "queued", "queued"]
    assert await ask("k1", b"redrive") == failed
    assert await applied(store) == ["3"], "nothing was tried again"
    with pytest.raises(KeyReused):
        await ask("k1", b"another")
    first = await ask("k2", b"redrive")
    assert [one.code for one in first] == [None, None, None]
    assert await ask("k2", b"redrive") == first
    both = await asyncio.gather(*(ask("k3", b"redrive") for _ in range(3)))
    assert both == [[], [], []]


async def test_of_two_who_ask_at_once_under_a_key_both_get_what_was_kept_first(
    store: Store,
) -> None:
    met = asyncio.Barrier(2)

    async def ask(told: list[str]) -> list[str]:
        async def act() -> list[str]:
            await met.wait()
            return told

        return await once(store, "k", b"request", list[str], NOON, act)

    answers = await asyncio.gather(ask(["first"]), ask(["second"]))
    assert answers[0] == answers[1]


async def test_one_is_given_up_with_a_reason_and_the_others_can_go_on(store: Store) -> None:
    await parked_three(store)
    first = (await store.parked("shelf-hot", None, 10))[0]
    done = await redrive(store, "shelf-hot", discard=first.id)
    assert [(r.id, r.code) for r in done] == [(first.id, None)]
    last = (await store.history("shelf-hot", 0, 100))[-1]
    event = toy.CODEC.decode(last.type, last.schema_version, last.data)
    assert (event.by, event.reason, event.queued) == ("anna", "no longer� wanted", 2)
    assert [r.code for r in await redrive(store, "shelf-hot", mended=False)] == [None, None]
    assert await applied(store) == ["3", "1", "2"]
    assert (await store.heads(["shelf-hot"]))["shelf-hot"].notes == {}


@pytest.mark.parametrize("document", ["nul", "surrogate", "big", "huge"])
async def test_what_could_not_be_recorded_is_kept_as_it_was_and_redriven(
    store: Store, document: str
) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    await Runs(store).run(read(0, document))
    assert [r.code for r in await redrive(store, "shelf-hot", mended=False)] == [
        "too-large" if document == "huge" else "unencodable"
    ]
    if document != "surrogate":
        assert [r.code for r in await redrive(store, "shelf-hot")] == [None]
        assert len(await applied(store)) == 1


async def unreadable(store: Store) -> None:
    """An unreadable record with two behind it, sealed as the reactor does it."""
    await store.claim(CONSUMER, TOPIC, 0)
    inbox = StoreInbox("toy", store, VAULT, lambda: NOON)
    record: Record = toy.record(0, received("react-raises", sku="hot"))
    given: Input = toy.INTERPRETER.read(record)
    assert given.failure is not None
    raw = await inbox.sealed(given.intake, msgspec.msgpack.encode(record), NOON)
    given = msgspec.structs.replace(given, failure=msgspec.structs.replace(given.failure, raw=raw))
    await Runs(store).run(given, read(1, "1"), read(2, "2", sku="hot"))


async def test_an_unreadable_record_is_read_again_and_what_queued_behind_it_follows(
    store: Store,
) -> None:
    await unreadable(store)
    assert [r.code for r in await redrive(store, INTAKE, mended=False)] == [
        "fault",
        "queued",
        "queued",
    ]
    assert await applied(store) == []
    assert [r.code for r in await redrive(store, INTAKE)] == [None, None, None]
    assert await applied(store) == ["react-raises", "1", "2"]
    assert (await store.heads([INTAKE]))[INTAKE].notes == {}
    await Runs(store).run(read(3, "3"))
    assert (await applied(store))[-1] == "3"


async def test_a_redriven_record_queues_behind_what_its_source_has_parked_at_the_stream(
    store: Store,
) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    await Runs(store).run(toy.fact(0, ("shelf-hot", Put("decide-raises"))))
    behind = msgspec.structs.replace(toy.fact(1), failure=Failure("fault", "", b""))
    await Runs(store).run(behind, toy.fact(2, ("shelf-hot", Put("2"))))
    first = (await store.parked(INTAKE, None, 10))[0]
    await redrive(store, INTAKE, discard=first.id)
    assert [r.code for r in await redrive(store, INTAKE, mended=False)] == [None]
    assert await applied(store) == [], "it has gone from one queue to the end of the other"
    assert [r.code for r in await redrive(store, "shelf-hot")] == [None, None]
    assert await applied(store) == ["decide-raises", "2"]


async def test_bytes_whose_key_is_gone_say_so_and_stay(store: Store) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    await Runs(store).run(read(0, "react-raises"))  # not sealed at all
    (end,) = await redrive(store, INTAKE)
    assert end.code == "undecodable"
    assert len(await store.parked(INTAKE, None, 10)) == 1


async def test_a_delivery_that_was_not_understood_is_opened_again_by_redrive(store: Store) -> None:
    await store.accept([toy.delivery("one")])
    failed = msgspec.structs.replace(
        toy.delivered(1, "shelf-hot", Put("x"), source="delivery/1"), work=(), intake="intake-inbox/a",
        id="inbox/p/a/one", failure=Failure("not-json", "", b""),
    )  # fmt: skip
    await Runs(store).run(failed)
    assert await store.received([], 10) == []
    assert [r.code for r in await redrive(store, "intake-inbox/a", "delivery/1")] == [None]
    assert [d.key for _, d in await store.received([], 10)] == ["one"]
    assert (await store.heads(["intake-inbox/a"]))["intake-inbox/a"].notes == {}


async def test_a_timer_that_cannot_be_read_is_parked_and_redriven_when_it_can(store: Store) -> None:
    await Runs(store).run(toy.call("1", "shelf-hot", Put("timer:t")))
    (due,) = await store.due(NOON + 60, 10)
    later = DueTimer(due.id, due.due, due.stream, due.command)
    runs = Runs(store)
    runs.mind.deciders = {}
    await runs.run(timer_input(runs.mind, later))
    assert await store.due(NOON + 60, 10) == []
    assert [p.code for p in await store.parked(TIMERS, None, 10)] == ["unknown-schema"]
    assert [r.code for r in await redrive(store, TIMERS, "timer/t")] == [None]
    assert await applied(store) == ["timer:t", "timed/t"]


async def test_a_command_to_a_stream_of_no_possible_name_can_only_be_given_up(store: Store) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    await Runs(store).run(read(0, "x", sku="nameless"))
    assert [r.code for r in await redrive(store, "intake-unnamed")] == ["not-redrivable"]
    (item,) = await store.parked("intake-unnamed", None, 10)
    assert [r.code for r in await redrive(store, "intake-unnamed", discard=item.id)] == [None]
    assert await store.parked(None, None, 10) == []
