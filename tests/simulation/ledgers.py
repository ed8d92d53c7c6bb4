"""The ledgers of the whole world, and what they must say when all has come to its end."""

from typing import Any

from libs.effects.policy import FINAL
from services.fulfilment.standing import ShipmentRow
from services.orders.standing import OrderRow
from services.payments.read_model import PaymentRow
from tests.simulation.addresses import Addresses
from tests.simulation.instance import Durable
from tests.simulation.journal import Journal
from tests.simulation.money import Money
from tests.simulation.outside import Outside
from tests.simulation.parcels import Parcels
from tests.simulation.projector import Tables
from tests.simulation.promises import Promises
from tests.simulation.telling import Telling
from tests.simulation.unasked import heard
from tests.simulation.units import expect

PERSONS = {"operations", "warehouse", "buyer", "carrier"}
ENDED = {"completed", "cancelled"}


class Ledgers:
    """Money, parcels, books and what channels heard, checked as events and calls happen."""

    def __init__(self, outside: Outside, promises: Promises) -> None:
        self.outside, self.promises = outside, promises
        self.money = Money(outside.bank, outside.dashboard)
        self.parcels = Parcels(outside.carrier, self.money)
        self.journal, self.telling = Journal(), Telling(outside.desks)
        self.addresses = Addresses(outside.carrier, outside.buyers)
        promises.ledgers += [
            self.money, self.parcels, self.journal, self.telling, self.addresses
        ]  # fmt: skip
        outside.bank.watch = self.money.books
        outside.carrier.watch = self.parcels.books
        outside.desks.watch = self.telling.books

    def rest(self, tables: dict[str, Tables], durables: dict[str, Durable]) -> None:
        """Check what must be so at the end. Raises Broken."""
        for wire in self.outside.wires:
            expect("fault", not wire.faults, f"a sandbox failed: {wire.faults}")
        for home in durables.values():
            for name, entry in home.store.effects.items():
                ended = entry.state in FINAL or entry.state == "suppressed"
                expect("P7", ended, f"effect {name} ({entry.kind}) is {entry.state} for ever")
                fault = entry.last_error in {"fault", "result-not-understood"}
                expect("P7", not fault, f"effect {name} ({entry.kind}): {entry.last_error}")
        self.money.rest(tables["payments"])
        heard(self.money, self.journal, tables["payments"])
        self.parcels.rest(tables["fulfilment"]["shipments"])
        self.journal.rest(self.money, self.promises.units, tables["accounting"])
        self.telling.rest(tables["channels"]["channel_reports"])
        self.addresses.rest()
        self._named(tables)

    def _named(self, tables: dict[str, Tables]) -> None:
        """Everything that waits says why, for whom, and what to do next."""
        shipments: list[ShipmentRow] = list(tables["fulfilment"]["shipments"].values())
        payments: dict[Any, PaymentRow] = tables["payments"]["payments"]
        for shipment in shipments:
            named = shipment.reason and shipment.owner and shipment.next_action
            expect("P7", named or not shipment.waiting, f"{shipment.shipment_id} waits, unnamed")
        for payment in payments.values():
            for wait in payment.waits:
                named = wait.reason and wait.owner and wait.next_action
                expect("P7", named, f"{payment.order_id} waits for {wait}")
        for row in tables["orders"]["orders"].values():
            self._ends(row, shipments, payments, tables)

    def _ends(
        self, row: OrderRow, shipments: list[ShipmentRow], payments: dict[Any, PaymentRow],
        tables: dict[str, Tables],
    ) -> None:  # fmt: skip
        """An order has ended, or somebody is named who has it."""
        if row.state in ENDED | {"waiting", "held", "part_confirmed"}:
            return
        mine = [one for one in shipments if row.order_id in one.orders and one.waiting]
        together = {row.order_id} | {name for one in mine for name in one.orders}
        known = [payments[name,] for name in sorted(together) if (name,) in payments]
        waits = [wait for one in known for wait in one.waits]  # also those of a parcel's others
        handover = tables["fulfilment"]["handovers"].get((row.order_id,))
        owners = {one.owner for one in mine} | {one.owner for one in waits}
        owners |= {handover.owner} if handover else set()
        expect("P7", owners & PERSONS, f"{row.order_id} is {row.state}, {sorted(owners)} have it")
