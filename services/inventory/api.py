"""Inventory over HTTP: stock and why it is so; receipts, counts, adjustments, moves, items."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from libs.contracts.common import Component
from libs.runtime.ports import Ports, Told
from libs.web.pages import every
from libs.web.problems import Problem
from libs.web.texts import By, Note
from libs.web.writes import After, Version, WriteRequest, carry_out, caught_up
from services.inventory import commands, views
from services.inventory.process import stream_of
from services.inventory.read_model import ENTRIES, RESERVATIONS, STOCK, StockRow

Sku = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[!-~ ]+$")]
Units = Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Text = Annotated[str, Field(max_length=200)]
WRITE_OFFS = Literal[
    "damage", "loss", "recode", "count", "found", "free-issue", "return", "quality", "other"
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Receipt(_Body):
    """Units that came in."""

    quantity: Units
    location: str = "main"
    unit_cost: str | None = Field(default=None, pattern=r"^\d{1,12}(\.\d{1,6})?$")
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    document: Text | None = Field(default=None, description="Default: the Idempotency-Key.")
    by: By = "operator"


class Count(_Body):
    """What a count found on hand."""

    counted: int = Field(ge=0, le=1_000_000_000, strict=True)
    location: str = "main"
    document: Text | None = None
    by: By = "operator"


class Adjustment(_Body):
    """Units found (positive) or written off (negative)."""

    quantity: int = Field(ge=-1_000_000_000, le=1_000_000_000, strict=True)
    reason: WRITE_OFFS
    location: str = "main"
    document: Text | None = None
    note: Note = Field(default="", max_length=200)
    by: By = "operator"


class Move(_Body):
    """Units that changed location."""

    quantity: Units
    location_from: str
    location_to: str
    document: Text | None = None
    by: By = "operator"


class Part(_Body):
    """A part of a kit."""

    sku: str = Field(min_length=1, max_length=100)
    units: Units


class Item(_Body):
    """What an item is."""

    description: Text = ""
    barcode: str | None = Field(default=None, max_length=40)
    components: list[Part] = Field(default=[], max_length=100)
    by: By = "operator"


def _normal(sku: str) -> str:
    return sku.strip().upper()


def routes(ports: Ports) -> APIRouter:
    """Return the routes under /inventory."""
    router = APIRouter(prefix="/inventory", tags=["inventory"])
    _reads(router, ports)
    _writes(router, ports)
    return router


def _reads(router: APIRouter, ports: Ports) -> None:
    stock, entries = ports.rows(STOCK), ports.rows(ENTRIES)
    reservations = ports.rows(RESERVATIONS)

    @router.get("/stock")
    async def list_stock(
        cursor: str | None = None, limit: Limit = 100, after: After = None
    ) -> views.StockPage:
        """List SKUs in order."""
        await caught_up(reservations, after)
        rows = await (await caught_up(stock, after)).find(
            after=(cursor,) if cursor else None, limit=limit
        )
        following = rows[-1].sku if len(rows) == limit else None
        return views.StockPage(stock=await summed(rows), cursor=following)

    # Before the SKU itself, which would take this path for its own: a SKU may hold slashes.
    @router.get("/stock/{sku:path}/entries")
    async def get_entries(
        sku: Sku, cursor: Version = 0, limit: Limit = 200, after: After = None
    ) -> views.EntryPage:
        """List the changes behind a SKU's units, oldest first."""
        key = _normal(sku)
        rows = await (await caught_up(entries, after)).find(
            sku=key, after=(key, cursor), limit=limit
        )
        following = rows[-1].version if len(rows) == limit else None
        shown = tuple(views.shown(views.EntryOut, row) for row in rows)
        return views.EntryPage(entries=shown, cursor=following)

    @router.get("/stock/{sku:path}")
    async def get_stock(sku: Sku, after: After = None) -> views.StockOut:
        """Show a SKU's units: on hand, reserved, held, waiting, available, by location."""
        await caught_up(reservations, after)
        row = await (await caught_up(stock, after)).get(_normal(sku))
        if row is None:
            raise Problem("item-not-found", f"Nothing is known of {_normal(sku)}.")
        return (await summed([row]))[0]

    async def summed(rows: Sequence[StockRow]) -> tuple[views.StockOut, ...]:
        sums = await reservations.totals(
            ("sku",), ("held", "short", "sold_short"), sku=[row.sku for row in rows]
        )
        found = [(row, sums.get((row.sku,), (0, 0, 0, 0))) for row in rows]
        return tuple(
            views.shown(views.StockOut, row, held=held, waiting=short, sold_short=sold)
            for row, (_, held, short, sold) in found
        )

    @router.get("/reservations/{order_id}")
    async def get_reservations(
        order_id: str, after: After = None
    ) -> tuple[views.ReservationOut, ...]:
        """List what an order has and lacks, by SKU."""
        found = await caught_up(reservations, after)
        rows = await every(found, lambda row: (row.order_id, row.sku), order_id=order_id)
        return tuple(views.shown(views.ReservationOut, row) for row in rows)


