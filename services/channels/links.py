"""Looks up what listings sell: their links, else the rule of equal SKUs. Decides nothing."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec

from libs.contracts import common
from libs.runtime.ports import Ports, Rows
from services.channels.commands import equal_sku
from services.channels.item_decider import parts_of
from services.channels.listing_decider import per_listing
from services.channels.process import Link, Wanted
from services.channels.read_model import ITEMS, LISTINGS, ItemRow, ListingRow

_KEEP = 3_000_000  # microseconds that an answer is kept: a changed link must be seen soon
_BOUND = 50_000


class Links:
    """Answers from the read models, positive ones kept for a few seconds."""

    def __init__(self, ports: Ports) -> None:
        self._listings: Rows[ListingRow] = ports.rows(LISTINGS)
        self._items: Rows[ItemRow] = ports.rows(ITEMS)
        self._clock: Callable[[], int] = ports.clock
        self._kept: dict[Wanted, tuple[int, Link]] = {}

    async def find(self, wanted: Iterable[Wanted]) -> Mapping[Wanted, Link | None]:
        """Return what each listing sells, None where nobody knows."""
        now = self._clock()
        found: dict[Wanted, Link | None] = {}
        missing: list[Wanted] = []
        for one in dict.fromkeys(wanted):
            kept = self._kept.get(one)
            if kept is not None and kept[0] > now:
                found[one] = kept[1]
            else:
                missing.append(one)
        answers = await asyncio.gather(*map(self._look_up, missing))
        if len(self._kept) + len(missing) > _BOUND:
            self._kept.clear()
        for one, link in zip(missing, answers, strict=True):
            found[one] = link
            if link is not None:
                self._kept[one] = (now + _KEEP, msgspec.structs.replace(link, fresh=False))
        return found

    async def _look_up(self, one: Wanted) -> Link | None:
        row = await self._listings.get(one.account, one.listing_id)
        if row is not None and row.linked and row.sku is not None:
            base = parts_now(row, await self._items.get(row.sku))
            components = per_listing(base, row.units_per_listing)
            return Link(row.sku, row.units_per_listing, base, components)
        if row is not None and row.blocked:
            return None
        sku = equal_sku(one.channel_sku)
        item = await self._items.get(sku) if sku else None
        if item is None:
            return None
        base = components_of(item)
        return Link(item.sku, 1, base, base, fresh=True)


def components_of(item: ItemRow) -> tuple[common.Component, ...]:
    """Return what one unit of an item takes: itself, or the parts of a kit."""
    return parts_of(item.sku, item.components)


def parts_now(row: ListingRow, item: ItemRow | None) -> tuple[common.Component, ...]:
    """Return what one unit of a linked listing's SKU takes: a kit's parts may change after it.

    The link's own parts count only where nobody knows the item.
    """
    return row.components if item is None else components_of(item)
