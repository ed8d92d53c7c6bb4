"""The webhooks that a shop sends because the seller reported something: its usual ones.

They are no part of the planned run; their bodies are those of the moment of the report.
"""

import time
from uuid import UUID, uuid5

from msgspec import Struct

from services.sandbox.engine import Engine
from services.sandbox.hooks import Client, Hook, Hooks, Pace
from services.sandbox.retail.mischief import Delivery
from services.sandbox.shops import render
from services.sandbox.shops.reported import Report
from services.sandbox.shops.signing import Shop

_NAMESPACE = UUID("0c7b6f0a-61f5-5c44-9a2f-5f0f2f1b8f3e")


class Echo(Struct, frozen=True):
    """A webhook with the key that its provider documents."""

    shop: Shop
    delivery: Delivery
    key: str


class Echoes:
    """Delivers them, also those of before a restart that nobody acknowledged."""

    def __init__(self, engine: Engine, pace: Pace) -> None:
        self._engine = engine
        self.sent: dict[str, Echo] = {}
        self.hooks = Hooks(pace, engine.plan.seed, self._sign, self._acknowledged)
        self._told = 0
        self.follow()

    async def run(self, client: Client) -> None:
        await self.hooks.run(client)

    def follow(self) -> None:
        """Take up the reports that were made since."""
        reports = self._engine.desk.all
        while self._told < len(reports):
            self._tell(reports[self._told])
            self._told += 1

    def _tell(self, report: Report) -> None:
        engine, shop = self._engine, self._engine.shops[report.account]
        state = engine.at(report.number, report.position)
        until = [
            one for one in engine.desk.reports(report.account, report.number) if one.id <= report.id
        ]
        event = f"{engine.plan.seed}:{report.account}:{report.number}:{report.id}"
        for topic in _topics(shop.provider, report):
            delivery = Delivery(
                id=-1, account=report.account, number=report.number, topic=topic, happening=-1,
                key=str(uuid5(_NAMESPACE, f"{event}:{topic}")),
                event=str(uuid5(_NAMESPACE, event)), sends=(),
            )  # fmt: skip
            message = render.wire(shop, delivery, state, None, report.at, until)
            self.sent[message.key] = Echo(shop, delivery, message.key)
            hook = Hook(message.key, message.path, message.body)
            self.hooks.add(hook, engine.desk.acked.get(message.key, ()))

    def _sign(self, hook: Hook) -> dict[str, str]:
        echo = self.sent[hook.id]
        return render.signed(echo.shop, echo.delivery, hook.body, time.time_ns() // 1000)

    def _acknowledged(self, hook: Hook, copy: int, status: int) -> None:
        del status
        self._engine.book("echo", hook.id, copy)


def _topics(provider: str, report: Report) -> tuple[str, ...]:
    if report.kind == "note" or provider == "standard":
        return ()
    if provider == "woocommerce":
        return ("order.updated",)
    whole = report.kind == "cancellation" and report.told.get("whole")
    return ("orders/cancelled", "orders/updated") if whole else ("orders/updated",)
