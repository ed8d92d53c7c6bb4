"""`lonja stuck`: what waits in any service, by reason, with age, money at risk and what to do."""

import asyncio
import os
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output, amount_text, time_text
from libs.cli.run import data_folder
from libs.values.money import to_text
from services.console import queues, steps
from services.console.cli.options import Data, Url

T = TypeVar("T")
app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def stuck() -> None:
    """Find what does not go on by itself."""


@app.command()
def ls(
    data: Data = None,
    url: Url = None,
    each: Annotated[bool, typer.Option("--each", help="One line for each, not by reason.")] = False,
    as_json: Json = False,
) -> None:
    """List what waits in all services: overdue first, then the most money at risk."""
    now = time.time_ns() // 1000

    async def read(http: Any) -> tuple[list[queues.Waiting], list[str], list[str]]:
        return await queues.everything(http, now)

    found, silent, cut = _run(data, url, read)
    output = Output(as_json=as_json)
    for group in [[one] for one in found] if each else queues.grouped(found):
        _say_group(output, group, now)
    for name in cut:
        text = f"{name} has more than is counted here; settle some to see the others."
        output.say("more", text, service=name)
    for name in silent:
        output.say("not-asked", f"{name} does not run there: it was not asked.", service=name)
    if not found:
        output.say("nothing-stuck", "Nothing is stuck.")
    if found and not as_json:
        output.say("hint", "lonja stuck explain ORDER says why an order waits.")


def _say_group(output: Output, group: list[queues.Waiting], now: int) -> None:
    oldest = min(group, key=lambda one: one.since)
    risk: dict[str, int] = {}
    for one in group:
        if one.currency:
            risk[one.currency] = risk.get(one.currency, 0) + one.at_risk_minor
    money = ", ".join(amount_text(amount, currency) for currency, amount in sorted(risk.items()))
    late = sum(one.overdue for one in group)
    until = min((one.deadline for one in group if one.deadline is not None), default=None)
    text = f"{len(group)} {oldest.state}: {oldest.reason}, {money or 'no money'} at risk"
    text += f", {late} overdue" if late else ""
    text += f", until {time_text(until)}" if until is not None else ", no deadline"
    text += f"\n  {oldest.owner}: {oldest.next_action}\n  "
    text += f"oldest {oldest.subject}" if len(group) > 1 else oldest.subject
    text += f", for {age_text(now - oldest.since)} (since {time_text(oldest.since)})"
    output.say("stuck", f"{oldest.service}: {text}", service=oldest.service, state=oldest.state,
               reason=oldest.reason, count=len(group), overdue=late, at_risk_minor=risk,
               owner=oldest.owner, next_action=oldest.next_action, oldest=oldest.subject,
               since=oldest.since, decide_by=until)  # fmt: skip


