"""Units at moving average: what a receipt, a parcel, a count and a late cost post."""

from typing import Any

import pytest

from libs.contracts import inventory
from libs.eventsourcing.decider import Refused
from services.accounting import commands
from services.accounting.costing import Value
from services.accounting.process import cost_stream
from services.accounting.read_model import QUEUES, STOCK_VALUES
from tests.unit.accounting.samples import NOW, Ledger, told
from tests.unit.memory import folded

SKU = "MUG"
STREAM = cost_stream("main", SKU)


class Shelf:
    """One SKU of inventory, telling what happens to it."""

    def __init__(self) -> None:
        self.ledger, self.version = Ledger(), 0

    def _tell(self, event: Any) -> "Shelf":
        self.version += 1
        self.ledger.hear(told(event, self.version, "inventory", f"stock-{SKU}"))
        return self

    def receives(self, units: int, cost: str | None, currency: str | None = "GBP") -> "Shelf":
        return self._tell(
            inventory.StockReceived(
                entity="main", occurred_at=NOW, sku=SKU, location="main", reservable=True,
                quantity=units, unit_cost=cost, currency=currency, document="d", by="", lot=None,
                serial=None, expiry=None,
            )
        )  # fmt: skip

    def ships(self, units: int) -> "Shelf":
        return self._tell(
            inventory.StockShipped(
                entity="main", occurred_at=NOW, sku=SKU, location="main", quantity=units,
                order_id="ord_1", shipment_id="shp", from_reservation=units, allocations=(),
                reserved=0, short=0, revision=1,
            )
        )  # fmt: skip

    def counts(self, difference: int) -> "Shelf":
        return self._tell(
            inventory.StockCounted(
                entity="main", occurred_at=NOW, sku=SKU, location="main", reservable=True,
                counted=0, difference=difference, document="c", by="",
            )
        )  # fmt: skip

    def moves(self) -> "Shelf":
        return self._tell(
            inventory.StockMoved(
                entity="main", occurred_at=NOW, sku=SKU, location_from="a", location_to="b",
                reservable=True, quantity=1, document="m", by="",
            )
        )  # fmt: skip

    def cost_is_told(self, cost: str, receipt: int) -> "Shelf":
        command = commands.SettleCost(
            "main", SKU, f"stock-{SKU}/{receipt}", cost, "GBP", "2023-11-14", "ann", NOW
        )
        self.ledger.tell(STREAM, command)
        return self

    @property
    def balances(self) -> dict[str, int]:
        return self.ledger.short()

    @property
    def value(self) -> Value:
        value: Value = self.ledger.states.get(STREAM, Value())
        return value


def test_receipts_are_averaged_and_parcels_cost_the_average() -> None:
    shelf = Shelf().receives(2, "1.00").receives(1, "2.00").ships(1)
    assert shelf.balances == {"1400 MUG": 267, "2500": -400, "5000": 133}
    assert shelf.ships(2).balances == {"2500": -400, "5000": 400}


def test_a_move_posts_nothing() -> None:
    shelf = Shelf().receives(2, "1.00")
    before = len(shelf.ledger.log)
    assert len(shelf.moves().ledger.log) == before


def test_a_count_finds_and_loses_units_at_the_average() -> None:
    shelf = Shelf().receives(3, "1.00").counts(-1).counts(2)
    assert shelf.balances == {"1400 MUG": 400, "2500": -300, "5100": 100, "5110": -200}


def test_units_shipped_before_their_receipt_are_corrected_by_it() -> None:
    shelf = Shelf().receives(1, "1.00").ships(3)
    assert shelf.balances == {"1400 MUG": -200, "2500": -100, "5000": 300}
    shelf.receives(4, "1.50")
    assert shelf.balances == {"1400 MUG": 300, "2500": -700, "5000": 300, "5010": 100}
    assert (shelf.value.units, shelf.value.value) == (2, 300)


def test_units_shipped_before_any_cost_is_known_are_counted_and_corrected() -> None:
    shelf = Shelf().ships(2)
    assert (shelf.balances, shelf.value.uncosted) == ({}, 2)
    shelf.receives(5, "2.00")
    assert shelf.balances == {"1400 MUG": 600, "2500": -1000, "5010": 400}
    assert shelf.value.uncosted == 0


