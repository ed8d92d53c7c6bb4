"""What channels were told, from the shops' own desks: each dispatch, once (P9)."""

from collections import Counter, defaultdict
from typing import Any

from libs.contracts import channels, fulfilment, orders
from tests.simulation.desks import Desks
from tests.simulation.units import expect

Order = tuple[str, str]  # account and the shop's number


class Telling:
    """Dispatches by order beside what the desk has heard."""

    def __init__(self, desks: Desks) -> None:
        self.desks = desks
        self.left: dict[Order, set[str]] = defaultdict(set)
        self.due: set[tuple[str, str]] = set()  # shipment and our order
        self.names: dict[str, Order] = {}
        self.asked: dict[tuple[str, str], str] = {}
        self.gifts: set[str] = set()  # lines that are gift cards: the shop sends them by itself

    def note(self, event: Any) -> None:
        """Note what left, and what is to be told."""
        match event:
            case orders.OrderPlaced() | orders.OrderAmended():
                lines = event.order.lines
                self.gifts |= {one.line_id for one in lines if one.kind == "gift_card"}
            case fulfilment.ShipmentDispatched():
                told = {row.order_id for row in event.rows if row.line_id not in self.gifts}
                for one in event.references:
                    if one.order_id not in told:
                        continue
                    self.left[one.account, one.external_id].add(event.shipment_id)
                    self.due.add((event.shipment_id, one.order_id))
                    self.names[one.order_id] = (one.account, one.external_id)
            case channels.ChannelReportRequested(kind="dispatch"):
                self.asked[event.subject, event.order_id] = event.report_id
            case _:
                return

    def _heard(self) -> dict[Order, list[str | None]]:
        found: dict[Order, list[str | None]] = defaultdict(list)
        for one in self.desks.desk.all:
            if one.kind == "dispatch":
                order = self.desks.find(one.account, one.number)
                assert order is not None
                found[one.account, order.external_id].append(one.tracking)
        return found

    def books(self) -> None:
        """No shop has heard of more parcels than have left, nor of one twice."""
        for order, codes in self._heard().items():
            gone = self.left[order]
            expect("P9", len(codes) <= len(gone), f"{order} heard of {len(codes)} of {len(gone)}")
            twice = [code for code, n in Counter(codes).items() if code and n > 1]
            expect("P9", not twice, f"{order} heard of {twice} twice")

    def rest(self, reports: dict[Any, Any]) -> None:
        """At rest each parcel is told and confirmed, or waits for a person under its name."""
        self.books()
        heard = self._heard()
        confirmed: Counter[Order] = Counter()
        for key in sorted(self.due):
            name = self.asked.get(key)
            expect("P9", name is not None, f"{key} was never to be told to its channel")
            row = reports.get((name,))
            ended = row is not None and row.state in {"confirmed", "refused"}
            expect("P9", ended, f"the report of {key} is {row and row.state}")
            if row is not None and row.state == "confirmed":
                confirmed[self.names[key[1]]] += 1
        for order in sorted(confirmed.keys() | heard.keys()):
            told, count = len(heard[order]), confirmed[order]
            expect("P9", told == count, f"{order} confirmed {count} parcels and knows {told}")
        for row in reports.values():
            ended = row.state in {"confirmed", "refused"}
            expect("P9", ended, f"{row.kind} of {row.external_id} is {row.state} for ever")
