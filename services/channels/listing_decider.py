"""Decides what a listing sells, and which order lines wait until somebody knows."""

from collections.abc import Sequence
from typing import Any, assert_never

import immutables
import msgspec
from msgspec.structs import replace

from libs.contracts import channels, common
from libs.eventsourcing.decider import Decider
from services.channels import commands

_RESOLVED = 64  # lines remembered as answered after the link; a repeat that old comes no more

ListingEvent = (
    channels.ListingLinked
    | channels.ListingUnlinked
    | channels.ListingNeeded
    | channels.ListingLineResolved
)


class Listing(msgspec.Struct, frozen=True):
    """A listing's link and the lines that wait for one (line id to the order's external id)."""

    sku: str | None = None
    units_per_listing: int = 1
    components: tuple[common.Component, ...] = ()
    blocked: bool = False
    waiting: immutables.Map[str, str] = immutables.Map()
    resolved: tuple[str, ...] = ()


def per_listing(
    components: Sequence[common.Component], units_per_listing: int
) -> tuple[common.Component, ...]:
    """Return what one ordered unit of a listing takes."""
    return tuple(
        common.Component(sku=part.sku, units=part.units * units_per_listing) for part in components
    )


def decide(command: commands.ListingCommand, state: Listing) -> Sequence[ListingEvent]:
    """Return what is new; a rule never overrules a person."""
    match command:
        case commands.NeedListing():
            return _need(command, state)
        case commands.LinkListing():
            return _link(command, state)
        case commands.UnlinkListing():
            if state.blocked:
                return []
            return [
                channels.ListingUnlinked(
                    entity=command.entity, occurred_at=command.at, account=command.account,
                    listing_id=command.listing_id, by=command.by,
                )
            ]  # fmt: skip
        case _:
            assert_never(command)


def _need(command: commands.NeedListing, state: Listing) -> Sequence[ListingEvent]:
    names: dict[str, Any] = {
        "entity": command.entity, "occurred_at": command.at, "account": command.account,
        "listing_id": command.listing_id, "external_id": command.external_id,
        "line_id": command.line_id,
    }  # fmt: skip
    if state.sku is None:
        if command.line_id in state.waiting:
            return []
        return [
            channels.ListingNeeded(**names, channel_sku=command.channel_sku, title=command.title)
        ]
    if command.line_id in state.resolved:
        return []
    components = per_listing(state.components, state.units_per_listing)
    return [
        channels.ListingLineResolved(
            **names, sku=state.sku, units_per_listing=state.units_per_listing, components=components
        )
    ]


def _link(command: commands.LinkListing, state: Listing) -> Sequence[ListingEvent]:
    if command.by == commands.EQUAL_SKU and (state.blocked or state.sku is not None):
        return []
    wanted = (command.sku, command.units_per_listing, command.components)
    if wanted == (state.sku, state.units_per_listing, state.components):
        return []
    names: dict[str, Any] = {
        "entity": command.entity, "occurred_at": command.at, "account": command.account,
        "listing_id": command.listing_id, "sku": command.sku,
        "units_per_listing": command.units_per_listing,
    }  # fmt: skip
    linked = channels.ListingLinked(
        **names, channel_sku=command.channel_sku, components=command.components,
        valid_from=command.at, by=command.by,
    )  # fmt: skip
    components = per_listing(command.components, command.units_per_listing)
    waiting = sorted(state.waiting.items())
    return [
        linked,
        *(
            channels.ListingLineResolved(
                **names, external_id=external_id, line_id=line_id, components=components
            )
            for line_id, external_id in waiting
        ),
    ]


def evolve(state: Listing, event: ListingEvent) -> Listing:
    """Fold one event."""
    match event:
        case channels.ListingLinked():
            return replace(
                state, sku=event.sku, units_per_listing=event.units_per_listing,
                components=event.components, blocked=False, resolved=(),
            )  # fmt: skip
        case channels.ListingUnlinked():
            return replace(
                state, sku=None, units_per_listing=1, components=(), blocked=True, resolved=()
            )
        case channels.ListingNeeded():
            return replace(state, waiting=state.waiting.set(event.line_id, event.external_id))
        case channels.ListingLineResolved():
            waiting = state.waiting
            if event.line_id in waiting:
                waiting = waiting.delete(event.line_id)
            resolved = (*state.resolved, event.line_id)[-_RESOLVED:]
            return replace(state, waiting=waiting, resolved=resolved)
        case _:
            assert_never(event)


LISTING = Decider(
    category="listing",
    commands=commands.ListingCommand,
    state=Listing,
    initial=Listing(),
    decide=decide,
    evolve=evolve,
)
