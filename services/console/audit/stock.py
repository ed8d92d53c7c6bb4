"""P2: at every moment units on hand add up, and no more is promised than is there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.console.audit.record import Finding, Record

Places = dict[str, dict[str, int]]  # SKU -> location -> units


class StockCheck:
    """A ledger of its own, per SKU and location, from inventory's events alone."""

    def __init__(self, settled: int) -> None:
        self._settled = settled
        self._young: set[tuple[str, str, str]] = set()  # shipment, order, SKU
        self._on_hand: Places = defaultdict(lambda: defaultdict(int))
        self._reserved: Places = defaultdict(lambda: defaultdict(int))
        self._has: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._debt: dict[str, tuple[Record, str]] = {}  # SKU -> what breaks the rule for now
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
                self._young |= {name} if record.at > self._settled else set()
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
        self._on_hand[sku][location] += units
        self.units[record.type] += units

    def _promise(
        self, record: Record, places: Iterable[Mapping[str, Any]], sign: int, order: str = ""
    ) -> None:
        sku, order = record.data["sku"], order or record.data["order_id"]
        for one in places:
            self._reserved[sku][one["location"]] += sign * one["units"]
            self._has[sku, order][one["location"]] += sign * one["units"]
            if self._has[sku, order][one["location"]] < 0:
                text = f"{order} gave back more {sku} than it had at {one['location']}"
                self._say("units-given-back-twice", sku, text, record)

    def _look(self, record: Record) -> None:
        """Look at the rule; a turn may break it by a fact and mend it in its next events.

        The events of a turn have one time: what the turn before has left broken is named.
        """
        sku = record.data["sku"]
        before = self._debt.pop(sku, None)
        if before is not None and before[0].at != record.at:
            self._say("promised-without-stock", sku, before[1], before[0])
        on_hand, reserved = self._on_hand[sku], self._reserved[sku]
        broken = [
            f"{reserved[place]} promised of {on_hand[place]} on hand at {place}"
            for place in sorted(on_hand.keys() | reserved.keys())
            if not 0 <= reserved[place] <= max(0, on_hand[place])
        ]
        if broken:
            self._debt[sku] = record, "; ".join(broken)

    def _say(self, code: str, sku: str, text: str, record: Record) -> None:
        self._found.append(Finding("P2", code, sku, text, (record.place,)))

    def findings(self) -> Iterable[Finding]:
        """Return promises without stock, and parcels whose units did not leave once."""
        yield from self._found
        for sku, (record, text) in self._debt.items():
            yield Finding("P2", "promised-without-stock", sku, text, (record.place,))
        for name in self._dispatched.keys() | self._shipped.keys():
            sent, left = self._dispatched.get(name, 0), self._shipped.get(name, 0)
            if sent != left and name not in self._young:
                shipment, order, sku = name
                text = f"{shipment} took {sent} {sku} for {order}, {left} left the stock"
                yield Finding("P2", "shipped-otherwise", sku, text)

    def figures(self) -> Mapping[str, Any]:
        """Return SKUs, units on hand and promised."""
        return {
            "skus": len(self._on_hand),
            "units_on_hand": sum(sum(places.values()) for places in self._on_hand.values()),
            "units_promised": sum(sum(places.values()) for places in self._reserved.values()),
            "units_shipped": sum(self._shipped.values()),
        }
