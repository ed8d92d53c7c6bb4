"""`lonja rebuild --all --verify` while orders come in: every copy is equal, and takes its place."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.console.composition import SERVICES
from tests.e2e.launching import ended, lonja, told

pytestmark = [pytest.mark.timeout(700), pytest.mark.stack]
NAMES = sorted(p.name for service in SERVICES.values() for p in service.projections)


async def rebuilt(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    async with lonja(folder, "rebuild", "--json", *arguments) as process:
        code, out, errors = await ended(process)
    assert code == 0, errors
    return [json.loads(line) for line in out.splitlines()]


async def test_every_read_model_is_rebuilt_and_equal_while_orders_come_in(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = ("--orders", "250", "--rate", "6", "--exit", "--json", "--report", str(report))
    async with lonja(tmp_path, "demo", *arguments, "--port", "0") as demo:
        await told(demo, "progress")
        for drill in ((), ("--from-nothing",)):
            done = await rebuilt(tmp_path, "--all", "--verify", *drill)
            assert sorted(one["projection"] for one in done) == NAMES
            assert all(one["swapped"] for one in done)
            assert all(one["compared"]["digest"] == one["compared"]["copy_digest"] for one in done)
            assert demo.returncode is None, "the demo ended before the rebuild did"
        assert sum(one["records"] for one in done) > 0
        code, _, errors = await ended(demo, 180)
    assert code == 0, errors
    found = json.loads(await asyncio.to_thread(report.read_text))
    assert found["deliveries"]["effective"] == found["deliveries"]["distinct"]
    assert found["stock"]["units_promised_without_stock"] == 0
