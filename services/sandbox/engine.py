"""Delivers a plan's webhooks as the providers would: at least once, in parallel, with retries.

It decides nothing about an order; what it did stands in the books before and after each attempt.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any, Protocol

from msgspec import Struct

from services.sandbox.admin.desk import RECORDS, Desk
from services.sandbox.books import Books, Ledger
from services.sandbox.config import Settings
from services.sandbox.retail.content import State
from services.sandbox.retail.mischief import STEP, Delivery
from services.sandbox.retail.plan import RunPlan
from services.sandbox.shops.render import Wire, path, timeline, wire
from services.sandbox.shops.signing import Shop

# Seconds between attempts. Shopify: 8 retries over 4 hours; Standard Webhooks: its recommended
# schedule; WooCommerce retries nothing by itself, so this is an operator who sends again.
SCHEDULES: Mapping[str, tuple[float, ...]] = {
    "shopify": (60, 120, 300, 600, 1200, 2400, 3600, 6120),
    "woocommerce": (60, 300, 900),
    "standard": (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400),
}
_OUTSTANDING = 40


class Client(Protocol):
    """Sends one POST; raises OSError or TimeoutError, else gives the status."""

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> int: ...


class Send(Struct, frozen=True, order=True):
    """One copy of a delivery, due at a position of the run."""

    position: int
    delivery: int
    copy: int


def accepted(provider: str, status: int) -> bool:
    """WooCommerce takes 200 to 302 for success, the others 2xx."""
    return 200 <= status <= 302 if provider == "woocommerce" else 200 <= status < 300


class Engine:
    """Runs a plan once; `front` is how far each shop has come in the run's order."""

    def __init__(
        self, plan: RunPlan, shops: Mapping[str, Shop], settings: Settings, books: Books
    ) -> None:
        self.plan = plan
        self.shops = shops
        self.ledger = Ledger()
        self.front = dict.fromkeys(shops, -1)
        self.desk = Desk(self, self.book, settings.admin.faults, settings.seed)
        self._settings = settings
        self._books = books
        self._timeline = timeline(plan)
        self._ranks = _order_ranks(plan)
        self._slots = {name: asyncio.Semaphore(settings.in_flight) for name in shops}
        self._outstanding = {
            name: asyncio.Semaphore(settings.in_flight * _OUTSTANDING) for name in shops
        }

    def book(self, *record: object) -> None:
        self._books.write(*record)
        self._apply(record)

    def _apply(self, record: Sequence[Any]) -> None:
        if record[0] in RECORDS:
            self.desk.apply(record)
        else:
            self.ledger.apply(list(record))

    def held(self, account: str, number: str) -> State | None:
        """A shop's order as the story has it by now; None where it was not placed yet."""
        states = self._timeline.states.get(number)
        if states is None or states[0][1].content.account.name != account:
            return None
        position = self.front[account]
        return self._timeline.at(number, position) if states[0][0] <= position else None

    def position(self, account: str) -> int:
        return self.front[account]

    def restore(self) -> None:
        """Fold the books again, and take up each shop where it stood."""
        for record in self._books.records():
            self._apply(record)
        for delivery, copy in self.ledger.tried:
            one = self.plan.deliveries[delivery]
            self.front[one.account] = max(self.front[one.account], one.sends[copy])

    def sends(self, account: str) -> list[Send]:
        """What is not acknowledged yet, in the run's order."""
        return sorted(
            Send(position, one.id, copy)
            for one in self.plan.deliveries
            if one.account == account
            for copy, position in enumerate(one.sends)
            if (one.id, copy) not in self.ledger.acked
        )

    async def run(self, client: Client, rate: float | None) -> None:
        """Until every send is acknowledged; cancel it to stop."""
        queues = {name: self.sends(name) for name in self.shops}
        first = min((self._rank(queue[0]) for queue in queues.values() if queue), default=0)
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for name, queue in queues.items():
                group.create_task(self._dispatch(name, queue, client, (started, first, rate)))

    async def ping(self, client: Client) -> None:
        """What WooCommerce sends when a webhook is created: a form, unsigned, never repeated."""
        for shop in self.shops.values():
            if shop.provider == "woocommerce":
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                with suppress(OSError, TimeoutError):
                    await client.post(path(shop), headers, f"webhook_id={shop.webhook_id}".encode())

    def _rank(self, send: Send) -> int:
        return self._ranks[min(send.position // STEP, len(self._ranks) - 1)]

    async def _dispatch(
        self,
        account: str,
        queue: Sequence[Send],
        client: Client,
        pace: tuple[float, int, float | None],
    ) -> None:
        started, first, rate = pace
        async with asyncio.TaskGroup() as group:
            for send in queue:
                if rate is not None:
                    due = started + (self._rank(send) - first) / rate
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self._outstanding[account].acquire()
                await self._slots[account].acquire()
                self.front[account] = max(self.front[account], send.position)
                group.create_task(self._deliver(account, send, client))

    async def _deliver(self, account: str, send: Send, client: Client) -> None:
        """Attempts until acknowledged; it enters holding a slot."""
        delivery = self.plan.deliveries[send.delivery]
        attempt = 0
        try:
            while self._lost(delivery) or not await self._attempt(
                self.shops[account], delivery, send.copy, client
            ):
                self._slots[account].release()
                try:
                    await asyncio.sleep(self._backoff(account, delivery, attempt))
                finally:
                    await self._slots[account].acquire()
                attempt += 1
        finally:
            self._slots[account].release()
            self._outstanding[account].release()

    def _lost(self, delivery: Delivery) -> bool:
        """Whether an attempt is lost on its way, for another delivery is to come first."""
        first = delivery.after
        return first is not None and not any(one == first for one, _ in self.ledger.acked)

    async def _attempt(self, shop: Shop, delivery: Delivery, copy: int, client: Client) -> bool:
        now = time.time_ns() // 1000
        message = self._wire(shop, delivery, now)
        self.book("try", delivery.id, copy, message.key, now)
        try:
            status = await client.post(message.path, message.headers, message.body)
        except (OSError, TimeoutError):
            status = 0
        if accepted(shop.provider, status):
            self.book("ok", delivery.id, copy, message.key, status)
            return True
        self.book("no", delivery.id, copy, status)
        return False

    def _wire(self, shop: Shop, delivery: Delivery, now: int) -> Wire:
        # WooCommerce builds the payload when it delivers; the others keep what the event held.
        position = delivery.id * STEP
        state = self.plan.happenings[delivery.happening].state
        if shop.provider == "woocommerce":
            state = self._timeline.at(delivery.number, self.front[shop.account])
            position = self.front[shop.account] + 1
        before = self._timeline.before(delivery.number, state.version)
        reports = self.desk.reports(shop.account, delivery.number, position)
        return wire(shop, delivery, state, before, now, reports)

    def at(self, number: str, position: int) -> State:
        """An order's state in the story when the run had come to a position."""
        return self._timeline.at(number, position)

    def _backoff(self, account: str, delivery: Delivery, attempt: int) -> float:
        schedule = SCHEDULES[self.shops[account].provider]
        planned = schedule[min(attempt, len(schedule) - 1)] * self._settings.time_scale
        bounded = min(max(planned, self._settings.retry_floor), self._settings.retry_cap)
        random = Random(f"{self.plan.seed}:{delivery.id}:{attempt}")  # noqa: S311 - jitter
        return bounded * random.uniform(0.75, 1.25)


def _order_ranks(plan: RunPlan) -> list[int]:
    """How many orders were placed up to each delivery of the run."""
    ranks, placed, seen = [], 0, set()
    for delivery in plan.deliveries:
        if delivery.number not in seen:
            seen.add(delivery.number)
            placed += 1
        ranks.append(placed)
    return ranks
