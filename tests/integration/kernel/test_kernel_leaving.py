"""What an instance of an older release does with streams that a newer one has written to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libs.codec.framing import EventCodec
from libs.contracts import inventory as events
from libs.contracts import kernel
from libs.eventsourcing.decided import Turn
from libs.eventsourcing.mind import Mind
from libs.runtime.leaving import PATIENCE, Leaving
from libs.runtime.turns import FENCED
from libs.store.store import Store
from tests.contract import toy
from tests.contract.instances import Runs, looping
from tests.contract.toy import CONSUMER, SHELF, TOPIC, Put, Take, plan
from tests.integration.kernel.test_kernel_effects import Clock, Outside, planned, settled, worker

KNOWN = [one for one in events.CONTRACTS if one.name != "lonja.inventory.StockAdjusted"]
NEWER = toy.mind(replace(SHELF, version=2))
OLDER = Mind("toy", [SHELF], EventCodec((*KNOWN, *kernel.CONTRACTS)), plan)


def older(store: Any, patience: float = PATIENCE) -> Runs:
    runs = Runs(store, OLDER)
    runs.runner.leaving = Leaving(patience)
    return runs


async def newer_writes(store: Store, stream: str) -> None:
    """Leave an event in a stream that the older release does not know."""
    name = f"newer/{stream}"
    await Runs(store, NEWER).run(
        toy.call(f"{name}/1", stream, Put("many", 9)), toy.call(f"{name}/2", stream, Take("newer"))
    )


class FailsOnce:
    """A store whose first commit fails for good; a newer release has written meanwhile."""

    def __init__(self, store: Store, stream: str) -> None:
        self._store, self._stream = store, stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        stream, self._stream = self._stream, ""
        if stream:
            await newer_writes(self._store, stream)
            raise ValueError("not all of this")
        return await self._store.commit(turn)


async def test_one_by_one_as_well_nothing_is_taken_behind_what_is_left(store: Store) -> None:
    await store.claim(CONSUMER, TOPIC, 0)
    inputs = [
        toy.fact(0, ("shelf-b", Put("0"))),
        toy.fact(1, ("shelf-a", Put("1"))),
        toy.fact(2, ("shelf-b", Put("2"))),
    ]
    outcome = await older(FailsOnce(store, "shelf-a")).run(*inputs)
    assert [outcome.by_id[one.id] for one in inputs] == [None, FENCED, FENCED]
    assert await toy.documents(store, "shelf-b") == ["0"]
    turn = toy.no_turn()
    turn.positions = {(CONSUMER, TOPIC, 0): toy.position(2)}
    settled = await store.settled(turn)
    assert [at.applied for at in settled.positions.values()] == [1]


async def test_a_result_that_nobody_newer_comes_for_is_parked_and_not_asked_for_again(
    store: Store,
) -> None:
    await planned(store, "e")
    await newer_writes(store, "shelf-a")
    runs, outside, clock = older(store, patience=1.5), Outside(), Clock()
    async with looping(runs) as loop:
        await settled(worker(store, loop, outside, clock), clock)
    assert [(p.stream, p.source) for p in await store.parked(None, None, 10)] == [
        ("shelf-a", "effect/e")
    ]
    assert len(outside.performed) == 1
