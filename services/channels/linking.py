"""Which listings and items are to be brought together, as either becomes known. Pure.

Our own facts come back to us over our topic: a turn writes to the streams that it was told of only.
"""

from typing import Any

from libs.contracts import channels, common, inventory
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.process import Reactions, reacting
from services.channels.commands import (
    EQUAL_SKU,
    AwaitItem,
    KnowItem,
    LinkListing,
    equal_sku,
    item_stream,
    listing_stream,
)


@reacting(inventory.ItemDefined, inventory.StockReceived)
def react_to_inventory(envelope: Envelope[Any]) -> Reactions:
    """Note that stock is kept of an item."""
    match envelope.event:
        case inventory.ItemDefined(sku=sku, components=components) as event:
            return ((item_stream(sku), KnowItem(event.entity, sku, components, envelope.at)),)
        case inventory.StockReceived(sku=sku) as event:
            return ((item_stream(sku), KnowItem(event.entity, sku, None, envelope.at)),)
        case _:
            return ()


@reacting(channels.ListingNeeded, channels.ItemKnown)
def react_to_ourselves(envelope: Envelope[Any]) -> Reactions:
    """Have a listing wait for the item of its SKU, and link those that have waited for one."""
    match envelope.event:
        case channels.ListingNeeded() as event if sku := equal_sku(event.channel_sku):
            listing = common.ListingName(
                account=event.account, listing_id=event.listing_id, channel_sku=event.channel_sku
            )
            return ((item_stream(sku), AwaitItem(event.entity, sku, listing, envelope.at)),)
        case channels.ItemKnown() as event:
            return [_link(event, listing, envelope.at) for listing in event.listings]
        case _:
            return ()


def _link(
    event: channels.ItemKnown, listing: common.ListingName, at: int
) -> tuple[str, LinkListing]:
    command = LinkListing(
        entity=event.entity, account=listing.account, listing_id=listing.listing_id,
        channel_sku=listing.channel_sku, sku=event.sku, units_per_listing=1,
        components=event.components, by=EQUAL_SKU, at=at,
    )  # fmt: skip
    return listing_stream(listing.account, listing.listing_id), command
