"""Effects survive a kill -9 at each step, for each way in which a doubt ends."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from libs.store.event_store import PostgresStore
from tests.contract import toy
from tests.contract.stores import postgres  # noqa: F401
from tests.integration.effects.provider import provider

STEPS = [
    "planned", "claimed", "before-send", "answer-lost", "answered", "before-commit", "after-commit",
]  # fmt: skip
NAMES = [f"{doubt}.{step}" for doubt in ("repeat", "ask", "queue") for step in STEPS]
ROOT = Path(__file__).parents[3]


async def child(dsn: str, port: int, step: str, ahead: int, *names: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.effects.child", dsn, str(port), step, str(ahead),
        *names, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    async with asyncio.timeout(60):
        return await process.wait()


@pytest.mark.timeout(240)
async def test_effects_survive_a_kill_at_each_step(postgres: PostgresStore, database: str) -> None:  # noqa: F811
    some = asyncio.Semaphore(4)
    async with provider() as outside:

        async def killed(name: str) -> int:
            async with some:
                return await child(database, outside.port, name.partition(".")[2], 0, name)

        ends = await asyncio.gather(*(killed(name) for name in NAMES))
        assert set(ends) == {-signal.SIGKILL}
        assert await child(database, outside.port, "", 3600, *NAMES) == 0
        done = dict(outside.done)
    rows = await postgres.pool.fetch("SELECT id, state FROM effects")
    states = {row[0]: row[1] for row in rows}
    for name in NAMES:
        told = (await toy.documents(postgres, f"shelf-{name}"))[1:]
        policy, _, step = name.partition(".")
        if policy == "queue" and step not in {"planned", "after-commit"}:
            # Done at most once: whoever died with it in hand leaves it to a person.
            assert (done.get(name, 0) <= 1, states[name]) == (True, "queued"), name
            assert told == [f"in-doubt/{name}"], name
        else:
            assert done[name] == 1, name
            assert states[name] in {"confirmed", "reconciled"}, name
            assert told == [f"done/{name}"], name
