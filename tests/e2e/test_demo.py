"""`lonja demo`: real orders through everything; its report holds whatever is killed in between."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.console.demo import memory
from tests.e2e.launching import ended, family, lonja, nothing_is_left, services_pid
from tests.support import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
ORDERS = 60
SPECIAL = 10  # the eleven cases but the draft, which is no order


def check(report: dict[str, Any]) -> None:
    orders, stock, deliveries = report["orders"], report["stock"], report["deliveries"]
    assert orders["received"] == ORDERS + SPECIAL
    queued = sum(orders["waiting"].values()) + sum(orders["held"].values())
    assert orders["received"] == orders["confirmed"] + orders["cancelled"] + queued
    assert orders["confirmed"] > ORDERS / 2
    assert orders["held"] == {"tax-country-unknown": 1, "totals-disagree": 1}
    assert orders["waiting"]["payment"] == 1
    assert orders["value_at_risk_minor"] > 0
    assert stock["units_promised_without_stock"] == 0
    assert stock["units_short_now"] > 0
    assert deliveries["effective"] == deliveries["distinct"] > ORDERS
    assert deliveries["sent"] > deliveries["distinct"]
    assert report["events"] > 10 * ORDERS
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]
    assert sum(one["rows"] for one in report["input"].values()) == 1830
    assert sum(one["net_minor"] for one in report["input"].values()) == 3_079_912


def selling(folder: Path, acknowledged: int) -> bool:
    """Whether a run has come so far that it would hurt to be killed."""
    found = memory.recall(folder / ".lonja")
    books = folder / ".lonja/sandbox/books.jsonl"
    if found is None or found.phase != "selling" or not books.exists():
        return False
    lines = books.read_bytes().splitlines()
    return sum(line.startswith(b'["ok"') for line in lines) >= acknowledged


def demo(report: Path, rate: int = 0) -> list[str]:
    limits = ["--orders", str(ORDERS), "--rate", str(rate)]
    return ["demo", *limits, "--exit", "--json", "--port", "0", "--report", str(report)]


async def test_a_run_ends_with_a_sound_report_and_is_shown_again(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    async with lonja(tmp_path, *demo(path)) as process:
        code, said, errors = await ended(process)
    assert code == 0, said + errors
    report = json.loads(path.read_text())
    check(report)
    events = [json.loads(line) for line in said.splitlines()]
    assert [one["report"] for one in events if one["event"] == "report"] == [report]
    assert [one["state"] for one in events if one["event"] == "linked"] == ["confirmed"]
    async with lonja(tmp_path, "demo", "--exit") as process:
        code, said, errors = await ended(process)
    assert code == 0, said + errors
    assert "5 deliveries of order" in said
    assert "effective once" in said
    async with lonja(tmp_path, "demo", "--orders", "7") as process:
        code, _, errors = await ended(process)
    assert (code, "[another-run]" in errors) == (2, True)


async def test_killed_services_change_nothing_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    async with lonja(tmp_path, *demo(path, rate=20)) as process:
        await eventually(lambda: selling(tmp_path, 15), timeout=90)
        os.kill(services_pid(tmp_path), signal.SIGKILL)
        code, said, errors = await ended(process, 120)
    assert code == 0, said + errors
    assert '"services-restarted"' in said
    check(json.loads(path.read_text()))


async def test_a_run_whose_launcher_is_killed_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    async with lonja(tmp_path, *demo(path, rate=20)) as process:
        await eventually(lambda: selling(tmp_path, 15), timeout=90)
        members = family(process)
        process.kill()
        await nothing_is_left(tmp_path, members)
    before = memory.recall(tmp_path / ".lonja")
    assert before is not None
    async with lonja(tmp_path, "demo", "--exit", "--report", str(path)) as process:
        code, said, errors = await ended(process, 120)
    assert code == 0, said + errors
    check(json.loads(path.read_text()))
    after = memory.recall(tmp_path / ".lonja")
    assert after is not None
    assert msgspec.structs.replace(after, phase="selling", seconds=0.0) == before
