"""`lonja lag`: how far every relay and consumer is behind."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output, table
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

app = typer.Typer(add_completion=False)
LATE = 60.0  # seconds
TRIMMED = "topic trimmed"  # nothing stands still for it: read models cannot be rebuilt from there


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
    folder = data or data_folder()
    lines = asyncio.run(_lag(folder, url))
    output = Output(as_json=as_json)
    rows = table("consumer", "records", "seconds", "stopped by", "next", whole=("consumer",))
    for line in lines:
        told = line | {"next": _next(line, folder)}
        if as_json:
            output.say("lag", "", **told)
        rows.add_row(line["consumer"], str(line["records"]), f"{line['seconds']:.1f}",
                     line["stopped"], told["next"])  # fmt: skip
    output.show(rows)
    if any(line["stopped"] not in {"", TRIMMED} for line in lines):
        raise Stop("stopped", "a consumer above has stopped; what mends it stands beside it")
    if fail_over is not None and any(line["records"] > fail_over for line in lines):
        text = f"more than {fail_over} records wait; look at the services' log in {folder}/logs"
        raise Stop("behind", text)


def _next(line: dict[str, Any], folder: Path) -> str:
    """Return what a person does about a consumer that has stopped or stands still."""
    consumer = line["consumer"].partition(".")[2]
    match line["stopped"]:
        case "":
            late = line["seconds"] > LATE
            return f"look at the services' log in {folder}/logs" if late else ""
        case "the broker does not answer":
            return "lonja doctor"
        case found if found == TRIMMED:
            return "lonja relay resend; deploy/runbooks/RelayBehind.md"
        case "gap":
            return "lonja relay resend; deploy/runbooks/ConsumerStopped.md"
        case _ if consumer == "reactor":
            return "deploy/runbooks/ConsumerStopped.md"
        case _:
            return f"mend the fold, then lonja rebuild {consumer}"


async def _lag(data: Path, url: str | None) -> list[dict[str, Any]]:
    from services.console.backends import client  # noqa: PLC0415 - --help stays quick

    async with client(data, url) as http:
        lines: list[dict[str, Any]] = await http.get("/ops/lag")
    return sorted(lines, key=lambda line: (not line["stopped"], -line["records"], line["consumer"]))
