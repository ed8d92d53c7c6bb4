"""Brings a run's stock in over HTTP: items, receipts, adjustments; each once, by its key."""

import asyncio
from collections.abc import Sequence

from services.console.http import Http, part
from services.sandbox.retail.stock import Adjustment, Opening

_REASONS = {"free issue": "free-issue"}


async def fill(http: Http, run: str, opening: Sequence[Opening]) -> int:
    """Define every SKU and receive its opening units; the number of SKUs."""
    await asyncio.gather(*(_one(http, run, stock) for stock in opening))
    return len(opening)


async def _one(http: Http, run: str, stock: Opening) -> None:
    key = f"demo-{run}-{stock.sku}"
    item = {"description": stock.title[:200], "by": "demo"}
    await http.post(f"/inventory/items/{part(stock.sku)}", item, key=f"{key}-item")
    if stock.units <= 0:
        return
    receipt = {
        "quantity": stock.units,
        "location": "main",
        "unit_cost": f"{stock.unit_cost_minor // 100}.{stock.unit_cost_minor % 100:02d}",
        "currency": "GBP",
        "document": key,
        "by": "demo",
    }
    await http.post(f"/inventory/stock/{part(stock.sku)}/receipts", receipt, key=f"{key}-opening")


async def adjust(http: Http, run: str, moves: Sequence[Adjustment]) -> None:
    """Record what the file says was found, lost or given away, one after the other."""
    for move in moves:
        body = {
            "quantity": move.units,
            "reason": _REASONS.get(move.reason, move.reason),
            "location": "main",
            "document": move.key,
            "note": move.note[:200],
            "by": "demo",
        }
        path = f"/inventory/stock/{part(move.sku)}/adjustments"
        await http.post(path, body, key=f"demo-{run}-{move.key}")
