"""The shops' own desks: the sandbox's, told by the product's own adapters; they echo as shops do."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from libs.effects.http import Answered
from services.sandbox.admin import graphql, shopify, standard, woocommerce
from services.sandbox.admin.desk import Desk
from services.sandbox.chance import Faults
from services.sandbox.retail.content import State
from services.sandbox.shops.reported import Report
from tests.simulation.loop import VirtualLoop
from tests.simulation.shops import SHOPS, Order, Webhook
from tests.simulation.wire import Wire

Json = dict[str, Any]


class Desks:
    """What the seller tells each shop; `told` watches every new report."""

    def __init__(self, loop: VirtualLoop, find: Callable[[str, str], Order | None]) -> None:
        self._loop, self.find = loop, find
        self.desk = Desk(self, self._book, Faults(), 0)
        self.watch: Callable[[], None] = lambda: None
        self.echo: Callable[[Webhook], None] = lambda _: None

    def held(self, account: str, number: str) -> State | None:
        order = self.find(account, number)
        return None if order is None else order.now

    def position(self, account: str) -> int:
        del account
        return 0

    def _book(self, *record: Any) -> None:
        self.desk.apply(msgspec.to_builtins(record))

    def reports(self, order: Order) -> list[Report]:
        """Return what was reported of an order so far."""
        return self.desk.reports(order.account, order.now.content.number)

    def answer(
        self, account: str, method: str, path: str, json: Json, key: str, fault: str
    ) -> Answered:
        """Answer a request as the sandbox's door does."""
        if fault == "limited":
            return self._limited(account)
        if fault == "error":
            return Answered(500, {}, {})
        before = len(self.desk.all)
        status, body = self._act(account, method, path, json, key)
        for report in self.desk.all[before:]:
            self._echo(report)
        self.watch()
        if fault:
            return Answered(500, {}, {})
        return Answered(status, {}, msgspec.json.decode(msgspec.json.encode(body)))

    def _limited(self, account: str) -> Answered:
        if SHOPS[account].provider != "shopify":
            return Answered(429, {"retry-after": "1"}, {})
        throttled = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        return Answered(200, {}, {"errors": [throttled]})

    def _act(self, account: str, method: str, path: str, json: Json, key: str) -> tuple[int, Any]:
        at, number = self._loop.now, path.rsplit("/", 1)[-1]
        match SHOPS[account].provider:
            case "shopify":
                operation = graphql.parse(json["query"], json["variables"])
                return 200, {"data": shopify.execute(self.desk, account, operation, at)}
            case "woocommerce" if method == "GET":
                return woocommerce.get(self.desk, account, number)
            case "woocommerce":
                return woocommerce.put(self.desk, account, number, json, at)
            case _:
                return standard.once(self.desk, account, number, key, json, at)

    def _echo(self, report: Report) -> None:
        """Send the shop's usual webhooks about its order as it is now."""
        order = self.find(report.account, report.number)
        if order is None or order.account == "store":
            return
        woo = order.now.content.account.provider == "woocommerce"
        topic = "order.updated" if woo else "orders/updated"
        name = f"{order.account}-{order.external_id}-echo-{report.id}"
        version = order.now.version
        self.echo(Webhook(order, topic, version, name, reports=tuple(self.reports(order))))


class Outside:
    """Stands for the product's HTTP connection to one shop."""

    def __init__(self, desks: Desks, wire: Wire, account: str) -> None:
        self._desks, self._wire, self._account = desks, wire, account

    async def call(
        self, method: str, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Answered:  # fmt: skip
        del more
        key = (headers or {}).get("Idempotency-Key", "")
        answer: Answered = await self._wire.ask(
            f"{method} {path}",
            lambda fault: self._desks.answer(self._account, method, path, json or {}, key, fault),
        )
        return answer

    async def close(self) -> None:
        """There is nothing to give back."""
