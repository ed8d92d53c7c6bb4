"""Clients of the broker: how a producer is made, and how any of them ends."""

import asyncio
import contextlib
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from libs.values.lanes import PARTITIONS

PATIENCE = 5.0  # seconds
BATCH_BYTES = 512 * 1024


class Client(Protocol):
    """A consumer or a producer."""

    async def stop(self) -> None:
        """Say good-bye to the broker and close."""
        ...


def producer_for(bootstrap: str) -> AIOKafkaProducer:
    """Return an idempotent producer without transactions; not started."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=0,
        max_batch_size=BATCH_BYTES, max_request_size=BATCH_BYTES * PARTITIONS,
        request_timeout_ms=8000,
    )  # fmt: skip


async def let_go(client: Client, seconds: float = PATIENCE) -> None:
    """Stop a client; what the broker does not answer in time is not waited for."""
    with contextlib.suppress(KafkaError, TimeoutError, OSError):
        await asyncio.wait_for(client.stop(), seconds)
