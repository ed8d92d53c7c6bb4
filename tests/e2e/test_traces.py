"""Traces that a collector gets: one from the webhook to the read models, of nothing personal."""

import base64
from pathlib import Path

import pytest

from tests.collector import Collector, Seen, collecting
from tests.e2e.test_hostile import CANARY, canaries, order, running_system, signed, until_linkable
from tests.support import eventually
from tests.unit.channels import payloads

pytestmark = [pytest.mark.timeout(480), pytest.mark.stack]
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5  # OTLP's numbers
ROUTE = "POST /channels/webhooks/{provider}/{account}"


def line(spans: dict[str, Seen], span: Seen) -> list[Seen]:
    """A span and those that it came of, up to the one whose parent is not among them."""
    found = [span]
    while span.parent in spans:
        span = spans[span.parent]
        found.append(span)
    return found


async def test_a_trace_leads_from_the_webhook_to_the_read_models_and_holds_nothing_personal(
    tmp_path: Path,
) -> None:
    async with (
        collecting() as collector,
        running_system(tmp_path, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as system,
    ):
        await until_linkable(system)
        body = order(1)
        parent = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        assert (await system.deliver(body, signed(body, "t-1") | parent))[0] == 200
        bad = order(2).replace(b'"5.00"', b'"five"')
        assert (await system.deliver(bad, signed(bad, "t-2")))[0] == 200
        for provider, account, sent, headers in canaries():
            assert (await system.deliver(sent, headers, account, provider))[0] == 200

        async def dispatched() -> bool:
            return await system.state(1) == "dispatched"

        await eventually(dispatched, timeout=20)
        await eventually(lambda: whole(collector), timeout=20)
    assert len({span.id for span in collector.spans}) == len(collector.spans)
    words = [CANARY, *payloads.CANARIES]
    needles = [word.encode() for word in words]
    needles += [base64.b64encode(word.encode())[: len(word) // 3 * 4] for word in words]
    assert b"OrderPlaced" in b"".join(collector.bodies), "the search itself would be blind"
    for content in collector.bodies:
        assert not any(needle in content for needle in needles)


def whole(collector: Collector) -> bool:
    """Every span of the trace is there, each under what it came of, up to the caller's."""
    spans = collector.of(TRACE)
    for span in spans.values():
        first = line(spans, span)[-1]
        assert (first.name, first.service, first.parent) == (ROUTE, "web", CALLER), span
        assert (first.kind, first.said["http.response.status_code"]) == (SERVER, 200)
        assert span.end >= span.start >= first.start, span
    shipped = [
        span for span in spans.values()
        if span.said.get("lonja.projection") == "orders" and "OrderShipmentRecorded" in span.name
    ]  # fmt: skip
    assert shipped
    path = line(spans, taken := shipped[0])
    assert (taken.service, taken.kind, path[1].kind) == ("orders", CONSUMER, PRODUCER)
    assert {span.service for span in path} >= {"web", "channels", "orders", "fulfilment"}
    assert path[-2].name == "interpret delivery"
    assert {span.service for span in spans.values()} >= {"inventory", "payments", "accounting"}
    parked = [span for span in collector.spans if span.said.get("lonja.outcome") == "parked"]
    assert len(parked) == 1
    return True
