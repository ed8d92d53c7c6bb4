"""Spans: each under what it came of, of allowed words alone, and never in anybody's way."""

import base64
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import APIRouter
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import CollectorRegistry

from libs.eventsourcing.decided import NewEvent, Reply, Turn
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.inputs import Failure, FromApi, FromEffect, FromInbox, Input
from libs.runtime.settings import Server, Telemetry, load
from libs.telemetry.export import BATCH, PATIENCE, File, Outlet, outlet
from libs.telemetry.metrics import SPANS
from libs.telemetry.spans import OFF, Span, Spans, span_id
from libs.telemetry.tracing import continued
from libs.values.ids import derive
from libs.web.app import build_app
from tests.collector import collecting, spans_of
from tests.support import eventually
from tests.unit.channels.memory import call

ROOT = Path(__file__).parents[3]
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OURS = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{OURS}-01"
AT = 1_790_000_000_000_000
DELIVERY, PLACED, RESERVED = (derive("toy", name) for name in ("delivery", "placed", "reserved"))


class Place(msgspec.Struct, frozen=True):
    """A command."""


def spans(service: str = "orders", share: float = 1.0) -> tuple[Spans, list[Span]]:
    found: list[Span] = []
    return Spans(service, found.append, share), found


def turn_of(event: str, cause: str, trace: str = PARENT, name: str = "OrderPlaced") -> Turn:
    new = NewEvent(3, event, "order-1", 1, f"lonja.orders.{name}", 1, b"", AT, cause, DELIVERY, trace)  # fmt: skip
    return Turn(AT, events=[new])


def envelope(event: str, trace: str = PARENT) -> Envelope[Any]:
    return Envelope(None, "lonja.orders.OrderPlaced", event, "order-1", 1, AT, "orders", 3, 1,
                    trace)  # fmt: skip


def delivery(ignored: str | None = None, failure: Failure | None = None) -> Input:
    return Input(FromInbox(1, ignored), "inbox/1", "delivery/1", DELIVERY, DELIVERY, PARENT,
                 failure=failure)  # fmt: skip


def test_each_span_is_under_what_it_came_of_though_the_record_says_only_its_cause() -> None:
    here, found = spans("channels")
    there = Spans("orders", found.append)
    here.interpreted([delivery()], AT)
    here.recorded(turn_of(PLACED, DELIVERY))
    there.recorded(turn_of(RESERVED, PLACED))
    there.applied("orders", [((1,), envelope(RESERVED)), ((2,), envelope(RESERVED))], AT)
    asked, placed, reserved, applied = found
    assert {span.trace for span in found} == {TRACE}
    assert [one.parent for one in found] == [OURS, asked.id, placed.id, reserved.id]
    assert [one.service for one in found] == ["channels", "channels", "orders", "orders"]
    assert [one.name for one in found] == [
        "interpret delivery", "record OrderPlaced", "record OrderPlaced", "apply OrderPlaced",
    ]  # fmt: skip
    assert applied.said["lonja.projection"] == "orders"
    assert all(len(span.id) == 16 and span.end >= span.start == AT for span in found)


def test_a_command_says_how_it_was_answered() -> None:
    told, found = spans()
    given = Input(FromApi("k", b"h"), "command/k", "command/k", DELIVERY, DELIVERY, PARENT,
                  work=(("order-1", Place()),))  # fmt: skip
    for refused, digest in ((None, b"h"), ("order-unknown", b"h"), ("fault", b"")):
        reply = Reply("k", digest, "order-1", 1, (), refused, "Ada's words")
        told.commanded(given, reply, AT)
    assert [(s.said["lonja.outcome"], s.said.get("lonja.code"), s.failed) for s in found] == [
        ("decided", None, False), ("refused", "order-unknown", False), ("refused", "fault", True),
    ]  # fmt: skip
    assert {(s.id, s.parent, s.name) for s in found} == {(span_id(DELIVERY), OURS, "decide Place")}


