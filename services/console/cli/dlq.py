"""`lonja dlq`: what is parked, why, and trying it again or giving it up."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output, table, time_text
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

app = typer.Typer(add_completion=False, no_args_is_help=True)
MOST = 500  # of a service, in one list
FOREIGN = "foreign-record"


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
    shown = table("service", "cause", "parked", "oldest", "first", whole=("first",))
    for (service, code, mark), found in sorted(groups.items(), key=lambda g: g[1][0]["at"]):
        first = found[0]
        if as_json:
            output.say("parked", "", service=service, code=code, fingerprint=mark,
                       count=len(found), oldest=first["at"], first=first["id"])  # fmt: skip
        shown.add_row(service, code, str(len(found)), time_text(first["at"]),
                      first["id"])  # fmt: skip
    if not rows:
        output.say("nothing-parked", "Nothing is parked.")
        return
    output.show(shown)
    if not as_json:
        output.say("hint", "lonja dlq show ID says what one is, and what can be done.")
    for service in {row["service"] for row in rows}:
        if sum(row["service"] == service for row in rows) >= MOST:
            text = f"Of {service} these are the oldest {MOST}; settle some to see the others."
            output.say("more", text, service=service)


@app.command()
def show(parked_id: str, data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """Show one parked command: stream, source, cause, and what waits behind it."""
    rows = _run(data, url, _parked)
    row = _one(rows, parked_id)
    queue = [r for r in rows if (r["stream"], r["source"]) == (row["stream"], row["source"])]
    output = Output(as_json=as_json)
    text = "\n".join(f"{name:12} {value}" for name, value in row.items() if name != "at")
    text += f"\n{'since':12} {time_text(row['at'])}\n{'queue':12} {len(queue)} of this source wait"
    first, discard = queue[0]["id"], f"lonja dlq discard {parked_id} --reason 'WHY'"
    # What nobody of ours wrote will not be understood tomorrow either.
    steps = [discard] if row["code"] == FOREIGN else [f"lonja dlq redrive {first}", discard]
    text += f"\n{'next':12} " + f"\n{'or':12} ".join(steps)
    output.say("parked", text, **row, queued=len(queue), next=steps)


@app.command()
def redrive(
    parked_id: str,
    by: Annotated[str, typer.Option(help="Who asks: a name or a role, for ever.")] = "operator",
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
        path, key = f"/ops/{row['service']}/parked/{verb}", f"dlq-{uuid.uuid4().hex}"
        done: list[dict[str, Any]] = await http.post(path, wanted, key=key)
        return done

    done = _run(data, url, act)
    failed = [one for one in done if one["code"] is not None]
    for one in done:
        end = "applied" if verb == "redrive" else "discarded"
        if verb == "redrive" and one["stream"].startswith("intake-inbox/"):
            end = "back in the inbox; it is parked anew if it still means nothing"
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
    """Return what is parked in the services that run there, the oldest first."""
    rows: list[dict[str, Any]] = []
    for name in await http.get("/ops/services"):
        rows += await http.get(f"/ops/{name}/parked", limit=str(MOST))
    return sorted(rows, key=lambda row: row["at"])


def _run(
    data: Path | None, url: str | None, work: Callable[[Any], Awaitable[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    async def go() -> list[dict[str, Any]]:
        from services.console.backends import client  # noqa: PLC0415 - --help stays quick

        async with client(data or data_folder(), url) as http:
            return await work(http)

    return asyncio.run(go())
