"""The `lonja` command: its verbs. What a verb does stands in its own module."""

import logging
import sys
from typing import Annotated, ClassVar

import typer

from libs.cli import run
from libs.cli.lazy import LazyGroup
from libs.version import VERSION

_CLI = "services.console.cli"


class Verbs(LazyGroup):
    """Every verb: its module, whose `app` is a typer app, and its line of help."""

    verbs: ClassVar = {
        "demo": (f"{_CLI}.demo", "Real orders from three shops, through everything, to a report."),
        "up": (f"{_CLI}.up", "Start everything and keep it running."),
        "serve": (f"{_CLI}.serve", "Run some services in this process."),
        "import": (f"{_CLI}.importing", "Take in stock or products from a CSV file."),
        "doctor": (f"{_CLI}.doctor", "Look at everything that a run needs, and name the mends."),
        "trace": (f"{_CLI}.trace", "An order's story over all services."),
        "why": (f"{_CLI}.why", "What is behind the units of a SKU."),
        "lag": (f"{_CLI}.lag", "How far relays and consumers are behind."),
        "stuck": (f"{_CLI}.stuck", "What waits in any service, by reason; overdue first."),
        "dlq": (f"{_CLI}.dlq", "Parked commands: look, redrive, discard."),
        "audit": (f"{_CLI}.audit", "Prove the promises from topics, databases and outside books."),
        "erase": (f"{_CLI}.erase", "Forget a customer: the plan first, then the keys."),
        "relay": (f"{_CLI}.relay", "Send events of a service's store to its topic once more."),
        "rebuild": (f"{_CLI}.rebuild", "Fill read models anew from the topics, and compare."),
    }


app = typer.Typer(
    name="lonja",
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Connects everything a shop sells with, through one event log.",
)


def _told(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lonja {VERSION}")
        raise typer.Exit


@app.callback()
def lonja(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_told, help="Say which release.")
    ] = False,
) -> None:
    """Connect everything a shop sells with, through one event log."""


def main() -> None:
    """Run the command line of this process."""
    # What a client of Kafka has to say about an address that does not answer, a verb says itself.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    sys.exit(run.run(typer.main.get_command(app), sys.argv[1:], "lonja"))


if __name__ == "__main__":
    main()
