"""The looks of the doctor at a running system: servers, topics, databases, services, consumers."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from libs.bus.topics import examine, topic_of
from libs.cli.errors import Stop
from libs.codec.registry import Registry
from libs.runtime.settings import Settings
from libs.stack import kafka, postgres
from libs.stack.stack import Servers
from libs.store.migrations import identity, pending
from libs.values.lanes import PARTITIONS
from services.console.backends import client, database, servers_of
from services.console.cli.lag import TRIMMED
from services.console.composition import SERVICES
from services.console.finding import Finding
from services.console.places import running_services

LATE = 60.0  # seconds behind
LOGS = "look at .lonja/logs, then lonja up"
Look = Callable[[], Awaitable[list[Finding]]]


async def look_at_system(data: Path, settings: Settings) -> list[Finding]:
    """Look at what runs here, or at the servers that are given."""
    try:
        servers = servers_of(data)
    except Stop as stop:
        return [Finding("servers", "warn", str(stop), "lonja up")]
    found = [
        await _answers("kafka", servers.kafka, kafka.answers, servers.kind),
        await _answers("postgresql", servers.postgres, postgres.answers, servers.kind),
    ]
    if any(one.grade == "fail" for one in found):
        return found
    found += await _guarded("topics", lambda: _topics(servers, settings))
    for name in SERVICES:
        found += await _guarded(name, lambda name=name: _store(servers, settings, name))  # type: ignore[misc]
    if running_services(data) is None:
        return [*found, Finding("services", "warn", "no services run here", "lonja up")]
    return found + await _guarded("services", lambda: _services(data))


async def _guarded(what: str, look: Look) -> list[Finding]:
    try:
        return await look()
    except Stop as stop:
        mend = "export LONJA_TOKEN=TOKEN" if stop.code in {"unauthorised", "forbidden"} else LOGS
        return [Finding(what, "fail", str(stop), mend)]
    except Exception as error:
        return [Finding(what, "fail", type(error).__name__, LOGS)]


async def _answers(
    what: str, address: str, ask: Callable[[str], Awaitable[bool]], kind: str
) -> Finding:
    if await ask(address):
        return Finding(what, "ok", f"answers ({kind})")
    variable = "LONJA_KAFKA" if what == "kafka" else "LONJA_POSTGRES"
    mend = f"start it, or unset {variable}" if kind == "given" else "lonja up"
    return Finding(what, "fail", "does not answer", mend)


async def _topics(servers: Servers, settings: Settings) -> list[Finding]:
    names = [topic_of(settings.topic_prefix, name) for name in SERVICES]
    problems = await examine(servers.kafka, names)
    return [
        Finding(name, "fail", problems[name], "lonja up" if "missing" in problems[name] else "")
        if name in problems
        else Finding(name, "ok", f"{PARTITIONS} partitions, kept for ever")
        for name in names
    ]


async def _store(servers: Servers, settings: Settings, name: str) -> list[Finding]:
    wanted = (name, topic_of(settings.topic_prefix, name), PARTITIONS,
              Registry.from_lock().identity)  # fmt: skip
    async with database(servers, settings, name) as pool:
        left = await pending(pool)
        if left:
            seen = f"{left} migrations to run"
            return [Finding(f"store {name}", "warn", seen, f"lonja serve {name}")]
        found = await identity(pool)
        if found != wanted:
            seen = f"the store is of {found}, not {wanted}"
            return [Finding(f"store {name}", "fail", seen, "lonja up --fresh, or its own database")]
        parked = await pool.fetchval("SELECT count(*) FROM parked")
    if parked:
        seen = f"{parked} commands are parked"
        return [Finding(f"store {name}", "warn", seen, "lonja dlq ls")]
    return [Finding(f"store {name}", "ok", "migrated, of this registry; nothing is parked")]


async def _services(data: Path) -> list[Finding]:
    async with client(data) as http:
        return [await _ready(http.url), *_consumers(await http.get("/ops/lag"))]


async def _ready(url: str) -> Finding:
    """Ask once: what is not ready answers 503, and waiting for it is not looking."""
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{url}/health/ready") as answer,
        ):
            told: dict[str, Any] = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return Finding("services", "fail", f"{url}: {type(error).__name__}", LOGS)
    if told["status"] == "ready":
        return Finding("services", "ok", f"{url}: ready")
    waiting = "; ".join(f"{name}: {why}" for name, why in told["waiting_for"].items())
    return Finding("services", "fail", f"{url}: {waiting}", LOGS)


def _consumers(lines: list[dict[str, Any]]) -> list[Finding]:
    """Say of each relay, reactor and projection whether it is alive and keeps up."""
    here = {line["consumer"]: line for line in lines}
    running = {name.partition(".")[0] for name in here}
    found = [
        Finding(name, "fail", "does not run", LOGS) for name in expected(running) - here.keys()
    ]
    for name, line in here.items():
        seen = f"{line['records']} records behind, {line['seconds']:.0f} s"
        if line["stopped"] == TRIMMED:
            found.append(Finding(name, "warn", TRIMMED, "lonja relay resend, for each partition"))
        elif line["stopped"]:
            found.append(Finding(name, "fail", f"stopped: {line['stopped']}", "lonja lag"))
        elif line["seconds"] > LATE:
            found.append(Finding(name, "warn", seen, "lonja lag"))
    if not found:
        found.append(Finding("consumers", "ok", f"{len(here)} alive, none behind"))
    return sorted(found)


def expected(running: set[str]) -> set[str]:
    """Return the consumers that these services have."""
    names = set()
    for service in (SERVICES[name] for name in running if name in SERVICES):
        names |= {f"{service.name}.relay"}
        names |= {f"{service.name}.reactor"} if service.reacts else set()
        names |= {f"{service.name}.{one.name}" for one in service.projections}
    return names
