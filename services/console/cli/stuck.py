"""`lonja stuck`: orders that wait or are held, by reason, with money at risk and what to do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import typer

from libs.cli.errors import Stop
from libs.cli.output import Json, Output, amount_text, time_text
from libs.cli.run import data_folder
from services.console.cli.options import Data, Url

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def stuck() -> None:
    """Find the orders that do not go on by themselves."""


@app.command()
def ls(data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """List waiting and held orders by reason, the most money at risk first."""
    rows = _run(data, url, _orders)
    output = Output(as_json=as_json)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["state"], row["reason"]), []).append(row)
    ranked = sorted(groups.items(), key=lambda g: -sum(r["value_at_risk_minor"] for r in g[1]))
    for (state, reason), found in ranked:
        oldest = min(found, key=lambda row: row["since"])
        risk: dict[str, int] = {}
        for row in found:
            risk[row["currency"]] = risk.get(row["currency"], 0) + row["value_at_risk_minor"]
        money = ", ".join(amount_text(amount, currency) for currency, amount in risk.items())
        ends = [row["decide_by"] for row in found if row["decide_by"] is not None]
        until = min(ends, default=None)
        text = f"{len(found)} {state}: {reason}, {money} at risk"
        text += f", until {time_text(until)}" if until is not None else ", no deadline"
        text += f"\n  {oldest['owner']}: {oldest['next_action']}\n  oldest {oldest['order_id']}"
        text += f", since {time_text(oldest['since'])}"
        output.say("stuck", text, state=state, reason=reason, orders=len(found),
                   at_risk_minor=risk, owner=oldest["owner"], next_action=oldest["next_action"],
                   oldest=oldest["order_id"], since=oldest["since"],
                   decide_by=until)  # fmt: skip
    if not rows:
        output.say("nothing-stuck", "Nothing is stuck.")
    if rows and not as_json:
        output.say("hint", "lonja stuck explain ORDER says why one waits.")


@app.command()
def explain(order: str, data: Data = None, url: Url = None, as_json: Json = False) -> None:
    """Say why an order (our id, or the channel's) does not go on, and what would help."""

    async def find(http: Any) -> list[dict[str, Any]]:
        return [await find_order(http, order)]

    (row,) = _run(data, url, find)
    output = Output(as_json=as_json)
    until = f"until {time_text(row['decide_by'])}" if row["decide_by"] else "no deadline"
    lines = [
        f"{row['order_id']}  {row['account']} {row['display_number']}",
        f"  {row['state']}" + (f": {row['reason']}" if row["reason"] else ""),
        f"  since {time_text(row['since'])}, {until}",
        f"  at risk {amount_text(row['value_at_risk_minor'], row['currency'])}",
        f"  owner {row['owner']}; next: {row['next_action']}",
    ]
    lines += [
        f"  held: {hold['reason']} (by {hold['by']}, blocks {hold['blocks']})"
        for hold in row["holds"].values()
    ]
    money, currency = row["payment"], row["currency"]
    if money["required_revision"]:
        lines.append(
            f"  payment: {money['standing']}, costs {money['required_minor'] / 100:.2f} {currency},"
            f" captured {money['captured_minor'] / 100:.2f}"
            + (f" ({money['reason']})" if money["reason"] else "")
        )
    lines += [
        f"  queue: {reason}, {queue['at_risk'] / 100:.2f} {currency} at risk"
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
    output.say("explained", "\n".join(lines), **row)


async def find_order(http: Any, order: str) -> dict[str, Any]:
    """Return an order by our id, the channel's id or the display number. Raises Stop."""
    from services.console.http import part  # noqa: PLC0415

    if order.startswith("ord_"):
        found: dict[str, Any] = await http.get(f"/orders/{part(order)}")
        return found
    names = ({"external_id": order}, {"display_number": order}, {"display_number": f"#{order}"})
    for name in names:
        rows = (await http.get("/orders", **name))["orders"]
        if len(rows) == 1:
            only: dict[str, Any] = rows[0]
            return only
        if rows:
            ids = ", ".join(f"{row['order_id']} ({row['account']})" for row in rows)
            raise Stop("ambiguous", f"several orders are called {order}: {ids}")
    raise Stop("order-not-found", f"no order is called {order}")


async def _orders(http: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for state in ("waiting", "held", "part_confirmed"):
        cursor: str | None = ""
        while cursor is not None:
            query = {"state": state, "limit": "200"} | ({"cursor": cursor} if cursor else {})
            page = await http.get("/orders", **query)
            rows += page["orders"]
            cursor = page["cursor"]
    return rows


def _run(
    data: Path | None, url: str | None, work: Callable[[Any], Awaitable[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    async def go() -> list[dict[str, Any]]:
        from services.console.backends import client  # noqa: PLC0415 - --help stays quick

        async with client(data or data_folder(), url) as http:
            return await work(http)

    return asyncio.run(go())
