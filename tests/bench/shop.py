"""A shop that sends signed orders at a rate, as a process of its own: python -m tests.bench.shop."""

import asyncio
import json
import sys
import time

import aiohttp

from tests.e2e.test_hostile import order, signed

SKUS = 200
AT_ONCE = 64


async def sell(url: str, rate: float, first: int, count: int) -> dict[str, object]:
    """Send orders, `rate` a second (0: as fast as they are taken); when each was sent, epoch s."""
    bodies = [order(n, f"SKU{n % SKUS}") for n in range(first, first + count)]
    headers = [signed(body, f"delivery-{n}") for n, body in enumerate(bodies, first)]
    sent: dict[str, float] = {}
    room = asyncio.Semaphore(AT_ONCE if not rate else 10_000)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(index: int) -> None:
            async with room:
                sent[str(first + index)] = time.time()
                path = f"{url}/channels/webhooks/shopify/shop"
                async with http.post(path, data=bodies[index], headers=headers[index]) as answer:
                    assert answer.status == 200, await answer.text()

        began = time.perf_counter()
        tasks = []
        for index in range(count):
            if rate and (early := began + index / rate - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            tasks.append(asyncio.create_task(one(index)))
        await asyncio.gather(*tasks)
    return {"sent": sent}


if __name__ == "__main__":
    address, per_second, number, orders = sys.argv[1:]
    print(json.dumps(asyncio.run(sell(address, float(per_second), int(number), int(orders)))))
