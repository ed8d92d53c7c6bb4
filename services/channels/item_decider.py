"""Brings listings and items of one SKU together, whichever is there first. Pure."""

from collections.abc import Sequence
from typing import assert_never

import msgspec
from immutables import Map
from msgspec.structs import replace

from libs.contracts import channels, common
from libs.eventsourcing.decider import Decider
from services.channels import commands
from services.channels.commands import listing_stream

ItemEvent = channels.ItemAwaited | channels.ItemKnown


class Item(msgspec.Struct, frozen=True):
    """What a unit takes, once there is such an item, and the listings that have asked for it.

    A listing asks once: where it has been told of the item and is not linked, a person wants it so.
    """

    components: tuple[common.Component, ...] = ()
    asked: Map[str, common.ListingName] = Map()


def parts_of(sku: str, components: tuple[common.Component, ...]) -> tuple[common.Component, ...]:
    """Return what one unit of an item takes: itself, or the parts of a kit."""
    return components or (common.Component(sku=sku, units=1),)


def decide(command: commands.ItemCommand, state: Item) -> Sequence[ItemEvent]:
    """Return who waits, or whom the rule can link now."""
    match command:
        case commands.KnowItem(sku=sku, components=components):
            if components is None and state.components:
                return []
            parts = parts_of(sku, components or ())
            if parts == state.components:
                return []
            waiting = () if state.components else tuple(state.asked.values())
            listings = sorted(waiting, key=lambda one: (one.account, one.listing_id))
            return [_known(command, parts, listings)]
        case commands.AwaitItem(sku=sku, listing=listing):
            if _name(listing) in state.asked:
                return []
            if state.components:
                return [_known(command, state.components, [listing])]
            return [
                channels.ItemAwaited(
                    entity=command.entity, occurred_at=command.at, sku=sku, listing=listing
                )
            ]
        case _:
            assert_never(command)


def _known(
    command: commands.ItemCommand,
    components: tuple[common.Component, ...],
    listings: Sequence[common.ListingName],
) -> channels.ItemKnown:
    return channels.ItemKnown(
        entity=command.entity, occurred_at=command.at, sku=command.sku, components=components,
        listings=tuple(listings),
    )  # fmt: skip


def _name(listing: common.ListingName) -> str:
    return listing_stream(listing.account, listing.listing_id)


def evolve(state: Item, event: ItemEvent) -> Item:
    """Fold one event."""
    match event:
        case channels.ItemAwaited(listing=listing):
            return replace(state, asked=state.asked.set(_name(listing), listing))
        case channels.ItemKnown():
            asked = state.asked.update({_name(one): one for one in event.listings})
            return Item(event.components, asked)
        case _:
            assert_never(event)


ITEM = Decider(
    category="item",
    commands=commands.ItemCommand,
    state=Item,
    initial=Item(),
    decide=decide,
    evolve=evolve,
)