def test_a_receipt_without_a_cost_waits_until_one_is_known() -> None:
    shelf = Shelf().receives(4, None, None).ships(1)
    assert (shelf.balances, shelf.value.uncosted) == ({}, 4)
    assert [row.code for row in folded(QUEUES, shelf.ledger.log).values()] == ["cost-unknown"]
    shelf.receives(1, "2.00")
    assert shelf.balances == {"1400 MUG": 800, "2500": -1000, "5010": 200}
    assert folded(QUEUES, shelf.ledger.log) == {}


def test_a_person_says_what_a_receipt_cost() -> None:
    shelf = Shelf().receives(4, None, None).ships(1).cost_is_told("2.50", 1)
    assert shelf.balances == {"1400 MUG": 750, "2500": -1000, "5010": 250}
    assert folded(QUEUES, shelf.ledger.log) == {}
    with pytest.raises(Refused) as no:
        shelf.cost_is_told("2.50", 1)
    assert no.value.code == "posting-not-held"


def test_several_receipts_without_a_cost_are_worth_no_more_than_the_units_that_are_here() -> None:
    shelf = Shelf().receives(5, None, None).receives(5, None, None).ships(5)
    shelf.receives(10, "2.00")
    assert (shelf.value.units, shelf.value.value) == (15, 3000)
    assert shelf.balances == {"1400 MUG": 3000, "2500": -4000, "5010": 1000}


def test_persons_who_say_what_receipts_cost_revalue_each_unit_that_is_here_once() -> None:
    shelf = Shelf().receives(5, None, None).receives(5, None, None).ships(5)
    shelf.cost_is_told("2.00", 1).cost_is_told("2.00", 2)
    assert (shelf.value.units, shelf.value.value) == (5, 1000)
    assert shelf.balances == {"1400 MUG": 1000, "2500": -2000, "5010": 1000}


def test_a_cost_told_when_its_units_are_gone_does_not_revalue_those_that_came_later() -> None:
    shelf = Shelf().receives(5, "9.00", "SEK").ships(5).receives(5, "2.00")
    shelf.cost_is_told("3.00", 1)
    assert (shelf.value.units, shelf.value.value) == (5, 1000)
    assert shelf.balances == {"1400 MUG": 1000, "2500": -2500, "5010": 1500}


def test_a_cost_told_late_is_shared_by_what_is_here_and_what_is_gone_like_any_average() -> None:
    shelf = Shelf().receives(5, "1.00").receives(5, "9.00", "SEK").ships(5)
    shelf.cost_is_told("3.00", 2)
    assert shelf.balances == {"1400 MUG": 1000, "2500": -2000, "5000": 500, "5010": 500}


def test_a_later_receipt_without_a_cost_stands_at_the_last_known_one() -> None:
    shelf = Shelf().receives(2, "1.00").receives(2, None, None)
    assert shelf.balances == {"1400 MUG": 400, "2500": -400}
    assert folded(QUEUES, shelf.ledger.log) == {}


def test_a_receipt_in_another_currency_is_converted_at_the_configured_rate() -> None:
    shelf = Shelf().receives(10, "2.00", "EUR").ships(5)
    entry = shelf.ledger.entries[0]
    assert (entry.currency, entry.rate, entry.rate_source) == (
        "EUR", "0.857", "configured EUR/GBP",
    )  # fmt: skip
    assert shelf.ledger.balances(own=True) == {
        ("EUR", "1400", "MUG"): 1714, ("EUR", "2500", ""): -1714,
        ("GBP", "1400", "MUG"): -857, ("GBP", "5000", ""): 857,
    }  # fmt: skip
    assert shelf.value.value == 857


def test_a_receipt_in_a_currency_without_a_rate_waits() -> None:
    shelf = Shelf().receives(1, "1.00").receives(3, "9.00", "SEK")
    assert shelf.balances == {"1400 MUG": 400, "2500": -400}
    assert [row.code for row in folded(QUEUES, shelf.ledger.log).values()] == ["currency-unknown"]
    shelf.cost_is_told("0.70", 2)
    assert shelf.balances == {"1400 MUG": 310, "2500": -310}


def test_the_row_says_the_value_and_at_which_version_of_the_stock() -> None:
    shelf = Shelf().receives(2, "1.00").ships(1)
    row = folded(STOCK_VALUES, shelf.ledger.log)["main", SKU]
    assert (row.units, row.value, row.average, row.at_version) == (1, 100, "1.000000", 2)
