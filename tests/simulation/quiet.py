"""Keeps the product's log lines out of a run: the trace tells what happened."""

import logging

import structlog.testing


def quiet() -> None:
    """Drop every line of this process."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.testing.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
