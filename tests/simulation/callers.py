"""Who calls from outside: shops and providers with deliveries, persons with commands."""

import asyncio
from typing import TYPE_CHECKING, Any

from libs.eventsourcing.decider import Refused
from libs.security.webhooks import verify
from tests.simulation.clerks import Wish
from tests.simulation.instance import Instance
from tests.simulation.shops import SHOPS, Notice, Webhook

if TYPE_CHECKING:
    from tests.simulation.world import World


class Callers:
    """Calls under way, and what was acknowledged: service, account and key."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.acknowledged: set[tuple[str, str, str]] = set()
        self.tasks: dict[int, asyncio.Task[Any]] = {}

    def deliver(self, webhook: Webhook | Notice) -> None:
        """Let a shop or a provider send a delivery to some instance."""
        one = self.world.rng.choice(self.world.of(webhook.service))
        webhook.sent += 1
        self.world.say(f"{webhook.key} is delivered to {one.name}")
        task = self.world.loop.create_task(self._delivered(webhook, one))
        self.tasks[id(webhook)] = task
        one.tasks[f"delivery/{webhook.key}/{webhook.sent}"] = task
        self.world.loop.run_ready()

    async def _delivered(self, webhook: Webhook | Notice, one: Instance) -> None:
        if isinstance(webhook, Notice):
            await self._noticed(webhook, one)
            return
        told = self.world.outside.desks.reports(webhook.order) if self.world.outside else ()
        sent = webhook.wire(self.world.loop.now, told)
        account = webhook.order.account
        provider = SHOPS[account].provider
        secrets = self.world.settings.channels[account].secrets()
        signed = verify(provider, secrets, sent.headers, sent.body, self.world.loop.now)
        try:
            await one.inbox.accept(provider=provider, account=account, key=signed.key,
                                   topic=signed.topic, body=sent.body, trace="")  # fmt: skip
        except ConnectionError:
            return
        self.acknowledged.add(("channels", account, signed.key))
        webhook.acknowledged = True

    async def _noticed(self, notice: Notice, one: Instance) -> None:
        try:
            await one.inbox.accept(provider=notice.provider, account=notice.account, key=notice.key,
                                   topic=notice.topic, body=notice.body, trace="")  # fmt: skip
        except ConnectionError:
            return
        self.acknowledged.add((notice.service, notice.account, notice.key))
        notice.acknowledged = True

    def call(self, wish: Wish) -> None:
        """Let somebody send a command to some instance."""
        one = self.world.rng.choice(self.world.of(wish.service))
        wish.sent += 1
        self.world.say(f"{wish.name} calls {one.name}")
        task = self.world.loop.create_task(self._called(wish, one))
        self.tasks[id(wish)] = task
        one.tasks[f"{wish.name}/{wish.sent}"] = task
        self.world.loop.run_ready()

    async def _called(self, wish: Wish, one: Instance) -> None:
        command = wish.command(wish.name, self.world.loop.now)
        try:
            await one.commands.execute(
                wish.stream, command, key=wish.name, request=wish.name.encode()
            )
        except Refused as no:
            wish.answer = None if no.code == "internal-error" else no.code
        except (ConnectionError, TimeoutError):
            return
        else:
            wish.answer = "done"

    def idle(self, caller: Webhook | Notice | Wish) -> bool:
        """Say whether nobody waits for an answer to it."""
        task = self.tasks.get(id(caller))
        return task is None or task.done()
