"""What reaches a server only when the scheduler lets it: and its answer may be lost on the way."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.eventsourcing.decided import Turn
from libs.store.memory import MemoryStore
from libs.store.store import Call, Delivery, Settled
from tests.simulation.units import Broken


@dataclass(eq=False)
class Op:
    """A request under way: `apply` is what the server does, `watch` sees what it did."""

    owner: Any
    kind: str
    apply: Callable[[], Any]
    watch: Callable[[Any], None] | None
    answer: "asyncio.Future[Any]"
    deadline: int | None = None  # when whoever asks hangs up (microseconds)

    def perform(self, *, lost: str = "") -> str:
        """Let the server do it; lost "before" it came there, or its answer "after" it was done."""
        if lost == "before":
            self._answer(error=ConnectionError("gone"))
            return "lost"
        try:
            result = self.apply()
        except Broken:
            raise
        except Exception as error:
            self._answer(error=ConnectionError("gone") if lost else error)
            return type(error).__name__
        self._answer(result, ConnectionError("gone") if lost else None)
        if self.watch is not None:
            self.watch(result)
        return "done, answer lost" if lost else "done"

    def _answer(self, result: Any = None, error: Exception | None = None) -> None:
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(error)


class Gate:
    """The requests of all instances that are under way."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    async def pass_(
        self, owner: Any, kind: str, apply: Callable[[], Any],
        watch: Callable[[Any], None] | None = None,
    ) -> Any:  # fmt: skip
        """Wait until the scheduler has let the request through."""
        return await self.send(owner, kind, apply, watch)

    def send(
        self, owner: Any, kind: str, apply: Callable[[], Any],
        watch: Callable[[Any], None] | None = None, deadline: int | None = None,
    ) -> "asyncio.Future[Any]":  # fmt: skip
        """Send a request and return the future of its answer."""
        op = Op(owner, kind, apply, watch, asyncio.get_running_loop().create_future(), deadline)
        self.ops.append(op)
        return op.answer

    def of(self, owner: Any) -> list[Op]:
        return [op for op in self.ops if op.owner is owner]

    def overdue(self, by: int) -> list[int]:
        """Return the places of requests whose askers will have hung up by then."""
        return [n for n, op in enumerate(self.ops) if op.deadline is not None and op.deadline <= by]


class GatedStore:
    """A service's store as one instance sees it: writes go through the gate."""

    def __init__(
        self, store: MemoryStore, gate: Gate, owner: Any, watch: Callable[[Turn], None]
    ) -> None:
        self.store, self.gate, self.owner, self.watch = store, gate, owner, watch
        self.lost = 0  # answers to commits that did not come

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        try:
            lanes: Mapping[int, int] = await self.gate.pass_(
                self.owner, "commit", lambda: self.store.commit_now(turn),
                lambda _: self.watch(turn),
            )  # fmt: skip
        except ConnectionError:
            self.lost += 1
            raise
        return lanes

    async def claim_effects(
        self, kinds: Sequence[str], now: int, lease_till: int, limit: int
    ) -> Sequence[Call]:
        claimed: Sequence[Call] = await self.gate.pass_(
            self.owner, "claim",
            lambda: self.store.claim_effects_now(kinds, now, lease_till, limit),
        )  # fmt: skip
        return claimed

    async def settled(self, turn: Turn) -> Settled:
        told: Settled = await self.gate.pass_(
            self.owner, "settled", lambda: self.store.settled_now(turn)
        )
        return told

    async def accept(self, deliveries: Sequence[Delivery]) -> Sequence[int | None]:
        known: Sequence[int | None] = await self.gate.pass_(
            self.owner, "accept", lambda: self.store.accept_now(deliveries)
        )
        return known
