"""The way in: shops' webhooks, our own store's checkouts, and people who link listings."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.contracts import common
from libs.runtime.ports import Ports, Rows, Told
from libs.runtime.settings import Account
from libs.web.pages import Cursor, cursor_of, place
from libs.web.problems import Problem
from libs.web.writes import After, WriteRequest, Written, carry_out, caught_up, written
from services.channels import commands
from services.channels.checkout import Checkout, CheckoutAnswer
from services.channels.checkouts import Checkouts
from services.channels.links import components_of, parts_now
from services.channels.read_model import ITEMS, LISTINGS, ItemRow, ListingRow
from services.channels.report_api import report_routes
from services.channels.suggestions import Why, suggest
from services.channels.webhooks import door

_PAGE = 50
_MOST_ITEMS = 5_000


class LinkBody(BaseModel):
    """What a listing sells."""

    model_config = ConfigDict(extra="forbid")
    sku: Annotated[str, Field(min_length=1, max_length=100)]
    units_per_listing: int = Field(default=1, ge=1, le=1_000_000, strict=True)


class ComponentView(BaseModel):
    """Units of one SKU."""

    sku: str
    units: int


class ListingView(BaseModel):
    """A listing, what it sells (components per unit of the SKU), and how many lines wait for it."""

    account: str
    listing_id: str
    channel_sku: str
    title: str
    linked: bool
    sku: str | None
    units_per_listing: int
    components: list[ComponentView]
    waiting_lines: int


class ListingPage(BaseModel):
    """A page; `cursor` is for the next one, null at the end."""

    items: list[ListingView]
    cursor: str | None


class SuggestionView(BaseModel):
    """An item that the listing may sell, and why."""

    sku: str
    description: str
    why: Why


class AccountView(BaseModel):
    """A connection to a shop, without its secrets."""

    account: str
    provider: str
    entity: str
    currency: str
    shortage: str
    webhook: str


def routes(ports: Ports) -> APIRouter:
    """Return the routes of channels."""
    router = APIRouter(prefix="/channels", tags=["channels"])
    _shops(router, ports)
    _listings(router, ports)
    report_routes(router, ports)
    return router


def _shops(router: APIRouter, ports: Ports) -> None:
    webhooks, checkouts = door(ports), Checkouts(ports)

    @router.post("/webhooks/{provider}/{account}")
    async def webhook(provider: str, account: str, request: Request) -> Response:
        """Take in a delivery: 200 once it is stored; what it means is found out later."""
        return await webhooks.take(provider, account, request)

    @router.post("/store/{account}/checkouts", status_code=201)
    async def checkout(account: str, body: Checkout, write: WriteRequest) -> CheckoutAnswer:
        """Hold the units of a cart of our own store until its hold ends."""
        return await checkouts.open(account, body, write)

    @router.get("/accounts")
    async def accounts() -> list[AccountView]:
        """List the connections to shops."""
        return [
            AccountView(
                account=name, provider=one.provider, entity=one.entity, currency=one.currency,
                shortage=one.shortage, webhook=f"/channels/webhooks/{one.provider}/{name}",
            )
            for name, one in sorted(ports.settings.channels.items())
        ]  # fmt: skip


def _listings(router: APIRouter, ports: Ports) -> None:
    listings: Rows[ListingRow] = ports.rows(LISTINGS)
    items: Rows[ItemRow] = ports.rows(ITEMS)

    @router.get("/listings")
    async def find(
        account: str | None = None, linked: bool | None = None,
        cursor: Cursor = None, after: After = None,
    ) -> ListingPage:  # fmt: skip
        """List listings; `linked=false` are those that somebody must link."""
        equal: dict[str, str | bool] = {} if account is None else {"account": account}
        equal |= {} if linked is None else {"linked": linked}
        rows = await (await caught_up(listings, after)).find(
            after=place(cursor, tuple[str, str]), limit=_PAGE, **equal
        )
        last = cursor_of(rows[-1].account, rows[-1].listing_id) if len(rows) == _PAGE else None
        views = await asyncio.gather(*(_view(row, items) for row in rows))
        return ListingPage(items=views, cursor=last)

    @router.post("/listings/{account}/{listing_id:path}/link")
    async def link(account: str, listing_id: str, body: LinkBody, write: WriteRequest) -> Written:
        """Say what a listing sells; lines that wait for it go on by themselves."""

        async def judged() -> Sequence[Told]:
            entity, sku = _account(ports, account).entity, body.sku.strip().upper()
            item = await items.get(sku)
            if item is None:
                text = f"There is no item {sku}; receive or define it first."
                raise Problem("item-not-found", text)
            row = await listings.get(account, listing_id)
            command = commands.LinkListing(
                entity=entity, account=account, listing_id=listing_id,
                channel_sku=row.channel_sku if row else "", sku=sku,
                units_per_listing=body.units_per_listing, components=components_of(item),
                by="operator", at=ports.clock(),
            )  # fmt: skip
            return [(commands.listing_stream(account, listing_id), command)]

        return written(await carry_out(ports.commands, write, judged))

    @router.post("/listings/{account}/{listing_id:path}/unlink")
    async def unlink(account: str, listing_id: str, write: WriteRequest) -> Written:
        """Say that a listing sells nothing known; its next order lines wait."""

        async def judged() -> Sequence[Told]:
            command = commands.UnlinkListing(
                entity=_account(ports, account).entity, account=account, listing_id=listing_id,
                by="operator", at=ports.clock(),
            )  # fmt: skip
            return [(commands.listing_stream(account, listing_id), command)]

        return written(await carry_out(ports.commands, write, judged))

    @router.get("/listings/{account}/{listing_id:path}/suggestions")
    async def suggestions(
        account: str, listing_id: str, after: After = None
    ) -> list[SuggestionView]:
        """Guess what an unlinked listing sells, by equal SKU, barcode and spelling."""
        row = await (await caught_up(listings, after)).get(account, listing_id)
        if row is None:
            raise Problem("not-found", "No order has named this listing yet.")
        known = await items.find(limit=_MOST_ITEMS)
        sku = row.channel_sku.strip().upper()
        exact = await items.get(sku) if sku else None
        found = suggest(row, [exact, *known] if exact else known)
        return [SuggestionView(sku=s.sku, description=s.description, why=s.why) for s in found]


def _account(ports: Ports, name: str) -> Account:
    found = ports.settings.channels.get(name)
    if found is None:
        raise Problem("not-found", "There is no such account.")
    return found


async def _view(row: ListingRow, items: Rows[ItemRow]) -> ListingView:
    item = await items.get(row.sku) if row.sku is not None else None
    return ListingView(
        account=row.account, listing_id=row.listing_id, channel_sku=row.channel_sku,
        title=row.title, linked=row.linked, sku=row.sku, units_per_listing=row.units_per_listing,
        components=[_component(part) for part in parts_now(row, item)],
        waiting_lines=len(row.waiting),
    )  # fmt: skip


def _component(part: common.Component) -> ComponentView:
    return ComponentView(sku=part.sku, units=part.units)
