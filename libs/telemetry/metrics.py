"""Metrics, by Prometheus' naming rules. Every name stands here; labels are never personal.

Gauges are read from the store and the broker at a scrape (`libs.runtime.gauging`), so every process
of a service shows the same: take the `max` over instances, never the sum.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

TURN_INPUTS = Histogram(
    "lonja_turn_inputs", "Inputs per turn.", ["service"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), registry=REGISTRY,
)  # fmt: skip
TURN_SECONDS = Histogram(
    "lonja_turn_seconds", "Time of a turn, from its reads to its commit.", ["service"],
    buckets=_SECONDS, registry=REGISTRY,
)  # fmt: skip
EVENTS = Counter(
    "lonja_events_recorded_total", "Events committed.", ["service", "type"], registry=REGISTRY
)
DELIVERIES = Counter(
    "lonja_deliveries_total", "Webhook deliveries, by answer.", ["service", "account", "answer"],
    registry=REGISTRY,
)  # fmt: skip
EFFECT_ATTEMPTS = Counter(
    "lonja_effect_attempts_total", "Attempts at effects, by the state they led to.",
    ["service", "state"], registry=REGISTRY,
)  # fmt: skip
SPANS = Counter(
    "lonja_spans_total", "Spans: sent, failed (nobody took them), dropped (queue full).",
    ["state"], registry=REGISTRY,
)  # fmt: skip


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


INBOX = _gauge("lonja_inbox_deliveries", "Deliveries accepted, not yet in effect.", "service")
INBOX_SECONDS = _gauge("lonja_inbox_seconds", "Age of the oldest of these deliveries.", "service")
TIMERS_SECONDS = _gauge(
    "lonja_timers_overdue_seconds", "How long the oldest open timer is due.", "service"
)
RELAY_LAG = _gauge("lonja_relay_lag_events", "Events committed, not yet in Kafka.", "service")
RELAY_LAG_SECONDS = _gauge("lonja_relay_lag_seconds", "Age of the oldest of these.", "service")
CONSUMER_LAG = _gauge(
    "lonja_consumer_lag_records",
    "Records of this instance's partitions not yet applied.",
    "consumer",
)
CONSUMER_LAG_SECONDS = _gauge(
    "lonja_consumer_lag_seconds", "Age of the oldest of these records, once read.", "consumer"
)
CONSUMER_STOPPED = _gauge(
    "lonja_consumer_stopped_partitions", "Partitions at a gap or two histories.", "consumer"
)
PARKED = _gauge(
    "lonja_parked_commands", "Commands and inputs that wait for a person.", "service", "code"
)
PARKED_STREAMS = _gauge("lonja_parked_streams", "Streams with parked commands.", "service")
PARKED_KEYS = _gauge(
    "lonja_parked_keys", "Pairs of stream and source with parked commands.", "service"
)
PARKED_SECONDS = _gauge("lonja_parked_seconds", "Age of the oldest parked command.", "service")
EFFECTS = _gauge("lonja_effects", "Effects without an end, by state.", "service", "state")
EFFECTS_DOUBT_SECONDS = _gauge(
    "lonja_effects_doubt_seconds", "Age of the oldest effect whose outcome is unknown.", "service"
)
EFFECTS_HELD_SECONDS = _gauge(
    "lonja_effects_held_seconds",
    "Age of the oldest effect that its outside has not let be done: no key, no answer, too much.",
    "service",
)
GIVEN_UP = _gauge(
    "lonja_effects_given_up", "Effects whose end only a person can tell, not told yet.", "service"
)
ORDERS = _gauge("lonja_orders", "Orders, by state.", "state")
ORDERS_AT_RISK = _gauge(
    "lonja_orders_at_risk_minor", "Money of orders that wait or are held, in minor units.",
    "state", "reason", "currency",
)  # fmt: skip
OLDEST_UNFINISHED = _gauge(
    "lonja_orders_oldest_unfinished_seconds", "Age of the oldest order without an end."
)
OVERDUE = _gauge("lonja_orders_overdue", "Orders whose deadline for a decision has passed.")
HALTED = _gauge(
    "lonja_projection_halted", "1 where a projection has stopped on a bug or an unreadable record.",
    "projection",
)  # fmt: skip
SCRAPED = _gauge(
    "lonja_gauges_read_timestamp_seconds", "When a service's gauges were last read.", "service"
)
