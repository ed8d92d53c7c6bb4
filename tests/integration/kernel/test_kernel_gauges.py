"""Gauges of the store: each number is the rows', at a bounded cost, and old ones stay when it fails."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from libs.runtime.gauging import Gauges
from libs.store.event_store import PostgresStore
from libs.telemetry.metrics import REGISTRY

pytestmark = pytest.mark.stack
NOW = 1_767_600_000_000_000
SECOND = 1_000_000
NOBODY = "00000000-0000-0000-0000-000000000000"
EFFECT = (
    "INSERT INTO effects (id, kind, stream, request, state, planned_at, doubt_since)"
    " VALUES ($1, 'k', 's', '', $2, 0, $3)"
)
PARKED = (
    "INSERT INTO parked (id, stream, source, input_id, work, code, detail, fingerprint, at, cause,"
    " correlation, trace) VALUES ($1, $2, $3, 'i', 0, $4, '', '', $5, $6, $6, '')"
)
INBOX = (
    "INSERT INTO inbox (provider, account, key, topic, received_at, trace, state)"
    " VALUES ('p', 'a', $1, 't', $2, '', $3)"
)
EVENT = "INSERT INTO events VALUES (3, $1, gen_random_uuid(), 's', $1, 't', 1, '', $2, $3, $3, '')"


async def fill(store: PostgresStore) -> None:
    rows: Sequence[tuple[str, tuple[Any, ...]]] = [
        (EFFECT, ("e1", "planned", 0)), (EFFECT, ("e2", "queued", NOW - 90 * SECOND)),
        (EFFECT, ("e3", "unknown", NOW - 70 * SECOND)),
        (EFFECT, ("e4", "planned", 0)),
        ("UPDATE effects SET attempt = 3, planned_at = $1 WHERE id = 'e4'", (NOW - 40 * SECOND,)),
        *((EFFECT, (f"old{n}", "confirmed", NOW - 10**9 * SECOND)) for n in range(50)),
        (PARKED, ("p1", "a", "x", "fault", NOW - 5 * SECOND, NOBODY)),
        (PARKED, ("p2", "a", "y", "fault", NOW - 4 * SECOND, NOBODY)),
        (PARKED, ("p3", "a", "y", "queued", NOW - 3 * SECOND, NOBODY)),
        (PARKED, ("p4", "b", "y", "queued", NOW - 2 * SECOND, NOBODY)),
        (INBOX, ("k1", NOW - 9 * SECOND, "received")), (INBOX, ("k2", NOW - 8 * SECOND, "received")),
        *((INBOX, (f"old{n}", 0, "done")) for n in range(50)),
        ("INSERT INTO timers (id, due, stream, command) VALUES ('t1', $1, 's', '')",
         (NOW - 6 * SECOND,)),
        ("INSERT INTO timers (id, due, stream, command) VALUES ('t2', $1, 's', '')",
         (NOW + 6 * SECOND,)),
        (EVENT, (1, NOW - 30 * SECOND, NOBODY)), (EVENT, (2, NOW - 20 * SECOND, NOBODY)),
        (EVENT, (3, NOW - 10 * SECOND, NOBODY)),
        ("UPDATE lanes SET head = $1 WHERE lane = 3", (3,)),
    ]  # fmt: skip
    for statement, values in rows:
        await store.pool.execute(statement, *values)


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"lonja_{name}", {"service": "toy", **labels})


def gauges_of(store: PostgresStore) -> Gauges:
    sent: Any = SimpleNamespace(acknowledged={lane: int(lane == 3) for lane in range(8)})
    return Gauges("toy", store.pool, (), sent)


async def test_every_number_is_the_rows(postgres: PostgresStore) -> None:
    await fill(postgres)
    await gauges_of(postgres).refresh(NOW)
    assert [shown("effects", state=state) for state in ("planned", "unknown")] == [2, 1]
    for ended in ("confirmed", "queued"):  # one that was given up is its stream's matter
        assert shown("effects", state=ended) is None
    assert shown("effects_doubt_seconds") == pytest.approx(70)
    assert shown("effects_held_seconds") == pytest.approx(40)
    assert (shown("parked_commands", code="fault"), shown("parked_commands", code="queued")) == (
        2,
        2,
    )
    assert (shown("parked_streams"), shown("parked_keys")) == (2, 3)
    assert shown("parked_seconds") == pytest.approx(5)
    assert shown("inbox_deliveries") == 2
    assert shown("inbox_seconds") == pytest.approx(9)
    assert shown("timers_overdue_seconds") == pytest.approx(6)
    assert shown("relay_lag_events") == 2
    assert shown("relay_lag_seconds") == pytest.approx(20)
    assert shown("gauges_read_timestamp_seconds") == NOW / 1e6


async def test_what_is_no_more_is_shown_as_none_and_not_as_it_was(postgres: PostgresStore) -> None:
    await fill(postgres)
    gauges = gauges_of(postgres)
    await gauges.refresh(NOW)
    await postgres.pool.execute("DELETE FROM parked")
    await postgres.pool.execute("UPDATE effects SET state = 'confirmed'")
    gauges._until = 0.0
    await gauges.refresh(NOW)
    assert (shown("parked_commands", code="fault"), shown("effects", state="unknown")) == (0, 0)
    assert (shown("parked_seconds"), shown("effects_doubt_seconds")) == (0, 0)
    assert shown("effects_held_seconds") == 0


async def test_scrapes_that_come_together_share_an_answer_and_a_failure_keeps_the_last(
    postgres: PostgresStore,
) -> None:
    await fill(postgres)
    gauges = gauges_of(postgres)
    await gauges.refresh(NOW)
    await postgres.pool.execute("ALTER TABLE parked RENAME TO gone")
    await gauges.refresh(NOW + SECOND)
    assert shown("gauges_read_timestamp_seconds") == NOW / 1e6, "the answer is still good"
    gauges._until = 0.0
    await gauges.refresh(NOW + 2 * SECOND)
    assert shown("gauges_read_timestamp_seconds") == NOW / 1e6, "its age tells that it is old"
    assert shown("parked_seconds") == pytest.approx(5)


async def test_nothing_that_is_finished_is_read(postgres: PostgresStore) -> None:
    sent = list(range(8))
    rows = await postgres.pool.fetch("EXPLAIN " + gauges_of(postgres).query, NOW, sent, sent)
    plan = "\n".join(row[0] for row in rows)
    assert "on events" not in plan.replace("using events_pkey on events", "")
    for index in ("inbox_open", "timers_open"):
        assert index in plan, plan
    for index in ("effects_pkey", "inbox_pkey", "timers_pkey"):
        assert index not in plan, plan
