"""The HTTP edge: a SKU is one part of a path, whatever stands in it."""

from typing import Any

import pytest

from services.console.cli.why import behind
from services.console.http import part
from services.inventory.commands import RequireUnits
from tests.unit.inventory.memory import Inventory

SKUS = ["MUG", "TEE/RED/L", "A/", "/A", "A//B", "50%/?#+ B", "A/ENTRIES", "A/RECEIPTS", "A/COUNTS"]


@pytest.mark.parametrize("sku", SKUS)
async def test_a_sku_with_slashes_is_defined_received_counted_moved_and_read(sku: str) -> None:
    inventory, stock = Inventory(), f"/inventory/stock/{part(sku)}"
    writes: dict[str, dict[str, Any]] = {
        f"/inventory/items/{part(sku)}": {"description": "A thing"},
        f"{stock}/receipts": {"quantity": 9},
        f"{stock}/counts": {"counted": 8},
        f"{stock}/adjustments": {"quantity": -1, "reason": "damage"},
        f"{stock}/moves": {"quantity": 3, "location_from": "main", "location_to": "store"},
    }
    for path, body in writes.items():
        done = await inventory.post(path, body, key=path[-30:])
        assert (done["sku"], len(done["events"])) == (sku, 1)
    assert inventory.on_hand() == {(sku, "main"): 4, (sku, "store"): 3}
    shown = await inventory.get(stock)
    assert (shown["sku"], shown["description"], shown["on_hand"]) == (sku, "A thing", 7)
    entries = (await inventory.get(f"{stock}/entries"))["entries"]
    assert [one["kind"] for one in entries] == [
        "StockReceived", "StockCounted", "StockAdjusted", "StockMoved",
    ]  # fmt: skip


@pytest.mark.parametrize("sku", SKUS)
async def test_why_finds_a_sku_as_a_person_writes_it(sku: str) -> None:
    inventory = Inventory()
    await inventory.post(f"/inventory/stock/{part(sku)}/receipts", {"quantity": 2}, key="r")
    stock, entries = await behind(inventory, f" {sku.lower()}")
    assert (stock["sku"], stock["on_hand"]) == (sku, 2)
    assert [one["document"] for one in entries] == ["r"]


async def test_all_that_an_order_of_many_skus_has_is_listed() -> None:
    inventory = Inventory()
    for n in range(1001):
        sku = f"A{n:04}"
        told = RequireUnits("main", sku, "ord_1", 1, 1, "commitment", None, 5, 0, 1, 0)
        await inventory.commands.execute(f"stock-{sku}", told, key=sku, request=b"", trace="")
    listed = await inventory.get("/inventory/reservations/ord_1")
    assert [one["sku"] for one in listed] == [f"A{n:04}" for n in range(1001)]
