"""`lonja demo`: a real retailer's orders, from three shops' webhooks to reserved stock."""

from pathlib import Path
from typing import Annotated

import typer

from libs.cli.output import Json, Output
from libs.cli.run import INTERRUPTED, data_folder

RATE = 10.0  # what two slow cores carry to the end without a queue
app = typer.Typer(add_completion=False)


@app.command()
def demo(
    orders: Annotated[
        int | None, typer.Option(min=1, help="Only the first N orders, and the special ones.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is synthetic; default 1.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Orders per second; 0: no limit.")] = RATE,
    data: Annotated[
        Path | None, typer.Option(help="Another file of the same retailer.", dir_okay=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of HTTP; 0 is a free one.")
    ] = None,
    leave: Annotated[bool, typer.Option("--exit", help="End after the report.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Clear the data first.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write the report as JSON.", dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show it all on real orders; an unfinished run goes on where it was."""
    from services.console.demo.run import Options, demo  # noqa: PLC0415 - --help stays quick
    from services.console.launch import run_until_told  # noqa: PLC0415

    if report is not None and not report.parent.is_dir():
        raise typer.BadParameter(f"{report.parent} is no folder", param_hint="--report")
    output = Output(as_json=as_json)
    options = Options(data_folder(), orders, seed, rate, data, port, leave, fresh, report)
    code = run_until_told(demo(options, output))
    if code is None:
        output.say("stopped", "Stopped; `lonja demo` goes on with this run.")
        code = INTERRUPTED if leave else 0
    raise typer.Exit(code)
