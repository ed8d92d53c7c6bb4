"""A collector in the test's own process: takes OTLP over HTTP, and keeps every byte of it."""

import contextlib
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Seen(msgspec.Struct, frozen=True):
    """A span as it came: its ids in hexadecimal, times in nanoseconds."""

    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    start: int
    end: int
    said: dict[str, str | int]


class Collector:
    """`status` is its answer; `bodies` are the requests, `spans` what they held."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.url = status, ""
        self.bodies: list[bytes] = []
        self.spans: list[Seen] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        if self.status == 200:
            self.spans += spans_of(body)
        return web.Response(status=self.status)

    def of(self, trace: str) -> dict[str, Seen]:
        """The spans of one trace, by their ids."""
        return {span.id: span for span in self.spans if span.trace == trace}


def spans_of(body: bytes) -> list[Seen]:
    return [
        Seen(
            {a.key: a.value.string_value for a in told.resource.attributes}["service.name"],
            span.name, span.kind, span.trace_id.hex(), span.span_id.hex(),
            span.parent_span_id.hex(), span.start_time_unix_nano, span.end_time_unix_nano,
            {a.key: a.value.string_value or a.value.int_value for a in span.attributes},
        )
        for told in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in told.scope_spans
        for span in scope.spans
    ]  # fmt: skip


@contextlib.asynccontextmanager
async def collecting(status: int = 200) -> AsyncIterator[Collector]:
    collector = Collector(status)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()
