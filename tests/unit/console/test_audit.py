"""The audit's checks: a clean story has no finding, and each lie about it has its own."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from services.console.audit import databases
from services.console.audit.books import at_carrier, at_provider, by_order
from services.console.audit.effects import EffectsCheck
from services.console.audit.journal import JournalCheck
from services.console.audit.ledger import LedgerCheck
from services.console.audit.log import LogCheck
from services.console.audit.money import DAY, MoneyCheck
from services.console.audit.parcels import ParcelsCheck
from services.console.audit.record import Record
from services.console.audit.reports import ReportsCheck
from services.console.audit.run import hear
from services.console.audit.stock import StockCheck
from services.console.audit.topics import Foreign, read_record

NOW = 1_800_000_000_000_000
BOOKED = {"entity": "main", "currency": "GBP", "fact": None, "source_event": "e", "source_type": ""}


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


def money_codes(records: list[Record]) -> list[str]:
    return sorted(codes(MoneyCheck(NOW, NOW), records) + codes(LedgerCheck(NOW), records))


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


def placed(
    story: Story, total: int = 1000, name: str = "OrderPlaced", *, order_id: str = "o1",
    lines: tuple[str, ...] = ("l1",),
) -> Story:  # fmt: skip
    order = {
        "account": "shop",
        "external_id": "1",
        "currency": "GBP",
        "totals": {"total": total},
        "lines": [{"line_id": line, "quantity": 2, "kind": "goods"} for line in lines],
    }
    return story.tell("orders", name, f"order-{order_id}", order_id=order_id, order=order)


def captured(
    story: Story, amount: int = 1000, capture: str = "c1", holder: str = "stripe",
    tender: str = "card", order: str = "o1", entity: str = "main", currency: str = "GBP",
) -> Story:  # fmt: skip
    return story.tell(
        "payments", "PaymentCaptured", "payment-o1", order_id=order, capture_id=capture,
        holder=holder, tender=tender, amount=amount, entity=entity, currency=currency,
    )  # fmt: skip


def back(
    story: Story, amount: int, name: str = "RefundRequested", holder: str = "stripe",
    tender: str = "card", refund: str = "r1",
) -> Story:  # fmt: skip
    return story.tell(
        "payments", name, "payment-o1", order_id="o1", refund_id=refund, holder=holder,
        tender=tender, amount=amount, entity="main", currency="GBP",
    )  # fmt: skip


def cleared(story: Story) -> Story:
    return story.tell("payments", "ShipmentCleared", "payment-o1", shipment_id="s1", order_id="o1")


def posted(
    story: Story, debit: int = 1000, credit: int = 1000, source: str = "e1", order: str = "o1",
    entity: str = "main", currency: str = "GBP",
) -> Story:  # fmt: skip
    lines = [
        {"account": "1100", "debit": debit, "credit": 0, "functional_debit": debit,
         "functional_credit": 0, "dimension": "stripe"},
        {"account": "2100", "debit": 0, "credit": credit, "functional_debit": 0,
         "functional_credit": credit, "dimension": ""},
    ]  # fmt: skip
    return story.tell(
        "accounting", "EntryPosted", f"sale-{order}", entity=entity, fact=None,
        entry_id=f"en-{source}-{order}", kind="payment", reference="o1", order_id=order,
        currency=currency, functional_currency=currency, source_event=source,
        source_type="PaymentCaptured", lines=lines,
    )  # fmt: skip


def noted(story: Story, code: str, **fact: Any) -> Story:
    """Let the ledger keep a fact in a queue, or say that it moves nothing."""
    told = {"kind": "captured", "reference": "c1", "source_event": "e1", "holder": "stripe",
            "tender": "card", "amount": 1000, "currency": "GBP"}  # fmt: skip
    return story.tell("accounting", "SaleNoted", "sale-o1", entity="main", order_id="o1", code=code,
                      fact=told | fact)  # fmt: skip


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


def test_money_that_agrees_is_sound() -> None:
    story = dispatched(cleared(posted(captured(placed(Story())))))
    story = noted(story, "", kind="dispatched", reference="s1")
    assert money_codes(story.records) == []


def test_an_overcharge_and_a_capture_written_twice_are_found() -> None:
    story = posted(posted(captured(captured(placed(Story())))), source="e2")
    assert money_codes(story.records) == ["captured-twice", "charged-too-much"]


def test_what_an_order_costs_less_than_it_did_must_be_on_its_way_back() -> None:
    def cheaper() -> Story:
        return placed(posted(captured(placed(Story()))), 800, "OrderAmended")

    assert money_codes(cheaper().records) == ["charged-too-much"]
    assert money_codes(back(cheaper(), 150).records) == ["charged-too-much"]
    assert money_codes(back(cheaper(), 200).records) == []
    less = back(back(cheaper(), 200), 0)
    assert money_codes(less.records) == ["charged-too-much"]
    made = back(back(cheaper(), 200), 200, "RefundMade")
    assert money_codes(made.records) == ["ledger-differs"]
    returned = back(made, 200, "RefundReturned")
    assert money_codes(returned.records) == []
    assert money_codes(back(returned, 200, "RefundMade").records) == ["ledger-differs"]
    again = placed(made, 700, "OrderAmended")
    assert "charged-too-much" in money_codes(again.records)


def paid_by_hand() -> Story:
    """Return an order of 1000 that costs 800 by now, and 200 of it paid back from the bank."""
    story = back(placed(posted(captured(placed(Story()))), 800, "OrderAmended"), 200)
    story = back(story, 200, "RefundMade", holder="by hand")
    return story.tell("accounting", "EntryPosted", "sale-o1", kind="refund", **BOOKED, lines=[
        {"account": "2100", "dimension": "", "debit": 200, "credit": 0},
        {"account": "1000", "dimension": "", "debit": 0, "credit": 200},
    ])  # fmt: skip


def test_a_refund_that_went_back_by_hand_is_in_the_ledger_and_not_in_the_holders_books() -> None:
    assert codes(money := MoneyCheck(NOW, NOW), paid_by_hand().records) == []
    assert [one.code for one in at_provider(_books(1000), money)[0]] == []
    assert [one.code for one in at_provider(_books(800), money)[0]] == ["books-differ"]
    assert money_codes(paid_by_hand().records[:-1]) == ["ledger-differs"]
    again = back(paid_by_hand(), 200, "RefundMade", holder="by hand")
    assert money_codes(again.records) == ["ledger-differs", "refunded-twice"]


def test_a_refund_that_a_lost_dispute_paid_is_in_the_ledger_as_no_loss() -> None:
    story = back(placed(posted(captured(placed(Story()))), 800, "OrderAmended"), 200)
    story.tell("payments", "DisputeLost", "payment-o1", order_id="o1", dispute_id="d1",
               holder="stripe", amount=200, entity="main", currency="GBP")  # fmt: skip
    posted(story, -200, source="e7")
    back(story, 200, "RefundMade", holder="by dispute")
    assert money_codes(story.records) == ["ledger-differs"]
    story.tell("accounting", "EntryPosted", "sale-o1", kind="refund", **BOOKED, lines=[
        {"account": "2100", "dimension": "", "debit": 200, "credit": 0},
        {"account": "6100", "dimension": "", "debit": 0, "credit": 200},
    ])  # fmt: skip
    assert money_codes(story.records) == []


def test_what_went_back_by_hand_and_at_the_provider_too_is_found_unless_a_person_was_told() -> None:
    def twice(told: int) -> Story:
        story = placed(paid_by_hand(), 0, "OrderAmended")
        story = back(story, 1000, "RefundMade", refund="r2")
        for amount in (told // 2, told) if told else ():
            story.tell("payments", "PaymentDisagreed", "payment-o1", order_id="o1", amount=amount,
                       code="refund-paid-twice", provider_reference="r1")  # fmt: skip
        return posted(story, -1000, source="e9")

    assert money_codes(twice(0).records) == ["refunded-too-much"]
    assert money_codes(twice(200).records) == []
    assert money_codes(twice(150).records) == ["refunded-too-much"]


def test_an_order_that_has_ended_costs_nothing_until_it_lives_again() -> None:
    story = posted(captured(placed(Story())))
    story.tell("orders", "OrderLinesCancelled", "order-o1", order_id="o1", whole=True)
    assert money_codes(story.records) == ["charged-too-much"]
    assert money_codes(back(story, 1000).records) == []
    story = posted(captured(placed(Story())))
    story.tell("orders", "OrderLinesCancelled", "order-o1", order_id="o1", whole=True)
    story.tell("orders", "OrderReopened", "order-o1", order_id="o1")
    assert money_codes(story.records) == []


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
    money = MoneyCheck(NOW, NOW)
    story = captured(placed(Story(), 800), holder="shop")
    codes(money, back(story, 200, holder="shop").records)
    told = [{"number": "7", "external_id": "1", "taken_minor": taken, "owed_minor": owed}]
    assert [one.code for one in by_order("shop", told, money)] == found
    other = [{"number": "8", "external_id": "2", "taken_minor": 5, "owed_minor": 0}]
    assert [one.code for one in by_order("shop", other, money)] == ["order-books-differ"]


def redeemed(story: Story, tender: str, *, back: int = 0, account: str = "2300") -> Story:
    """Book 1000 as redeemed, or so much as given back."""
    line = {"account": account, "debit": 0 if back else 1000, "credit": back, "dimension": tender}
    name = "RefundMade" if back else "OrderPlaced"
    return story.tell(
        "accounting", "EntryPosted", "sale-o1", kind="gift_card_redeemed",
        **BOOKED | {"source_type": name}, lines=[line],
    )  # fmt: skip


@pytest.mark.parametrize("tender", ["gift_card", "store_credit"])
def test_what_a_voucher_carries_is_a_liability_that_its_refund_restores(tender: str) -> None:
    voucher: dict[str, Any] = {"holder": tender.replace("_", "-"), "tender": tender}

    def paid() -> Story:
        return captured(placed(Story()), **voucher)

    assert money_codes(paid().records) == ["ledger-differs"]
    assert money_codes(redeemed(paid(), tender).records) == []
    lost = back(redeemed(paid(), tender), 300, "RefundMade", **voucher)
    assert money_codes(lost.records) == ["ledger-differs"]
    assert money_codes(redeemed(lost, tender, back=300).records) == []
    owed = back(redeemed(paid(), tender), 300, "RefundMade", **voucher)
    owed = redeemed(owed, voucher["holder"], back=300, account="1100")
    assert money_codes(owed.records) == ["ledger-differs", "ledger-differs"]


def test_a_ledger_that_differs_is_found() -> None:
    story = posted(captured(placed(Story())), 900, 900)
    assert money_codes(story.records) == ["ledger-differs"]


def test_money_that_a_dispute_has_lost_is_in_nobodys_hands_any_more() -> None:
    def tell(story: Story, name: str, debit: str, credit: str) -> Story:
        story.tell("payments", name, "payment-o1", dispute_id="d1", order_id="o1",
                   holder="stripe", amount=1000, entity="main", currency="GBP")  # fmt: skip
        sides = ((debit, 1000, 0), (credit, 0, 1000))
        lines = [{"account": account, "dimension": "stripe", "debit": left, "credit": right}
                 for account, left, right in sides]  # fmt: skip
        return story.tell("accounting", "EntryPosted", "sale-o1", kind="dispute", **BOOKED,
                          lines=lines)  # fmt: skip

    story = tell(posted(captured(placed(Story()))), "DisputeOpened", "1300", "1100")
    assert money_codes(story.records) == []
    lost = tell(story, "DisputeLost", "6100", "1300").records
    assert money_codes(lost) == []
    assert money_codes(lost[:-1]) == ["ledger-differs"]


@pytest.mark.parametrize(
    ("what", "taken", "found"),
    [
        ("refund", 800, []),
        ("refund", 1000, []),
        ("refund", 700, ["books-differ"]),
        ("refund", 1200, ["books-differ"]),
        ("capture", 1200, []),
        ("capture", 800, ["books-differ"]),
        ("void", 1200, ["books-differ"]),
        ("authorise", 1200, ["books-differ"]),
    ],
)
def test_a_providers_books_may_differ_by_what_is_in_doubt_of_captures_and_refunds(
    what: str, taken: int, found: list[str]
) -> None:
    story = captured(placed(Story()))
    story.tell("payments", "PaymentAuthorised", "payment-o1", intent_id="i", holder="stripe")
    story.tell("payments", "PaymentOutcomeUnknown", "payment-o1", effect_id="f", what=what,
               intent_id="i", amount=200, currency="GBP", since=NOW)  # fmt: skip
    money = MoneyCheck(NOW, NOW)
    codes(money, story.records)
    assert [one.code for one in at_provider(_books(taken), money)[0]] == found
    settled = story.tell("payments", "PaymentOutcomeResolved", "payment-o1", effect_id="f")
    money.see(settled.records[-1])
    assert [one.code for one in at_provider(_books(1000), money)[0]] == []


def _books(taken: int) -> dict[str, Any]:
    return {"account": "stripe", "captured_minor": {"GBP": taken + 50},
            "refunded_minor": {"GBP": 50}, "double_charges": [], "faults": {}}  # fmt: skip


def test_a_parcel_that_left_before_its_money_was_there_is_found() -> None:
    story = dispatched(placed(Story()))
    assert codes(MoneyCheck(NOW, NOW), story.records) == ["sent-unpaid"]


def test_a_doubt_of_more_than_a_day_is_found_until_it_is_resolved() -> None:
    story = Story().tell(
        "payments", "PaymentOutcomeUnknown", "payment-o1", effect_id="f", what="capture",
        intent_id="i", amount=5, since=NOW - DAY - 1,
    )  # fmt: skip
    assert money_codes(story.records) == ["unknown-too-long"]
    story.tell("payments", "PaymentOutcomeResolved", "payment-o1", effect_id="f")
    assert money_codes(story.records) == []


CALLS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "authorise": ("payments", "PaymentAuthorisationRequested", "PaymentAuthorised",
                  {"intent_id": "i"}),
    "capture": ("payments", "PaymentCaptureRequested", "PaymentCaptured", {"capture_id": "c"}),
    "never-captured": ("payments", "PaymentCaptureRequested", "PaymentCaptureFailed",
                       {"capture_id": "c"}),
    "void": ("payments", "PaymentVoidRequested", "PaymentVoided", {"intent_id": "i"}),
    "refund": ("payments", "RefundRequested", "RefundMade", {"refund_id": "r"}),
    "create": ("fulfilment", "LabelRequested", "LabelRequested",
               {"label_id": "l", "shipment_id": "s"}),
    "buy": ("fulfilment", "LabelQuoted", "LabelBought", {"label_id": "l", "shipment_id": "s"}),
    "give-back": ("fulfilment", "LabelVoidRequested", "LabelVoided", {"label_id": "l"}),
    "report": ("channels", "ChannelReportRequested", "ChannelReportConfirmed",
               {"report_id": "r"}),
}  # fmt: skip


def given_up(state: str, cause: str) -> dict[str, Any]:
    return {"id": "f", "kind": "k", "state": state, "cause": cause, "last_error": "in-doubt"}


def unknown(story: Story, state: str = "queued", cause: str = "") -> list[str]:
    check = EffectsCheck()
    codes(check, story.records)
    rows = [given_up(state, cause or story.records[0].id)]
    return [one.code for one in databases.doubtful(rows, check.known)]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_was_given_up_is_unknown_until_its_own_outcome_is_told(name: str) -> None:
    service, asked, outcome, about = CALLS[name]
    story = Story().tell(service, asked, "s-1", **about)
    assert unknown(story) == ["unknown-too-long"]
    other = dict.fromkeys(about, "another")
    story.tell(service, outcome, "s-1", **other).tell(service, outcome, "s-2", **about)
    assert unknown(story) == ["unknown-too-long"]
    assert unknown(story.tell(service, outcome, "s-1", **about)) == []
    again = story.tell(service, asked, "s-1", **about).records[-1].id
    assert unknown(story, cause=again) == ["unknown-too-long"]


def test_a_person_who_says_what_became_of_a_call_ends_its_doubt() -> None:
    story = Story().tell("payments", "PaymentVoidRequested", "payment-o1", intent_id="i")
    story.tell("payments", "PaymentOutcomeResolved", "payment-o1", effect_id="another")
    assert unknown(story) == ["unknown-too-long"]
    story.tell("payments", "PaymentOutcomeResolved", "payment-o1", effect_id="f")
    assert unknown(story) == []


@pytest.mark.parametrize("state", ["unknown", "in-flight"])
def test_what_is_still_being_tried_after_a_day_is_found_whatever_is_told(state: str) -> None:
    service, asked, outcome, about = CALLS["capture"]
    story = Story().tell(service, asked, "s-1", **about).tell(service, outcome, "s-1", **about)
    assert unknown(story, state) == ["unknown-too-long"]


def test_a_call_of_which_no_topic_knows_is_unknown_and_a_question_is_no_doubt() -> None:
    story = Story().tell("fulfilment", "TrackingAsked", "shipment-s", shipment_id="s")
    assert unknown(story, cause="nobody") == ["unknown-too-long"]
    assert unknown(story) == []


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