def age_text(micros: int) -> str:
    """Return how long something waits, as a person says it: the two largest units."""
    seconds = max(0, micros // 1_000_000)
    parts = (seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60)
    named = [f"{n} {unit}" for n, unit in zip(parts, ("d", "h", "min", "s"), strict=True)]
    first = next((n for n, count in enumerate(parts) if count), 3)
    return " ".join(named[first : first + 2])


@app.command()
def explain(order: str, data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """Say why an order (by our id, a parcel's, the channel's) does not go on, and what helps."""
    now = time.time_ns() // 1000

    async def find(http: Any) -> tuple[str, dict[str, Any], list[queues.Waiting]]:
        row = await find_order(http, order)
        beside = await queues.beside(http, now, {row["order_id"], *row["parcels"]})
        return http.url, row, beside

    there, row, beside = _run(data, url, find)
    calls = [*steps.for_order(row)]
    for one in beside:
        calls += steps.elsewhere(one)
    lines = [*explained(row), *map(elsewhere, beside), *_pasted(calls, there)]
    others = [msgspec.to_builtins(one) for one in beside]
    Output(as_json=as_json).say("explained", "\n".join(lines), **row, beside=others,
                                calls=[call._asdict() for call in calls])  # fmt: skip


def _pasted(calls: Sequence[steps.Call], url: str) -> Iterator[str]:
    """Give the calls that say it, each under a key of its own."""
    token = bool(os.environ.get("LONJA_TOKEN"))
    for call in calls:
        key = f"decide-{uuid.uuid4().hex[:12]}"
        yield f"  do: {steps.pasted(call, url, key, token)}"


def elsewhere(one: queues.Waiting) -> str:
    """Return what waits in another service for the same order, in a line."""
    risk = amount_text(one.at_risk_minor, one.currency) if one.currency else "no money"
    text = f"  {one.service}: {one.state}: {one.reason}, {risk} at risk"
    return f"{text}; {one.owner}: {one.next_action}"


def explained(row: Mapping[str, Any]) -> list[str]:
    """Return what an order's row says, line by line."""
    until = f"until {time_text(row['decide_by'])}" if row["decide_by"] else "no deadline"
    lines = [
        f"{row['order_id']}  {row['account']} {row['display_number']}",
        f"  {row['state']}" + (f": {row['reason']}" if row["reason"] else ""),
        f"  since {time_text(row['since'])}, {until}",
        f"  at risk {amount_text(row['value_at_risk_minor'], row['currency'])}",
    ]
    if row["next_action"]:
        lines.append(f"  owner {row['owner']}; next: {row['next_action']}")
    lines += [
        f"  held: {hold['reason']} (by {hold['by']}, blocks {hold['blocks']}), {name}"
        for name, hold in row["holds"].items()
    ]
    money, currency = row["payment"], row["currency"]
    if money["required_revision"]:
        lines.append(
            f"  payment: {money['standing']},"
            f" costs {amount_text(money['required_minor'], currency)},"
            f" captured {to_text(money['captured_minor'], currency)}"
            + (f" ({money['reason']})" if money["reason"] else "")
        )
    lines += [
        f"  queue: {reason}, {amount_text(queue['at_risk'], currency)} at risk"
        for reason, queue in row["queues"].items()
    ]
    lines += [
        f"  parcel {name or 'none'}: {parcel['status']}"
        + (f" ({parcel['settled'] or parcel['reason']})" if parcel["reason"] else "")
        for name, parcel in row["parcels"].items()
    ]
    lines += [
        f"  {sku}: needs {need['units']}, has {need['reserved']}, lacks {need['short']}"
        for sku, need in row["demands"].items()
        if need["short"] or need["answered"] < row["revision"]
    ]
    return lines


async def find_order(http: Any, order: str) -> dict[str, Any]:
    """Return an order by our id, a parcel's, the channel's, or the number shown. Raises Stop."""
    from services.console.http import part  # noqa: PLC0415

    if order.startswith("shp_"):
        held: list[str] = list((await http.get(f"/fulfilment/shipments/{part(order)}"))["orders"])
        if len(held) != 1:
            raise Stop("ambiguous", f"{order} holds units of several orders: {', '.join(held)}")
        order = held[0]
    if re.fullmatch("ord_[0-9a-f]{20}", order):
        found: dict[str, Any] = await http.get(f"/orders/{order}")
        return found
    bare = order.removeprefix("#")
    names = ({"external_id": order}, {"display_number": bare}, {"display_number": f"#{bare}"})
    for name in names:
        rows = (await http.get("/orders", **name))["orders"]
        if len(rows) == 1:
            only: dict[str, Any] = rows[0]
            return only
        if rows:
            ids = ", ".join(f"{row['order_id']} ({row['account']})" for row in rows)
            raise Stop("ambiguous", f"several orders are called {order}: {ids}")
    raise Stop("order-not-found", f"no order is called {order}")


def _run(data: Path | None, url: str | None, work: Callable[[Any], Awaitable[T]]) -> T:
    async def go() -> T:
        from services.console.backends import client  # noqa: PLC0415 - --help stays quick

        async with client(data or data_folder(), url) as http:
            return await work(http)

    return asyncio.run(go())
