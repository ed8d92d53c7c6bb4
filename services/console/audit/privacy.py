"""P8, as far as topics and the vault's keys show it: no plain text, and who is erased stays so."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

from services.console.audit.record import Finding, Record

MINUTE, DAY = 60_000_000, 86_400_000_000  # microseconds
_EMAIL = re.compile(r"[^\s@<>()\[\]\"',;:]+@[^\s@<>()\[\]\"',;:]+\.[A-Za-z]{2,}")
_OPEN = """
    SELECT subject FROM subject_keys
    WHERE subject = ANY ($1::text[]) AND clearance = 'contact' AND wrapped IS NOT NULL"""
_ENDLESS = """
    SELECT subject FROM subject_keys
    WHERE subject = ANY ($1::text[]) AND clearance = 'statutory' AND wrapped IS NOT NULL
        AND retained_until IS NULL
        AND created_at < 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'"""
_OVERDUE = """
    SELECT subject FROM subject_keys
    WHERE clearance = 'statutory' AND wrapped IS NOT NULL
        AND retained_until < 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'"""
_DAYS = """
    SELECT subject FROM subject_keys
    WHERE clearance = 'inbox' AND wrapped IS NOT NULL
        AND right(subject, 10) COLLATE "C" < $1  -- a day of a service"""
_COUNT = "SELECT clearance, count(*) FROM subject_keys WHERE wrapped IS NOT NULL GROUP BY 1"


class PrivacyCheck:
    """Addresses that stand where only sealed bytes may, and who asked to be forgotten."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._asked: dict[str, Record] = {}
        self.erased: dict[str, int] = {}  # subject -> when
        self._found: list[Finding] = []

    def see(self, record: Record) -> None:
        """Look through every text of a record."""
        if record.type == "ErasureRequested":
            self._asked |= dict.fromkeys(record.data["subjects"], record)
        elif record.type == "ErasureCompleted":
            self.erased |= dict.fromkeys(record.data["subjects"], record.at)
        for name, text in texts(record.data):
            if "@" in text and _EMAIL.search(text):
                said = f"an e-mail address stands in {record.type}.{name}"
                self._found.append(
                    Finding("P8", "plain-email", record.stream, said, (record.place,))
                )

    def findings(self) -> Iterable[Finding]:
        """Return texts that are not sealed, and erasures beyond the latest lawful moment."""
        yield from self._found
        for subject, record in self._asked.items():
            if subject not in self.erased and record.data["answer_by"] < self._now:
                text = "was to be forgotten by law, and is not"
                yield Finding("P8", "erasure-overdue", subject, text, (record.place,))

    def figures(self) -> Mapping[str, Any]:
        """Return how many subjects are forgotten, and how many have yet to be."""
        return {"erased": len(self.erased), "asked": len(self._asked.keys() - self.erased)}


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text within a value, with the name of its field."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from texts(one, key)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one, name)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).date().isoformat()


async def keys(
    dsn: str, check: PrivacyCheck, now: int, inbox_days: int
) -> tuple[list[Finding], Mapping[str, Any]]:
    """Return keys in the vault's database that are to be gone, or never will be, and a count."""
    connection = await asyncpg.connect(dsn)
    erased = sorted(check.erased)
    try:
        wrong = (
            ("erased-and-readable", "is erased, and its contact key is there",
             await connection.fetch(_OPEN, erased)),
            ("kept-without-end", "is erased, and its statutory key has no date",
             await connection.fetch(_ENDLESS, erased, now - 5 * MINUTE)),
            ("kept-beyond-its-date", "has a statutory key whose date is over",
             await connection.fetch(_OVERDUE, now - DAY)),
            ("kept-beyond-its-date", "is a day whose deliveries can be opened still",
             await connection.fetch(_DAYS, _day(now - (inbox_days + 2) * DAY))),
        )  # fmt: skip
        count = {f"{row[0]} keys": row[1] for row in await connection.fetch(_COUNT)}
    finally:
        await connection.close()
    return [
        Finding("P8", code, row["subject"], text)
        for code, text, rows in wrong
        for row in rows
        # The date of who ordered last long ago is over at once; keys are looked through each hour.
        if code != "kept-beyond-its-date" or check.erased.get(row["subject"], 0) < now - DAY
    ], count
