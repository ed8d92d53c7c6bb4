"""`lonja up`: servers and all services, until Ctrl-C."""

import os
from pathlib import Path
from typing import Annotated

import typer

from libs.cli.output import Json, Output
from libs.cli.run import data_folder

app = typer.Typer(add_completion=False)

Data = Annotated[Path | None, typer.Option(help="Folder of all data; else LONJA_DATA, .lonja.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Of HTTP; 0 is a free one.")]
Stack = Annotated[str | None, typer.Option(help="'docker': servers in containers.")]


@app.command()
def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Clear the data first.")] = False,
    port: Port = None,
    stack: Stack = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Start everything and keep it running."""
    from services.console.launch import run_until_told  # noqa: PLC0415 - --help stays quick

    if stack not in {None, "docker"}:
        raise typer.BadParameter("there is only 'docker'", param_hint="--stack")
    output = Output(as_json=as_json)
    work = _up(data or data_folder(), output, fresh=fresh, port=port, stack=stack)
    if run_until_told(work) is None:
        output.say("stopped", "Stopped.")


async def _up(
    data: Path, output: Output, *, fresh: bool, port: int | None, stack: str | None
) -> int:
    from libs.runtime.settings import check_secrets, load  # noqa: PLC0415
    from libs.web.tokens import check_listening  # noqa: PLC0415
    from services.console.launch import Wanted, launched  # noqa: PLC0415
    from services.console.places import clear, port_for  # noqa: PLC0415

    settings = load()
    check_listening(settings.server)
    check_secrets(settings)
    if fresh:
        await clear(data, os.environ)
    wanted = Wanted(data, settings, *port_for(settings, port), stack=stack)
    if not settings.channels:
        text = "No channel accounts: there is no lonja.toml with any (see lonja.example.toml)."
        output.say("no-accounts", text)
    async with launched(wanted, output) as services:
        text = f"Ready at {services.url}; documentation at {services.url}/docs. Ctrl-C stops all."
        output.say("ready", text, url=services.url, docs=f"{services.url}/docs")
        await services.supervise()
    return 0
