"""Rebuilds the toy's things with processes that never come to their database: to be killed."""

import asyncio
import sys

from libs.replay.rebuild import rebuild
from libs.replay.shares import Workers
from libs.store.pool import open_pool
from tests.integration.bus.toy import CODEC
from tests.integration.replay.test_shares import THINGS


async def main(dsn: str, kafka: str, topic: str, mute: str) -> None:
    """Rebuild in one database, with workers that wait for another."""
    pool = await open_pool(dsn)
    workers = Workers(mute, 3, worth=1)
    await rebuild(pool, kafka, {topic: "toy"}, THINGS, CODEC, swap=True, workers=workers)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
