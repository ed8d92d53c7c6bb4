"""What an operator sees: one trace through everything, gauges that are true, verbs that help."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from libs.values.lanes import PARTITIONS, lane_of
from tests.e2e.launching import ended, lonja
from tests.e2e.test_hostile import System, order, running_system, signed, until_linkable
from tests.support import eventually

pytestmark = [pytest.mark.timeout(480), pytest.mark.stack]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
STORY = ("channels", "orders", "inventory")
OF_THE_RECEIPT = (".StockReceived", ".ItemKnown")


@pytest_asyncio.fixture(loop_scope="session")
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with running_system(tmp_path) as running:
        await until_linkable(running)
        yield running


async def sent(system: System, number: int) -> str:
    async def there() -> bool:
        return await system.state(number) == "dispatched"

    await eventually(there, timeout=20)
    page = await system.get(f"/orders?external_id={number}")
    name: str = page["orders"][0]["order_id"]
    return name


async def traces(system: System, service: str) -> set[str]:
    """The trace ids of a service's events, without those of the receipt that fills the shelf."""
    query = "SELECT DISTINCT trace, type FROM events"
    rows = await system.rows(service, query)
    return {row[0][3:35] for row in rows if not row[1].endswith(OF_THE_RECEIPT)}


async def on_the_wire(system: System, topics: tuple[str, ...]) -> set[str]:
    """The trace ids in the headers of every record of these topics."""
    found = set()
    async with AIOKafkaConsumer(
        bootstrap_servers=system.servers.kafka, enable_auto_commit=False
    ) as consumer:
        parts = [TopicPartition(topic, n) for topic in topics for n in range(PARTITIONS)]
        consumer.assign(parts)
        await consumer.seek_to_beginning()
        for part, end in (await consumer.end_offsets(parts)).items():
            while await consumer.position(part) < end:
                for record in (await consumer.getmany(part, timeout_ms=500)).get(part, []):
                    headers = dict(record.headers)
                    if not headers["ce_type"].decode().endswith(OF_THE_RECEIPT):
                        found.add(headers["traceparent"].decode()[3:35])
    return found


async def verb(system: System, *words: str) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code of a verb with --json, what it said, and its errors."""
    async with lonja(system.data.parent, *words, "--json") as process:
        code, out, errors = await ended(process)
    return code, [json.loads(line) for line in out.splitlines()], errors


async def test_one_trace_goes_from_the_webhook_through_every_service(system: System) -> None:
    body = order(1)
    answer = await system.deliver(body, signed(body, "t-1") | {"traceparent": PARENT})
    assert answer[0] == 200
    order_id = await sent(system, 1)
    assert [await traces(system, name) for name in STORY] == [{TRACE}] * 3
    assert await on_the_wire(system, tuple(f"{name}.events" for name in STORY)) == {TRACE}
    inbox = await system.rows("channels", "SELECT trace FROM inbox")
    assert inbox[0][0][3:35] == TRACE
    assert inbox[0][0] != PARENT, "the span is ours, the trace is theirs"
    history = await system.get(f"/orders/{order_id}/history")
    assert {event["trace"] for event in history["events"]} == {TRACE}
    code, told, errors = await verb(system, "trace", order_id)
    assert code == 0, errors
    assert {event["service"] for event in told} >= {*STORY, "payments", "fulfilment"}
    assert {event["trace"] for event in told} == {TRACE}


async def test_a_delivery_without_a_trace_gets_one_and_its_log_line_names_it(
    system: System,
) -> None:
    good, bad = order(1), order(2).replace(b'"5.00"', b'"five"')
    for number, body in enumerate((good, bad)):
        header = {"traceparent": "00-not-a-trace-01"}
        assert (await system.deliver(body, signed(body, f"t-{number}") | header))[0] == 200
    await sent(system, 1)
    (first, second) = await system.rows("channels", "SELECT trace FROM inbox ORDER BY seq")
    assert len({first[0], second[0]}) == 2
    assert await traces(system, "inventory") == {first[0][3:35]}

    async def logged() -> list[dict[str, Any]]:
        lines = (system.data / "logs/services.log").read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in events if event["event"] == "command-parked"]

    (line,) = await eventually(logged)
    assert line["trace"] == second[0][3:35]
    assert line["service"] == "channels"


async def gauges(system: System) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its labels' values, in the order of the labels' names."""
    async with system.http.get(system.url + "/metrics") as answer:
        text = await answer.text()
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_gauges_say_what_is_there_when_they_are_read(system: System) -> None:
    for number, units in ((1, 1), (2, 1), (3, 2)):
        body = order(number, units=units)
        assert (await system.deliver(body, signed(body, f"g-{number}")))[0] == 200
    bad = order(4).replace(b'"5.00"', b'"five"')
    for key, secret in (("g-4", None), ("g-4", None), ("g-5", "wrong")):
        await system.deliver(bad, signed(bad, key, secret) if secret else signed(bad, key))
    await sent(system, 1)
    await sent(system, 2)

    async def true() -> bool:
        found = await gauges(system)
        counted = {
            ("lonja_orders", "dispatched"): 2, ("lonja_orders", "held"): 1,
            ("lonja_parked_streams", "channels"): 1, ("lonja_parked_keys", "channels"): 1,
            ("lonja_deliveries_total", "shop", "accepted", "channels"): 4,
            ("lonja_deliveries_total", "shop", "known", "channels"): 1,
            ("lonja_deliveries_total", "shop", "bad-signature", "channels"): 1,
            ("lonja_projection_halted", "orders"): 0,
            ("lonja_consumer_lag_records", "orders.reactor"): 0,
            ("lonja_relay_lag_events", "orders"): 0, ("lonja_inbox_deliveries", "channels"): 0,
        }  # fmt: skip
        assert {name: found.get(name) for name in counted} == counted
        parked = sum(v for k, v in found.items() if k[:1] == ("lonja_parked_commands",))
        assert parked == 1
        assert 0 < found["lonja_orders_oldest_unfinished_seconds",] < 120
        assert 0 < found["lonja_parked_seconds", "channels"] < 120
        return True

    await eventually(true, timeout=15)


