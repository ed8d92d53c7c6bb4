"""Takes spans out of the process: to a collector, to a file (OTLP's JSON, a batch a line).

A thread of its own does it: whoever tells a span only puts it in a queue, whatever becomes of it.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from libs.telemetry.logs import log
from libs.telemetry.metrics import SPANS
from libs.telemetry.spans import Kind, Span

MOST = 16_384  # spans that wait, of every service in the process; about 16 MB
BATCH = 512  # spans
EVERY = 1.0  # seconds
PATIENCE = 2.0  # seconds that a stop waits for the last batches
LARGEST = 64 * 1024 * 1024  # bytes of the file; then it is put aside as the one before
# OTLP's numbers (opentelemetry.proto.trace.v1): kinds, and the status of what has failed.
_KINDS: Mapping[Kind, int] = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_ERROR = 2


class Sink(Protocol):
    """Where batches go."""

    def export(self, spans: Sequence[Span]) -> bool:
        """Take a batch, or say that it was not taken."""

    def close(self) -> None:
        """Let go of what is held."""


def outlet(endpoint: str, file: Path | None) -> "Outlet":
    """Return where spans go: to the collector at a base address, to a file, or to both."""
    sinks: list[Sink] = []
    if endpoint:
        from libs.telemetry.collector import Collector  # noqa: PLC0415 - its libraries are large

        sinks.append(Collector(endpoint))
    if file is not None:
        sinks.append(File(file))
    return Outlet(sinks)


class Outlet:
    """A bounded queue and the thread that empties it; what does not fit is dropped and counted."""

    def __init__(self, sinks: Sequence[Sink], most: int = MOST) -> None:
        self._sinks, self._most = sinks, most
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
        for sink in self._sinks:
            sink.close()

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
            told = [sink.export(batch) for sink in self._sinks]
        except Exception as error:
            log.error("traces-failed", cause=type(error).__name__)
            return False
        return all(told)


class File:
    """Appends each batch as one line, for a machine without a collector; viewers read the form."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def export(self, spans: Sequence[Span]) -> bool:
        """Write in one piece: several processes append to the file."""
        line = msgspec.json.encode(_told(spans)) + b"\n"
        try:
            if self.path.exists() and self.path.stat().st_size + len(line) > LARGEST:
                self.path.replace(self.path.with_suffix(".jsonl.1"))
            with self.path.open("ab", buffering=0) as file:
                return file.write(line) == len(line)
        except OSError:
            return False

    def close(self) -> None:
        """Nothing is held between batches."""


def _told(spans: Sequence[Span]) -> dict[str, object]:
    """Return a batch as OTLP's JSON has it: ids in hexadecimal, 64-bit numbers as texts."""
    by_service: dict[str, list[object]] = {}
    for span in spans:
        by_service.setdefault(span.service, []).append(_one(span))
    return {
        "resourceSpans": [
            {"resource": {"attributes": _attributes({"service.name": service,
                                                     "service.namespace": "lonja"})},
             "scopeSpans": [{"scope": {"name": "lonja"}, "spans": told}]}
            for service, told in by_service.items()
        ]
    }  # fmt: skip


def _one(span: Span) -> dict[str, object]:
    parent = {"parentSpanId": span.parent} if span.parent else {}
    return {
        "traceId": span.trace, "spanId": span.id, **parent, "name": span.name,
        "kind": _KINDS[span.kind], "startTimeUnixNano": str(span.start * 1000),
        "endTimeUnixNano": str(span.end * 1000), "attributes": _attributes(span.said),
        "status": {"code": _ERROR} if span.failed else {},
    }  # fmt: skip


def _attributes(said: Mapping[str, str | int]) -> list[object]:
    return [{"key": key, "value": _value(one)} for key, one in said.items()]


def _value(one: str | int) -> dict[str, str]:
    return {"stringValue": one} if isinstance(one, str) else {"intValue": str(one)}
