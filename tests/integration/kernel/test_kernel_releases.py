"""Two releases of a service side by side: the newer one writes what the older one cannot read."""

import asyncio
import uuid
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from libs.codec.registry import Registry
from libs.contracts import inventory as events
from libs.eventsourcing.decider import Refused
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection
from libs.runtime.commands import TurnCommands
from libs.runtime.host import Host
from libs.runtime.ports import Answer, Service
from libs.runtime.settings import Settings
from libs.stack.stack import Servers, database_dsn
from libs.values.lanes import lane_of
from tests.contract import toy
from tests.contract.toy import SHELF, Put, Take, plan, react
from tests.support import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]
NEW = "lonja.inventory.StockAdjusted"  # what the older release does not know


class Documents(msgspec.Struct, frozen=True):
    stream: str
    version: int
    document: str


def noted(row: Documents | None, key: Key, envelope: Envelope[Any]) -> Documents | None:
    assert row is None, "an event was applied twice"
    return Documents(str(key[0]), int(key[1]), getattr(envelope.event, "document", "-"))


NOTED = Projection(
    "noted", 1, Documents, ("stream", "version"), ("shelves",),
    lambda e: ((e.stream, e.version),), noted,
)  # fmt: skip


class Typed(msgspec.Struct, frozen=True):
    stream: str
    version: int
    type: str


TYPED = Projection(
    "noted", 2, Typed, ("stream", "version"), ("shelves",),
    lambda e: ((e.stream, e.version),), lambda _, key, e: Typed(str(key[0]), int(key[1]), e.type),
)  # fmt: skip
KNOWN = tuple(contract for contract in events.CONTRACTS if contract.name != NEW)
SHELVES = Service(
    "shelves", KNOWN, (SHELF,), reads=KNOWN, reacts={"feeder": react}, plan=plan,
    projections=(NOTED,),
)  # fmt: skip
NEWER = replace(
    SHELVES, contracts=events.CONTRACTS, reads=events.CONTRACTS,
    deciders=(replace(SHELF, version=2),),
)  # fmt: skip
FEEDER = Service("feeder", events.CONTRACTS, (SHELF,))


def older(lock: Registry) -> Registry:
    ids = {key: number for key, number in lock.ids.items() if key[0] != NEW}
    return msgspec.structs.replace(lock, ids=ids, names={n: key for key, n in ids.items()})


@dataclass
class Fleet:
    servers: Servers
    settings: Settings
    folder: Path
    patch: pytest.MonkeyPatch

    @asynccontextmanager
    async def release(self, *services: Service, old: bool = False) -> AsyncIterator[Host]:
        host = Host(services, self.servers, self.settings, self.folder)
        with self.patch.context() as then:
            if old:
                registry = older(Registry.from_lock())
                then.setattr(Registry, "from_lock", lambda: registry)
            await host.__aenter__()
        try:
            yield host
        finally:
            await host.__aexit__(None, None, None)


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(
    servers: Servers, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Fleet]:
    prefix = f"t{uuid.uuid4().hex[:8]}_"
    settings = Settings(topic_prefix=topic_prefix, database_prefix=prefix)
    yield Fleet(servers, settings, tmp_path, monkeypatch)
    admin = await asyncpg.connect(servers.postgres)
    for name in ("vault", "shelves", "feeder"):
        await admin.execute(f"DROP DATABASE IF EXISTS {prefix}{name} WITH (FORCE)")
    await admin.close()


async def call(host: Host, stream: str, command: Any, service: str = "shelves") -> Answer:
    running = host.running[service]
    commands = TurnCommands(service, running.loop, running.store)
    return await commands.execute(stream, command, key=uuid.uuid4().hex, request=b"")


async def documents(host: Host, stream: str) -> list[str]:
    return await toy.documents(host.running["shelves"].store, stream)


def leads(host: Host) -> bool:
    return host.running["shelves"].pulses["timers"].at < float("inf")


async def nothing_is_parked(host: Host) -> None:
    assert await host.running["shelves"].store.parked(None, None, 10) == []


def same_lane(stream: str) -> str:
    """Another shelf whose events go the same way."""
    names = (f"shelf-n{n}" for n in range(1000))
    return next(name for name in names if lane_of(name) == lane_of(stream))


