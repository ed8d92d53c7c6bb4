"""Logs: one JSON line per event, and only keys that are known to be safe."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

from libs.security.cardnumbers import masked

# A key that is not here is dropped, not masked: nothing personal or secret can slip into a line.
ALLOWED = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "logger",
        "service",
        "cause",
        "attempt",
        "inputs",
        "stream",
        "source",
        "code",
        "consumer",
        "topic",
        "partition",
        "lane",
        "pseq",
        "offset",
        "epoch",
        "projection",
        "rows",
        "seconds",
        "count",
        "port",
        "state",
        "reason",
        "key_id",
        "trace",
        "order_id",
        "sku",
        "account",
        "provider",
        "listing_id",
        "effect",
        "kind",
        "process",
        "pid",
        "exit_code",
        "signal",
        "position",
        "expected",
        "found",
        "address",
        "version",
        "what",
        "dropped",
    ]
)


def keep_allowed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every key that is not allow-listed, and say how many; take card numbers out of texts."""
    kept = {
        k: masked(v) if isinstance(v, str) else v
        for k, v in event.items()
        if k in ALLOWED and isinstance(v, str | int | float)
    }
    if len(kept) < len(event):
        kept["dropped"] = len(event) - len(kept)
    return kept


def configure(service: str, *, stream: Any = None) -> None:
    """Send logs as JSON lines to `stream` (standard error by default)."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            keep_allowed,
            structlog.processors.JSONRenderer(
                serializer=lambda v, **_: msgspec.json.encode(v).decode()
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.lastResort = _Origins(logging.WARNING)  # of all loggers that nobody gave a handler
    # What these say of passing faults is said by us.
    for name in ("aiokafka", "asyncio", "asyncpg", "uvicorn", "opentelemetry", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _Origins(logging.Handler):
    """Libraries' own messages may quote what they were given: only their origin is kept."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        log.warning("library-warning", logger=record.name, cause=kind.__name__ if kind else None)


log: structlog.stdlib.BoundLogger = structlog.get_logger()
