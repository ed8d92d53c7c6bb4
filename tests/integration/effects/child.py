"""A process that performs the toy's effects and kills itself at a named step.

`python -m tests.integration.effects.child DSN PORT STEP AHEAD KIND…`: AHEAD seconds are added to
the clock, so that leases of those who died before have ended.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from libs.effects.kinds import Absent, Confirmed, EffectKind, Result, Unknown
from libs.effects.worker import EffectWorker
from libs.eventsourcing.decided import Turn
from libs.runtime import clock
from libs.runtime.turns import TurnLoop, TurnRunner
from libs.store.event_store import PostgresStore
from libs.store.pool import open_pool
from libs.store.store import Call
from tests.contract.toy import Put, call, mind


class Dies:
    """Kills the process when its step has come."""

    def __init__(self, step: str) -> None:
        self.step = step

    def at(self, step: str) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


class Store(PostgresStore):
    dies: Dies

    async def claim_effects(
        self, kinds: Sequence[str], now: int, lease_till: int, limit: int
    ) -> Sequence[Call]:
        calls = await super().claim_effects(kinds, now, lease_till, limit)
        if calls:
            self.dies.at("claimed")
        return calls

    async def commit(self, turn: Turn) -> Mapping[int, int]:
        if turn.effects_done:
            self.dies.at("before-commit")
        heads = await super().commit(turn)
        self.dies.at("after-commit" if turn.effects_done else "planned")
        return heads


class Http:
    def __init__(self, session: aiohttp.ClientSession, port: int, dies: Dies) -> None:
        self.session, self.address, self.dies = session, f"http://127.0.0.1:{port}/do/", dies

    async def perform(self, call: Call) -> Result:
        self.dies.at("before-send")
        async with self.session.post(self.address + call.id) as answer:
            self.dies.at("answer-lost")
            body = await answer.json()
        self.dies.at("answered")
        return Confirmed(body["done"])

    async def ask(self, call: Call) -> Result:
        async with self.session.get(self.address + call.id) as answer:
            body = await answer.json()
        return Confirmed(call.id) if body["found"] else Absent()


def told(call: Call, result: Result, at: int) -> Put:
    del at
    return Put(f"{'in-doubt' if isinstance(result, Unknown) else 'done'}/{call.id}")


async def main(dsn: str, port: int, step: str, ahead: int, names: list[str]) -> None:
    pool = await open_pool(dsn)
    dies, store = Dies(step), Store(pool)
    store.dies = dies

    def now() -> int:
        return clock.now() + ahead * 1_000_000

    loop = TurnLoop(TurnRunner(mind(), store, now, lambda *_: None), lambda *_: None)
    turning = asyncio.create_task(loop.run())
    async with aiohttp.ClientSession() as session:
        outside = Http(session, port, dies)
        kinds = [
            EffectKind(f"toy.{name}", outside, told, doubt(name), "toy", honoured=10**12, timeout=2)
            for name in names
        ]
        worker = EffectWorker("toy", store, kinds, loop, now)
        if step:
            await loop.settle([call(names[0], f"shelf-{names[0]}", Put(f"effect:{names[0]}"))])
        running = asyncio.create_task(worker.run())
        while await store.pool.fetchval(
            "SELECT count(*) FROM effects WHERE kind = ANY ($1::text[])"
            " AND state IN ('planned', 'in-flight', 'unknown')", list(worker.kinds),
        ):  # fmt: skip
            worker.poke()
            await asyncio.sleep(0.02)
        running.cancel()
    turning.cancel()


def doubt(name: str) -> Any:
    return name.partition(".")[0]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:]))
