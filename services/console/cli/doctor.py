"""`lonja doctor`: what this machine and this system lack, each with the command that mends it.

It looks and changes nothing. What each look is stands in `services.console.looking`.
"""

import asyncio

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output, table
from libs.cli.run import data_folder
from services.console.cli.options import Data

app = typer.Typer(add_completion=False)


@app.command()
def doctor(data: Data = None, as_json: Json = False) -> None:
    """Look at everything that a run needs; exit code 1 where something fails."""
    from services.console.looking import look  # noqa: PLC0415 - --help stays quick

    output = Output(as_json=as_json)
    with output.waiting("Looking"):
        findings = asyncio.run(look(data or data_folder()))
    shown = table("", "what", "seen", "mend")
    for one in findings:
        if as_json:
            output.say("finding", "", name=one.what, grade=one.grade, seen=one.seen,
                       mend=one.mend)  # fmt: skip
        shown.add_row(one.grade, one.what, one.seen, one.mend)
    output.show(shown)
    if any(one.grade == "fail" for one in findings):
        raise Stop("unwell", "something above fails; its mend stands beside it")
