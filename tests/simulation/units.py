"""An independent ledger of units, kept from inventory's own events; says where P2 is broken."""

from collections import defaultdict
from typing import Any

from libs.contracts import inventory, orders


class Broken(AssertionError):  # noqa: N818 - a finding, not a fault
    """A promise that does not hold; the message begins with its number."""


def expect(promise: str, holds: object, message: str) -> None:
    if not holds:
        raise Broken(f"{promise}: {message}")


class Units:
    """Units by SKU and location, what each order has and lacks, and what it asked for."""

    def __init__(self) -> None:
        self.on_hand: dict[tuple[str, str], int] = defaultdict(int)
        self.reserved: dict[tuple[str, str], int] = defaultdict(int)
        self.has: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.lacks: dict[str, dict[str, int]] = defaultdict(dict)
        self.kinds: dict[tuple[str, str], str] = {}
        self.shipped: dict[tuple[str, str], int] = defaultdict(int)
        self.parcels: set[tuple[str, str, str]] = set()
        self.asked: dict[tuple[str, str, int], int] = {}
        self.facts: dict[str, list[int]] = defaultdict(list)  # who said it -> units that it moved
        self.touched: set[str] = set()

    def ask(self, event: orders.StockRequired) -> None:
        """Note what an order needs in all."""
        for demand in event.demands:
            self.asked[event.order_id, demand.sku, event.revision] = demand.units

    def note(self, event: Any) -> None:
        """Note one event of inventory."""
        if isinstance(event, inventory.ItemDefined):
            return
        self.touched.add(event.sku)
        match event:
            case inventory.StockReceived() | inventory.StockAdjusted():
                self._fact(event, event.quantity)
            case inventory.StockCounted():
                here = self.on_hand[event.sku, event.location]
                expect("P2", event.difference == event.counted - here, f"a count of {event.sku}")
                self._fact(event, event.difference)
            case inventory.StockMoved():
                self.on_hand[event.sku, event.location_from] -= event.quantity
                self.on_hand[event.sku, event.location_to] += event.quantity
                self.facts[event.by].append(event.quantity)
            case inventory.ShortfallDetected():
                for hit in event.orders:
                    self._move(hit.order_id, event.sku, event.location, -hit.units)
                    lacking = self.lacks[event.sku]
                    lacking[hit.order_id] = lacking.get(hit.order_id, 0) + hit.units
            case inventory.StockReallocated():
                moved = [*event.taken, *event.given]
                expect("P2", not sum(one.units for one in event.taken)
                       - sum(one.units for one in event.given), f"{moved} changes the units")  # fmt: skip
                for one in event.taken:
                    self._move(event.order_id, event.sku, one.location, -one.units)
                for one in event.given:
                    self._move(event.order_id, event.sku, one.location, one.units)
            case inventory.StockReleased() | inventory.StockHoldExpired():
                self._free(event)
            case inventory.StockShipped():
                self._ship(event)
            case _:
                self._promise(event)

    def _fact(self, event: Any, units: int) -> None:
        self.on_hand[event.sku, event.location] += units
        self.facts[event.by].append(units)

    def _move(self, order: str, sku: str, location: str, units: int) -> None:
        self.has[order, sku][location] += units
        self.reserved[sku, location] += units

    def _free(self, event: Any) -> None:
        if isinstance(event, inventory.StockHoldExpired):
            kind = self.kinds.get((event.order_id, event.sku))
            expect("P2", kind == "hold", f"{event.order_id} is committed and lost its units")
        for one in event.allocations:
            self._move(event.order_id, event.sku, one.location, -one.units)
        self._lack(event)

    def _promise(self, event: Any) -> None:
        order, sku = event.order_id, event.sku
        if isinstance(event, inventory.StockReserved):
            self._take(event)
        asked = self.asked.get((order, sku, event.revision))
        wanted = None if asked is None else max(0, asked - self.shipped[order, sku])
        expect("P1", wanted == event.wanted, f"{order} asked for {wanted} of {sku}, not {event}")
        self.kinds[order, sku] = event.reservation_class
        self._lack(event)

    def _ship(self, event: inventory.StockShipped) -> None:
        parcel = (event.shipment_id, event.order_id, event.sku)
        expect("P1", parcel not in self.parcels, f"{parcel} left stock twice")
        self.parcels.add(parcel)
        self.on_hand[event.sku, event.location] -= event.quantity
        self.shipped[event.order_id, event.sku] += event.quantity
        taken = sum(one.units for one in event.allocations)
        expect("P2", taken == event.from_reservation <= event.quantity, f"{parcel} took {taken}")
        for one in event.allocations:
            self._move(event.order_id, event.sku, one.location, -one.units)
        self._lack(event)

    def _take(self, event: inventory.StockReserved) -> None:
        order, sku = event.order_id, event.sku
        others = {name: n for name, n in self.lacks[sku].items() if name != order and n}
        fair = event.from_waiting_list or not others
        expect("P2", fair, f"{order} was served before {sorted(others)} who wait for {sku}")
        for one in event.allocations:
            free = self.on_hand[sku, one.location] - self.reserved[sku, one.location]
            expect("P2", one.units <= free, f"{order} was promised {one.units} of {free} {sku}")
            self._move(order, sku, one.location, one.units)

    def _lack(self, event: Any) -> None:
        order, sku = event.order_id, event.sku
        has = sum(self.has[order, sku].values())
        expect("P2", has == event.reserved, f"{order} has {has} of {sku}, not {event.reserved}")
        self.lacks[sku][order] = event.short

    def hold(self) -> None:
        """Check all that the turn has touched."""
        for sku in sorted(self.touched):
            free = 0
            for (name, location), on_hand in self.on_hand.items():
                if name == sku:
                    reserved = self.reserved[sku, location]
                    expect("P2", 0 <= reserved <= max(0, on_hand),
                           f"{reserved} of {on_hand} {sku} are promised")  # fmt: skip
                    free += max(0, on_hand) - reserved
            waiting = sum(self.lacks[sku].values())
            expect("P2", not (free and waiting), f"{free} {sku} are free while {waiting} wait")
        self.touched.clear()
