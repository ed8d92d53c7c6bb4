"""`lonja erase CUSTOMER`: shows what would be destroyed and what is kept, asks, then does it."""

import asyncio
import os
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output, counted
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

if TYPE_CHECKING:
    from services.console.http import Http

app = typer.Typer(add_completion=False)
Customer = Annotated[str, typer.Argument(help="A customer's id (cus_…), or an order's (ord_…).")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
PATIENCE = 60.0  # seconds until the vault has answered
POLL = 0.1


@app.command()
def erase(
    customer: Customer,
    yes: Yes = False,
    by: Annotated[str, typer.Option(help="Who asks: a name or a role, for ever.")] = "operator",
    data: Data = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Destroy the keys of everything that says who a customer is; the plan comes first."""
    output = Output(as_json=as_json)
    asyncio.run(_erase(data or data_folder(), url, customer, by, output, yes=yes))


async def _erase(
    data: Path, url: str | None, customer: str, by: str, output: Output, *, yes: bool
) -> None:
    from services.console.backends import url_of  # noqa: PLC0415 - --help stays quick
    from services.console.http import Http  # noqa: PLC0415

    async with Http(url_of(data, url), os.environ.get("LONJA_TOKEN")) as http:
        path = f"/customers/{await _customer(http, customer)}/erasure"
        plan = await http.get(path)
        _show(plan, output)
        if plan["state"] == "completed":
            return
        if plan["state"] == "planned":
            await _confirmed(output, yes=yes)
            body = {"subjects": plan["subjects"], "by": by}
            await http.post(path, body, key=f"erase-{uuid.uuid4().hex}")
        await _followed(http, path, plan["subjects"], output)


async def _customer(http: "Http", given: str) -> str:
    from libs.values.ids import short  # noqa: PLC0415
    from services.console.cli.stuck import find_order  # noqa: PLC0415

    if re.fullmatch("cus_[0-9a-f]{20}", given):
        return given
    if given.startswith("ord_"):
        return "cus_" + short((await find_order(http, given))["customer"])
    raise Stop("usage", f"{given} is no customer's id (cus_…) and no order's (ord_…)", 2)


def _show(plan: dict[str, Any], output: Output) -> None:
    lines = [f"{plan['customer_id']}: {plan['state']}; {counted(len(plan['subjects']), 'subject')}"]
    for key in plan["keys"]:
        until = f" {_until(key['until'])}" if key["until"] else ""
        lines.append(f"  {key['action']:8} {key['clearance']:9} key of {key['subject']}{until}")
    lines += [
        f"  scrub    {counted(scrub['rows'], 'row')} of {scrub['read_model']}: {scrub['what']}"
        for scrub in plan["read_models"]
    ]
    lines += [f"  kept     {text}" for text in plan["retained"]]
    raw = _day(plan["raw_deliveries_until"])
    lines.append(
        f"  kept     raw deliveries: sealed, under keys of a day, until {raw} at the latest"
    )
    if plan["state"] != "planned":
        lines.append(f"  next     {plan['owner']}: {plan['next_action']}")
    output.say("erasure", "\n".join(lines), **plan)


async def _confirmed(output: Output, *, yes: bool) -> None:
    """Ask the person at the terminal. Raises Stop where nobody agreed."""
    if yes:
        return
    if output.as_json or not sys.stdin.isatty():
        raise Stop("not-confirmed", "nothing is done yet; --yes carries this plan out")
    if not await asyncio.to_thread(typer.confirm, "This cannot be undone. Erase?"):
        raise Stop("not-confirmed", "nothing was done")


async def _followed(http: "Http", path: str, subjects: list[str], output: Output) -> None:
    """Wait until every subject is erased, also where they are no longer one customer."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    with output.waiting("Destroying keys"):
        while (now := await http.get(path))["state"] != "completed":
            if loop.time() > end:
                text = f"it is requested, and not done after {PATIENCE:g} s; look again later"
                raise Stop("not-erased-yet", text)
            await asyncio.sleep(POLL)
    until = now["retained_until"]
    kept = f"; invoices can be opened {_until(until)}" if until else ""
    text = f"Erased: {counted(len(subjects), 'subject')}{kept}."
    output.say("erased", text, customer_id=now["customer_id"], subjects=subjects,
               retained_until=until)  # fmt: skip


def _until(at: int) -> str:
    """Return to which day a key is kept; it does not outlive the sweep behind that."""
    passed = at <= time.time_ns() // 1000
    return "until the next sweep: its date has passed" if passed else f"until {_day(at)}"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%d}"
