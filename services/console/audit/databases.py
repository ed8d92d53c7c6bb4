"""P1, P3 and P7, as far as databases show them: what was accepted, what waits, what is stuck."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

import asyncpg

from services.console.audit.record import Finding

Known = Callable[[str, str], bool]  # a call, and the event that asked for it: is its outcome told?
MINUTE, DAY = 60_000_000, 86_400_000_000  # microseconds
ENDED = frozenset({"completed", "cancelled"})
QUEUES = frozenset({"waiting", "held", "part_confirmed"})
# How long an order may be in a state that nobody has to look at, microseconds: with us, and with
# a carrier, of which a parcel's account may bear nothing to be heard for 90 days.
WITH_US, WITH_THE_CARRIER = 3 * DAY, 90 * DAY

_INBOX = """
    SELECT account || ' ' || key AS name, state, finished, received_at, reason FROM inbox
    WHERE state = 'received' AND received_at < $1 OR state IN ('done', 'ignored') AND finished <> 1
    ORDER BY seq LIMIT 100"""
_PARKED = "SELECT stream, source, code, at FROM parked ORDER BY at LIMIT 100"
_EFFECTS = """
    SELECT id, kind, state, cause, last_error FROM effects
    WHERE doubt_since > 0 AND doubt_since < $1 AND state IN ('unknown', 'in-flight', 'queued')
    ORDER BY doubt_since"""
_ORDERS = """
    SELECT order_id, state, reason, owner, next_action, since, decide_by FROM orders
    WHERE NOT state = ANY ($1::text[]) ORDER BY since"""
_LANES = "SELECT lane, head FROM lanes ORDER BY lane"
_UNSENT = """
    SELECT pseq, type FROM events WHERE lane = $1 AND pseq > $2 AND recorded_at <= $3
    ORDER BY pseq LIMIT 1"""
_TABLES = (
    "SELECT to_regclass('inbox') IS NOT NULL AS inbox, to_regclass('orders') IS NOT NULL AS orders"
)


async def look(
    service: str, dsn: str, now: int, known: Known, settled: int, sent: Mapping[int, int]
) -> tuple[list[Finding], Mapping[str, Any]]:
    """Return what a service's database shows, and counts; `now` in microseconds.

    `sent` is the last number in each partition of its topic, in which is what was before `settled`.
    """
    connection = await asyncpg.connect(dsn)
    try:
        has = await connection.fetchrow(_TABLES)
        if has is None or not has["inbox"]:
            return [Finding("P1", "no-database", service, "its tables are missing")], {}
        inbox = await connection.fetch(_INBOX, now - 5 * MINUTE)
        parked = await connection.fetch(_PARKED)
        effects = await connection.fetch(_EFFECTS, now - DAY)
        orders = await connection.fetch(_ORDERS, list(ENDED)) if has["orders"] else []
        figures = await _figures(connection, orders=bool(has["orders"]))
        unsent = await _unsent(connection, service, settled, sent)
    finally:
        await connection.close()
    found = [*unsent, *_inbox(service, inbox), *_parked(service, parked)]
    found += islice(doubtful(effects, known), 100)
    return [*found, *stuck(orders, now)], figures


async def _figures(connection: Any, *, orders: bool) -> Mapping[str, Any]:
    figures: dict[str, Any] = {
        "accepted": await connection.fetchval("SELECT count(*) FROM inbox"),
        "parked": await connection.fetchval("SELECT count(*) FROM parked"),
        "effects": dict(
            await connection.fetch("SELECT state, count(*) FROM effects GROUP BY state")
        ),
    }
    if orders:
        rows = await connection.fetch("SELECT state, reason, count(*) FROM orders GROUP BY 1, 2")
        figures["orders"] = {" ".join(filter(None, row[:2])): row[2] for row in rows}
    return figures


async def _unsent(
    connection: Any, service: str, before: int, sent: Mapping[int, int]
) -> list[Finding]:
    """Return lanes whose events are not in the topic, or that have fewer than it."""
    found = []
    for lane, head in await connection.fetch(_LANES):
        last, subject = sent.get(lane, 0), f"{service}/{lane}"
        if last > head:
            text = f"the topic has number {last}, the store has given {head}"
            found.append(Finding("P1", "topic-ahead-of-store", subject, text))
        row = await connection.fetchrow(_UNSENT, lane, last, before)
        if row is not None:
            text = f"number {row['pseq']}, {row['type']}, is not in the topic"
            found.append(Finding("P1", "not-published", subject, text))
    return found


def _inbox(service: str, rows: Iterable[Any]) -> Iterable[Finding]:
    for row in rows:
        if row["state"] == "received":
            text = "was acknowledged minutes ago and has not taken effect"
            yield Finding("P1", "accepted-without-effect", f"{service} {row['name']}", text)
        else:
            text = f"took effect {row['finished']} times"
            yield Finding("P1", "not-effective-once", f"{service} {row['name']}", text)


def _parked(service: str, rows: Iterable[Any]) -> Iterable[Finding]:
    for row in rows:
        text = f"{row['source']} is parked with {row['code']}: lonja dlq show"
        yield Finding("P7", "parked", f"{service} {row['stream']}", text)


def doubtful(rows: Iterable[Any], known: Known) -> Iterable[Finding]:
    """Return calls in doubt, of those given up only what the topic does not know by now.

    Who gives one up leaves it to a person, and what that person says does not reach its row.
    """
    for row in rows:
        if row["state"] == "queued" and known(row["id"], row["cause"]):
            continue
        text = f"{row['kind']} is {row['state']} in doubt for more than a day ({row['last_error']})"
        yield Finding("P3", "unknown-too-long", row["id"], text)


def stuck(rows: Iterable[Any], now: int) -> Iterable[Finding]:
    """Return orders that have not ended and that nobody is named for, or not in time."""
    for row in rows:
        name, state = row["order_id"], row["state"]
        if state in QUEUES:
            if not (row["reason"] and row["owner"] and row["next_action"]):
                text = f"is {state} without reason, owner or next action"
                yield Finding("P7", "queue-without-name", name, text)
            if row["decide_by"] is not None and row["decide_by"] < now:
                text = f"is {state} ({row['reason']}) beyond its deadline"
                yield Finding("P7", "beyond-its-deadline", name, text)
        elif now - row["since"] > (WITH_THE_CARRIER if state == "dispatched" else WITH_US):
            yield Finding("P7", "stuck", name, f"is {state} for days and nobody was told")
