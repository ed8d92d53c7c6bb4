"""A shop's deliveries to the ledger: channels, orders, payments and accounting as they are."""

import random
from functools import reduce
from typing import Any

from msgspec.structs import replace

from libs.contracts import accounting, common
from libs.eventsourcing.envelope import Envelope
from services.accounting.company import Companies, Company
from services.channels import commands
from services.channels.adapters import shopify, standard, woocommerce
from services.channels.adapters.neutral import Terms, Whole
from services.channels.adapters.parsing import parse_json
from services.channels.decider import CHANNEL_ORDER
from services.fulfilment.process import Places
from services.inventory.commands import ReceiveStock
from services.orders.commands import order_id
from services.payments.commands import payment_stream
from services.payments.state import PaymentState
from services.sandbox.retail.content import State
from services.sandbox.shops import render
from services.sandbox.shops.signing import Shop
from tests.property.orders.market import Market
from tests.unit.accounting.samples import Ledger
from tests.unit.orders.samples import NOW

READERS = {"shopify": shopify, "woocommerce": woocommerce, "standard": standard}
TOPICS = {"shopify": "orders/updated", "woocommerce": "order.updated", "standard": "order.updated"}


class Till:
    """One shop's order in the hands of our services; `rng` decides who goes first."""

    def __init__(
        self, rng: random.Random, places: Places, account: str, provider: str, external_id: str
    ) -> None:
        self.rng, self.market = rng, Market(rng, places)
        self.ledger = Ledger(Companies({"main": Company()}, {}))
        self.account, self.provider = account, provider
        self.order = order_id(account, external_id)
        self.known = CHANNEL_ORDER.initial
        self._versions = 0
        self.shortage: common.ShortagePolicy = "backorder"

    def stock(self, sku: str, units: int, receipt: str = "r") -> None:
        name = f"{receipt}-{sku}"
        got = ReceiveStock("main", sku, "main", True, units, None, None, name, "x", NOW)
        self.market.tell(f"stock-{sku}", got)

    def deliver(self, state: State, topic: str = "") -> None:
        """Let channels hear of a state of the order; what follows waits in the market."""
        topic = topic or TOPICS[self.provider]
        shop = Shop(self.account, self.provider, "secret")
        self.hear(topic, render.body(shop, topic, state, None))

    def hear(self, topic: str, body: bytes) -> None:
        """Let channels hear of a payload; what follows waits in the market."""
        terms = Terms(
            self.account, "main", "Europe/London", self.shortage, 0, "channel_remits_gross"
        )
        found = READERS[self.provider].understand(topic, parse_json(body), terms)
        if isinstance(found, Whole):
            self._record(commands.RecordOrder(_linked(found.order), found.by, found.reason))

    def _record(self, command: commands.RecordOrder) -> None:
        decided = list(CHANNEL_ORDER.decide(command, self.known))
        self.known = reduce(CHANNEL_ORDER.evolve, decided, self.known)
        assert not CHANNEL_ORDER.decide(command, self.known), "a repeat is told"
        for event in decided:
            self._versions += 1
            told: Envelope[Any] = Envelope(
                event, type(event).__name__, f"channel/{self._versions}", "channel",
                self._versions, NOW, "channels", 0, self._versions, "",
            )  # fmt: skip
            reacts = self.market.reacts["orders"]["channels"]
            self.market.queues["channel", "orders"] += reacts(told)

    def some_steps(self) -> None:
        for _ in range(self.rng.choice((0, 0, 1, 3, 10, 40))):
            if not self.market.step():
                return

    def post(self) -> None:
        """Let accounting hear everything, streams in any order, each in its own."""
        streams: dict[str, list[Envelope[Any]]] = {}
        for told in self.market.log:
            if told.service in self.ledger.reactions:
                streams.setdefault(told.stream, []).append(told)
        while waiting := sorted(name for name, found in streams.items() if found):
            self.ledger.hear(streams[self.rng.choice(waiting)].pop(0))

    @property
    def payment(self) -> PaymentState:
        found: PaymentState = self.market.states.get(payment_stream(self.order), PaymentState())
        return found

    def clearing(self) -> int:
        """What the ledger says that the shop has."""
        return self.ledger.short().get(f"1100 {self.account}", 0)

    def held_back(self) -> list[accounting.PostingHeld]:
        held = [one.event for one in self.ledger.log]
        return [one for one in held if isinstance(one, accounting.PostingHeld) and one.order_id]


def _linked(order: common.Order) -> common.Order:
    """The order with every listing linked and its buyer sealed, as channels' intake does it."""
    sealed = common.Sealed(
        subject="s", clearance="contact", key_id="k", nonce=bytes(12), ciphertext=b"one"
    )
    lines = tuple(
        replace(line, sku=sku, components=(common.Component(sku=sku, units=1),))
        if line.kind == "goods" and (sku := line.channel_sku.strip().upper())
        else line
        for line in order.lines
    )
    buyer = replace(order.customer, subject="s", contact=sealed, ship_to_country="GB")
    return replace(order, lines=lines, customer=buyer)
