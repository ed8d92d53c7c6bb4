"""An embedded Apache Kafka: one broker in KRaft mode, for this machine only."""

import asyncio
import base64
import socket
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from libs.stack.errors import StackError
from libs.stack.java import java, keep_classes
from libs.stack.processes import Child, finished, ready, start

START_DEADLINE = 60.0
RECORD_DEADLINE = 60.0  # what a broker may take to write down which classes it has loaded
PORT_TRIES = 3

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 500,
    "log.retention.ms": -1,
    "log.retention.bytes": -1,
    "log.segment.delete.delay.ms": 1000,
    "message.max.bytes": 1048588,
    # After a sudden end the broker is let in again when its old session has run out.
    "broker.session.timeout.ms": 6000,
    "broker.heartbeat.interval.ms": 2000,
    # Lean: one machine, a handful of clients, nothing to do most of the time.
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 4,
    "group.coordinator.threads": 1,
    "log.cleaner.dedupe.buffer.size": 4194304,
    "metadata.max.idle.interval.ms": 5000,
}


async def start_kafka(
    folder: Path, jars: Sequence[Path], *, logs: Path, port: int = 0, lock: int | None = None
) -> tuple[Child, str]:
    """Starts the broker with its data in ``folder``; returns it and its ``host:port`` when ready.

    ``port`` 0 takes a free one. Raises StackError with the end of the broker's log.
    """
    await keep_classes(jars, partial(_recorded, jars, logs), logs=logs)
    return await _start(folder, jars, logs=logs, port=port, lock=lock)


async def _recorded(jars: Sequence[Path], logs: Path, folder: Path, flags: Sequence[str]) -> Child:
    child, _ = await _start(folder / "kafka", jars, logs=logs, flags=flags, grace=RECORD_DEADLINE)
    return child


async def _start(
    folder: Path, jars: Sequence[Path], *, logs: Path, port: int = 0, lock: int | None = None,
    flags: Sequence[str] = (), grace: float = 10.0,
) -> tuple[Child, str]:  # fmt: skip
    for last in (*([False] * (PORT_TRIES - 1)), True):
        broker, controller = port or free_port(), free_port()
        config = _configure(folder, broker, controller)
        if not (folder / "meta.properties").exists():
            await _format(config, jars, logs, lock)
        command = java(jars, "kafka.Kafka", str(config), flags=flags)
        child = start("kafka", command, logs=logs, lock=lock, grace=grace)
        address = f"127.0.0.1:{broker}"
        try:
            await ready(child, partial(_listens, address), deadline=START_DEADLINE)
        except StackError:
            if last or port or "Address already in use" not in child.tail(200):
                raise
        except asyncio.CancelledError:
            child.order_stop()
            raise
        else:
            return child, address
    raise AssertionError


async def answers(address: str) -> bool:
    """Whether brokers at ``address`` (a bootstrap list) answer a metadata request."""
    client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=5000)
    try:
        await client.bootstrap()
        return bool(client.cluster.brokers())
    except (OSError, KafkaError):
        return False
    finally:
        await client.close()


async def _listens(address: str) -> bool:
    # Asked first, because the client writes an error to the log for each refused connection.
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return await answers(address)


def cluster_id(folder: Path) -> str:
    """The id that the data in ``folder`` was formatted with, or an empty text."""
    path = folder / "meta.properties"
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line[11:] for line in lines if line.startswith("cluster.id=")), "")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configure(folder: Path, broker: int, controller: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    own = {
        "log.dirs": folder,
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }
    config = folder.with_name(f"{folder.name}.properties")
    config.write_text("".join(f"{key}={value}\n" for key, value in {**SETTINGS, **own}.items()))
    return config


async def _format(config: Path, jars: Sequence[Path], logs: Path, lock: int | None) -> None:
    # Kafka writes meta.properties last, so a format that was cut short is done again.
    # The leading letter keeps the id from looking like an option.
    identity = "L" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
    flags = ("format", "--ignore-formatted", "-t", identity, "-c", str(config))
    command = java(jars, "kafka.tools.StorageTool", *flags)
    child = start("kafka-format", command, logs=logs, lock=lock)
    if await finished(child):
        text = f"Kafka could not format its folder; {child.log} ends with:\n{child.tail()}\n"
        raise StackError("kafka-format-failed", text)
