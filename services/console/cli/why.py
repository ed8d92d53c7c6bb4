"""`lonja why SKU`: the receipt, adjustment or order behind each unit."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from libs.cli.output import Json, Output, table, time_text
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

if TYPE_CHECKING:
    from services.console.queues import Reader

app = typer.Typer(add_completion=False)


@app.command()
def why(sku: str, data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """Say why a SKU shows what it shows."""
    stock, entries = asyncio.run(_why(data or data_folder(), url, sku))
    output = Output(as_json=as_json)
    text = (
        f"{stock['sku']}  {stock['description']}\n  on hand {stock['on_hand']}"
        f" - reserved {stock['reserved']} = available {stock['available']}"
        f"; waiting {stock['waiting']}, shipped {stock['shipped']},"
        f" written off {stock['written_off']}"
    )
    output.say("stock", text, **stock)
    rows = table("when", "what", "units", "where", "behind it", "reason", whole=("when", "what"))
    for one in entries:
        if as_json:
            output.say("entry", "", **one)
        at = time_text(one["at"])
        behind = one["order_id"] or one["document"]
        rows.add_row(at, one["kind"], f"{one['units']:+d}", one["location"], behind, one["reason"])
    output.show(rows)


async def _why(
    data: Path, url: str | None, sku: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from services.console.backends import client  # noqa: PLC0415 - --help stays quick

    async with client(data, url) as http:
        return await behind(http, sku)


async def behind(http: "Reader", sku: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a SKU's stock and the entries behind it, oldest first. Raises Refusal."""
    from services.console.http import part  # noqa: PLC0415

    # In capitals, as it is kept: "a/entries" is no other SKU's entries.
    path = f"/inventory/stock/{part(sku.strip().upper())}"
    stock: dict[str, Any] = await http.get(path)
    entries: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        page = await http.get(f"{path}/entries", limit="1000", cursor=str(cursor))
        entries += page["entries"]
        cursor = page["cursor"]
    return stock, entries
