"""What callers of inventory see: shapes at the edge. Decides nothing."""

from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlaceOut(_View):
    """Units at one location."""

    on_hand: int
    reserved: int
    reservable: bool = Field(description="Whether promises are made from here.")


class StockOut(_View):
    """A SKU's units. Available = on hand - reserved, at locations that promises are made from."""

    sku: str
    description: str
    barcode: str | None
    components: list[tuple[str, int]] = Field(description="Of a kit: its parts' SKUs and units.")
    places: dict[str, PlaceOut]
    on_hand: int
    reserved: int
    held: int = Field(description="Of the reserved units, those of holds, which may expire.")
    waiting: int = Field(description="Units that orders lack.")
    available: int
    received: int
    shipped: int
    written_off: int
    sold_short: int = Field(description="Units that channels sold and that were not there then.")
    shortfalls: int = Field(description="Promised units that a fact from outside took away.")
    promised_without_stock: int = Field(description="Always 0.")


class StockPage(_View):
    """SKUs in order; `cursor` asks for the next page, None at the end."""

    stock: tuple[StockOut, ...]
    cursor: str | None


class ReservationOut(_View):
    """What one order has of one SKU, and what it lacks."""

    order_id: str
    sku: str
    revision: int
    reserved: int
    short: int
    reservation_class: str
    expires_at: int | None
    position: int | None = Field(description="Its place in the waiting list when it joined it.")
    since: int
    held: int
    sold_short: int
    shipped: int


class EntryOut(_View):
    """One change of a SKU's units and what is behind it."""

    sku: str
    version: int
    kind: str
    units: int
    location: str
    order_id: str
    document: str
    reason: str
    by: str
    at: int


class EntryPage(_View):
    """Changes, oldest first; `cursor` asks for the next page."""

    entries: tuple[EntryOut, ...]
    cursor: int | None


class Done(_View):
    """A write that is committed; `token` is for `?after=`."""

    sku: str
    version: int
    events: tuple[str, ...]
    token: str


def shown(view: type[BaseModel], row: msgspec.Struct, **more: int) -> Any:
    """Show a row."""
    return view.model_validate(msgspec.to_builtins(row) | more)
