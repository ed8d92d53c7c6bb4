"""P2: at every moment units on hand add up, and no more is promised than is there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record


class StockCheck:
    """A ledger of its own, per SKU and location, from inventory's events alone."""

    def __init__(self) -> None:
        self._on_hand: dict[tuple[str, str], int] = defaultdict(int)
        self._reserved: dict[tuple[str, str], int] = defaultdict(int)
        self._has: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._debt: dict[str, Record] = {}
        self._shipped: dict[tuple[str, str, str], int] = defaultdict(int)
        self._dispatched: dict[tuple[str, str, str], int] = defaultdict(int)
        self._found: list[Finding] = []
        self.units = defaultdict[str, int](int)

    def see(self, record: Record) -> None:
        """Move the units that an event tells of, and look at the SKU behind it."""
        if record.type == "ShipmentDispatched":
            for one in record.data["units"]:
                name = (record.data["shipment_id"], one["order_id"], one["sku"])
                self._dispatched[name] += one["units"]
        if record.service != "inventory":
            return
        data = record.data
        match record.type:
            case "StockReceived" | "StockAdjusted":
                self._move(data["sku"], data["location"], data["quantity"], record)
            case "StockCounted":
                self._move(data["sku"], data["location"], data["difference"], record)
            case "StockMoved":
                self._move(data["sku"], data["location_from"], -data["quantity"], record)
                self._move(data["sku"], data["location_to"], data["quantity"], record)
            case "StockShipped":
                self._move(data["sku"], data["location"], -data["quantity"], record)
                self._promise(record, data["allocations"], -1)
                name = (data["shipment_id"], data["order_id"], data["sku"])
                self._shipped[name] += data["quantity"]
            case "StockReserved":
                self._promise(record, data["allocations"], 1)
            case "StockReleased" | "StockHoldExpired":
                self._promise(record, data["allocations"], -1)
            case "StockReallocated":
                self._promise(record, data["taken"], -1)
                self._promise(record, data["given"], 1)
            case "ShortfallDetected":
                for hit in data["orders"]:
                    lost = [{"location": data["location"], "units": hit["units"]}]
                    self._promise(record, lost, -1, hit["order_id"])
            case _:
                return
        self._look(record)

    def _move(self, sku: str, location: str, units: int, record: Record) -> None:
        self._on_hand[sku, location] += units
        self.units[record.type] += units

    def _promise(
        self, record: Record, places: Iterable[Mapping[str, Any]], sign: int, order: str = ""
    ) -> None:
        sku, order = record.data["sku"], order or record.data["order_id"]
        for one in places:
            self._reserved[sku, one["location"]] += sign * one["units"]
            self._has[sku, order][one["location"]] += sign * one["units"]
            if self._has[sku, order][one["location"]] < 0:
                text = f"{order} gave back more {sku} than it had at {one['location']}"
                self._say("units-given-back-twice", sku, text, record)

    def _look(self, record: Record) -> None:
        """Look at the rule; a turn may break it by a fact and mend it in its next events."""
        sku = record.data["sku"]
        broken = [
            f"{self._reserved[sku, place]} promised of {on_hand} on hand at {place}"
            for (name, place), on_hand in self._on_hand.items()
            if name == sku and not 0 <= self._reserved[sku, place] <= max(0, on_hand)
        ]
        before = self._debt.get(sku)
        if broken and before is not None and before.at != record.at:
            self._say("promised-without-stock", sku, "; ".join(broken), before)
        if broken:
            self._debt[sku] = record if before is None else before
        else:
            self._debt.pop(sku, None)

    def _say(self, code: str, sku: str, text: str, record: Record) -> None:
        self._found.append(Finding("P2", code, sku, text, (record.place,)))

    def findings(self) -> Iterable[Finding]:
        """Return promises without stock, and parcels whose units did not leave once."""
        yield from self._found
        for sku, record in self._debt.items():
            yield Finding("P2", "promised-without-stock", sku, f"{sku} ends so", (record.place,))
        for name in self._dispatched.keys() | self._shipped.keys():
            sent, left = self._dispatched.get(name, 0), self._shipped.get(name, 0)
            if sent != left:
                shipment, order, sku = name
                text = f"{shipment} took {sent} {sku} for {order}, {left} left the stock"
                yield Finding("P2", "shipped-otherwise", sku, text)

    def figures(self) -> Mapping[str, Any]:
        """Return SKUs, units on hand and promised."""
        return {
            "skus": len({sku for sku, _ in self._on_hand}),
            "units_on_hand": sum(self._on_hand.values()),
            "units_promised": sum(self._reserved.values()),
            "units_shipped": sum(self._shipped.values()),
        }
