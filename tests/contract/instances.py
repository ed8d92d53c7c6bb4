"""Instances of the toy service without its loops, and a store that loses replies."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from libs.eventsourcing.decided import Turn
from libs.eventsourcing.inputs import Input
from libs.eventsourcing.mind import Mind
from libs.runtime.turns import Outcome, TurnLoop, TurnRunner
from libs.store.store import Store
from tests.contract.toy import NOON, mind


class Runs:
    """A service instance without its loops: a runner on a store, with a clock that stands still."""

    def __init__(self, store: Store, made: Mind | None = None) -> None:
        self.store, self.mind = store, made or mind()
        self.committed: list[Turn] = []
        self.runner = TurnRunner(
            self.mind, store, lambda: NOON, lambda turn, _: self.committed.append(turn)
        )

    async def run(self, *inputs: Input) -> Outcome:
        return await self.runner.run(inputs)


@asynccontextmanager
async def looping(runs: Runs) -> AsyncIterator[TurnLoop]:
    """Let an instance's loop run."""
    loop = TurnLoop(runs.runner, lambda _, __: None)
    task = asyncio.create_task(loop.run())
    try:
        yield loop
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class LosesReplies:
    """A store whose commits lose their reply, by a plan: "before" it applies, "after", or not."""

    def __init__(
        self, store: Store, *losses: str | None, error: type[Exception] = ConnectionError
    ) -> None:
        self._store, self._losses, self._error = store, list(losses), error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        loss = self._losses.pop(0) if self._losses else None
        if loss == "before":
            raise self._error("gone")
        heads = await self._store.commit(turn)
        if loss == "after":
            raise self._error("gone")
        return heads