async def test_an_older_release_goes_on_beside_a_newer_one_and_loses_nothing(fleet: Fleet) -> None:
    async with fleet.release(SHELVES, old=True) as old:
        await eventually(lambda: leads(old))
        await call(old, "shelf-a", Put("first", 5))
        ended = asyncio.create_task(old.failed())
        async with fleet.release(NEWER, FEEDER) as new:
            await call(new, "shelf-a", Take("newer"))
            with pytest.raises(Refused) as refused:
                await call(old, "shelf-a", Put("elsewhere"))
            assert refused.value.code == "newer-release"
            for n in range(20):
                await call(new, f"shelf-{n}", Put(f"fact-{n}"), "feeder")
                await call(old, same_lane("shelf-a"), Put(f"beside-{n}"))
            await call(new, "shelf-hot", Put("hot", 3), "feeder")
            await call(new, "shelf-hot", Take("hot"), "feeder")
            await call(new, "shelf-timed", Put("more", 2))
            await call(new, "shelf-timed", Take("less"))
            await call(new, "shelf-timed", Put("timer:late"))

            async def all_come() -> bool:
                assert "timed/late" in await documents(new, "shelf-timed")
                found = await documents(new, "shelf-A")
                assert len([d for d in found if d.startswith("fact-")]) == 20
                running = new.running["shelves"]
                total = await running.pool.fetchval("SELECT count(*) FROM events")
                assert await running.pool.fetchval("SELECT count(*) FROM noted") == total
                return True

            await eventually(all_come, 60)
            await eventually(lambda: leads(new) and not leads(old), 20)
            assert not ended.done()
            assert old.running["shelves"].unready() == {}
            await nothing_is_parked(new)
            assert (await documents(new, "shelf-a"))[:2] == ["first", "newer"]
        ended.cancel()


async def test_where_no_newer_release_is_left_what_it_wrote_holds_up_nothing_else(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fleet.release(NEWER, FEEDER) as new:
        await call(new, "shelf-a", Put("first", 5))
        await call(new, "shelf-a", Take("newer"))
    async with fleet.release(SHELVES, replace(FEEDER, contracts=KNOWN), old=True) as old:
        old.running["shelves"].leaving.patience = 3.0
        await eventually(lambda: leads(old))
        for n in range(5):
            await call(old, f"shelf-{n}", Put(f"fact-{n}"), "feeder")
        await call(old, "shelf-b", Put("goes-on"))

        async def all_come() -> bool:
            found = await documents(old, "shelf-A")
            return len([d for d in found if d.startswith("fact-")]) == 5

        await eventually(all_come, 40)
        assert await documents(old, "shelf-b") == ["goes-on"]


async def test_where_a_release_is_taken_back_who_has_met_it_goes_on_with_all_behind_it(
    fleet: Fleet,
) -> None:
    async with fleet.release(SHELVES, old=True) as old:
        await eventually(lambda: leads(old))
        projector = old.running["shelves"].projector
        assert projector is not None
        pool = old.running["shelves"].pool

        async def fed() -> bool:
            events, rows = "SELECT count(*) FROM events", "SELECT count(*) FROM noted"
            return bool(await pool.fetchval(events) == await pool.fetchval(rows))

        async with fleet.release(NEWER) as new:
            for n in range(20):  # some of it while the older one still holds some partitions
                await call(new, f"shelf-{n}", Put("first", 5))
                await call(new, f"shelf-{n}", Take("newer"))
            await eventually(lambda: projector.live["noted"].other, 40)
            await eventually(fed, 40)
        await eventually(lambda: leads(old), 20)
        await call(old, "shelf-z", Put("goes-on"))
        await eventually(fed, 40)
        assert old.running["shelves"].unready() == {}


async def test_a_service_takes_orders_while_another_process_rebuilds_its_read_model(
    fleet: Fleet,
) -> None:
    async with fleet.release(SHELVES) as old:
        await call(old, "shelf-a", Put("first"))
    database = database_dsn(fleet.servers.postgres, f"{fleet.settings.database_prefix}shelves")
    rebuilding = await asyncpg.connect(database)
    await rebuilding.execute("SELECT pg_advisory_lock($1)", zlib.crc32(b"rebuild noted"))
    async with (
        fleet.release(replace(NEWER, projections=(TYPED,))) as one,
        fleet.release(replace(NEWER, projections=(TYPED,))) as two,
    ):
        for host in (one, two):
            await call(host, "shelf-a", Put("meanwhile"))
            assert host.running["shelves"].unready() == {}
            assert not made_anew(host)
        await rebuilding.close()  # that process dies
        await eventually(lambda: made_anew(one) and made_anew(two))

        async def whole() -> bool:
            found: int = await one.running["shelves"].pool.fetchval("SELECT count(*) FROM noted")
            return found == 3

        await eventually(whole)
        live = await one.running["shelves"].pool.fetchval("SELECT generation FROM read_models")
        assert live == 2, "it was rebuilt once"


def made_anew(host: Host) -> bool:
    projector = host.running["shelves"].projector
    assert projector is not None
    return projector.fresh
