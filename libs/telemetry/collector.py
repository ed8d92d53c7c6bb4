"""A collector of traces that takes OTLP over HTTP, by OpenTelemetry's own library.

Imported where one is named and nowhere else: the libraries take 12 MB.
"""

from collections.abc import Sequence
from functools import lru_cache

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from libs.telemetry.spans import Span

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_SCOPE = InstrumentationScope("lonja")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class Collector:
    """Sends spans to a base address; the rest is said by the library's standard variables."""

    def __init__(self, endpoint: str) -> None:
        self._exporter: SpanExporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")

    def export(self, spans: Sequence[Span]) -> bool:
        """Send a batch; True where it was taken."""
        told = self._exporter.export([_readable(span) for span in spans])
        return told is SpanExportResult.SUCCESS

    def close(self) -> None:
        """Try no more."""
        self._exporter.shutdown()


def _readable(span: Span) -> ReadableSpan:
    parent = _context(span.trace, span.parent, remote=True) if span.parent else None
    return ReadableSpan(
        span.name, _context(span.trace, span.id, remote=False), parent, _resource(span.service),
        span.said, kind=_KINDS[span.kind], instrumentation_scope=_SCOPE,
        status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
        start_time=span.start * 1000, end_time=span.end * 1000,
    )  # fmt: skip


def _context(trace: str, span: str, *, remote: bool) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), remote, _SAMPLED)


@lru_cache
def _resource(service: str) -> Resource:
    """Return who told it; OTEL_RESOURCE_ATTRIBUTES adds what an operator wants to say."""
    return Resource.create({"service.name": service, "service.namespace": "lonja"})
