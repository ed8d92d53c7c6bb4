"""Runs the audit over a demo run: the same that `lonja audit` runs. It judges nothing itself."""

import time
from collections.abc import Mapping

from libs.bus.topics import topic_of
from libs.runtime.settings import Settings
from libs.stack.stack import Servers
from libs.store.pool import database_dsn
from services.console.audit.run import Sources, audit
from services.console.demo.outcome import Outcome
from services.console.launch import ALL


async def judged(servers: Servers, settings: Settings, books: Mapping[str, str]) -> Outcome:
    """Return what the audit finds in the topics, the databases and the outside books."""
    sources = Sources(
        servers.kafka,
        {name: topic_of(settings.topic_prefix, name) for name in ALL},
        {name: database_dsn(servers.postgres, f"{settings.database_prefix}{name}") for name in ALL},
        books,
        database_dsn(servers.postgres, f"{settings.database_prefix}vault"),
        settings.limits.inbox_days,
    )
    now = time.time_ns() // 1000  # all has come to its end
    verdict = await audit(sources, now, now, lambda _seen, _total: None)
    said = [f"{one.promise} {one.code}: {one.subject}: {one.text}" for one in verdict.findings]
    return Outcome(verdict.figures, said)
