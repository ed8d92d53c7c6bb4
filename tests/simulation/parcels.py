"""An independent ledger of parcels: what may leave, what left, which labels were paid (P1-P3)."""

from collections import defaultdict
from typing import Any

from libs.contracts import fulfilment, inventory, orders
from tests.simulation.carrier import Carrier
from tests.simulation.money import Money
from tests.simulation.units import expect

Units = dict[tuple[str, str], int]  # order and SKU to units


class Parcels:
    """Hand-overs beside what was asked for, cleared, labelled and taken from stock."""

    def __init__(self, carrier: Carrier, money: Money) -> None:
        self.carrier, self.money = carrier, money
        self.wanted: dict[tuple[str, str], int] = defaultdict(int)  # order, line: most ever asked
        self.sent: dict[tuple[str, str], int] = defaultdict(int)
        self.left: dict[str, Units] = {}  # shipment to its units
        self.told: dict[str, tuple[str, ...]] = {}  # shipment to its orders
        self.stock: dict[str, Units] = defaultdict(lambda: defaultdict(int))
        self.voided: set[str] = set()

    def note(self, event: Any) -> None:
        """Note one event."""
        match event:
            case orders.FulfilmentRequested():
                for line in event.lines:
                    key = (event.order_id, line.line_id)
                    self.wanted[key] = max(self.wanted[key], line.quantity)
            case fulfilment.ShipmentDispatched():
                self._left(event)
            case fulfilment.DispatchStopped(shipment_id=name, order_id=order):
                # Who came too late to join it is answered alike: nothing of that order was in it.
                left = order in self.told.get(name, ())
                expect("P1", not left, f"{name} is stopped after it left")
            case fulfilment.LabelVoided(shipment_id=name):
                self.voided.add(name)
            case inventory.StockShipped(shipment_id=name):
                self.stock[name][event.order_id, event.sku] += event.quantity
            case _:
                return

    def _left(self, event: fulfilment.ShipmentDispatched) -> None:
        name = event.shipment_id
        expect("P1", name not in self.left, f"{name} is handed over twice")
        units: Units = defaultdict(int)
        for one in event.units:
            units[one.order_id, one.sku] += one.units
        self.left[name] = dict(units)
        self.told[name] = tuple(one.order_id for one in event.references)
        for row in event.rows:
            free = self.money.cleared[row.order_id].get(name, {})
            expect("P3", free.get(row.line_id, 0) >= row.quantity,
                   f"{name} left with {row.quantity} of {row.line_id}, cleared are {free}")  # fmt: skip
            key = (row.order_id, row.line_id)
            self.sent[key] += row.quantity
            expect("P2", self.sent[key] <= self.wanted[key],
                   f"{self.sent[key]} of {key} left, asked were {self.wanted[key]}")  # fmt: skip

    def books(self) -> None:
        """Compare with the carrier's books: one live label of each parcel."""
        live: dict[str, str] = {}
        for parcel in self.carrier.provider.parcels.by_id.values():
            if parcel.bought_at is None or parcel.given_back_at is not None:
                continue
            name = parcel.reference or ""
            other = live.setdefault(name, parcel.id)
            expect("P1", other == parcel.id, f"{name} has two labels: {other} and {parcel.id}")

    def rest(self, shipments: dict[Any, Any]) -> None:
        """At rest, what left is off stock, and no label of a stopped parcel is kept."""
        self.books()
        for name, units in self.left.items():
            taken = {key: n for key, n in self.stock[name].items() if n}
            expect("P2", taken == {k: n for k, n in units.items() if n},
                   f"{name} left with {units}, stock gave {taken}")  # fmt: skip
        for name, gone in self.stock.items():
            expect("P2", name in self.left or not gone, f"{name} took {dict(gone)} and never left")
        for parcel in self.carrier.provider.parcels.by_id.values():
            name = parcel.reference or ""
            if parcel.bought_at is not None and parcel.given_back_at is None:
                row = shipments.get((name,))
                kept = row is not None and (row.state != "cancelled" or row.waiting)
                expect("P1", kept or name in self.voided, f"{name} is stopped and keeps its label")
