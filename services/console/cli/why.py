"""`lonja why SKU`: the receipt, adjustment or order behind each unit."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from libs.cli.errors import Stop
from libs.cli.output import Json, Output
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

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
    table = Table("when", "what", "units", "location", "behind it", "reason")
    for one in entries:
        if as_json:
            output.say("entry", "", **one)
        at = f"{datetime.fromtimestamp(one['at'] // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"
        behind = " ".join(name for name in (one["order_id"], one["document"]) if name)
        table.add_row(at, one["kind"], f"{one['units']:+d}", one["location"], behind, one["reason"])
    output.show(table)


async def _why(
    data: Path, url: str | None, sku: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from services.console.backends import url_of  # noqa: PLC0415 - --help stays quick
    from services.console.http import Http, Refusal, part  # noqa: PLC0415

    async with Http(url_of(data, url)) as http:
        path = f"/inventory/stock/{part(sku)}"
        try:
            stock: dict[str, Any] = await http.get(path)
        except Refusal as error:
            raise Stop(error.code, str(error)) from error
        entries: list[dict[str, Any]] = []
        cursor: int | None = 0
        while cursor is not None:
            page = await http.get(f"{path}/entries", limit="1000", cursor=str(cursor))
            entries += page["entries"]
            cursor = page["cursor"]
        return stock, entries
