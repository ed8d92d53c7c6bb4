"""A reactor in small, in this process or (run as a module) in one of its own that can be killed."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Sequence

from libs.bus import feed
from libs.bus.consumer import Source
from libs.bus.records import Arrived, Record
from libs.store.pool import open_pool
from tests.integration.bus.toy import Toy

MOVE = """
    UPDATE positions SET next_offset = $5, last_pseq = $6, last_id = nullif($7, '')::uuid,
        applied = $8
    WHERE consumer = $1 AND topic = $2 AND partition = $3 AND epoch = $4"""


class Applier:
    """What it applies and its positions are one transaction."""

    def __init__(
        self, toy: Toy, name: str = "applier", idle: Callable[[Arrived], bool] = lambda _: False
    ) -> None:
        self.toy = toy
        self.source = Source(toy.pool, toy.hub, name, toy.topics, idle=idle)
        self.fenced = 0

    async def run(self) -> None:
        while True:
            try:
                await self.apply(await self.source.get(100, 0.2))
            except Exception:
                await self.source.restart()

    async def apply(self, records: Sequence[Record]) -> None:
        by_place: dict[tuple[str, int], list[Record]] = {}
        for record in records:
            by_place.setdefault((record.topic, record.partition), []).append(record)
        for place, found in by_place.items():
            after = found[-1].after
            async with self.toy.pool.acquire() as connection, connection.transaction():
                done = await connection.execute(
                    MOVE, after.consumer, *place, after.epoch, after.next_offset,
                    after.last_pseq, after.last_id, after.applied,
                )  # fmt: skip
                if done == "UPDATE 1":
                    rows = [(place[1], r.headers.pseq if r.headers else 0, r.key) for r in found]
                    await connection.copy_records_to_table("applied", records=rows)
            if done == "UPDATE 1":
                self.source.applied(after)
            else:
                self.fenced += 1
                await self.source.fenced([place])


@contextlib.asynccontextmanager
async def applying(*appliers: Applier) -> AsyncIterator[None]:
    tasks = []
    try:
        for applier in appliers:
            await applier.source.start()
            tasks.append(asyncio.create_task(applier.run()))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for applier in appliers:
            await applier.source.stop()


@contextlib.asynccontextmanager
async def applying_apart(dsn: str, toy: Toy) -> AsyncIterator[asyncio.subprocess.Process]:
    """An applier in a process of its own, killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.bus.applier", dsn, toy.kafka, toy.prefix
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _main(dsn: str, kafka: str, prefix: str) -> None:
    feed.SESSION = 6000  # the least that a broker allows
    applier = Applier(Toy(await open_pool(dsn), kafka, prefix))
    await applier.source.start()
    await applier.run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
