"""The HTTP server: routes of the services here, health, metrics, errors as problems."""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.eventsourcing.decider import Refused
from libs.runtime.settings import Server
from libs.store.pool import LOST, PASSING
from libs.telemetry.logs import log
from libs.telemetry.spans import OFF, Spans
from libs.telemetry.tracing import continued, header_of, trace_id
from libs.version import VERSION
from libs.web.bodies import checked
from libs.web.docs import page
from libs.web.openapi import Schema, described
from libs.web.parameters import known_parameters
from libs.web.problems import Problem, answer_problem, problem
from libs.web.tokens import READS, permitted

Check = Callable[[], Mapping[str, str]]  # name -> reason why it is not ready


class Guard:
    """Gives a request its trace, asks for tokens, refuses what no route could hold.

    What nobody foresaw becomes a problem. Log lines of the request carry its trace, and so does
    the problem: one finds the other.
    """

    def __init__(self, app: ASGIApp, server: Server, spans: Spans) -> None:
        self.app, self.server, self.spans = app, server, spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, caller = self.spans.now(), header_of(scope["headers"])
        trace = continued(caller)
        scope.setdefault("state", {})["traceparent"] = trace
        with structlog.contextvars.bound_contextvars(trace=trace_id(trace)):
            status = await self._answer(scope, receive, send, trace_id(trace))
        if scope["method"] not in READS:
            route = getattr(scope.get("route"), "path", "")
            self.spans.request(trace, caller, scope["method"], route, status, began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, trace: str) -> int:
        """Answer, and return the status."""
        refusal = permitted(self.server, Request(scope)) if self.server.tokens else None
        if refusal is not None:
            await refusal(scope, receive, send)
            return refusal.status_code
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = status or message["status"]  # the first message begins the answer
            await send(message)

        try:
            await self.app(scope, await checked(scope, receive), watched)
        except ClientDisconnect:
            pass  # in the middle of its request: nobody is left to be answered
        except Problem as no:
            refused = problem(no.code, no.detail, **no.members)
            await refused(scope, receive, send)
            status = refused.status_code
        except Exception as error:
            log.error("request-failed", cause=type(error).__name__)
            if not status:
                passing = isinstance(error, PASSING + LOST)
                code = "try-again" if passing else "internal-error"
                text = "This is our fault; it is logged. Try again."
                answer = problem(code, text, trace=trace)
                await answer(scope, receive, send)
                status = answer.status_code
        return status


def build_app(
    server: Server,
    routers: Sequence[APIRouter],
    registry: CollectorRegistry,
    refresh: Callable[[], Awaitable[None]],
    unready: Check,
    spans: Spans = OFF,
) -> FastAPI:
    """Put the routes of services under one port.

    `refresh` brings gauges up to date before a scrape; `unready` names what is not ready.
    """
    app = FastAPI(
        title="Lonja",
        version=VERSION,
        description="Orders, stock, payments, parcels, books and customers of all channels. Writes "
        "take an `Idempotency-Key`; reads take `?after=` with the token of a write.",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(known_parameters)],
    )
    app.add_middleware(Guard, server=server, spans=spans)
    for router in routers:
        app.include_router(router)
    for kind in (Problem, Refused, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer_problem)

    app.openapi = _documented(app)  # type: ignore[method-assign]
    _health(app, registry, refresh, unready)
    return app


def _documented(app: FastAPI) -> Callable[[], Schema]:
    """Serve the documentation, and return what gives the document behind it."""
    found = app.openapi

    @functools.cache
    def document() -> Schema:
        return described(found())

    @app.get("/", include_in_schema=False)
    async def begin() -> Response:
        return RedirectResponse("/docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page(document(), str(app.openapi_url)))

    return document


def _health(
    app: FastAPI,
    registry: CollectorRegistry,
    refresh: Callable[[], Awaitable[None]],
    unready: Check,
) -> None:
    @app.get("/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "alive"}

    @app.get("/health/ready", tags=["health"])
    async def ready() -> JSONResponse:
        """Say whether every service here does its work; 503 names what waits for what."""
        missing = unready()
        if missing:
            return JSONResponse({"status": "not-ready", "waiting_for": dict(missing)}, 503)
        return JSONResponse({"status": "ready"})

    @app.get("/metrics", tags=["health"])
    async def metrics() -> Response:
        """Give the metrics in Prometheus' text format."""
        await refresh()
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
