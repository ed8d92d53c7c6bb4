"""All services in two processes: the way from a webhook to reserved stock in one, the rest apart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.e2e.launching import lonja, told

FRONT = ("channels", "orders", "inventory")
BACK = ("payments", "fulfilment", "accounting", "crm_sync")


@asynccontextmanager
async def served_apart(
    folder: Path,
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process, asyncio.subprocess.Process]]:
    """Yield the address of the first process, and both; their configuration is in the folder."""
    serve = partial(lonja, folder, "serve")
    async with serve(*FRONT, "--port", "0", "--json") as front:
        url = (await told(front, "serving"))["url"]
        async with serve(*BACK, "--port", "0", "--json") as back:
            await told(back, "serving")
            yield url, front, back