def test_a_delivery_says_what_became_of_it() -> None:
    told, found = spans()
    parked = delivery(failure=Failure("bad-amount", "Ada's words", b"Ada's words"))
    told.interpreted([delivery(), delivery("not-an-order"), parked], AT)
    assert [(s.said["lonja.outcome"], s.said.get("lonja.code"), s.failed) for s in found] == [
        ("understood", None, False), ("ignored", "not-an-order", False),
        ("parked", "bad-amount", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "code", "told_code", "failed"),
    [
        ("confirmed", "", None, False),
        ("unknown", "timeout", "timeout", True),
        ("rejected", "ada-has-no-money", None, True),
        ("reconciled", "ada-has-no-money", None, False),
    ],
)
def test_a_call_says_its_outcome_but_no_word_of_theirs(
    state: str, code: str, told_code: str | None, failed: bool
) -> None:
    told, found = spans()
    origin = FromEffect("e", 1, state, error=code)
    given = Input(origin, "effect/e/1", "effect/e", PLACED, DELIVERY, PARENT)
    told.called(given, "perform stripe.capture", "stripe/card", 2, AT)
    (span,) = found
    assert (span.kind, span.parent, span.failed) == ("client", span_id(PLACED), failed)
    assert span.said == {
        "lonja.provider": "stripe/card", "lonja.attempt": 2, "lonja.outcome": state,
    } | ({"lonja.code": told_code} if told_code else {})  # fmt: skip


@pytest.mark.parametrize("text", ["Ada Lovelace", "ada@example.invalid", "Zoë", "a" * 121])
def test_what_has_the_form_of_a_value_is_not_told(text: str) -> None:
    told, found = spans()
    told.interpreted([delivery(failure=Failure(text, "", b""))], AT)
    assert found[0].said == {"lonja.batch": 1, "lonja.outcome": "parked"}


def test_nothing_is_told_of_a_trace_that_nobody_records_or_that_is_none() -> None:
    told, found = spans()
    for trace in ("", "nonsense", f"00-{TRACE}-{OURS}-00", f"00-{'0' * 32}-{OURS}-01"):
        told.recorded(turn_of(PLACED, DELIVERY, trace))
    assert found == []


def test_every_process_takes_the_same_share_of_traces() -> None:
    one, ones = spans("orders", 0.25)
    two, twos = spans("payments", 0.25)
    for _ in range(2000):
        trace = continued("")
        one.recorded(turn_of(PLACED, DELIVERY, trace))
        two.recorded(turn_of(RESERVED, PLACED, trace))
    assert [s.trace for s in ones] == [s.trace for s in twos]
    assert 400 < len(ones) < 600


def app(told: Spans) -> Any:
    router = APIRouter()

    @router.post("/customers/{customer}/merges")
    async def write(customer: str) -> str:
        return customer

    @router.post("/fault/{what}")
    async def fault(what: str) -> None:
        raise ZeroDivisionError(what)

    @router.get("/customers/{customer}")
    async def read(customer: str) -> str:
        return customer

    async def refresh() -> None:
        """There are no gauges."""

    return build_app(Server(tokens={"secret": "operator"}), [router], CollectorRegistry(),
                     refresh, dict, told)  # fmt: skip


async def test_a_request_is_told_by_its_route_and_begins_the_trace_that_goes_on() -> None:
    told, found = spans("web")
    mine = {"traceparent": f"00-{TRACE}-{CALLER}-01", "authorization": "Bearer secret"}
    for path in ("/customers/ada@example.invalid/merges", "/fault/ada"):
        await call(app(told), "POST", path, b"", mine)
    await call(app(told), "POST", "/nowhere/ada", b"", mine)
    await call(app(told), "GET", "/customers/ada", b"", mine)
    await call(app(told), "POST", "/customers/ada/merges", b"", {})
    assert [(s.name, s.said["http.response.status_code"], s.failed) for s in found] == [
        ("POST /customers/{customer}/merges", 200, False), ("POST /fault/{what}", 500, True),
    ]  # fmt: skip
    assert {(s.kind, s.trace, s.parent) for s in found} == {("server", TRACE, CALLER)}
    del mine["traceparent"]
    await call(app(told), "POST", "/fault/ada", b"", mine)
    assert (found[-1].trace != TRACE, found[-1].parent) == (True, "")


def counted() -> dict[str, float]:
    return {state: SPANS.labels(state)._value.get() for state in ("sent", "failed", "dropped")}


def more(before: dict[str, float]) -> dict[str, float]:
    return {state: now - before[state] for state, now in counted().items() if now > before[state]}


def span(number: int = 1) -> Span:
    return Span("orders", "record OrderPlaced", "producer", TRACE, f"{number:016x}", OURS, AT,
                AT + 5, {"lonja.lane": 3}, failed=False)  # fmt: skip


class Hanging:
    """A collector that takes what it is given and does not answer until it is let go."""

    def __init__(self) -> None:
        self.taken, self.go = threading.Event(), threading.Event()

    def export(self, spans: Sequence[Span]) -> bool:
        self.taken.set()
        self.go.wait(30)
        return bool(spans)

    def close(self) -> None:
        pass


