"""Every loop of a service has a pulse, idle or not; one that stands before work ends its service."""

import asyncio
import math
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from libs.runtime import watching
from libs.runtime.host import Host
from libs.runtime.running import RunningService
from libs.runtime.settings import Settings
from libs.stack.stack import Servers
from libs.store.pool import database_dsn
from libs.store.store import Delivery
from services.payments.service import SERVICE
from tests.support import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]
LOOPS = {"turns", "relay", "hub", "reactor", "projector", "inbox", "timers", "effects"}
ROUND = 7.0  # seconds in which every loop goes round, also when idle


@pytest_asyncio.fixture(loop_scope="session")
async def host(servers: Servers, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Host]:
    prefix = f"t{uuid.uuid4().hex[:8]}_"
    settings = Settings(topic_prefix=topic_prefix, database_prefix=prefix)
    async with Host([SERVICE], servers, settings, tmp_path) as running:
        yield running
    admin = await asyncpg.connect(servers.postgres)
    for name in ("vault", "payments"):
        await admin.execute(f"DROP DATABASE IF EXISTS {prefix}{name} WITH (FORCE)")
    await admin.close()


def beats(running: RunningService) -> dict[str, float]:
    """Of the loops that never rest."""
    return {name: running.pulses[name].at for name in LOOPS}


async def all_run(running: RunningService) -> bool:
    """Whether this process leads, so that all loops run in it."""
    return all(math.isfinite(at) for at in beats(running).values())


async def test_every_loop_beats_though_nothing_is_to_be_done(host: Host) -> None:
    running = host.running["payments"]
    assert running.pulses.keys() == LOOPS | {"housekeeping"}
    await eventually(lambda: all_run(running), 20)
    before = beats(running)
    await asyncio.sleep(ROUND)
    after = beats(running)
    assert {name for name in LOOPS if after[name] <= before[name]} == set()
    assert running.unready() == {}


async def test_a_relay_that_stands_still_before_events_ends_its_service(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = host.running["payments"]
    await eventually(lambda: all_run(running), 20)

    async def stands() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(running.relay, "_round", stands)
    monkeypatch.setattr(watching, "EVERY", 0.5)
    monkeypatch.setattr(watching, "HUNG", ROUND)
    running.relay.heads[0] = running.relay.sent[0] + 1
    await asyncio.wait_for(host.failed(), 4 * ROUND)
    assert "payments.watchdog" in running.unready()


async def test_a_database_that_lets_nobody_write_for_long_ends_no_service(
    host: Host, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = host.running["payments"]
    await eventually(lambda: all_run(running), 20)
    monkeypatch.setattr(watching, "EVERY", 0.5)
    monkeypatch.setattr(watching, "HUNG", ROUND)
    name = f"{host.settings.database_prefix}payments"
    keeper = await asyncpg.connect(database_dsn(servers.postgres, name))
    async with keeper.transaction():
        await keeper.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        await running.store.accept([Delivery("stripe", "main", "evt_1", "", 1, b"\0", "")])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(host.failed(), 3 * ROUND)
    await keeper.close()
    await eventually(lambda: running.store.parked(None, None, 1), 20)
    assert running.unready() == {}
