"""What a channel took of a buyer and gave back, as its payload says it: before and after an edit."""

from typing import Any

import pytest

from libs.contracts import channels
from libs.eventsourcing.testing import given
from services.channels import commands
from services.channels.adapters import shopify, standard, woocommerce
from services.channels.adapters.neutral import Nothing
from services.channels.decider import CHANNEL_ORDER
from tests.unit.channels import payloads
from tests.unit.channels.payloads import TERMS, order_of

EDITED: dict[str, Any] = {
    "current_total_price": "22.00", "current_total_tax": "3.00", "current_subtotal_price": "15.00",
}  # fmt: skip
PENDING: dict[str, Any] = {
    "transactions": [],
    "order_adjustments": [{"amount": "-12.00", "reason": "Pending refund discrepancy"}],
}
BACK: dict[str, Any] = {
    "transactions": [
        {"kind": "refund", "status": "success", "amount": "12.00", "currency": "GBP"},
        {"kind": "refund", "status": "failure", "amount": "12.00", "currency": "GBP"},
    ]
}


def shop(second: int = 5, **changes: Any) -> Any:
    """An order of 34.00 at Shopify; edited, one T-shirt for 12.00 less."""
    lines = payloads.shopify()["line_items"]
    if "current_total_price" in changes:
        lines[0] |= {"current_quantity": 1}
    at = f"2024-03-01T10:00:{second:02d}+00:00"
    told = payloads.shopify(updated_at=at, line_items=lines, **changes)
    return order_of(shopify, "orders/updated", told)


def stripe(net: str, fee: str, **notes: Any) -> list[dict[str, Any]]:
    """What WooCommerce's Stripe plugin notes of a charge."""
    said = {"_stripe_charge_captured": "yes", "_stripe_currency": "GBP", "_stripe_net": net,
            "_stripe_fee": fee} | notes  # fmt: skip
    return [{"id": 900, "key": key, "value": value} for key, value in said.items()]


def woo(**changes: Any) -> Any:
    return order_of(woocommerce, "order.updated", payloads.woocommerce(**changes))


def store(**changes: Any) -> Any:
    return order_of(standard, "order.updated", payloads.standard("order.updated", **changes))


def money(order: Any) -> tuple[Any, ...]:
    return order.funds, order.totals.total, order.received, order.refunded


def test_shopify_says_what_it_took_by_what_is_outstanding() -> None:
    assert money(shop(total_outstanding="0.00", refunds=[])) == ("paid", 3400, 3400, 0)
    unpaid: dict[str, Any] = {"financial_status": "pending", "total_outstanding": "34.00"}
    assert money(shop(**unpaid)) == ("pending", 3400, None, None)
    half: dict[str, Any] = {
        "financial_status": "partially_paid",
        "total_outstanding": "10.00",
        "refunds": [],
    }
    assert money(shop(**half)) == ("part_paid", 3400, 2400, 0)


def test_a_shopify_order_first_seen_after_a_cheaper_edit_says_the_whole_it_took() -> None:
    owed = shop(**EDITED, total_outstanding="-12.00", refunds=[PENDING])
    assert money(owed) == ("paid", 2200, 3400, 0)
    assert (owed.totals.rounding, owed.lines[0].quantity) == (0, 1)
    (tender,) = owed.tenders
    assert tender.amount == 3400
    back = shop(**EDITED, total_outstanding="0.00", refunds=[PENDING, BACK],
                financial_status="partially_refunded")  # fmt: skip
    assert money(back) == ("part_refunded", 2200, 3400, 1200)


def test_a_cancelled_shopify_order_says_that_it_kept_nothing() -> None:
    whole = BACK | {"transactions": [BACK["transactions"][0] | {"amount": "34.00"}]}
    order = shop(current_total_price="0.00", total_outstanding="0.00", refunds=[whole],
                 financial_status="refunded", cancelled_at="2024-03-01T10:00:05Z")  # fmt: skip
    assert money(order)[2:] == (3400, 3400)


@pytest.mark.parametrize(
    "told",
    [
        {},  # an older payload
        {"total_outstanding": "35.00"},
        {"total_outstanding": "0.00",
         "refunds": [{"transactions": [BACK["transactions"][0] | {"currency": "EUR"}]}]},
    ],
)  # fmt: skip
def test_what_shopify_does_not_say_is_not_guessed(told: dict[str, Any]) -> None:
    order = shop(**told)
    assert (order.received, order.refunded) == (None, None)


