"""`lonja demo`: real orders from webhook to ledger; its report holds whatever is killed in between."""

import json
import os
import signal
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from services.console.demo import memory
from services.console.demo.outside import MODULES
from tests.e2e.launching import ended, family, lonja, nothing_is_left, services_pid
from tests.support import eventually, words_of

pytestmark = [pytest.mark.stack, pytest.mark.timeout(800)]
ORDERS = 60
SPECIAL = 16  # the seventeen cases but the draft, which is no order


def check(report: dict[str, Any]) -> None:
    orders, stock, deliveries = report["orders"], report["stock"], report["deliveries"]
    assert orders["received"] == ORDERS + SPECIAL
    queued = sum(orders["waiting"].values()) + sum(orders["held"].values())
    assert orders["confirmed"] == 0
    assert orders["received"] == orders["completed"] + orders["cancelled"] + queued
    assert orders["completed"] > ORDERS / 2
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
    check_money(report)


def check_money(report: dict[str, Any]) -> None:
    holders, ledger = report["payments"]["by_holder"], report["ledger"]
    assert set(holders) == {"card", "shopify-uk", "woo-uk"}
    for one in holders.values():
        assert set(one) == {"captured_minor", "unknown_minor", "books_minor"}
        assert 0 < one["captured_minor"] <= one["books_minor"]
        assert one["books_minor"] <= one["captured_minor"] + one["unknown_minor"]
    assert report["payments"]["double_charges"] == 0
    assert ledger["entries"] > report["orders"]["completed"]
    assert set(ledger["debits_minor"]) == {"GBP"}
    assert ledger["debits_minor"] == ledger["credits_minor"]
    assert ledger["net_sales_minor"] > 0
    assert set(report["tax_minor"]) == {"0.175"}
    assert report["tax_minor"]["0.175"] > 0
    told = report["channel_confirmations"]
    assert told["confirmed"] == told["due"] > ORDERS / 2
    assert told["late"] == 0


def selling(folder: Path, acknowledged: int) -> bool:
    """Whether a run has come so far that it would hurt to be killed."""
    found = memory.recall(folder / ".lonja")
    books = folder / ".lonja/sandbox/books.jsonl"
    if found is None or found.phase != "selling" or not books.exists():
        return False
    lines = books.read_bytes().splitlines()
    return sum(line.startswith(b'["ok"') for line in lines) >= acknowledged


def bought(folder: Path, labels: int) -> bool:
    """Whether the carrier has sold so many labels that parcels are under way."""
    books = folder / ".lonja/carrier/books.jsonl"
    lines = books.read_bytes().splitlines() if books.exists() else []
    return sum(b'"bought_at":1' in line for line in lines) >= labels


def outside(process: Process) -> list[psutil.Process]:
    """The shops, the payment provider and the carrier, not their guards."""
    found = []
    for one in family(process):
        words = words_of(one)
        if words[1:2] == ["-m"] and words[2].startswith("services.sandbox."):
            found.append(one)
    assert len(found) == len(MODULES)
    return found


def outside_names(folder: Path) -> dict[str, int]:
    """How often each process of the outside said that it answers."""
    logs = {name: folder / f".lonja/logs/{name}.log" for name in MODULES}
    return {name: log.read_text().count(" on http://") for name, log in logs.items()}


def demo(report: Path, rate: int = 0) -> list[str]:
    limits = ["--orders", str(ORDERS), "--rate", str(rate)]
    return ["demo", *limits, "--exit", "--json", "--port", "0", "--report", str(report)]


async def test_a_run_ends_with_a_sound_report_and_is_shown_again(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    async with lonja(tmp_path, *demo(path)) as process:
        code, said, errors = await ended(process, 180)
    assert code == 0, said + errors
    report = json.loads(path.read_text())
    check(report)
    events = [json.loads(line) for line in said.splitlines()]
    assert [one["report"] for one in events if one["event"] == "report"] == [report]
    assert [one["state"] for one in events if one["event"] == "linked"] == ["completed"]
    async with lonja(tmp_path, "demo", "--exit") as process:
        code, said, errors = await ended(process)
    assert code == 0, said + errors
    assert "5 deliveries of order" in said
    assert "effective once" in said
    async with lonja(tmp_path, "demo", "--orders", "7") as process:
        code, _, errors = await ended(process)
    assert (code, "[another-run]" in errors) == (2, True)


async def test_killed_services_and_a_killed_outside_change_nothing_in_the_report(
    tmp_path: Path,
) -> None:
    path = tmp_path / "report.json"
    async with lonja(tmp_path, *demo(path, rate=20)) as process:
        await eventually(lambda: selling(tmp_path, 15), timeout=90)
        os.kill(services_pid(tmp_path), signal.SIGKILL)
        await eventually(lambda: bought(tmp_path, 10), timeout=120)
        for one in outside(process):
            one.kill()
        code, said, errors = await ended(process, 240)
    assert code == 0, said + errors
    assert '"services-restarted"' in said
    assert outside_names(tmp_path) == dict.fromkeys(MODULES, 2)
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
        code, said, errors = await ended(process, 240)
    assert code == 0, said + errors
    check(json.loads(path.read_text()))
    after = memory.recall(tmp_path / ".lonja")
    assert after is not None
    assert msgspec.structs.replace(after, phase="selling", seconds=0.0) == before
