"""Fetches localstripe (GPL: run as a process, never imported) by its hash, and starts it.

It is kept in `.lonja-tools/`, so that a second run needs no network.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import tarfile
import zipfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.support import eventually

ROOT = Path(__file__).parents[3]
TOOLS = ROOT / ".lonja-tools" / "localstripe-1.15.10"
REQUIREMENTS = """
localstripe==1.15.10 --hash=sha256:e055538b786cee59f80c86d4ab7f7b31fb2cf32c3cbd28320cb463fc62dac220
python-dateutil==2.9.0.post0 --hash=sha256:a8b2bc7bffae282281c8140a97d3aa9c14da0b136dfe83f850eea9a5f7470427
six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274
"""


def installed() -> str:
    """Fetch it where it is not there yet; return why it cannot be had, or nothing."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        return "" if (TOOLS / "ready").exists() else _install()


def _install() -> str:
    wanted = TOOLS / "requirements.txt"
    wanted.write_text(REQUIREMENTS)
    sys.stderr.write("Fetching localstripe, once …\n")
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes",
             "--disable-pip-version-check", "-r", str(wanted), "-d", str(TOOLS)]  # fmt: skip
    done = subprocess.run(fetch, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    for archive in TOOLS.glob("*.tar.gz"):
        with tarfile.open(archive) as packed:
            packed.extractall(TOOLS, filter="data")
    for wheel in TOOLS.glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed_wheel:
            packed_wheel.extractall(TOOLS)
    (TOOLS / "ready").touch()
    return ""


@contextlib.asynccontextmanager
async def localstripe() -> AsyncIterator[str]:
    """Yield the address of a fresh one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = [str(TOOLS / "localstripe-1.15.10"), str(TOOLS)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "localstripe", "--from-scratch", "--port", str(port),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)}, stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"

    async def up() -> bool:
        assert process.returncode is None, "localstripe ended"
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{url}/v1/customers") as answer:
                return answer.status == 401
        except aiohttp.ClientError:
            return False

    try:
        await eventually(up, 60)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