def test_a_collector_that_hangs_is_in_nobodys_way_and_what_is_lost_is_counted() -> None:
    before, hanging = counted(), Hanging()
    out = Outlet([hanging], most=100)
    out.put(span())
    assert hanging.taken.wait(10)
    began = time.monotonic()
    for number in range(250):
        out.put(span(number + 2))
    assert time.monotonic() - began < 0.5
    assert more(before) == {"dropped": 150}
    began = time.monotonic()
    out.close()
    assert time.monotonic() - began < PATIENCE + 1
    hanging.go.set()
    out.close()  # what it still holds is counted here, not in another test


class Refusing:
    """A collector that refuses, in one way and the other, then takes what it is given."""

    def __init__(self) -> None:
        self.answers: list[bool | Exception] = [False, ZeroDivisionError()]

    def export(self, spans: Sequence[Span]) -> bool:
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        assert len(spans) == BATCH
        return answer

    def close(self) -> None:
        pass


def test_a_collector_that_fails_is_tried_again_with_the_next_ones() -> None:
    before, out = counted(), Outlet([Refusing()])
    for number in range(3 * BATCH):
        out.put(span(number + 1))
    out.close()
    assert more(before) == {"failed": 2 * BATCH, "sent": BATCH}


async def test_a_collector_gets_what_was_told_when_the_process_ends() -> None:
    async with collecting() as collector:
        out = outlet(collector.url, None)
        out.put(span())
        await eventually(lambda: collector.spans, timeout=10)
        out.close()
    (seen,) = collector.spans
    assert (seen.service, seen.name, seen.trace) == ("orders", "record OrderPlaced", TRACE)
    assert (seen.id, seen.parent, seen.kind) == (f"{1:016x}", OURS, 4)
    assert (seen.start, seen.end, seen.said) == (AT * 1000, AT * 1000 + 5000, {"lonja.lane": 3})


def test_a_file_holds_otlp_as_json_lines_and_stays_within_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "logs/traces.jsonl"
    out = outlet("", path)
    out.put(span())
    out.close()
    (line,) = path.read_bytes().splitlines()
    (told,) = msgspec.json.decode(line)["resourceSpans"]
    (scope,) = told["scopeSpans"]
    (one,) = scope["spans"]
    assert (one["traceId"], one["spanId"], one["parentSpanId"]) == (TRACE, f"{1:016x}", OURS)
    assert one["kind"] == 4, "enumerations are numbers in OTLP's JSON"
    for span_ in scope["spans"]:  # protobuf's own JSON has ids in base64
        for name in ("traceId", "spanId", "parentSpanId"):
            span_[name] = base64.b64encode(bytes.fromhex(span_[name])).decode()
    theirs = ParseDict({"resourceSpans": [told]}, ExportTraceServiceRequest())
    (seen,) = spans_of(theirs.SerializeToString())
    assert (seen.service, seen.name, seen.kind, seen.trace) == ("orders", span().name, 4, TRACE)
    assert (seen.start, seen.end, seen.said) == (AT * 1000, AT * 1000 + 5000, {"lonja.lane": 3})
    monkeypatch.setattr("libs.telemetry.export.LARGEST", 2 * BATCH * len(line))
    out = Outlet([File(path)])
    for number in range(12 * BATCH):
        out.put(span(number + 1))
    out.close()
    kept = {one.name: one.stat().st_size for one in path.parent.iterdir()}
    assert kept.keys() == {"traces.jsonl", "traces.jsonl.1"}
    assert max(kept.values()) <= 2 * BATCH * len(line)
    assert path.read_bytes().endswith(b"\n")


def test_where_traces_are_wanted_is_said_by_file_or_by_the_standard_variable(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lonja.toml"
    path.touch()
    assert not load(path, {}).telemetry.traced
    path.write_text('[telemetry]\nendpoint = "http://a:4318"\n')
    assert load(path, {}).telemetry.endpoint == "http://a:4318"
    told = load(path, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:4318"}).telemetry
    assert (told.endpoint, told.traced) == ("http://b:4318", True)
    assert load(path, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}).telemetry.endpoint == "http://a:4318"
    assert load(path, {"LONJA_TELEMETRY__FILE": "true"}).telemetry.file
    assert not Telemetry(file=True, share=0.0).traced


def test_where_nobody_wants_traces_nothing_is_told_and_nothing_imported() -> None:
    OFF.recorded(turn_of(PLACED, DELIVERY))
    OFF.interpreted([delivery()], OFF.now())
    assert OFF.now() == 0
    code = (
        "import sys\n"
        "import services.console.child, services.console.composition\n"
        "names = ('opentelemetry.sdk', 'google.protobuf', 'libs.telemetry.export')\n"
        "assert not [name for name in names if name in sys.modules]\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
