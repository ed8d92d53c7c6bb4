"""Guesses what an unlinked listing sells, for a person to confirm. Pure; links nothing."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal

import msgspec

from services.channels.read_model import ItemRow, ListingRow

_CUTOFF = 0.6
_MOST = 5

Why = Literal["equal-sku", "barcode", "spelling"]


class Suggestion(msgspec.Struct, frozen=True):
    """An item that the listing may sell, and why we think so."""

    sku: str
    description: str
    why: Why


def suggest(listing: ListingRow, items: Sequence[ItemRow]) -> list[Suggestion]:
    """Return at most five items, the surest first; `items` is at most a few thousand."""
    wanted = listing.channel_sku.strip().upper()
    found: dict[str, Suggestion] = {}

    def add(item: ItemRow, why: Why) -> None:
        found.setdefault(item.sku, Suggestion(item.sku, item.description, why))

    for item in items:
        if wanted and item.sku == wanted:
            add(item, "equal-sku")
    for item in items:
        if wanted and item.barcode == wanted:
            add(item, "barcode")
    by_sku = {item.sku: item for item in items}
    for sku in get_close_matches(wanted, by_sku, n=_MOST, cutoff=_CUTOFF) if wanted else ():
        add(by_sku[sku], "spelling")
    by_text = {item.description.lower(): item for item in items if item.description}
    title = listing.title.lower()
    for text in get_close_matches(title, by_text, n=_MOST, cutoff=_CUTOFF) if title else ():
        add(by_text[text], "spelling")
    return list(found.values())[:_MOST]
