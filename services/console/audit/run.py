"""One audit: reads topics, databases and outside books, and names each promise that is not kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.console.audit import books, databases
from services.console.audit.effects import EffectsCheck
from services.console.audit.journal import JournalCheck
from services.console.audit.ledger import LedgerCheck
from services.console.audit.log import LogCheck
from services.console.audit.money import MoneyCheck
from services.console.audit.parcels import ParcelsCheck
from services.console.audit.privacy import PrivacyCheck, keys
from services.console.audit.record import Check, Finding, Record
from services.console.audit.reports import ReportsCheck
from services.console.audit.stock import StockCheck
from services.console.audit.topics import MissingTopic, records
from services.console.audit.valued import ValuedCheck


@dataclass(frozen=True)
class Sources:
    """Where to look: topics and databases by service, outside books by name, the vault's keys.

    `inbox_days`: how long raw deliveries may be opened.
    """

    kafka: str
    topics: Mapping[str, str]
    databases: Mapping[str, str]
    books: Mapping[str, str]
    vault: str
    inbox_days: int


@dataclass(frozen=True)
class Verdict:
    """What an audit found; without findings every promise is kept."""

    findings: Sequence[Finding]
    figures: Mapping[str, Any]

    @property
    def sound(self) -> bool:
        """Say whether nothing was found."""
        return not self.findings


def hear(record: Record, log: LogCheck, checks: Iterable[Check]) -> None:
    """Give the checks each record of a topic once, in the order of its partition."""
    for one in log.taken(record):
        for check in checks:
            check.see(one)


async def audit(
    sources: Sources, now: int, settled: int, progress: Callable[[int, int], None]
) -> Verdict:
    """Read everything and judge it; what happened before `settled` has come everywhere.

    Both in microseconds; they are equal where nothing is under way any more.
    """
    log, effects, private = LogCheck(), EffectsCheck(), PrivacyCheck(now)
    promises: dict[str, Check] = {
        "stock": StockCheck(settled), "parcels": ParcelsCheck(),
        "money": MoneyCheck(now, settled), "ledger": LedgerCheck(settled),
        "valued": ValuedCheck(settled), "journal": JournalCheck(),
        "reports": ReportsCheck(now, settled), "effects": effects, "privacy": private,
    }  # fmt: skip
    checks: dict[str, Check] = {"log": log, **promises}
    findings: list[Finding] = []
    try:
        async for batch, seen, total in records(sources.kafka, sources.topics):
            for record in batch:
                hear(record, log, promises.values())
            progress(seen, total)
    except MissingTopic as error:
        findings.append(Finding("P1", "topic-missing", str(error), "nothing is proved without it"))
    findings += [one for check in checks.values() for one in check.findings()]
    figures: dict[str, Any] = {name: check.figures() for name, check in checks.items()}
    for service, dsn in sources.databases.items():
        found, counted = await databases.look(
            service, dsn, now, effects.known, settled, log.sent(service)
        )
        findings += found
        figures[f"database {service}"] = counted
    found, figures["vault"] = await keys(sources.vault, private, now, sources.inbox_days)
    findings += found
    for name, url in sources.books.items():
        found, counted = await books.compare(name, url, checks)
        findings += found
        figures[f"books {name}"] = counted
    return Verdict(sorted(set(findings)), figures)
