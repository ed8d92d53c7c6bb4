"""Seeded people who work with stock and orders: commands with keys, repeated until answered."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from libs.contracts.common import Component
from services.channels.commands import LinkListing, UnlinkListing, listing_stream
from services.channels.read_model import ListingRow
from services.inventory import commands as stock
from services.inventory.process import stream_of
from services.orders import commands as orders
from tests.simulation.projector import Tables
from tests.simulation.shops import MINUTE, Buyers
from tests.simulation.wares import BUNDLE, KIT, KITS, parts_of

_DECISIONS: tuple[Literal["retry", "backorder", "cancel"], ...] = ("retry", "backorder", "cancel")
Command = Callable[[str, int], Any]  # document and time to the command


@dataclass(eq=False)
class Wish:
    """A command that somebody wants done once, whatever becomes of the answers."""

    name: str
    service: str
    stream: str
    command: Command
    adds: int | None = None  # units by which a fact moves the stock; None where that depends
    sent: int = 0
    answer: str | None = None  # "done" or the code of a no


@dataclass
class Clerks:
    """Everybody's wishes so far."""

    rng: Random
    skus: tuple[str, ...]
    coming: int
    wishes: list[Wish] = field(default_factory=list)
    linked: set[tuple[str, str]] = field(default_factory=set)
    unlinked: Counter[tuple[str, str]] = field(default_factory=Counter)  # how often

    def act(self, buyers: Buyers, tables: dict[str, Tables]) -> str | None:
        """Let somebody wish something; None where nothing is left to be wished."""
        if not self.coming:
            return None
        self.coming -= 1
        chance = self.rng.random()
        if chance < 0.6 or not buyers.orders:
            return self._wish_stock()
        return self._link(tables) if chance < 0.75 else self._wish_order(buyers)

    def open(self) -> list[Wish]:
        return [wish for wish in self.wishes if wish.answer is None]

    def add(self, service: str, stream: str, command: Command, adds: int | None = None) -> str:
        name = f"clerk-{len(self.wishes)}"
        self.wishes.append(Wish(name, service, stream, command, adds))
        return f"{name} wishes {type(command('?', 0)).__name__} on {stream}"

    def receive(self, sku: str, units: int) -> str:
        by = f"clerk-{len(self.wishes)}"

        def command(document: str, now: int) -> Any:
            return stock.ReceiveStock("main", sku, "main", True, units, "1.00", "GBP", document,
                                      by, now)  # fmt: skip

        return self.add("inventory", stream_of(sku), command, units)

    def damage(self, sku: str) -> str:
        """Write units of a SKU off, whoever has them."""
        by, units = f"clerk-{len(self.wishes)}", self.rng.randint(1, 3)
        place = self.rng.choice(("main", "main", "back"))

        def command(document: str, now: int) -> Any:
            return stock.AdjustStock("main", sku, place, True, -units, "damage", document, "", by,
                                     now)  # fmt: skip

        return self.add("inventory", stream_of(sku), command, -units)

    def define(self) -> str:
        """Say what the kit is made of from now on."""
        made_of = self.rng.choice(KITS)
        parts = tuple(Component(sku=sku, units=units) for sku, units in made_of.items())
        return self.add(
            "inventory", stream_of(KIT),
            lambda _, now: stock.DefineItem("main", KIT, "A set", None, parts, "clerk", now),
        )  # fmt: skip

    def _wish_stock(self) -> str:
        rng, by = self.rng, f"clerk-{len(self.wishes)}"
        sku, units, place = rng.choice(self.skus), rng.randint(1, 5), rng.choice(("main", "back"))
        stream = stream_of(sku)

        def count(document: str, now: int) -> Any:
            return stock.CountStock("main", sku, place, True, units, document, by, now)

        def adjust(document: str, now: int) -> Any:
            return stock.AdjustStock("main", sku, place, True, -units, "damage", document, "", by,
                                     now)  # fmt: skip

        def move(document: str, now: int) -> Any:
            other = "back" if place == "main" else "main"
            return stock.MoveStock("main", sku, place, other, True, units, document, by, now)

        chance = rng.random()
        if chance < 0.06:
            return self.define()
        if chance < 0.6:
            return self.receive(sku, units)
        if chance < 0.8:
            return self.add("inventory", stream, adjust, -units)
        if chance < 0.9:
            return self.add("inventory", stream, move, units)
        return self.add("inventory", stream, count)

    def _wish_order(self, buyers: Buyers) -> str:
        rng, name = self.rng, f"wish-{len(self.wishes)}"
        one = rng.choice(buyers.orders)
        stream = orders.order_stream(orders.order_id(one.account, one.external_id))
        until = rng.choice((None, MINUTE * 30))
        decision = rng.choice(_DECISIONS)
        wishes: tuple[Command, ...] = (
            lambda _, now: orders.RequestCancellation(name, (), "seller", "wish", now),
            lambda _, now: orders.DecideShortage(decision, "", "seller", now),
            lambda _, now: orders.PlaceHold(
                name, "manual", "", (), "both", until and now + until, "seller", now
            ),
        )
        return self.add("orders", stream, rng.choice(wishes))

    def _link(self, tables: dict[str, Tables]) -> str:
        """Link a listing for which lines wait, as a person sees it in the read model."""
        known: list[tuple[Any, ListingRow]] = sorted(tables["channels"]["listings"].items())
        rows = [r for key, r in known if not r.linked and r.waiting and key not in self.linked]
        sold = [row for _, row in known if row.linked]
        if rows and (not sold or self.rng.random() < 0.6):
            return self.link(self.rng.choice(rows))
        return self._unlink(self.rng.choice(sold)) if sold else self._wish_stock()

    def _unlink(self, row: ListingRow) -> str:
        """Say that nobody knows what a listing sells."""
        name = (row.account, row.listing_id)
        self.linked.discard(name)
        self.unlinked[name] += 1
        return self.add(
            "channels", listing_stream(*name),
            lambda _, now: UnlinkListing("main", row.account, row.listing_id, "clerk", now),
        )  # fmt: skip

    def link(self, row: ListingRow) -> str:
        """Say what a listing sells."""
        self.linked.add((row.account, row.listing_id))
        code = row.channel_sku.strip().upper()
        bundle = code.startswith("BUNDLE-")
        sku, units = code.removeprefix("BUNDLE-"), BUNDLE if bundle else 1
        found = parts_of(code)
        parts = tuple(Component(sku=k, units=n // units) for k, n in found.items())
        return self.add(
            "channels", listing_stream(row.account, row.listing_id),
            lambda _, now: LinkListing("main", row.account, row.listing_id, row.channel_sku, sku,
                                       units, parts, "clerk", now),
        )  # fmt: skip
