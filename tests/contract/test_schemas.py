"""The schema files as they are: sound, fresh, compatible, and readable by others."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from libs.codec.compatibility import golden, golden_files, incompatible, plain, read, versions
from libs.codec.contract import Contract
from libs.codec.framing import EventCodec, frame
from libs.codec.generate import Places, check
from libs.codec.headers import EventHeaders, build_headers, links
from libs.codec.lint import violations
from libs.codec.schemas import ROOT, load
from libs.contracts import orders
from libs.stack.jars import classpath
from libs.stack.java import java
from libs.stack.stack import Servers
from tests.contracts import EVERY_CONTRACT

EVENT = orders.OrderReleased(
    entity="shop", occurred_at=1, order_id="ord_1", hold_id="h", reason="payé", by="seller"
)
DEADLINE = 60.0


def test_the_files_break_no_rule() -> None:
    assert violations() == []


def test_every_version_reads_every_other_one() -> None:
    assert incompatible(load()) == []


def test_what_is_generated_is_fresh() -> None:
    assert check(Places()) == []


@pytest.mark.parametrize("contract", EVERY_CONTRACT, ids=lambda contract: contract.name)
def test_golden_bytes_are_read_for_ever(contract: Contract[Any]) -> None:
    every = versions(contract.name, load())
    assert sorted(contract.decoders) == sorted(every)
    for version, schema in every.items():
        data = golden_files(contract.name, version)[0].read_bytes()
        event = contract.decoders[version](data)
        assert plain(event) == plain(read(data, schema, every[contract.version]))
    assert contract.encode(event) == data


def test_golden_bytes_say_what_stands_beside_them() -> None:
    assert golden(load()) == []


def test_the_asyncapi_document_names_every_message_of_every_topic() -> None:
    document = json.loads((ROOT / "asyncapi.json").read_text())
    messages = document["components"]["messages"]
    named = {
        message["$ref"].rpartition("/")[2]
        for channel in document["channels"].values()
        for message in channel["messages"].values()
    }

    assert document["asyncapi"] == "3.0.0"
    assert named == set(messages)
    registry = EventCodec(EVERY_CONTRACT).registry
    assert {m["x-schema-id"]: (m["name"], m["x-schema-version"]) for m in messages.values()} == (
        registry.names
    )


@pytest_asyncio.fixture(loop_scope="session")
async def topic(servers: Servers, topic_prefix: str) -> AsyncIterator[str]:
    """A topic with one event in it."""
    codec = EventCodec(orders.CONTRACTS)
    name, version, data = codec.encode(EVENT)
    headers = EventHeaders(
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "orders", name, 1,
        f"00-{'a' * 32}-{'b' * 16}-01", 1, 1,
        links("6f9619ff-8b86-d011-b42d-00cf4fc964fe", "6f9619ff-8b86-d011-b42d-00cf4fc964fd"),
    )  # fmt: skip
    topic = f"{topic_prefix}orders.events"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka)
    await producer.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await producer.send_and_wait(
            topic, frame(codec.registry.ids[name, version], data),
            key=b"order-ord_1", headers=build_headers(headers),
        )  # fmt: skip
        yield topic
        await admin.delete_topics([topic])
    finally:
        await producer.stop()
        await admin.close()


async def printed(*command: str, until: str) -> str:
    """Start a program in the checkout; return what it prints up to `until` (Avro has newlines)."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT.parent, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONUTF8": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    text = b""
    try:
        async with asyncio.timeout(DEADLINE):
            while until.encode() not in text:
                more = await process.stdout.read(4096)
                assert more, (text + await process.stderr.read()).decode(errors="replace")
                text += more
        return text.decode(errors="replace")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.stack
@pytest.mark.asyncio(loop_scope="session")
async def test_the_script_of_the_documentation_reads_a_topic(servers: Servers, topic: str) -> None:
    script = (ROOT / "README.md").read_text().partition("```python\n")[2].partition("```")[0]

    command = (sys.executable, "-u", "-c", script, servers.kafka, topic)
    text = await printed(*command, until="'reason': 'payé', 'by': 'seller'}")

    assert text.startswith("order-ord_1 {'entity': 'shop', 'occurred_at': 1,")


@pytest.mark.stack
@pytest.mark.asyncio(loop_scope="session")
async def test_kafkas_console_consumer_reads_a_topic(
    servers: Servers, topic: str, tmp_path: Path
) -> None:
    jars = await asyncio.to_thread(classpath, tmp_path, os.environ)
    tool = "org.apache.kafka.tools.consumer.ConsoleConsumer"

    text = await printed(
        *java(jars, tool, "--bootstrap-server", servers.kafka, "--topic", topic),
        *("--from-beginning", "--max-messages", "1"),
        *("--property", "print.key=true", "--property", "print.headers=true"),
        until="payé",
    )

    assert "ce_type:lonja.orders.OrderReleased" in text
    assert f"lonja:{1:016x}{1:016x}6f9619ff" in text
    assert "order-ord_1" in text
