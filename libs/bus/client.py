"""Clients of the broker, to their end."""

import asyncio
import contextlib
from typing import Protocol

from aiokafka.errors import KafkaError

PATIENCE = 5.0  # seconds


class Client(Protocol):
    """A consumer or a producer."""

    async def stop(self) -> None:
        """Say good-bye to the broker and close."""
        ...


async def let_go(client: Client, seconds: float = PATIENCE) -> None:
    """Stop a client; what the broker does not answer in time is not waited for."""
    with contextlib.suppress(KafkaError, TimeoutError, OSError):
        await asyncio.wait_for(client.stop(), seconds)
