"""Where topics end, for whoever measures: a connection of its own, one question a second at most.

A consumer's connection will not do: it answers in order, and a fetch that waits for records is in
front. What the consumer has heard last will not do either: it hears nothing while nobody takes.
"""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from libs.bus.client import let_go
from libs.bus.records import Place
from libs.bus.tail import parts_of

FRESH = 1.0  # seconds that an answer is good for
ANSWER = 2.0  # seconds that are waited for one


class Ends:
    """The ends of the topics that were asked for so far; connects when it is first asked."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._topics: set[str] = set()
        self._known: Mapping[Place, int] = {}
        self._until = 0.0
        self._asking = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    async def of(self, topics: Iterable[str]) -> Mapping[Place, int]:
        """Return the end of each partition; of none where the broker does not answer in time."""
        wanted = set(topics)
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if now >= self._until or not wanted <= self._topics:
                self._topics |= wanted
                self._known = await self._ask()
                self._until = asyncio.get_running_loop().time() + FRESH
        return {place: end for place, end in self._known.items() if place[0] in wanted}

    async def _ask(self) -> Mapping[Place, int]:
        parts = parts_of(sorted(self._topics))
        try:
            async with asyncio.timeout(ANSWER):
                if self._consumer is None:
                    self._consumer = AIOKafkaConsumer(
                        bootstrap_servers=self.bootstrap, enable_auto_commit=False
                    )
                    await self._consumer.start()
                ends = await self._consumer.end_offsets(parts)
        except (KafkaError, TimeoutError, OSError):
            await self.close()
            return {}
        return {(part.topic, part.partition): end for part, end in ends.items()}

    async def close(self) -> None:
        """Let the connection go."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await let_go(consumer, ANSWER)
