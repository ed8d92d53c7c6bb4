"""Rebuilds the read models that an older version of their projection filled, while others go on."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka.errors import KafkaError

from libs.codec.framing import EventCodec
from libs.eventsourcing.projection import Projection
from libs.replay.filling import Progress, RebuildFailed
from libs.replay.live import Live
from libs.replay.rebuild import renew
from libs.store.pool import LOST, PASSING, Pool
from libs.telemetry.logs import log

LOOK = 2.0  # seconds between looks
TOLD = 10.0  # seconds between lines that say how far a rebuild is
AGAIN = 10.0  # seconds until a rebuild that failed is tried again
AWAY = (*PASSING, *LOST, KafkaError)  # a server is not there: nobody's fault, and it passes


class Renewing:
    """Watches the live tables of a projector; `renewed` is called when one has been replaced."""

    def __init__(
        self, pool: Pool, bootstrap: str, topics: Mapping[str, str], codec: EventCodec,
        live: Mapping[str, Live], renewed: Callable[[], None],
    ) -> None:  # fmt: skip
        self.pool, self.bootstrap, self.topics, self.codec = pool, bootstrap, topics, codec
        self.live, self.renewed = live, renewed

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            for live in list(self.live.values()):
                if live.older:
                    await self._renew(live.table.projection)
            await asyncio.sleep(LOOK)

    async def _renew(self, projection: Projection[Any]) -> None:
        topics = {t: s for t, s in self.topics.items() if s in projection.topics}
        try:
            await renew(self.pool, self.bootstrap, topics, projection, self.codec, _telling())
            self.renewed()
        except Exception as error:  # it is tried again
            log.error("projection-not-rebuilt", projection=projection.name,
                      cause=type(error).__name__)  # fmt: skip
            live = self.live[projection.name]
            if live.older and not live.halted and not isinstance(error, AWAY):
                why = str(error) if isinstance(error, RebuildFailed) else type(error).__name__
                live.halt("not-rebuilt", why)
            await asyncio.sleep(AGAIN)


def _telling() -> Callable[[Progress], None]:
    told = 0.0

    def tell(now: Progress) -> None:
        nonlocal told
        if time.monotonic() - told > TOLD:
            told = time.monotonic()
            log.info("projection-rebuilding", projection=now.projection, count=now.records,
                     expected=now.total, seconds=round(now.eta))  # fmt: skip

    return tell
