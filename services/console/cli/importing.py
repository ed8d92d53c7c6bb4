"""`lonja import stock|products FILE.csv`: the plan first, and with `--apply` the doing."""

import asyncio
import itertools
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output, counted
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

if TYPE_CHECKING:
    from services.console.importing import Plan

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Take in stock or products from a CSV file."
)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
Apply = Annotated[bool, typer.Option("--apply", help="Do it; without, only the plan is shown.")]
_SHOWN = 20


class Writer(Protocol):
    """Whoever can write to the services."""

    async def post(self, path: str, body: Any = None, *, key: str = "") -> Any:
        """Write once and return the answer's JSON. Raises Refusal."""
        ...


@app.command()
def stock(
    file: File, apply: Apply = False, data: Data = None, url: Url = None, as_json: Json = False
) -> None:
    """Receive units: sku, location, quantity, unit_cost, currency, document."""
    _import("stock", file, data, url, Output(as_json=as_json), apply=apply)


@app.command()
def products(
    file: File, apply: Apply = False, data: Data = None, url: Url = None, as_json: Json = False
) -> None:
    """Define items: sku, description, barcode, components ("A:2;B:1")."""
    _import("products", file, data, url, Output(as_json=as_json), apply=apply)


def _import(
    kind: str, file: Path, data: Path | None, url: str | None, output: Output, *, apply: bool
) -> None:
    from services.console.backends import url_of  # noqa: PLC0415 - --help stays quick
    from services.console.importing import plan  # noqa: PLC0415

    try:
        planned = plan(kind, file.read_text(encoding="utf-8"), uuid.uuid4().hex)
    except UnicodeDecodeError as error:
        text = f"{file} is not text in UTF-8: save it as CSV UTF-8"
        raise Stop("file-unreadable", text, 2) from error
    except ValueError as error:
        raise Stop("file-unreadable", f"{file}: {error}", 2) from error
    _show(planned, output)
    if not apply:
        text = "Nothing is done yet; --apply does it." if planned.writes else "Nothing to do."
        output.say("planned", text, lines=len(planned.writes))
        return
    failed = asyncio.run(_connected(planned, url_of(data or data_folder(), url), output))
    if failed or planned.refused:
        raise typer.Exit(1)


def _show(planned: "Plan", output: Output) -> None:
    for one in planned.writes[:_SHOWN]:
        facts: dict[str, Any] = {k: v for k, v in one.body.items() if v not in (None, "", [])}
        text = ", ".join(f"{k} {_told(v)}" for k, v in facts.items() if k not in {"by", "document"})
        output.say("line", f"  line {one.line}: {one.sku}: {text}", line=one.line, sku=one.sku)
    if len(planned.writes) > _SHOWN:
        more = len(planned.writes) - _SHOWN
        output.say("more", f"  and {counted(more, 'line')} more", lines=more)
    for bad in planned.refused:
        output.say("refused", f"  line {bad.line} is refused: {bad.code} {bad.sku}",
                   line=bad.line, code=bad.code, sku=bad.sku)  # fmt: skip
    text = f"{counted(len(planned.writes), 'line')} to send, {len(planned.refused)} refused."
    output.say("plan", text, lines=len(planned.writes), refused=len(planned.refused))


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ";".join(f"{part['sku']}:{part['units']}" for part in value)
    return str(value)


async def _connected(planned: "Plan", url: str, output: Output) -> int:
    from services.console.http import Http  # noqa: PLC0415

    async with Http(url, os.environ.get("LONJA_TOKEN")) as http:
        return await send(planned, http, output)


async def send(planned: "Plan", http: Writer, output: Output) -> int:
    """Send each line once, say what came of it, and return the number that services refused.

    A line that led to no event was in already.
    """
    from services.console.http import Refusal  # noqa: PLC0415

    answered = itertools.count(1)

    async def one(path: str, body: Any, key: str) -> bool | Refusal:
        try:
            return bool((await http.post(path, body, key=key))["events"])
        except Refusal as no:
            return no
        finally:
            output.count(f"{next(answered):,} of {counted(len(planned.writes), 'line')}")

    sent = (one(line.path, line.body, line.key) for line in planned.writes)
    answers = await asyncio.gather(*sent)
    for line, no in zip(planned.writes, answers, strict=True):
        if isinstance(no, Refusal):
            text = f"  line {line.line} is refused: {no}"
            output.say("refused", text, line=line.line, code=no.code)
    new, known = answers.count(True), answers.count(False)
    failed = len(answers) - new - known
    refused = failed + len(planned.refused)
    text = f"{counted(new, 'line')} in, {known} in already, {refused} refused."
    output.say("applied", text, lines=new, known=known, failed=failed)
    return failed
