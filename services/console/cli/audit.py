"""`lonja audit`: proves the promises from outside, or names each one that is not kept."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output, counted
from libs.cli.run import data_folder
from services.console.cli.options import Data

app = typer.Typer(add_completion=False)
UNDER_WAY = 300_000_000  # microseconds until what one service told is known to all
MOST = 20  # findings that a person is shown at once
BOOKS = Path("run/books.json")


@app.command()
def audit(
    books: Annotated[
        list[str] | None,
        typer.Option(help="NAME=URL of outside books: payments, carrier, or a shop's account."),
    ] = None,
    at_rest: Annotated[
        bool, typer.Option("--at-rest", help="Nothing is under way: judge the last minutes, too.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Read topics, databases and outside books, and prove the promises or name what breaks them.

    It shares no code with the services: published schemas and plain SQL are all it reads by. What
    the services owe one another they have five minutes to tell, unless --at-rest is given.
    """
    output = Output(as_json=as_json)
    given = _named(books or [])
    slack = 0 if at_rest else UNDER_WAY
    verdict = asyncio.run(_audit(data or data_folder(), given, slack, output))
    if as_json:
        output.say("audit", "", sound=verdict.sound, figures=dict(verdict.figures),
                   findings=[msgspec.to_builtins(one) for one in verdict.findings])  # fmt: skip
    else:
        _show(output, verdict)
    if not verdict.sound:
        found = counted(len(verdict.findings), "finding")
        raise Stop("not-sound", f"{found}; what each names is not kept, or not proved")


def _named(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, equals, url = one.partition("=")
        if not equals or not url:
            raise Stop("usage", f"--books takes NAME=URL, not {one}", 2)
        found[name] = url.rstrip("/")
    return found


async def _audit(data: Path, given: dict[str, str], slack: int, output: Output) -> Any:
    from libs.bus.topics import topic_of  # noqa: PLC0415 - --help stays quick
    from libs.store.pool import database_dsn  # noqa: PLC0415
    from services.console.audit.run import Sources, audit  # noqa: PLC0415
    from services.console.backends import answering  # noqa: PLC0415
    from services.console.composition import SERVICES  # noqa: PLC0415
    from services.console.places import settings_of  # noqa: PLC0415

    servers, settings = await answering(data), settings_of(data)
    noted = data / BOOKS
    known: dict[str, str] = json.loads(noted.read_text()) if noted.exists() else {}
    sources = Sources(
        servers.kafka,
        {name: topic_of(settings.topic_prefix, name) for name in SERVICES},
        {
            name: database_dsn(servers.postgres, f"{settings.database_prefix}{name}")
            for name in SERVICES
        },
        known | given,
        database_dsn(servers.postgres, f"{settings.database_prefix}vault"),
        settings.limits.inbox_days,
    )

    def progress(seen: int, total: int) -> None:
        output.count(f"{seen:,} of {total:,} records")

    now = time.time_ns() // 1000
    return await audit(sources, now, now - slack, progress)


def _show(output: Output, verdict: Any) -> None:
    for name, figures in verdict.figures.items():
        output.say("figures", "\n".join(_lines(name, figures)))
    for one in verdict.findings[:MOST]:
        output.say("finding", f"{one.promise} {one.code}: {one.subject}: {one.text}")
        for event in one.events:
            output.say("event", f"    {event}")
    if len(verdict.findings) > MOST:
        more = len(verdict.findings) - MOST
        output.say("more", f"and {more} more; --json shows all")
    if verdict.sound:
        output.say("sound", "Every promise that was looked at is kept.")


def _lines(name: str, figures: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Give what was counted in a line, and each table in it under that."""
    inner = {k: v for k, v in figures.items() if isinstance(v, Mapping)}
    words = (
        f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}"
        for k, v in figures.items()
        if k not in inner
    )
    yield f"{indent}{name}: {', '.join(words)}".rstrip()
    for under, counted_ in inner.items():
        if counted_:
            yield from _lines(under, counted_, f"{indent}  ")
