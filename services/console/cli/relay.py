"""`lonja relay`: send a service's events to its topic once more, from the store."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output
from libs.cli.run import data_folder
from services.console.cli.options import Data

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def relay() -> None:
    """Mend a topic from the store."""


@app.command()
def resend(
    service: str,
    lane: Annotated[int, typer.Option(min=0, help="The partition.")],
    after: Annotated[int, typer.Option(min=0, help="The last number that is there.")] = 0,
    yes: Annotated[bool, typer.Option("--apply", help="Do it; else only say what.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Send a partition's events behind a number again; whoever has them drops them by number."""
    output = Output(as_json=as_json)
    head = asyncio.run(_resend(data or data_folder(), service, lane, after, yes))
    facts = {"service": service, "lane": lane, "after": after, "head": head}
    count, what = max(0, head - after), f"events of {service}, partition {lane},"
    text = f"{count} {what} sent again." if yes else f"{count} {what} would be sent again"
    if count == 0:
        text = (
            f"Nothing is behind number {after}: the last of {service}, partition {lane}, is {head}."
        )
    elif not yes:
        text += f", from number {after + 1} to {head}; nothing is done without --apply."
    output.say("resent" if yes else "plan", text, **facts)


async def _resend(data: Path, service: str, lane: int, after: int, yes: bool) -> int:
    from libs.bus.relay import Relay  # noqa: PLC0415 - --help stays quick
    from libs.bus.topics import topic_of  # noqa: PLC0415
    from libs.codec.registry import Registry  # noqa: PLC0415
    from libs.values.lanes import PARTITIONS  # noqa: PLC0415
    from services.console.backends import answering, database, service_named  # noqa: PLC0415
    from services.console.places import settings_of  # noqa: PLC0415

    service_named(service)
    if lane >= PARTITIONS:
        raise Stop("unknown-lane", f"partitions are 0 to {PARTITIONS - 1}", 2)
    servers, settings = await answering(data), settings_of(data)
    async with database(servers, settings, service) as pool:
        topic = topic_of(settings.topic_prefix, service)
        head: int = await pool.fetchval("SELECT head FROM lanes WHERE lane = $1", lane)
        if yes and head > after:
            sender = Relay(pool, servers.kafka, topic, service, Registry.from_lock())
            head = await sender.resend(lane, after)
    return head
