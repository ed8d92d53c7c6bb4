"""`lonja import stock|products FILE.csv`: the plan first, and with `--apply` the doing."""

import asyncio
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output
from libs.cli.run import data_folder

if TYPE_CHECKING:
    from services.console.importing import Plan

app = typer.Typer(add_completion=False, help="Take in stock or products from a CSV file.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
Apply = Annotated[bool, typer.Option("--apply", help="Do it; without, only the plan is shown.")]
Url = Annotated[str | None, typer.Option(help="Of the services; else those of this folder.")]
_SHOWN = 20


@app.command()
def stock(file: File, apply: Apply = False, url: Url = None, as_json: Json = False) -> None:
    """Receive units: sku, location, quantity, unit_cost, currency, document."""
    _import("stock", file, url, Output(as_json=as_json), apply=apply)


@app.command()
def products(file: File, apply: Apply = False, url: Url = None, as_json: Json = False) -> None:
    """Define items: sku, description, barcode, components ("A:2;B:1")."""
    _import("products", file, url, Output(as_json=as_json), apply=apply)


def _import(kind: str, file: Path, url: str | None, output: Output, *, apply: bool) -> None:
    from services.console.importing import plan  # noqa: PLC0415 - --help stays quick

    try:
        planned = plan(kind, file.read_text(encoding="utf-8"), uuid.uuid4().hex)
    except ValueError as error:
        raise Stop("file-unreadable", f"{file}: {error}", 2) from error
    _show(planned, output)
    if not apply:
        output.say("planned", "Nothing is done yet; --apply does it.", lines=len(planned.writes))
        return
    failed = asyncio.run(_send(planned, url or _running(), output))
    output.say("applied", f"{len(planned.writes) - failed} lines are in.", failed=failed)
    if failed or planned.refused:
        raise typer.Exit(1)


def _show(planned: "Plan", output: Output) -> None:
    for one in planned.writes[:_SHOWN]:
        facts: dict[str, Any] = {k: v for k, v in one.body.items() if v not in (None, "", [])}
        text = ", ".join(f"{k} {v}" for k, v in facts.items() if k not in {"by", "document"})
        output.say("line", f"  line {one.line}: {one.sku}: {text}", line=one.line, sku=one.sku)
    if len(planned.writes) > _SHOWN:
        more = len(planned.writes) - _SHOWN
        output.say("more", f"  and {more} lines more", lines=more)
    for bad in planned.refused:
        output.say("refused", f"  line {bad.line} is refused: {bad.code} {bad.sku}",
                   line=bad.line, code=bad.code, sku=bad.sku)  # fmt: skip
    text = f"{len(planned.writes)} lines to take in, {len(planned.refused)} refused."
    output.say("plan", text, lines=len(planned.writes), refused=len(planned.refused))


def _running() -> str:
    from services.console.places import running_services  # noqa: PLC0415

    found = running_services(data_folder())
    if found is None:
        text = f"no services run in {data_folder()}; start `lonja up`, or name them with --url"
        raise Stop("not-running", text)
    return found


async def _send(planned: "Plan", url: str, output: Output) -> int:
    """Send each line once; the number of lines that were refused."""
    from services.console.http import Http, Refusal  # noqa: PLC0415

    async with Http(url, os.environ.get("LONJA_TOKEN")) as http:

        async def one(path: str, body: Any, key: str) -> Refusal | None:
            try:
                await http.post(path, body, key=key)
            except Refusal as no:
                return no
            return None

        sent = (one(line.path, line.body, line.key) for line in planned.writes)
        with output.waiting(f"Sending {len(planned.writes)} lines"):
            answers = await asyncio.gather(*sent)
    refusals = [
        (line, no) for line, no in zip(planned.writes, answers, strict=True) if no is not None
    ]
    for line, no in refusals:
        output.say("refused", f"  line {line.line} is refused: {no}", line=line.line, code=no.code)
    return len(refusals)
