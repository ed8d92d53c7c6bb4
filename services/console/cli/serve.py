"""`lonja serve SERVICE…`: some services in this very process, on the servers of this folder."""

import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output
from libs.cli.run import data_folder
from services.console.cli.up import Data, Port, Stack

if TYPE_CHECKING:
    from libs.runtime.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    services: Annotated[
        list[str],
        typer.Argument(
            help="One or several, or all: channels, orders, inventory, payments, fulfilment,"
            " accounting, crm_sync."
        ),
    ],
    port: Port = None,
    stack: Stack = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Run some services in this process; it joins the servers that `lonja up` runs, if it does."""
    import asyncio  # noqa: PLC0415 - --help stays quick

    import uvloop  # noqa: PLC0415

    from services.console.composition import SERVICES  # noqa: PLC0415

    names = list(SERVICES) if services == ["all"] else list(dict.fromkeys(services))
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        text = f"there is no service {', '.join(unknown)}; there are {', '.join(SERVICES)}"
        raise Stop("service-unknown", text, 2)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        output = Output(as_json=as_json)
        runner.run(_serve(names, data or data_folder(), output, port, stack))


async def _serve(
    names: list[str], data: Path, output: Output, port: int | None, stack: str | None
) -> None:
    from libs.runtime.settings import check_secrets  # noqa: PLC0415
    from libs.stack.stack import attach, running_stack  # noqa: PLC0415
    from libs.telemetry.logs import configure  # noqa: PLC0415
    from libs.web.tokens import check_listening  # noqa: PLC0415
    from services.console import serve as serving  # noqa: PLC0415
    from services.console.launch import say_servers  # noqa: PLC0415
    from services.console.places import address, settings_of  # noqa: PLC0415

    settings = settings_of(data)
    check_listening(settings.server)
    check_secrets(settings)
    bound = _listen(settings, port)
    async with contextlib.AsyncExitStack() as exits:
        servers = attach(data)
        if servers is None:
            with output.waiting("Starting Kafka and PostgreSQL"):
                servers = await exits.enter_async_context(
                    running_stack(data, stack=stack, environ=os.environ)
                )
        say_servers(servers, output)
        configure(",".join(names), stream=sys.stderr)
        url = address(bound)
        output.say("serving", f"{', '.join(names)} at {url}", url=url, services=names)
        await serving.serve(names, servers, settings, data, bound)


def _listen(settings: "Settings", given: int | None) -> socket.socket:
    from libs.stack.errors import StackError  # noqa: PLC0415
    from services.console.places import port_for  # noqa: PLC0415
    from services.console.serve import listening_socket  # noqa: PLC0415

    port, asked = port_for(settings, given)
    try:
        return listening_socket(settings.server.host, port)
    except StackError:
        if asked:
            raise
        return listening_socket(settings.server.host, 0)
