"""Whatever strangers send to any route: a problem with a code, at once, and nothing has changed."""

from pathlib import Path
from typing import Any

import pytest

from services.console.composition import SERVICES
from tests.e2e.edge import Sent, answered, hostile_paths, hostile_writes
from tests.e2e.test_hostile import System, running_system
from tests.support import eventually

pytestmark = [pytest.mark.timeout(480), pytest.mark.stack]
HARMLESS = {200, 404}  # what a read of a strange text may say


async def stands(system: System) -> list[Any]:
    count = "SELECT (SELECT sum(head) FROM lanes), (SELECT count(*) FROM inbox)"
    return [tuple(row) for name in SERVICES for row in await system.rows(name, count)]


async def quiet(system: System) -> bool:
    """Say whether the receipt has reached whoever keeps its item and its cost."""
    knows = [
        (await system.rows(name, "SELECT sum(head) FROM lanes"))[0][0]
        for name in ("channels", "accounting")
    ]
    return all(knows) and not any(line["records"] for line in await system.get("/ops/lag"))


async def wrong(system: System, sent: Sent) -> str | None:
    """Say what is wrong with an answer."""
    status, told = await answered(system.url, sent)
    if told is None:
        return None if status == 400 else f"{sent.what}: {status}"
    if sent.method == "GET" and status in HARMLESS:
        return None
    fits = isinstance(told, dict) and told.get("status") == status and told.get("code")
    return None if 400 <= status < 500 and fits else f"{sent.what}: {status} {told}"


async def test_nothing_hostile_gets_through_any_route(tmp_path: Path) -> None:
    async with running_system(tmp_path) as system:
        await eventually(lambda: quiet(system))
        before = await stands(system)
        paths = (await system.get("/openapi.json"))["paths"]
        requests = [*hostile_writes(), *hostile_paths(paths)]
        assert len(requests) > 2000
        found = [await wrong(system, sent) for sent in requests]
        assert [one for one in found if one is not None] == []
        assert await stands(system) == before
