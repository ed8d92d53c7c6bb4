"""One SKU's units as a command is decided: who gets which. Pure."""

from collections.abc import Sequence

from libs.contracts import inventory as events
from libs.contracts.common import Allocation
from services.inventory.stock import Reservation, Stock, evolve


class Unfolding:
    """Events as they are decided, and the stock behind the last of them."""

    def __init__(self, stock: Stock, entity: str, sku: str, at: int) -> None:
        self.stock, self.entity, self.sku, self.at = stock, entity, sku, at
        self.events: list[events.InventoryEvent] = []

    def add(self, event: events.InventoryEvent) -> None:
        """Let an event have happened."""
        self.events.append(event)
        self.stock = evolve(self.stock, event)

    def take(self, units: int) -> tuple[Allocation, ...]:
        """Choose free units: one location that covers them all, else several in their order."""
        free = [(name, self.stock.levels[name].free) for name in self.stock.locations()]
        for name, here in free:
            if here >= units:
                return (Allocation(location=name, units=units),)
        chosen = []
        for name, here in free:
            if units and here:
                chosen.append(Allocation(location=name, units=min(here, units)))
                units -= min(here, units)
        return tuple(chosen)

    def serve(self) -> None:
        """Give free units to those who wait: by priority, then time of placing, then order id."""
        free = self.stock.free()
        while free and self.stock.queue:
            *_, order = self.stock.queue[0][0]
            entry = self.stock.reservations[order]
            units = min(free, entry.waiting)
            self.reserve(order, entry, self.take(units), from_waiting_list=True)
            free -= units

    def reserve(
        self,
        order: str,
        entry: Reservation,
        taken: Sequence[Allocation],
        *,
        from_waiting_list: bool,
    ) -> None:
        """Let units be promised to an order; what it still lacks is what it wants less these."""
        units = sum(one.units for one in taken)
        reserved = entry.reserved + units
        self.add(
            events.StockReserved(
                entity=self.entity, occurred_at=self.at, sku=self.sku,
                reservation_id=f"{order}:{self.sku}", order_id=order, revision=entry.revision,
                wanted=entry.wanted, priority=entry.priority, placed_at=entry.placed_at,
                decide_by=entry.decide_by, allocations=tuple(taken), units=units,
                reserved=reserved, short=entry.wanted - reserved,
                reservation_class=entry.reservation_class, expires_at=entry.expires_at,
                from_waiting_list=from_waiting_list,
            )
        )  # fmt: skip

    def move(
        self, order: str, taken: tuple[Allocation, ...], given: tuple[Allocation, ...]
    ) -> None:
        """Let an order have its units at other locations."""
        self.add(
            events.StockReallocated(
                entity=self.entity, occurred_at=self.at, sku=self.sku,
                reservation_id=f"{order}:{self.sku}", order_id=order, taken=taken, given=given,
            )
        )  # fmt: skip
