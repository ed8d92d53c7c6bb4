"""Takes spans out of the process: to a collector (OTLP over HTTP), to a file (OTLP, JSON lines).

A thread of its own does it: whoever tells a span only puts it in a queue, whatever becomes of it.
Imported where traces are wanted and nowhere else; it brings 12 MB of libraries with it.
"""

import base64
import threading
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from libs.telemetry.logs import log
from libs.telemetry.metrics import SPANS
from libs.telemetry.spans import Span

MOST = 16_384  # spans that wait, of every service in the process; about 16 MB
BATCH = 512  # spans
EVERY = 1.0  # seconds
PATIENCE = 2.0  # seconds that a stop waits for the last batches
LARGEST = 64 * 1024 * 1024  # bytes of the file; then it is put aside as the one before
_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_SCOPE = InstrumentationScope("lonja")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_IDS = ("traceId", "spanId", "parentSpanId")


def outlet(endpoint: str, file: Path | None) -> "Outlet":
    """Return where spans go: to the collector at a base address, to a file, or to both."""
    exporters: list[SpanExporter] = []
    if endpoint:  # headers, certificates and time-outs are the library's standard variables
        exporters.append(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces"))
    if file is not None:
        exporters.append(FileExporter(file))
    return Outlet(exporters)


class Outlet:
    """A bounded queue and the thread that empties it; what does not fit is dropped and counted."""

    def __init__(self, exporters: Sequence[SpanExporter], most: int = MOST) -> None:
        self._exporters, self._most = exporters, most
        self._waiting: deque[Span] = deque()
        self._stop = threading.Event()
        self._failing = False
        # A daemon: a collector that never answers does not keep the process.
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def put(self, span: Span) -> None:
        """Give a span away; never waits, never raises."""
        if len(self._waiting) >= self._most:
            SPANS.labels("dropped").inc()
        else:
            self._waiting.append(span)

    def close(self) -> None:
        """Send what waits, for a moment, and end."""
        self._stop.set()
        self._thread.join(PATIENCE)
        for exporter in self._exporters:
            exporter.shutdown()

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            self._empty()
        self._empty()

    def _empty(self) -> None:
        while batch := [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]:
            taken = self._sent(batch)
            SPANS.labels("sent" if taken else "failed").inc(len(batch))
            if taken is self._failing:  # said once when it begins, and once when it is over
                log.warning("traces-sent-again" if taken else "traces-not-sent", count=len(batch))
                self._failing = not taken

    def _sent(self, batch: Sequence[Span]) -> bool:
        try:
            spans = [_readable(span) for span in batch]
            told = [exporter.export(spans) for exporter in self._exporters]
        except Exception as error:
            log.error("traces-failed", cause=type(error).__name__)
            return False
        return all(one is SpanExportResult.SUCCESS for one in told)


class FileExporter(SpanExporter):
    """Appends each batch as one line, for a machine without a collector.

    The form is OTLP's JSON, which collectors and viewers read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write in one piece: several processes append to the file."""
        told = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        line = msgspec.json.encode(_in_hexadecimal(told)) + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size + len(line) > LARGEST:
                self.path.replace(self.path.with_suffix(".jsonl.1"))
            with self.path.open("ab", buffering=0) as file:
                written = file.write(line)
        except OSError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if written == len(line) else SpanExportResult.FAILURE


def _in_hexadecimal(told: Any) -> Any:
    """Return it with ids as OTLP's JSON has them; protobuf's own has base64."""
    for resource in told["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span |= {k: base64.b64decode(span[k]).hex() for k in _IDS if k in span}
    return told


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