def _writes(router: APIRouter, ports: Ports) -> None:
    company = ports.settings.stock_company

    def location(name: str) -> tuple[str, bool]:
        place = ports.settings.locations.get(name)
        if place is None:
            raise Problem("location-unknown", f"No location is called {name}; see lonja.toml.")
        return name, place.master == "us"

    async def execute(
        sku: str, write: WriteRequest, judge: Callable[[], commands.InventoryCommand]
    ) -> views.Done:
        async def judged() -> Sequence[Told]:
            return [(stream_of(sku), judge())]

        answer = await carry_out(ports.commands, write, judged)
        return views.Done(sku=sku, version=answer.version, events=answer.events, token=answer.token)

    @router.post("/items/{sku:path}", status_code=201)
    async def define(sku: Sku, body: Item, write: WriteRequest) -> views.Done:
        """Say what an item is; with components it is a kit."""
        parts = tuple(Component(sku=_normal(p.sku), units=p.units) for p in body.components)
        command = commands.DefineItem(
            company, _normal(sku), body.description, body.barcode, parts, body.by, ports.clock()
        )
        return await execute(_normal(sku), write, lambda: command)

    @router.post("/stock/{sku:path}/receipts", status_code=201)
    async def receive(sku: Sku, body: Receipt, write: WriteRequest) -> views.Done:
        """Record units that came in; who waits is served first."""

        def judged() -> commands.InventoryCommand:
            place, ours = location(body.location)
            return commands.ReceiveStock(
                company, _normal(sku), place, ours, body.quantity, body.unit_cost, body.currency,
                body.document or write.key, body.by, ports.clock(),
            )  # fmt: skip

        return await execute(_normal(sku), write, judged)

    @router.post("/stock/{sku:path}/counts", status_code=201)
    async def count(sku: Sku, body: Count, write: WriteRequest) -> views.Done:
        """Record a count; a difference is a fact, whatever was promised."""

        def judged() -> commands.InventoryCommand:
            place, ours = location(body.location)
            return commands.CountStock(
                company, _normal(sku), place, ours, body.counted, body.document or write.key,
                body.by, ports.clock(),
            )  # fmt: skip

        return await execute(_normal(sku), write, judged)

    @router.post("/stock/{sku:path}/adjustments", status_code=201)
    async def adjust(sku: Sku, body: Adjustment, write: WriteRequest) -> views.Done:
        """Record units found or written off, with a reason."""
        if not body.quantity:
            raise Problem("invalid-request", "An adjustment of 0 units is none.")

        def judged() -> commands.InventoryCommand:
            place, ours = location(body.location)
            return commands.AdjustStock(
                company, _normal(sku), place, ours, body.quantity, body.reason,
                body.document or write.key, body.note, body.by, ports.clock(),
            )  # fmt: skip

        return await execute(_normal(sku), write, judged)

    @router.post("/stock/{sku:path}/moves", status_code=201)
    async def move(sku: Sku, body: Move, write: WriteRequest) -> views.Done:
        """Record units that changed location."""

        def judged() -> commands.InventoryCommand:
            source, _ = location(body.location_from)
            place, ours = location(body.location_to)
            return commands.MoveStock(
                company, _normal(sku), source, place, ours, body.quantity,
                body.document or write.key, body.by, ports.clock(),
            )  # fmt: skip

        return await execute(_normal(sku), write, judged)
