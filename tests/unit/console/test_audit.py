"""The audit's checks: a clean story has no finding, and each lie about it has its own."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from services.console.audit import databases
from services.console.audit.books import at_carrier
from services.console.audit.journal import JournalCheck
from services.console.audit.log import LogCheck
from services.console.audit.money import DAY, MoneyCheck
from services.console.audit.parcels import ParcelsCheck
from services.console.audit.reports import ReportsCheck
from services.console.audit.run import hear
from services.console.audit.stock import StockCheck
from services.console.audit.topics import Foreign, read_record
from tests.unit.console.auditing import (
    NOW,
    Story,
    captured,
    codes,
    dispatched,
    placed,
    posted,
    received,
    reserved,
    shipped,
)


def test_a_log_without_holes_is_sound_and_a_repeat_of_the_relay_is_none() -> None:
    story = reserved(received(5), "o1", 2)
    assert codes(LogCheck(), [*story.records, story.records[-1]]) == []


def test_a_hole_two_histories_and_streams_out_of_order_are_found() -> None:
    story = reserved(received(5), "o1", 2)
    first, second = story.records
    assert codes(LogCheck(), [second]) == ["hole-in-the-log"]
    for early in (first, second):
        other = replace(early, id="another", offset=9)
        assert "two-histories" in codes(LogCheck(), [early, other])
    assert codes(LogCheck(), [first, replace(second, version=3)]) == ["version-out-of-order"]


def test_what_a_relay_sends_again_is_judged_once_and_a_hole_that_is_filled_is_none() -> None:
    story = posted(captured(placed(reserved(received(5), "o1", 2))))
    first, second, *others = story.records
    for told in (
        [*story.records, *story.records],
        [second, *others, first, second],
        [second, *others, first],
    ):
        log, stock, money = LogCheck(), StockCheck(NOW), MoneyCheck(NOW, NOW)
        for record in told:
            hear(record, log, (stock, money))
        assert [*log.findings(), *stock.findings(), *money.findings()] == []
        assert stock.figures()["units_on_hand"] == 5


def test_an_order_that_is_placed_twice_is_found() -> None:
    assert codes(LogCheck(), placed(placed(Story())).records) == ["received-twice"]
    twice = placed(placed(Story()), order_id="o2")
    assert codes(LogCheck(), twice.records) == ["received-twice"]


def test_a_record_without_our_headers_is_foreign_whatever_its_own_hold() -> None:
    for value in (b"\xff", None):
        message = SimpleNamespace(headers=[("trace", value)], key=b"k", value=b"v")
        with pytest.raises(Foreign):
            read_record("orders", message, {})


def test_units_that_add_up_are_sound() -> None:
    story = dispatched(shipped(reserved(received(5), "o1", 2), "o1", 2))
    assert codes(StockCheck(NOW), story.records) == []


def test_a_promise_without_stock_is_found_and_one_mended_in_its_turn_is_not() -> None:
    assert codes(StockCheck(NOW), reserved(received(1), "o1", 2).records) == [
        "promised-without-stock"
    ]
    mended = reserved(received(2), "o1", 2)
    mended.tell("inventory", "StockCounted", "stock-A", NOW + 1, sku="A", location="main",
                difference=-1)  # fmt: skip
    mended.tell("inventory", "ShortfallDetected", "stock-A", NOW + 1, sku="A", location="main",
                orders=[{"order_id": "o1", "units": 1}])  # fmt: skip
    assert codes(StockCheck(NOW), mended.records) == []


def test_an_oversell_that_a_later_receipt_covers_is_found() -> None:
    def covered(at: int) -> list[str]:
        story = reserved(received(3), "o1", 5)
        story.tell("inventory", "StockReceived", "stock-A", at, sku="A", location="main",
                   quantity=10)  # fmt: skip
        return codes(StockCheck(NOW), story.records)

    assert covered(NOW + DAY) == ["promised-without-stock"]
    assert covered(NOW) == []


def test_a_promise_of_a_place_that_never_had_any_is_found() -> None:
    story = received(5).tell(
        "inventory", "StockReserved", "stock-A", sku="A", order_id="o1",
        allocations=[{"location": "shop", "units": 1}],
    )  # fmt: skip
    assert codes(StockCheck(NOW), story.records) == ["promised-without-stock"]


def test_units_given_back_twice_are_found() -> None:
    story = shipped(reserved(received(5), "o1", 1), "o1", 1)
    story.tell("inventory", "StockReleased", "stock-A", sku="A", order_id="o1",
               allocations=[{"location": "main", "units": 1}])  # fmt: skip
    assert "units-given-back-twice" in codes(StockCheck(NOW), story.records)


def test_a_parcel_whose_units_did_not_leave_the_stock_is_found() -> None:
    assert codes(StockCheck(NOW), dispatched(received(5)).records) == ["shipped-otherwise"]


def test_a_journal_that_balances_is_sound_and_one_that_does_not_is_found() -> None:
    assert codes(JournalCheck(), posted(Story()).records) == []
    found = codes(JournalCheck(), posted(Story(), 1000, 999).records)
    assert set(found) == {"entry-does-not-balance", "trial-balance-differs"}


def test_a_fact_that_is_posted_twice_is_found() -> None:
    assert codes(JournalCheck(), posted(posted(Story())).records) == ["posted-twice"]


def test_a_fact_of_several_orders_is_posted_once_for_each() -> None:
    story = posted(posted(Story()), order="o2")
    assert codes(JournalCheck(), story.records) == []
    assert codes(JournalCheck(), posted(story, order="o2").records) == ["posted-twice"]


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


def test_a_label_that_we_asked_the_carrier_to_take_back_is_known_to_us() -> None:
    one = {"shipment": "shp_1", "reference": "s1", "given_back": False}
    books = {"labels": [one], "bought_twice": [], "bought": 1, "faults": {}, "by_status": {}}
    check, void = ParcelsCheck(), "LabelVoidRequested"
    assert [found.code for found in at_carrier(books, check)[0]] == ["label-unknown"]
    told = {"shipment_id": "s1", "label_id": "a", "provider_shipment": "shp_1"}
    for record in Story().tell("fulfilment", void, "shipment-s1", **told).records:
        check.see(record)
    assert at_carrier(books, check)[0] == []


def test_what_is_sent_again_after_a_parcel_was_lost_is_not_beyond_the_order() -> None:
    def again(decision: str) -> Story:
        story = dispatched(placed(Story())).tell(
            "orders", "OrderDecisionTaken", "order-o1", order_id="o1", decision=decision,
            lines=[{"line_id": "l1", "quantity": 2}],
        )  # fmt: skip
        return dispatched(story, shipment="s2")

    assert codes(ParcelsCheck(), again("reship").records) == []
    assert codes(ParcelsCheck(), again("refund").records) == ["sent-beyond-order"]
    more = dispatched(again("reship"), shipment="s3")
    assert codes(ParcelsCheck(), more.records) == ["sent-beyond-order"]


def test_units_that_nobody_has_ordered_are_found_when_they_leave() -> None:
    assert codes(ParcelsCheck(), dispatched(Story()).records) == ["sent-beyond-order"]


def reported(
    story: Story, *, confirmed_at: int | None = NOW + 5, due: int = NOW + 10, report: str = "r1",
    kind: str = "dispatch", subject: str = "s1",
) -> Story:  # fmt: skip
    names = {"report_id": report, "order_id": "o1", "kind": kind, "subject": subject}
    story.tell("channels", "ChannelReportRequested", "channelorder-shop:1", due_by=due, **names)
    if confirmed_at is not None:
        story.tell(
            "channels", "ChannelReportConfirmed", "channelorder-shop:1",
            occurred_at=confirmed_at, due_by=due, **names,
        )  # fmt: skip
    return story


def test_a_dispatch_told_once_in_time_is_sound() -> None:
    assert codes(ReportsCheck(NOW + 6, NOW + 6), reported(dispatched(Story())).records) == []


def test_a_dispatch_never_told_told_late_or_twice_is_found() -> None:
    assert codes(ReportsCheck(NOW, NOW), dispatched(Story()).records) == ["not-reported"]
    late = reported(dispatched(Story()), confirmed_at=NOW + 11)
    assert codes(ReportsCheck(NOW + 12, NOW + 12), late.records) == ["reported-late"]
    silent = reported(dispatched(Story()), confirmed_at=None)
    assert codes(ReportsCheck(NOW + 12, NOW + 12), silent.records) == ["reported-late"]
    twice = reported(dispatched(Story())).records
    assert codes(ReportsCheck(NOW + 6, NOW + 6), [*twice, twice[-1]]) == ["confirmed-twice"]


def test_a_dispatch_told_under_two_names_is_found() -> None:
    story = reported(reported(dispatched(Story())), report="r2")
    assert codes(ReportsCheck(NOW + 6, NOW + 6), story.records) == ["confirmed-twice"]


def test_a_dispatch_that_never_was_is_not_to_be_told() -> None:
    assert codes(ReportsCheck(NOW + 6, NOW + 6), reported(Story()).records) == ["reported-untruly"]


def test_what_a_channel_has_taken_out_of_its_order_need_not_be_told() -> None:
    story = dispatched(placed(Story()))
    assert codes(ReportsCheck(NOW, NOW), story.records) == ["not-reported"]
    assert codes(ReportsCheck(NOW, NOW), placed(story, 0, "OrderAmended", lines=()).records) == []


@pytest.mark.parametrize(
    ("cause", "whole", "line", "found"),
    [
        ("policy", True, "l1", ["not-reported"]),
        ("request", False, "l1", ["not-reported"]),
        ("request", False, "gone", []),
        ("channel", True, "l1", []),
    ],
)
def test_a_cancellation_is_told_to_its_channel_unless_that_said_it(
    cause: str, whole: bool, line: str, found: list[str]
) -> None:
    def cancelled() -> Story:
        return placed(Story()).tell(
            "orders", "OrderLinesCancelled", "order-o1", order_id="o1", cause=cause, whole=whole,
            lines=[{"line_id": line, "quantity": 2}], reference={"account": "shop"},
        )  # fmt: skip

    story = cancelled()
    assert codes(ReportsCheck(NOW, NOW), story.records) == found
    told = reported(story, kind="cancellation", subject=story.records[-1].id)
    if found:
        assert codes(ReportsCheck(NOW, NOW), told.records) == []


@pytest.mark.parametrize(
    ("state", "days", "found"),
    [
        ("dispatched", 20, []),
        ("dispatched", 91, ["stuck"]),
        ("confirmed", 2, []),
        ("confirmed", 4, ["stuck"]),
    ],
)
def test_an_order_with_its_carrier_is_stuck_much_later_than_one_with_us(
    state: str, days: int, found: list[str]
) -> None:
    row = {"order_id": "o1", "state": state, "since": NOW}
    assert [one.code for one in databases.stuck([row], NOW + days * DAY)] == found
