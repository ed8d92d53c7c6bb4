"""Reads a service's gauges when they are asked for, with one query. Decides nothing.

The cost is bounded: an answer is good for a second, and where the query took long, for twenty times
as long as it took; at most a twentieth of a connection's time goes into it.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

import asyncpg
from prometheus_client import Gauge

from libs.bus.relay import Relay
from libs.store.pool import LOST, PASSING, Pool
from libs.telemetry import metrics
from libs.telemetry.measures import Measure
from libs.telemetry.outage import Outage

FRESH = 1.0  # seconds
SHARE = 20  # an answer is good for so many times what it took

# number, label, value; ages in microseconds. $1 is now, $2 and $3 what is sent of each lane.
_STORE = """
    SELECT -1, code, '', '', count(*) FROM parked GROUP BY code
    UNION ALL SELECT -2, '', '', '', count(DISTINCT stream) FROM parked
    UNION ALL SELECT -3, '', '', '', count(DISTINCT (stream, source)) FROM parked
    UNION ALL SELECT -4, '', '', '', $1::bigint - min(at) FROM parked
    UNION ALL SELECT -5, state, '', '', count(*) FROM effects
        WHERE state IN ('planned', 'in-flight', 'unknown') GROUP BY state
    UNION ALL SELECT -6, '', '', '', $1::bigint - min(doubt_since) FROM effects
        WHERE state IN ('planned', 'in-flight', 'unknown') AND doubt_since > 0
    UNION ALL SELECT -7, '', '', '', count(*) FROM inbox WHERE state = 'received'
    UNION ALL (SELECT -8, '', '', '', $1::bigint - received_at FROM inbox
        WHERE state = 'received' ORDER BY seq LIMIT 1)
    UNION ALL SELECT -9, '', '', '', $1::bigint - min(due) FROM timers
        WHERE done_at IS NULL AND due < $1::bigint
    UNION ALL SELECT -10, '', '', '', coalesce(sum(l.head - u.sent), 0)::bigint
        FROM unnest($2::integer[], $3::bigint[]) AS u(lane, sent) JOIN lanes l USING (lane)
    UNION ALL SELECT -11, '', '', '', $1::bigint - min(e.recorded_at)
        FROM unnest($2::integer[], $3::bigint[]) AS u(lane, sent)
        JOIN events e ON e.lane = u.lane AND e.pseq = u.sent + 1
    UNION ALL SELECT -12, '', '', '', $1::bigint - min(planned_at) FROM effects
        WHERE state = 'planned' AND attempt > 0"""
_AGE = 1e-6
_KERNEL: Mapping[int, tuple[Gauge, float]] = {
    -1: (metrics.PARKED, 1), -2: (metrics.PARKED_STREAMS, 1), -3: (metrics.PARKED_KEYS, 1),
    -4: (metrics.PARKED_SECONDS, _AGE), -5: (metrics.EFFECTS, 1),
    -6: (metrics.EFFECTS_DOUBT_SECONDS, _AGE), -7: (metrics.INBOX, 1),
    -8: (metrics.INBOX_SECONDS, _AGE), -9: (metrics.TIMERS_SECONDS, _AGE),
    -10: (metrics.RELAY_LAG, 1), -11: (metrics.RELAY_LAG_SECONDS, _AGE),
    -12: (metrics.EFFECTS_HELD_SECONDS, _AGE),
}  # fmt: skip


class Gauges:
    """The gauges of one service that lie in its database."""

    def __init__(self, service: str, pool: Pool, measures: Sequence[Measure], relay: Relay) -> None:
        self.service, self.pool, self.relay = service, pool, relay
        self.measures = tuple(measures)
        self.query = " UNION ALL ".join(
            [_STORE, *(measure.select(n) for n, measure in enumerate(self.measures))]
        )
        self.lag, self.lag_seconds = 0, 0.0
        self._until = 0.0
        self._reading = asyncio.Lock()
        self._outage = Outage(
            "gauges-not-read", "gauges-read", level=logging.WARNING, steady=0, service=service
        )
        self._shown: set[tuple[Gauge, tuple[str, ...]]] = set()

    async def refresh(self, now: int) -> None:
        """Bring the gauges up to date; `now` in microseconds. What cannot be read stays as it was.

        How old they are then is in `lonja_gauges_read_timestamp_seconds`.
        """
        loop = asyncio.get_running_loop()
        async with self._reading:  # scrapes that come together share one answer
            began = loop.time()
            if began < self._until:
                return
            sent = self.relay.acknowledged
            try:
                rows = await self.pool.fetch(self.query, now, list(sent), list(sent.values()))
            except (*PASSING, *LOST, asyncpg.PostgresError) as error:
                self._outage.failed(error)
            else:
                self._outage.went_well()
                self._show(rows)
                metrics.SCRAPED.labels(self.service).set(now / 1e6)
            took = loop.time() - began
            self._until = loop.time() + max(FRESH, SHARE * took)

    def _show(self, rows: Sequence[asyncpg.Record]) -> None:
        found: dict[tuple[Gauge, tuple[str, ...]], float] = {}
        for number, first, second, third, value in rows:
            if number < 0:
                gauge, scale = _KERNEL[number]
                labels = (self.service, first)[: 2 if number in {-1, -5} else 1]
            else:
                measure = self.measures[number]
                gauge, scale = measure.gauge, measure.scale
                read = (first or "", second or "", third or "")[: len(measure.by)]
                labels = (*measure.named, *read)
            found[gauge, labels] = max(0.0, (value or 0) * scale)
        # A state in which nothing is any more is 0; left alone, it would show its last number.
        for gauge, labels in self._shown - found.keys():
            found[gauge, labels] = 0.0
        for (gauge, labels), shown in found.items():
            (gauge.labels(*labels) if labels else gauge).set(shown)
        self._shown |= found.keys()
        self.lag = int(found[metrics.RELAY_LAG, (self.service,)])
        self.lag_seconds = found[metrics.RELAY_LAG_SECONDS, (self.service,)]
