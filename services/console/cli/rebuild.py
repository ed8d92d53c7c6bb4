"""`lonja rebuild`: fill a read model anew from the topics, and prove it equal to the live one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output
from libs.cli.run import data_folder
from services.console.cli.options import Data

app = typer.Typer(add_completion=False)


@app.command()
def rebuild(
    projection: Annotated[str | None, typer.Argument(help="Which read model.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every read model, and swap.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare with the live rows; one alone is not swapped."),
    ] = False,
    from_nothing: Annotated[
        bool, typer.Option("--from-nothing", help="Drop the live rows first: the disaster drill.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Rebuild read models from the topics while everything runs."""
    if (projection is None) == (not everything):
        raise Stop("usage", f"name one read model, or say --all; {_there_are()}", 2)
    if projection is not None and projection not in _known():
        raise Stop("unknown-projection", f"{projection} is no read model; {_there_are()}", 2)
    output = Output(as_json=as_json)
    from libs.replay.renewing import AWAY  # noqa: PLC0415 - --help stays quick

    try:
        equal = asyncio.run(
            _rebuild(data or data_folder(), output, projection, verify, from_nothing)
        )
    except AWAY as error:
        text = f"the servers went away ({type(error).__name__}); lonja doctor, then repeat this"
        raise Stop("servers-gone", text) from error
    if not equal:
        raise Stop("differs", "the copy and the live rows differ; the live rows were kept")


async def _rebuild(
    data: Any, output: Output, wanted: str | None, verify: bool, from_nothing: bool
) -> bool:
    from libs.bus.topics import topic_of  # noqa: PLC0415 - --help stays quick
    from libs.replay.filling import RebuildFailed  # noqa: PLC0415
    from libs.replay.rebuild import rebuild as fill  # noqa: PLC0415
    from libs.replay.shares import workers_at  # noqa: PLC0415
    from libs.runtime.memory import settle  # noqa: PLC0415
    from services.console.backends import answering, codec_of, database, dsn_of  # noqa: PLC0415
    from services.console.composition import SERVICES  # noqa: PLC0415
    from services.console.places import settings_of  # noqa: PLC0415

    settle()  # a rebuild makes hundreds of thousands of rows, and no cycles
    servers, settings = await answering(data), settings_of(data)
    equal = True
    for service in SERVICES.values():
        chosen = [p for p in service.projections if wanted in {None, p.name}]
        if not chosen:
            continue
        workers = workers_at(dsn_of(servers, settings, service.name))
        async with database(servers, settings, service.name) as pool:
            for projection in chosen:
                topics = {topic_of(settings.topic_prefix, t): t for t in projection.topics}
                try:
                    done = await fill(
                        pool, servers.kafka, topics, projection, codec_of(service), verify=verify,
                        swap=wanted is None or from_nothing or not verify,
                        from_nothing=from_nothing, progress=_progress(output), workers=workers,
                    )  # fmt: skip
                except RebuildFailed as error:
                    raise Stop("rebuild-failed", str(error)) from error
                _tell(output, done)
                equal = equal and (done.compared is None or done.compared.equal)
    return equal


def _known() -> list[str]:
    from services.console.composition import SERVICES  # noqa: PLC0415 - --help stays quick

    return sorted(one.name for service in SERVICES.values() for one in service.projections)


def _there_are() -> str:
    return f"there are {', '.join(_known())}"


def _progress(output: Output) -> Callable[[Any], None]:
    def show(now: Any) -> None:
        text = f"{now.projection}: {now.records} of {now.total} records, "
        output.count(f"{text}{now.rate:,.0f}/s, {now.eta:.0f} s to go")

    return show


def _tell(output: Output, done: Any) -> None:
    compared = done.compared
    text = (
        f"{done.projection}: {done.rows} rows from {done.records} records in {done.seconds:.1f} s"
    )
    text += f" ({done.rate:,.0f}/s)"
    if compared is not None:
        text += ", equal to the live rows" if compared.equal else ", DIFFERS from the live rows at "
        text += "" if compared.equal else _keys(compared.differing)
        text += f", digest {compared.digest[:12]}"
    text += ", swapped" if done.swapped else ""
    output.say("rebuilt", text, **msgspec.to_builtins(done))


def _keys(differing: Sequence[Sequence[object]]) -> str:
    return "; ".join("/".join(map(str, key)) for key in differing)
