"""What channels can be told to record: what a shop said of an order, and what a listing sells."""

import re

import msgspec

from libs.contracts import channels, common
from services.channels.report_commands import ReportCommand


class RecordOrder(msgspec.Struct, frozen=True, tag=True):
    """A channel told an order, whole; `by` and the reasons where it states it as cancelled.

    `restored` says that the channel has taken its deletion back; `sent` are the lines of goods that
    have been sent whole.
    """

    order: common.Order
    by: common.Party = "unknown"
    reason: str = ""
    reason_word: str = ""
    restored: bool = False
    sent: tuple[str, ...] = ()


class RecordSetAside(msgspec.Struct, frozen=True, tag=True):
    """A channel told of a draft or a test."""

    entity: str
    account: str
    external_id: str
    reason: channels.SetAsideReason
    status_word: str
    version: common.Version


class RecordDeletion(msgspec.Struct, frozen=True, tag=True):
    """A channel threw an order away; `at` is when we heard of it."""

    entity: str
    account: str
    external_id: str
    at: int


ChannelOrderCommand = RecordOrder | RecordSetAside | RecordDeletion | ReportCommand


class LinkListing(msgspec.Struct, frozen=True, tag=True):
    """A listing sells this SKU; `components` are per unit of the SKU, several for a kit."""

    entity: str
    account: str
    listing_id: str
    channel_sku: str
    sku: str
    units_per_listing: int
    components: tuple[common.Component, ...]
    by: str
    at: int


class UnlinkListing(msgspec.Struct, frozen=True, tag=True):
    """A listing sells nothing that we know; the rule does not link it again, a person may."""

    entity: str
    account: str
    listing_id: str
    by: str
    at: int


class NeedListing(msgspec.Struct, frozen=True, tag=True):
    """An order line names a listing that was not linked when it was read."""

    entity: str
    account: str
    listing_id: str
    channel_sku: str
    title: str
    external_id: str
    line_id: str
    at: int


ListingCommand = LinkListing | UnlinkListing | NeedListing


class KnowItem(msgspec.Struct, frozen=True, tag=True):
    """Stock is kept of an item; None for `components` says that they are not told here."""

    entity: str
    sku: str
    components: tuple[common.Component, ...] | None
    at: int


class AwaitItem(msgspec.Struct, frozen=True, tag=True):
    """Order lines wait for a listing that an item of this SKU would resolve."""

    entity: str
    sku: str
    listing: common.ListingName
    at: int


ItemCommand = KnowItem | AwaitItem

EQUAL_SKU = "rule:equal-sku"
_SKU = re.compile("[!-~ ]{1,100}")  # what inventory takes as one


def order_stream(account: str, external_id: str) -> str:
    """Return the stream of a channel's order."""
    return f"channelorder-{account}:{external_id}"


def listing_stream(account: str, listing_id: str) -> str:
    """Return the stream of a listing."""
    return f"listing-{account}:{listing_id}"


def item_stream(sku: str) -> str:
    """Return the stream of what waits for an item of our stock."""
    return f"item-{sku}"


def equal_sku(channel_sku: str) -> str | None:
    """Return the SKU that equals a channel's by the rule; None where there can be none."""
    sku = channel_sku.strip().upper()
    return sku if _SKU.fullmatch(sku) else None
