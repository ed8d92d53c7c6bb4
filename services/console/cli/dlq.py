"""`lonja dlq`: what is parked, why, and trying it again or giving it up."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from libs.cli.errors import Stop
from libs.cli.output import Json, Output
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

app = typer.Typer(add_completion=False, no_args_is_help=True)
SERVICES = ("channels", "orders", "inventory", "fulfilment")


@app.callback()
def dlq() -> None:
    """Look at parked commands and inputs, redrive or discard them."""


@app.command()
def ls(data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """List what is parked, grouped by cause, oldest first."""
    rows = _run(data, url, _parked)
    output = Output(as_json=as_json)
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["service"], row["code"], row["fingerprint"]), []).append(row)
    table = Table("service", "cause", "parked", "oldest", "first", "next")
    for (service, code, mark), found in sorted(groups.items(), key=lambda g: g[1][0]["at"]):
        first = found[0]
        if as_json:
            output.say("parked", "", service=service, code=code, fingerprint=mark,
                       count=len(found), oldest=first["at"], first=first["id"])  # fmt: skip
        table.add_row(service, code, str(len(found)), _time(first["at"]), first["id"],
                      f"lonja dlq show {first['id']}")  # fmt: skip
    output.show(table if rows else "Nothing is parked.")


@app.command()
def show(parked_id: str, data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """Show one parked command: stream, source, cause, and what waits behind it."""
    rows = _run(data, url, _parked)
    row = _one(rows, parked_id)
    queue = [r for r in rows if (r["stream"], r["source"]) == (row["stream"], row["source"])]
    output = Output(as_json=as_json)
    text = "\n".join(f"{name:12} {value}" for name, value in row.items() if name != "at")
    text += f"\n{'since':12} {_time(row['at'])}\n{'queue':12} {len(queue)} of this source wait"
    text += f"\n{'next':12} lonja dlq redrive {parked_id}"
    output.say("parked", text, **row, queued=len(queue))


@app.command()
def redrive(
    parked_id: str,
    by: Annotated[str, typer.Option(help="Who asks; stays in the history.")] = "operator",
    data: Data = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Try a parked command, and what queues behind it, again."""
    _act(parked_id, "redrive", {"by": by}, data, url, Output(as_json=as_json))


@app.command()
def discard(
    parked_id: str,
    reason: Annotated[str, typer.Option(help="Why; stays in the history.")],
    by: Annotated[str, typer.Option(help="Who asks.")] = "operator",
    data: Data = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Give a parked command up for ever."""
    body = {"by": by, "reason": reason, "parked_id": parked_id}
    _act(parked_id, "discard", body, data, url, Output(as_json=as_json))


def _act(
    parked_id: str, verb: str, body: dict[str, str], data: Path | None, url: str | None,
    output: Output,
) -> None:  # fmt: skip
    async def act(http: Any) -> list[dict[str, Any]]:
        row = _one(await _parked(http), parked_id)
        wanted = body | {"stream": row["stream"], "source": row["source"]}
        done: list[dict[str, Any]] = await http.post(f"/ops/{row['service']}/parked/{verb}", wanted)
        return done

    done = _run(data, url, act)
    failed = [one for one in done if one["code"] is not None]
    for one in done:
        end = "applied" if verb == "redrive" else "discarded"
        said = end if one["code"] is None else f"still parked: {one['code']}"
        output.say(verb, f"{one['id']}  {one['stream']}  {said}", **one)
    if failed:
        raise Stop("still-parked", f"{len(failed)} remain; mend the cause, then redrive again")


def _one(rows: list[dict[str, Any]], parked_id: str) -> dict[str, Any]:
    for row in rows:
        if row["id"] == parked_id:
            return row
    raise Stop("not-parked", f"nothing is parked as {parked_id}; see `lonja dlq ls`")


async def _parked(http: Any) -> list[dict[str, Any]]:
    return [row for name in SERVICES for row in await http.get(f"/ops/{name}/parked", limit="500")]


def _run(
    data: Path | None, url: str | None, work: Callable[[Any], Awaitable[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    async def go() -> list[dict[str, Any]]:
        from services.console.backends import url_of  # noqa: PLC0415 - --help stays quick
        from services.console.http import Http, Refusal  # noqa: PLC0415

        async with Http(url_of(data or data_folder(), url)) as http:
            try:
                return await work(http)
            except Refusal as error:
                raise Stop(error.code, str(error)) from error

    return asyncio.run(go())


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"
