"""What channels does with what a shop told: commands for the order and for its listings. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.contracts import common
from services.channels import commands
from services.channels.adapters.neutral import Deleted, Draft, Whole

Work = tuple[tuple[str, Any], ...]


class Wanted(msgspec.Struct, frozen=True):
    """A listing that an order line names."""

    account: str
    listing_id: str
    channel_sku: str


class Link(msgspec.Struct, frozen=True):
    """What a listing sells: `base` per unit of the SKU, `components` per ordered unit.

    `fresh` says that the rule found it just now, and that nobody has recorded it yet.
    """

    sku: str
    units_per_listing: int
    base: tuple[common.Component, ...]
    components: tuple[common.Component, ...]
    fresh: bool = False


Known = Mapping[Wanted, Link | None]


def listings_of(order: common.Order) -> list[Wanted]:
    """Return the listings of an order's lines that take stock, each once."""
    return list(dict.fromkeys(_wanted(order, line) for line in order.lines if line.kind == "goods"))


def linked(order: common.Order, known: Known) -> common.Order:
    """Return the order with what its lines take in stock, as far as that is known."""
    return replace(order, lines=tuple(_linked(order, line, known) for line in order.lines))


def order_work(whole: Whole, known: Known, at: int) -> Work:
    """Record the order first, then ask for each listing that nobody has linked, line by line.

    A link that the rule found just now is recorded too, so that a person sees it.
    """
    order = whole.order
    record = commands.RecordOrder(
        order, whole.by, whole.reason, whole.reason_word, whole.restored, whole.sent
    )
    work: list[tuple[str, Any]] = [
        (commands.order_stream(order.account, order.external_id), record)
    ]
    for wanted in listings_of(order):
        link = known[wanted]
        stream = commands.listing_stream(wanted.account, wanted.listing_id)
        if link is None and not order.cancelled:
            work.extend((stream, need) for need in _needs(order, wanted, at))
        elif link is not None and link.fresh:
            work.append((stream, _rule(order.entity, wanted, link, at)))
    return tuple(work)


def other_work(found: Draft | Deleted, account: str, entity: str, at: int) -> Work:
    """Record what is no order (any more)."""
    command: Any
    match found:
        case Draft():
            command = commands.RecordSetAside(
                entity=entity,
                account=account,
                external_id=found.external_id,
                reason=found.reason,
                status_word=found.status_word,
                version=found.version,
            )
        case Deleted():
            command = commands.RecordDeletion(
                entity=entity, account=account, external_id=found.external_id, at=at
            )
    return ((commands.order_stream(account, found.external_id), command),)


def _wanted(order: common.Order, line: common.OrderLine) -> Wanted:
    return Wanted(order.account, line.listing_id, line.channel_sku)


def _linked(order: common.Order, line: common.OrderLine, known: Known) -> common.OrderLine:
    link = known.get(_wanted(order, line)) if line.kind == "goods" else None
    if link is None:
        return line
    return replace(
        line,
        sku=link.sku,
        units_per_listing=link.units_per_listing,
        components=link.components,
    )


def _needs(order: common.Order, wanted: Wanted, at: int) -> list[commands.NeedListing]:
    return [
        commands.NeedListing(
            entity=order.entity,
            account=wanted.account,
            listing_id=wanted.listing_id,
            channel_sku=line.channel_sku,
            title=line.title,
            external_id=order.external_id,
            line_id=line.line_id,
            at=at,
        )
        for line in order.lines
        if line.kind == "goods" and _wanted(order, line) == wanted
    ]


def _rule(entity: str, wanted: Wanted, link: Link, at: int) -> commands.LinkListing:
    return commands.LinkListing(
        entity=entity,
        account=wanted.account,
        listing_id=wanted.listing_id,
        channel_sku=wanted.channel_sku,
        sku=link.sku,
        units_per_listing=link.units_per_listing,
        components=link.base,
        by=commands.EQUAL_SKU,
        at=at,
    )
