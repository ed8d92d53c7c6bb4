"""Money that agrees has no finding, nor has what is still in doubt; each lie about it has its own."""

from typing import Any

import pytest

from services.console.audit import databases
from services.console.audit.books import at_provider, by_order
from services.console.audit.effects import EffectsCheck
from services.console.audit.money import DAY, MoneyCheck
from tests.unit.console.auditing import (
    BOOKED,
    NOW,
    Story,
    back,
    captured,
    cleared,
    codes,
    dispatched,
    money_codes,
    noted,
    placed,
    posted,
)


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
