"""While no broker answers, a reactor goes on trying: its process has other work to do."""

import asyncio
from typing import Any

from libs.bus.consumer import Source
from libs.bus.hub import Hub
from libs.runtime.reactor import Reactor
from libs.stack.kafka import free_port
from tests.contract import toy
from tests.support import eventually


async def test_a_reactor_goes_on_trying_while_no_broker_answers() -> None:
    hub = Hub(f"127.0.0.1:{free_port()}")
    unused: Any = None  # no record comes, so neither database nor turns are asked for anything
    source = Source(unused, hub, "toy.reactor", {"upstream.events": "upstream"})
    running = asyncio.create_task(Reactor(source, toy.INTERPRETER, unused, unused).run())
    try:
        await eventually(lambda: source.feed.restarts >= 2 or running.done())
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await source.stop()
        await hub.close()
