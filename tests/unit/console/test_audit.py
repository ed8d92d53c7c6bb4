"""The audit's checks: a clean story has no finding, and each lie about it has its own."""

from typing import Any

import pytest

from services.console.audit.books import by_order
from services.console.audit.journal import JournalCheck
from services.console.audit.log import LogCheck
from services.console.audit.money import DAY, MoneyCheck
from services.console.audit.parcels import ParcelsCheck
from services.console.audit.record import Record
from services.console.audit.reports import ReportsCheck
from services.console.audit.stock import StockCheck

NOW = 1_800_000_000_000_000


class Story:
    """Records as topics would give them, numbered by partition and stream."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.numbers: dict[str, int] = {}
        self.versions: dict[tuple[str, str], int] = {}

    def tell(self, service: str, name: str, stream: str, at: int = NOW, /, **data: Any) -> "Story":
        pseq = self.numbers[service] = self.numbers.get(service, 0) + 1
        version = self.versions.get((service, stream), 0) + 1
        self.versions[service, stream] = version
        record = Record(
            service, name, stream, version, pseq, f"{service}-{pseq}", at, 0, pseq, data
        )
        self.records.append(record)
        return self


def codes(check: Any, records: list[Record]) -> list[str]:
    for record in records:
        check.see(record)
    return sorted(finding.code for finding in check.findings())


def received(units: int, story: Story | None = None) -> Story:
    return (story or Story()).tell(
        "inventory", "StockReceived", "stock-A", sku="A", location="main", quantity=units
    )


def reserved(story: Story, order: str, units: int, at: int = NOW) -> Story:
    return story.tell(
        "inventory", "StockReserved", "stock-A", at, sku="A", order_id=order,
        allocations=[{"location": "main", "units": units}],
    )  # fmt: skip


def shipped(story: Story, order: str, units: int) -> Story:
    return story.tell(
        "inventory", "StockShipped", "stock-A", sku="A", location="main", quantity=units,
        order_id=order, shipment_id="s1", allocations=[{"location": "main", "units": units}],
    )  # fmt: skip


def dispatched(story: Story, units: int = 2, *, shipment: str = "s1", rows: int = 2) -> Story:
    return story.tell(
        "fulfilment", "ShipmentDispatched", f"shipment-{shipment}", shipment_id=shipment,
        rows=[{"order_id": "o1", "line_id": "l1", "quantity": rows}], tracking_code="T",
        units=[{"order_id": "o1", "sku": "A", "units": units}],
        references=[{"order_id": "o1", "account": "shop", "external_id": "1"}],
    )  # fmt: skip


def placed(story: Story, total: int = 1000, name: str = "OrderPlaced") -> Story:
    order = {
        "account": "shop",
        "external_id": "1",
        "totals": {"total": total},
        "lines": [{"line_id": "l1", "quantity": 2, "kind": "goods"}],
    }
    return story.tell("orders", name, "order-o1", order_id="o1", order=order)


def captured(
    story: Story, amount: int = 1000, capture: str = "c1", holder: str = "stripe"
) -> Story:
    return story.tell(
        "payments", "PaymentCaptured", "payment-o1", order_id="o1", capture_id=capture,
        holder=holder, tender="card", amount=amount,
    )  # fmt: skip


def back(story: Story, amount: int, name: str = "RefundRequested", holder: str = "stripe") -> Story:
    return story.tell(
        "payments", name, "payment-o1", order_id="o1", refund_id="r1", holder=holder, amount=amount
    )


def cleared(story: Story) -> Story:
    return story.tell("payments", "ShipmentCleared", "payment-o1", shipment_id="s1", order_id="o1")


def posted(story: Story, debit: int = 1000, credit: int = 1000, source: str = "e1") -> Story:
    lines = [
        {"account": "1100", "debit": debit, "credit": 0, "functional_debit": debit,
         "functional_credit": 0, "dimension": "stripe"},
        {"account": "2100", "debit": 0, "credit": credit, "functional_debit": 0,
         "functional_credit": credit, "dimension": ""},
    ]  # fmt: skip
    return story.tell(
        "accounting", "EntryPosted", "sale-o1", entity="main", entry_id=f"en-{source}",
        kind="payment", reference="o1", currency="GBP", source_event=source,
        source_type="PaymentCaptured", lines=lines,
    )  # fmt: skip


def test_a_log_without_holes_is_sound_and_a_repeat_of_the_relay_is_none() -> None:
    story = reserved(received(5), "o1", 2)
    assert codes(LogCheck(), [*story.records, story.records[-1]]) == []


def test_a_hole_two_histories_and_streams_out_of_order_are_found() -> None:
    story = reserved(received(5), "o1", 2)
    first, second = story.records
    assert codes(LogCheck(), [second]) == ["hole-in-the-log", "version-out-of-order"]
    other = Record("inventory", "X", "stock-A", 1, 1, "another", NOW, 0, 9, {})
    assert codes(LogCheck(), [first, other]) == ["two-histories"]


def test_an_order_that_is_placed_twice_is_found() -> None:
    assert codes(LogCheck(), placed(placed(Story())).records) == ["received-twice"]


def test_units_that_add_up_are_sound() -> None:
    story = dispatched(shipped(reserved(received(5), "o1", 2), "o1", 2))
    assert codes(StockCheck(), story.records) == []


def test_a_promise_without_stock_is_found_and_one_mended_in_its_turn_is_not() -> None:
    assert codes(StockCheck(), reserved(received(1), "o1", 2).records) == ["promised-without-stock"]
    mended = reserved(received(2), "o1", 2)
    mended.tell("inventory", "StockCounted", "stock-A", NOW + 1, sku="A", location="main",
                difference=-1)  # fmt: skip
    mended.tell("inventory", "ShortfallDetected", "stock-A", NOW + 1, sku="A", location="main",
                orders=[{"order_id": "o1", "units": 1}])  # fmt: skip
    assert codes(StockCheck(), mended.records) == []


def test_units_given_back_twice_are_found() -> None:
    story = shipped(reserved(received(5), "o1", 1), "o1", 1)
    story.tell("inventory", "StockReleased", "stock-A", sku="A", order_id="o1",
               allocations=[{"location": "main", "units": 1}])  # fmt: skip
    assert "units-given-back-twice" in codes(StockCheck(), story.records)


def test_a_parcel_whose_units_did_not_leave_the_stock_is_found() -> None:
    assert codes(StockCheck(), dispatched(received(5)).records) == ["shipped-otherwise"]


def test_money_that_agrees_is_sound() -> None:
    story = dispatched(cleared(posted(captured(placed(Story())))))
    assert codes(MoneyCheck(NOW), story.records) == []


def test_an_overcharge_and_a_capture_written_twice_are_found() -> None:
    story = posted(posted(captured(captured(placed(Story())))), source="e2")
    assert codes(MoneyCheck(NOW), story.records) == ["captured-twice", "charged-too-much"]


def test_what_an_order_costs_less_than_it_did_must_be_on_its_way_back() -> None:
    def cheaper() -> Story:
        return placed(posted(captured(placed(Story()))), 800, "OrderAmended")

    assert codes(MoneyCheck(NOW), cheaper().records) == ["charged-too-much"]
    assert codes(MoneyCheck(NOW), back(cheaper(), 150).records) == ["charged-too-much"]
    assert codes(MoneyCheck(NOW), back(cheaper(), 200).records) == []
    less = back(back(cheaper(), 200), 0)
    assert codes(MoneyCheck(NOW), less.records) == ["charged-too-much"]
    made = back(back(cheaper(), 200), 200, "RefundMade")
    assert codes(MoneyCheck(NOW), made.records) == ["ledger-differs"]
    returned = back(made, 200, "RefundReturned")
    assert codes(MoneyCheck(NOW), returned.records) == []
    assert codes(MoneyCheck(NOW), back(returned, 200, "RefundMade").records) == ["ledger-differs"]
    again = placed(made, 700, "OrderAmended")
    assert "charged-too-much" in codes(MoneyCheck(NOW), again.records)


def test_an_order_that_has_ended_costs_nothing_until_it_lives_again() -> None:
    story = posted(captured(placed(Story())))
    story.tell("orders", "OrderLinesCancelled", "order-o1", order_id="o1", whole=True)
    assert codes(MoneyCheck(NOW), story.records) == ["charged-too-much"]
    assert codes(MoneyCheck(NOW), back(story, 1000).records) == []
    story = posted(captured(placed(Story())))
    story.tell("orders", "OrderLinesCancelled", "order-o1", order_id="o1", whole=True)
    story.tell("orders", "OrderReopened", "order-o1", order_id="o1")
    assert codes(MoneyCheck(NOW), story.records) == []


@pytest.mark.parametrize(
    ("taken", "owed", "found"),
    [
        (1000, 200, []),
        (1000, 250, ["owed-not-queued"]),
        (800, 0, ["order-books-differ"]),
    ],
)
def test_each_order_of_a_shop_is_compared_with_its_own_books(
    taken: int, owed: int, found: list[str]
) -> None:
    money = MoneyCheck(NOW)
    story = captured(placed(Story(), 800), holder="shop")
    codes(money, back(story, 200, holder="shop").records)
    told = [{"number": "7", "external_id": "1", "taken_minor": taken, "owed_minor": owed}]
    assert [one.code for one in by_order("shop", told, money)] == found
    other = [{"number": "8", "external_id": "2", "taken_minor": 5, "owed_minor": 0}]
    assert [one.code for one in by_order("shop", other, money)] == ["order-books-differ"]


def test_a_ledger_that_differs_is_found() -> None:
    story = posted(captured(placed(Story())), 900, 900)
    assert codes(MoneyCheck(NOW), story.records) == ["ledger-differs"]


def test_a_parcel_that_left_before_its_money_was_there_is_found() -> None:
    story = dispatched(placed(Story()))
    assert codes(MoneyCheck(NOW), story.records) == ["sent-unpaid"]


def test_a_doubt_of_more_than_a_day_is_found_until_it_is_resolved() -> None:
    story = Story().tell(
        "payments", "PaymentOutcomeUnknown", "payment-o1", effect_id="f", what="capture",
        intent_id="i", amount=5, since=NOW - DAY - 1,
    )  # fmt: skip
    assert codes(MoneyCheck(NOW), story.records) == ["unknown-too-long"]
    story.tell("payments", "PaymentOutcomeResolved", "payment-o1", effect_id="f")
    assert codes(MoneyCheck(NOW), story.records) == []


def test_a_journal_that_balances_is_sound_and_one_that_does_not_is_found() -> None:
    assert codes(JournalCheck(), posted(Story()).records) == []
    found = codes(JournalCheck(), posted(Story(), 1000, 999).records)
    assert set(found) == {"entry-does-not-balance", "trial-balance-differs"}


def test_a_fact_that_is_posted_twice_is_found() -> None:
    assert codes(JournalCheck(), posted(posted(Story())).records) == ["posted-twice"]


def test_parcels_sent_twice_beyond_the_order_and_labels_bought_twice_are_found() -> None:
    story = dispatched(placed(Story()))
    assert codes(ParcelsCheck(), story.records) == []
    twice = dispatched(dispatched(placed(Story()))).records
    assert codes(ParcelsCheck(), twice) == ["sent-beyond-order", "sent-twice"]
    labels = Story()
    for name in ("a", "b"):
        labels.tell("fulfilment", "LabelBought", "shipment-s1", shipment_id="s1", label_id=name)
    assert codes(ParcelsCheck(), labels.records) == ["label-bought-twice"]
    labels.tell("fulfilment", "LabelVoided", "shipment-s1", shipment_id="s1", label_id="a")
    assert codes(ParcelsCheck(), labels.records) == []


def reported(story: Story, *, confirmed_at: int | None = NOW + 5, due: int = NOW + 10) -> Story:
    names: dict[str, Any] = {
        "report_id": "r1",
        "order_id": "o1",
        "kind": "dispatch",
        "subject": "s1",
    }
    story.tell("channels", "ChannelReportRequested", "channelorder-shop:1", due_by=due, **names)
    if confirmed_at is not None:
        story.tell(
            "channels", "ChannelReportConfirmed", "channelorder-shop:1",
            occurred_at=confirmed_at, due_by=due, **names,
        )  # fmt: skip
    return story


def test_a_dispatch_told_once_in_time_is_sound() -> None:
    assert codes(ReportsCheck(NOW + 6), reported(dispatched(Story())).records) == []


def test_a_dispatch_never_told_told_late_or_twice_is_found() -> None:
    assert codes(ReportsCheck(NOW), dispatched(Story()).records) == ["not-reported"]
    late = reported(dispatched(Story()), confirmed_at=NOW + 11)
    assert codes(ReportsCheck(NOW + 12), late.records) == ["reported-late"]
    silent = reported(dispatched(Story()), confirmed_at=None)
    assert codes(ReportsCheck(NOW + 12), silent.records) == ["reported-late"]
    twice = reported(dispatched(Story())).records
    assert codes(ReportsCheck(NOW + 6), [*twice, twice[-1]]) == ["confirmed-twice"]