async def test_every_verb_answers_with_facts_and_a_next_action(system: System) -> None:
    bad = order(2).replace(b'"5.00"', b'"five"')
    for key, body in (("v-1", order(1)), ("v-2", bad)):
        assert (await system.deliver(body, signed(body, key)))[0] == 200
    order_id = await sent(system, 1)

    async def parked() -> list[Any]:
        found: list[Any] = await system.get("/ops/channels/parked")
        return found

    await eventually(parked)
    code, told, errors = await verb(system, "doctor")
    assert code == 0, (told, errors)
    grades = {line["name"]: line["grade"] for line in told}
    assert grades["store channels"] == "warn"
    assert all(line["mend"] for line in told if line["grade"] != "ok"), told
    for what in ("python", "packages", "java", "jars", "disk", "schemas", "port", "kafka",
                 "postgresql", "orders.events", "store orders", "services", "consumers"):  # fmt: skip
        assert grades[what] in {"ok", "warn"}, what
    code, told, _ = await verb(system, "dlq", "ls")
    assert (code, [line["service"] for line in told]) == (0, ["channels"])
    name = told[0]["first"]
    code, told, _ = await verb(system, "dlq", "show", name)
    assert told[0]["next"] == [
        f"lonja dlq redrive {name}", f"lonja dlq discard {name} --reason 'WHY'"
    ]  # fmt: skip
    code, told, errors = await verb(system, "dlq", "redrive", name)
    assert (code, [one["id"] for one in told]) == (0, [name]), errors

    async def parked_anew() -> str:
        found: list[Any] = await parked()
        return str(found[0]["id"]) if found and found[0]["id"] != name else ""

    again = await eventually(parked_anew)
    code, told, _ = await verb(system, "dlq", "discard", again, "--reason", "made up")
    assert (code, told[0]["code"]) == (0, None)
    code, told, _ = await verb(system, "lag")
    assert code == 0
    assert {"orders.relay", "orders.reactor", "orders.orders"} <= {one["consumer"] for one in told}
    code, told, _ = await verb(system, "relay", "resend", "channels", "--lane", "0")
    assert (code, told[0]["event"]) == (0, "plan")
    lane = ("relay", "resend", "orders", "--lane", str(lane_of(f"order-{order_id}")))
    code, told, errors = await verb(system, *lane, "--apply")
    assert (code, told[0]["event"], told[0]["head"] > 0) == (0, "resent", True), errors
    code, told, _ = await verb(system, "lag")
    assert (code, {one["stopped"] for one in told}) == (0, {""}), "what is repeated is dropped"
    code, told, _ = await verb(system, "why", "LAMP")
    assert (code, told[0]["shipped"]) == (0, 1)
    for words in (
        ("why", "NOTHING"), ("trace", "nobody"), ("trace", "ord_slip"), ("erase", "ord_slip"),
        ("stuck", "explain", "nobody"), ("stuck", "explain", "shp_nothing"),
    ):  # fmt: skip
        code, told, errors = await verb(system, *words)
        assert (code, errors.count("\n"), errors.count("[")) == (1, 1, 1), errors
        assert "-not-found]" in errors
    for words in (("erase", "slip"), ("lag", "--url", "slip")):
        code, told, errors = await verb(system, *words)
        assert (code, errors.count("[usage]")) == (2, 1), errors
