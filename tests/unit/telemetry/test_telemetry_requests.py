"""A request's trace: given by the server, in its log lines, and in the problem that it ends with."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry

from libs.runtime.settings import Server
from libs.telemetry.logs import configure, log
from libs.web.app import build_app
from libs.web.writes import traceparent
from tests.unit.channels.memory import call

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure("orders", stream=stream)
    yield stream
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def app() -> Any:
    router = APIRouter()

    @router.get("/well")
    async def well(request: Request) -> str:
        log.info("looked-at")
        return traceparent(request)

    @router.get("/badly")
    async def badly() -> None:
        raise ZeroDivisionError

    async def refresh() -> None:
        """There are no gauges."""

    return build_app(Server(), [router], CollectorRegistry(), refresh, dict)


async def test_the_callers_trace_is_in_the_log_lines_of_its_request(lines: io.StringIO) -> None:
    status, told = await call(app(), "GET", "/well", b"", HEADER)
    assert (status, told[3:35]) == (200, TRACE)
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert (line["event"], line["trace"], line["service"]) == ("looked-at", TRACE, "orders")


def test_what_a_library_says_is_named_but_not_repeated(lines: io.StringIO) -> None:
    said = logging.getLogger("a.library")
    said.propagate = False  # as in a process that gave no logger a handler
    said.warning("could not pay with 4242424242424242", exc_info=ZeroDivisionError("4242"))
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert (line["event"], line["logger"]) == ("library-warning", "a.library")
    assert line["cause"] == "ZeroDivisionError"
    assert "4242" not in lines.getvalue()


async def test_a_fault_of_ours_is_found_by_the_trace_in_its_problem(lines: io.StringIO) -> None:
    status, told = await call(app(), "GET", "/badly", b"", {})
    assert (status, told["code"]) == (500, "internal-error")
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert (line["event"], line["trace"]) == ("request-failed", told["trace"])
    assert len(told["trace"]) == 32


async def test_one_requests_trace_is_not_in_the_next_ones_lines(lines: io.StringIO) -> None:
    shared = app()
    await call(shared, "GET", "/well", b"", HEADER)
    _, told = await call(shared, "GET", "/well", b"", {})
    assert told[3:35] != TRACE
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert (first["trace"], second["trace"]) == (TRACE, told[3:35])
