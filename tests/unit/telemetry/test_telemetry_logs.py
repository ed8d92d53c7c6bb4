"""What libraries say of what they were given does not come into the logs."""

import logging

import pytest
import structlog

from libs.telemetry.logs import configure


@pytest.mark.parametrize("name", ["aiokafka.conn", "asyncio", "asyncpg.pool", "uvicorn.error"])
def test_no_librarys_own_words_are_logged(name: str) -> None:
    try:
        configure("toy")
        assert not logging.getLogger(name).isEnabledFor(logging.ERROR)
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
