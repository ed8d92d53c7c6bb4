"""Metrics, by Prometheus' naming rules. Every name stands here; labels are never personal."""

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
    "lonja_deliveries_total", "Webhook deliveries, by answer.", ["account", "answer"],
    registry=REGISTRY,
)  # fmt: skip
RELAY_LAG = Gauge(
    "lonja_relay_lag_events",
    "Events committed and not yet in Kafka.",
    ["service"],
    registry=REGISTRY,
)
CONSUMER_LAG = Gauge(
    "lonja_consumer_lag_records", "Records not yet applied.", ["consumer"], registry=REGISTRY
)
CONSUMER_LAG_SECONDS = Gauge(
    "lonja_consumer_lag_seconds", "Age of the oldest record not yet applied.", ["consumer"],
    registry=REGISTRY,
)  # fmt: skip
PARKED = Gauge(
    "lonja_parked_commands", "Commands and inputs that wait for a person.", ["service", "code"],
    registry=REGISTRY,
)  # fmt: skip
EFFECTS = Gauge("lonja_effects", "Effects, by state.", ["service", "state"], registry=REGISTRY)
ORDERS = Gauge("lonja_orders", "Orders, by state.", ["state"], registry=REGISTRY)
OLDEST_UNFINISHED = Gauge(
    "lonja_orders_oldest_unfinished_seconds", "Age of the oldest order without an end.",
    registry=REGISTRY,
)  # fmt: skip
HALTED = Gauge(
    "lonja_projection_halted", "1 where a projection has stopped on a bug or an unreadable record.",
    ["projection"], registry=REGISTRY,
)  # fmt: skip