def test_a_refund_by_itself_is_a_notice_for_the_order_says_it_whole() -> None:
    found = shopify.understand("refunds/create", payloads.parsed({"id": 1, "order_id": 2}), TERMS)
    assert found == Nothing("refund-notice")


def test_woocommerce_says_what_it_took_where_its_gateway_notes_it() -> None:
    assert money(woo()) == ("paid", 3400, None, None)
    assert money(woo(meta_data=stripe("33.00", "1.00"))) == ("paid", 3400, 3400, 0)
    lines = payloads.woocommerce()["line_items"][:1]
    edited = woo(line_items=lines, total="28.00", total_tax="4.00",
                 meta_data=stripe("33.00", "1.00"))  # fmt: skip
    assert money(edited) == ("paid", 2800, 3400, 0)
    assert edited.tenders[0].amount == 3400


def test_a_refund_of_woocommerce_leaves_its_total_and_is_taken_off_what_it_has() -> None:
    refund = [{"id": 5, "reason": "", "total": "-12.00"}]
    noted = woo(refunds=refund, meta_data=stripe("21.20", "0.80"))
    assert money(noted) == ("part_refunded", 3400, 3400, 1200)
    assert money(woo(refunds=refund)) == ("part_refunded", 3400, 3400, 1200)


def test_a_note_that_is_a_sum_of_floats_is_rounded_once() -> None:
    noted = stripe("32.994999999999997", "1.005000000000000004")
    assert money(woo(meta_data=noted))[2:] == (3400, 0)


def test_metadata_of_any_kind_keeps_no_order_back() -> None:
    meta = [{"key": []}, {"key": "_stripe_net", "value": {}}, *stripe("33.00", "1.00")]
    assert money(woo(meta_data=meta))[2:] == (3400, 0)


@pytest.mark.parametrize(
    "note",
    [
        {"_stripe_charge_captured": "no"}, {"_stripe_currency": "EUR"}, {"_stripe_fee": None},
        {"_stripe_net": []}, {"_stripe_net": "much"}, {"_stripe_currency": {}},
        {"_stripe_net": "-99.00"},
    ],
)  # fmt: skip
def test_a_note_of_another_kind_says_nothing(note: dict[str, Any]) -> None:
    meta = [one for one in stripe("33.00", "1.00", **note) if one["value"] is not None]
    assert money(woo(meta_data=meta))[2:] == (None, None)


def test_the_own_store_says_both_amounts_or_neither() -> None:
    assert money(store(received="34.00", refunded="12.00"))[2:] == (3400, 1200)
    assert money(store(received="34.00"))[2:] == (None, None)
    assert money(store())[2:] == (None, None)


def record(order: Any) -> commands.RecordOrder:
    return commands.RecordOrder(order)


def test_an_edit_is_a_change_and_its_refund_is_only_money() -> None:
    placed = shop(1, total_outstanding="0.00", refunds=[])
    owed = shop(2, **EDITED, total_outstanding="-12.00", refunds=[PENDING])
    back = shop(3, **EDITED, total_outstanding="0.00", refunds=[PENDING, BACK],
                financial_status="partially_refunded")  # fmt: skip
    outcome = given(CHANNEL_ORDER).when(record(placed), record(owed), record(back))
    (refunded,) = outcome.events
    assert isinstance(refunded, channels.ChannelOrderFundsChanged)
    assert (refunded.received, refunded.refunded, refunded.funds) == (3400, 1200, "part_refunded")
    late = given(CHANNEL_ORDER).when(record(back), record(placed), record(owed))
    assert late.events == []


def test_money_that_changes_without_its_word_is_told() -> None:
    first = shop(1, **EDITED, total_outstanding="-12.00", refunds=[])
    half = BACK | {"transactions": [BACK["transactions"][0] | {"amount": "5.00"}]}
    more = shop(2, **EDITED, total_outstanding="-7.00", refunds=[half])
    (told,) = given(CHANNEL_ORDER).when(record(first), record(more)).events
    assert isinstance(told, channels.ChannelOrderFundsChanged)
    assert (told.received, told.refunded) == (3400, 500)
