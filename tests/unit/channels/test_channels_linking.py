"""A listing and an item of its SKU find each other, whichever comes first."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import channels, common, inventory
from libs.eventsourcing.envelope import Envelope
from services.channels import commands, linking
from services.channels.links import components_of
from services.channels.listing_decider import per_listing
from services.channels.service import SERVICE
from tests.examples import examples
from tests.unit.channels import payloads
from tests.unit.channels.memory import NOW, Shop, app_of, call

NAMES: dict[str, Any] = {"entity": "main", "occurred_at": 1, "sku": "TEE", "by": "clerk"}
RECEIVED = inventory.StockReceived(**NAMES, location="main", quantity=1, document="d")
DEFINED = inventory.ItemDefined(**NAMES, description="Tee", barcode=None, components=())
KIT = (common.Component(sku="CUP", units=1), common.Component(sku="JUG", units=2))
OTHER_KIT = (common.Component(sku="LID", units=3),)


class System(Shop):
    """Channels with what it reacts to: its own facts come back to it."""

    def tell(self, service: str, event: Any) -> None:
        envelope = Envelope(event, "", "", "", 1, NOW, service, 0, 1, "")
        for stream, command in SERVICE.reacts[service](envelope):
            self.say(stream, command)

    def say(self, stream: str, command: Any) -> None:
        for event in self.decide(stream, command):
            self.tell("channels", event)

    def need(self, listing: str = "501", line: str = "ln_1", sku: str = " tee") -> None:
        command = commands.NeedListing(
            entity="main", account="shop", listing_id=listing, channel_sku=sku, title="T-shirt",
            external_id=f"o-{line}", line_id=line, at=1,
        )  # fmt: skip
        self.say(commands.listing_stream("shop", listing), command)

    def define(self, *components: common.Component) -> None:
        event = inventory.ItemDefined(
            **NAMES, description="Set", barcode=None, components=components
        )
        self.rows["items"].fold(event)
        self.tell("inventory", event)

    def link(self, units: int, *components: common.Component) -> None:
        command = commands.LinkListing(
            entity="main", account="shop", listing_id="501", channel_sku="tee", sku="TEE",
            units_per_listing=units, components=components, by="clerk", at=2,
        )  # fmt: skip
        self.say(commands.listing_stream("shop", "501"), command)

    async def sell(self, number: int) -> tuple[common.Component, ...]:
        """Return what a unit of listing 501 takes in an order that comes a minute later."""
        self.now += 60_000_000
        before = len(self.events)
        await self.deliver("shop", "orders/create", payloads.shopify(id=number))
        new = self.events[before:]
        for event in new:
            self.tell("channels", event)
        (order,) = [e.order for e in new if isinstance(e, channels.ChannelOrderReceived)]
        return next(one.components for one in order.lines if one.listing_id == "501")

    def count(self, name: str) -> int:
        return self.types().count(name)


def unlink(system: System) -> None:
    command = commands.UnlinkListing(
        entity="main", account="shop", listing_id="501", by="clerk", at=3
    )
    system.say(commands.listing_stream("shop", "501"), command)


@pytest.mark.parametrize("item", [RECEIVED, DEFINED])
def test_lines_that_wait_go_on_when_the_item_comes(item: Any) -> None:
    system = System()
    system.need(line="ln_1")
    system.need(line="ln_2")
    system.need("502", "ln_3", "TEE")
    assert system.count("ListingLineResolved") == 0
    system.tell("inventory", item)
    linked = [e for e in system.events if isinstance(e, channels.ListingLinked)]
    assert [(e.listing_id, e.sku, e.by) for e in linked] == [
        ("501", "TEE", "rule:equal-sku"), ("502", "TEE", "rule:equal-sku"),
    ]  # fmt: skip
    assert system.count("ListingLineResolved") == 3


def test_an_item_that_the_read_model_does_not_show_yet_is_found() -> None:
    system = System()
    system.tell("inventory", RECEIVED)
    system.need()
    assert system.count("ListingLineResolved") == 1


def test_a_kit_is_linked_to_its_parts_and_a_receipt_does_not_make_it_plain() -> None:
    system = System()
    system.tell("inventory", inventory.ItemDefined(
        **NAMES, description="Set", barcode=None, components=KIT))  # fmt: skip
    system.tell("inventory", RECEIVED)
    system.need()
    (resolved,) = [e for e in system.events if isinstance(e, channels.ListingLineResolved)]
    assert resolved.components == KIT


@settings(max_examples=examples(200), deadline=None)
@given(st.permutations(["sell", "sell", "link", "define", "define anew", "receive"]))
async def test_an_order_takes_what_its_item_is_made_of_when_it_is_read(steps: list[str]) -> None:
    system, units = System(), 1
    kits = iter((KIT, OTHER_KIT))
    for number, step in enumerate([*steps, "sell"], 1):
        item = system.rows["items"].found.get(("TEE",))
        match step:
            case "sell":
                parts = components_of(item) if item else ()
                assert await system.sell(number) == per_listing(parts, units)
            case "link" if item:  # a person can choose an item that there is
                units = 2
                system.link(units, *components_of(item))
            case "receive":
                system.rows["items"].fold(RECEIVED)
                system.tell("inventory", RECEIVED)
            case "define" | "define anew":
                system.define(*next(kits))
    assert await system.sell(99) == per_listing(OTHER_KIT, units)


async def test_a_link_tells_the_parts_itself_where_nobody_knows_its_item() -> None:
    system = System()
    system.link(2, *KIT)
    assert await system.sell(1) == per_listing(KIT, 2)


async def test_people_see_what_a_linked_listing_takes_by_now() -> None:
    system = System()
    system.define(*KIT)
    system.link(2, *KIT)
    system.define(*OTHER_KIT)
    _, page = await call(app_of(system), "GET", "/channels/listings", b"", {})
    (listing,) = page["items"]
    assert listing["units_per_listing"] == 2
    assert listing["components"] == [{"sku": "LID", "units": 3}]


def test_what_a_person_has_decided_stands() -> None:
    system = System()
    unlink(system)
    system.need()
    system.tell("inventory", DEFINED)
    system.need(line="ln_2")
    assert system.count("ListingLinked") == 0
    assert system.count("ItemKnown") == 1


@pytest.mark.parametrize("sku", ["", "  ", "tasse-\u00e4", "x" * 101, "a\0b"])
def test_what_can_be_no_sku_of_ours_waits_for_a_person_only(sku: str) -> None:
    system = System()
    system.need(sku=sku)
    assert system.types() == ["ListingNeeded"]


@given(st.permutations(["501", "501", "502", "received", "defined", "received"]))
def test_in_every_order_each_line_is_resolved_once(order: list[str]) -> None:
    system = System()
    for number, what in enumerate(order):
        match what:
            case "received":
                system.tell("inventory", RECEIVED)
            case "defined":
                system.tell("inventory", DEFINED)
            case listing:
                system.need(listing, f"ln_{number}")
    assert system.count("ListingLineResolved") == 3
    assert system.count("ListingLinked") == 2
    assert system.count("ItemKnown") == 1 + sum(
        order.index(listing) > min(order.index("received"), order.index("defined"))
        for listing in ("501", "502")
    )


def test_other_facts_lead_to_nothing() -> None:
    named = channels.ItemAwaited(entity="main", occurred_at=1, sku="TEE", listing=common.ListingName(
        account="shop", listing_id="501", channel_sku="tee"))  # fmt: skip
    envelope = Envelope[Any](named, "", "", "", 1, NOW, "channels", 0, 1, "")
    assert not linking.react_to_ourselves(envelope)
