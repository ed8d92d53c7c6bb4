"""What channels shows: listings with their links, the items that they may sell, orders as told."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import channels, common, inventory
from libs.eventsourcing.envelope import Envelope
from libs.eventsourcing.projection import Key, Projection


class ListingRow(msgspec.Struct, frozen=True):
    """A listing; `waiting` are the lines that need its link (line id to external order id)."""

    account: str
    listing_id: str
    channel_sku: str = ""
    title: str = ""
    linked: bool = False
    blocked: bool = False
    sku: str | None = None
    units_per_listing: int = 1
    components: tuple[common.Component, ...] = ()
    waiting: dict[str, str] = {}


def _listing_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case (
            channels.ListingLinked()
            | channels.ListingUnlinked()
            | channels.ListingNeeded()
            | channels.ListingLineResolved()
        ) as event:
            return ((event.account, event.listing_id),)
        case _:
            return ()


def _listing(row: ListingRow | None, key: Key, envelope: Envelope[Any]) -> ListingRow | None:
    row = row or ListingRow(str(key[0]), str(key[1]))
    match envelope.event:
        case channels.ListingLinked() as event:
            return replace(
                row, linked=True, blocked=False, sku=event.sku,
                channel_sku=event.channel_sku or row.channel_sku,
                units_per_listing=event.units_per_listing, components=event.components,
            )  # fmt: skip
        case channels.ListingUnlinked():
            return replace(
                row, linked=False, blocked=True, sku=None, units_per_listing=1, components=()
            )
        case channels.ListingNeeded() as event:
            waiting = row.waiting | {event.line_id: event.external_id}
            return replace(row, waiting=waiting, channel_sku=event.channel_sku, title=event.title)
        case channels.ListingLineResolved() as event:
            left = {line: order for line, order in row.waiting.items() if line != event.line_id}
            return replace(row, waiting=left)
        case _:
            return row


LISTINGS: Projection[ListingRow] = Projection(
    name="listings",
    version=1,
    row=ListingRow,
    key=("account", "listing_id"),
    topics=("channels",),
    keys=_listing_keys,
    evolve=_listing,
    indexes=(("linked", "account", "listing_id"),),
)


class ItemRow(msgspec.Struct, frozen=True):
    """An item that stock is kept of, as far as a listing needs it; a kit has components."""

    sku: str
    description: str = ""
    barcode: str | None = None
    components: tuple[common.Component, ...] = ()


def _item_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case inventory.ItemDefined(sku=sku) | inventory.StockReceived(sku=sku):
            return ((sku,),)
        case _:
            return ()


def _item(row: ItemRow | None, key: Key, envelope: Envelope[Any]) -> ItemRow | None:
    match envelope.event:
        case inventory.ItemDefined() as event:
            return ItemRow(event.sku, event.description, event.barcode, event.components)
        case _:
            return row or ItemRow(str(key[0]))


ITEMS: Projection[ItemRow] = Projection(
    name="items",
    version=1,
    row=ItemRow,
    key=("sku",),
    topics=("inventory",),
    keys=_item_keys,
    evolve=_item,
    indexes=(("barcode",),),
    by_stream=True,
)


class ChannelOrderRow(msgspec.Struct, frozen=True):
    """An order as its channel told it; `versions` counts what was new, `set_aside` says why."""

    account: str
    external_id: str
    display_number: str = ""
    commitment: str = "unknown"
    funds: str = "unknown"
    status_word: str = ""
    currency: str = ""
    total: int = 0
    versions: int = 0
    set_aside: str | None = None
    cancelled: bool = False
    updated_at: int = 0
    counter: int = 0


def _order_keys(envelope: Envelope[Any]) -> Sequence[Key]:
    match envelope.event:
        case (
            channels.ChannelOrderReceived()
            | channels.ChannelOrderChanged()
            | channels.ChannelOrderFundsChanged()
            | channels.ChannelOrderTouched()
            | channels.ChannelOrderCancelled()
            | channels.ChannelOrderSetAside()
        ) as event:
            return ((event.account, event.external_id),)
        case _:
            return ()


def _order(
    row: ChannelOrderRow | None, key: Key, envelope: Envelope[Any]
) -> ChannelOrderRow | None:
    row = row or ChannelOrderRow(str(key[0]), str(key[1]))
    match envelope.event:
        case channels.ChannelOrderReceived(order=order) | channels.ChannelOrderChanged(order=order):
            row = replace(
                row, display_number=order.display_number, commitment=order.commitment,
                funds=order.funds, status_word=order.status_word, currency=order.currency,
                total=order.totals.total, versions=row.versions + 1, set_aside=None,
                cancelled=order.cancelled,
            )  # fmt: skip
            return _at(row, order.version)
        case channels.ChannelOrderFundsChanged() as event:
            row = replace(row, funds=event.funds, status_word=event.funds_word)
            return _at(row, event.version)
        case channels.ChannelOrderTouched() as event:
            return _at(replace(row, status_word=event.status_word), event.version)
        case channels.ChannelOrderCancelled() as event:
            return _at(replace(row, cancelled=row.cancelled or event.whole), event.version)
        case channels.ChannelOrderSetAside() as event:
            row = replace(row, set_aside=event.reason, status_word=event.status_word)
            return _at(row, event.version)
        case _:
            return row


def _at(row: ChannelOrderRow, version: common.Version) -> ChannelOrderRow:
    return replace(row, updated_at=version.updated_at, counter=version.counter)


CHANNEL_ORDERS: Projection[ChannelOrderRow] = Projection(
    name="channel_orders",
    version=1,
    row=ChannelOrderRow,
    key=("account", "external_id"),
    topics=("channels",),
    keys=_order_keys,
    evolve=_order,
    indexes=(("set_aside", "account", "external_id"),),
    by_stream=True,
)
