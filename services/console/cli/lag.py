"""`lonja lag`: how far every relay and consumer is behind."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from libs.cli.errors import Stop
from libs.cli.output import Json, Output
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

app = typer.Typer(add_completion=False)


@app.command()
def lag(
    fail_over: Annotated[
        int | None, typer.Option(min=0, help="Fail where more records than this wait.")
    ] = None,
    data: Data = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show what each relay and consumer still has before it, the furthest behind first."""
    lines = asyncio.run(_lag(data or data_folder(), url))
    output = Output(as_json=as_json)
    table = Table("consumer", "records", "seconds")
    for line in lines:
        output.say("lag", "", **line) if as_json else None
        table.add_row(line["consumer"], str(line["records"]), f"{line['seconds']:.1f}")
    output.show(table)
    if fail_over is not None and any(line["records"] > fail_over for line in lines):
        raise Stop("behind", f"more than {fail_over} records wait; look at the services' log")


async def _lag(data: Path, url: str | None) -> list[dict[str, Any]]:
    from services.console.backends import url_of  # noqa: PLC0415 - --help stays quick
    from services.console.http import Http  # noqa: PLC0415

    async with Http(url_of(data, url)) as http:
        lines: list[dict[str, Any]] = await http.get("/ops/lag")
    return sorted(lines, key=lambda line: (-line["records"], line["consumer"]))
