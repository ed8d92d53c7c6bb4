"""Payload in, neutral order out: states, money, lines and what is refused, for each provider."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.channels.adapters import shopify, standard, woocommerce
from services.channels.adapters.neutral import Deleted, Draft, Nothing, Whole
from services.channels.adapters.parsing import ChannelDataError, parse_json
from tests.unit.channels import payloads
from tests.unit.channels.payloads import TERMS


def read_shopify(topic: Any = "orders/create", **changes: Any) -> Any:
    return shopify.understand(topic, payloads.parsed(payloads.shopify(**changes)), TERMS)


def read_woo(topic: Any = "order.created", **changes: Any) -> Any:
    return woocommerce.understand(topic, payloads.parsed(payloads.woocommerce(**changes)), TERMS)


def read_store(topic: Any = "order.created", **changes: Any) -> Any:
    return standard.understand(topic, payloads.parsed(payloads.standard(topic, **changes)), TERMS)


READERS = {"shopify": read_shopify, "woocommerce": read_woo, "standard": read_store}


@pytest.mark.parametrize("provider", READERS)
def test_the_same_basket_reads_the_same_from_every_provider(provider: Any) -> None:
    found = READERS[provider]()
    assert isinstance(found, Whole)
    order = found.order
    assert (order.commitment, order.funds, order.cancelled) == ("committed", "paid", False)
    assert [line.quantity for line in order.lines] == [2, 1]
    assert [line.amounts.net for line in order.lines] == [2000, 500]
    assert [line.amounts.taxes[0].rate for line in order.lines] == ["0.2", "0.2"]
    assert [charge.amounts.net for charge in order.charges] == [400]
    assert (order.totals.total, order.totals.tax, order.totals.rounding) == (3400, 500, 0)
    assert order.customer.ship_to_country == "GB"
    assert order.version.updated_at == 1_709_287_205_000_000
    assert order.placed_at == 1_709_287_200_000_000
    assert order.tenders[0].amount == 3400


@pytest.mark.parametrize("provider", READERS)
def test_nothing_personal_is_in_an_order_but_the_person_has_it(provider: Any) -> None:
    found = READERS[provider]()
    assert [c for c in payloads.CANARIES if c in repr(found)] == []
    person = found.person
    assert person.contact["email"] == "canary-mail@example.invalid"
    assert "Canaryfirst" in person.statutory["name"]
    assert person.customer in {"77", "cus_77"}


def test_the_retailers_own_fixture_is_read_without_recomputing_its_totals() -> None:
    folder = os.environ.get("LONJA_FIXTURES")
    if folder is None:
        pytest.skip("LONJA_FIXTURES is not set: third parties' payloads are not here")
    body = (Path(folder) / "shopify" / "order.json").read_bytes()
    found = shopify.understand("orders/create", parse_json(body), TERMS)
    assert isinstance(found, Whole)
    order = found.order
    assert (order.external_id, order.display_number) == ("450789469", "#1001")
    assert (order.funds, order.custody) == ("authorised", "channel_captures_at_our_order")
    assert (order.totals.total, order.totals.net, order.totals.tax) == (40994, 39800, 1194)
    assert [line.amounts.taxes[0].amount for line in order.lines] == [398, 398, 398]
    # The file's lines say 597.00, its subtotal 398.00: the difference is shown, not mended.
    assert order.totals.rounding == -19900


def test_a_shopify_edit_counts_what_is_left_now() -> None:
    changed = payloads.shopify()["line_items"]
    changed[0] |= {"current_quantity": 1}
    changed[1] |= {"current_quantity": 0}
    order = read_shopify(
        line_items=changed, current_total_price="16.00", current_total_tax="2.00",
        current_subtotal_price="10.00", current_total_discounts="0.00",
    ).order  # fmt: skip
    assert [(line.external_line_id, line.quantity) for line in order.lines] == [("1", 1)]
    assert order.lines[0].amounts.taxes[0].amount == 200
    assert (order.totals.total, order.totals.rounding) == (1600, 0)


def test_a_discount_keeps_its_code_and_its_allocation() -> None:
    items = payloads.shopify()["line_items"]
    items[0]["discount_allocations"] = [{"amount": "3.00", "discount_application_index": 0}]
    order = read_shopify(
        line_items=items, total_discounts="3.00", total_price="31.00",
        discount_applications=[{"code": "SPRING", "type": "discount_code"}],
        discount_codes=[{"code": "SPRING", "amount": "3.00"}],
    ).order  # fmt: skip
    (share,) = order.lines[0].discounts
    assert (share.code, share.amount, share.allocated_by) == ("SPRING", 300, "channel")
    assert order.lines[0].amounts.net == 1700
    assert order.totals.rounding == 0


def test_an_unallocated_discount_is_shared_by_largest_remainder() -> None:
    order = read_shopify(total_discounts="1.00", total_price="33.00").order
    assert [line.amounts.discount for line in order.lines] == [80, 20]
    assert order.lines[0].discounts[0].allocated_by == "policy"
    assert order.totals.rounding == 0


@pytest.mark.parametrize(
    "given",
    [{"discount_allocations": [{"amount": "5.00", "discount_application_index": 0}]},
     {"total_discount": "5.00"}],
)  # fmt: skip
def test_a_cancelled_lines_discount_goes_with_it(given: Any) -> None:
    items = payloads.shopify()["line_items"]
    items[0] |= {"current_quantity": 2}
    items[1] |= given | {"current_quantity": 0}
    order = read_shopify(
        line_items=items, total_discounts="5.00", total_price="33.00", total_tax="4.00",
        current_total_price="28.00", current_subtotal_price="20.00", current_total_tax="4.00",
        discount_applications=[{"code": "MUGFREE", "type": "discount_code"}],
    ).order  # fmt: skip
    assert [(line.external_line_id, line.amounts.net) for line in order.lines] == [("1", 2000)]
    assert order.totals.rounding == 0


def test_of_an_unallocated_discount_what_is_left_is_shared() -> None:
    items = payloads.shopify()["line_items"]
    items[0] |= {"current_quantity": 2}
    items[1] |= {"current_quantity": 0}
    order = read_shopify(
        line_items=items, total_discounts="5.00", current_total_discounts="4.00",
        current_total_price="24.00", current_subtotal_price="16.00", current_total_tax="4.00",
    ).order  # fmt: skip
    assert [line.amounts.discount for line in order.lines] == [400]
    assert order.totals.rounding == 0


def test_two_currencies_are_kept_side_by_side() -> None:
    def both(gbp: Any, eur: Any) -> Any:
        return {
            "shop_money": {"amount": gbp, "currency_code": "GBP"},
            "presentment_money": {"amount": eur, "currency_code": "EUR"},
        }

    payload = payloads.shopify(
        presentment_currency="EUR", total_price_set=both("12.00", "15.00"), shipping_lines=[],
        total_tax_set=both("2.00", "2.50"), subtotal_price_set=both("10.00", "12.50"),
    )  # fmt: skip
    item = payload["line_items"][0] | {"quantity": 1, "price_set": both("10.00", "12.50")}
    item["tax_lines"] = [{"title": "VAT", "rate": 0.2, "price_set": both("2.00", "2.50")}]
    payload["line_items"] = [item]
    order = payloads.order_of(shopify, "orders/create", payload)
    assert (order.currency, order.settlement_currency) == ("EUR", "GBP")
    settled = order.lines[0].settlement_amounts
    assert settled is not None
    assert (order.lines[0].amounts.net, settled.net) == (1250, 1000)
    assert (order.totals.total, order.totals.rounding) == (1500, 0)


@pytest.mark.parametrize(
    ("word", "funds"),
    [("authorized", "authorised"), ("pending", "pending"), ("partially_paid", "part_paid"),
     ("refunded", "refunded"), ("voided", "voided"), ("a new word", "unknown")],
)  # fmt: skip
def test_shopifys_words_for_money_are_kept_beside_ours(word: Any, funds: Any) -> None:
    order = read_shopify(financial_status=word).order
    assert (order.funds, order.status_word) == (funds, word)


@pytest.mark.parametrize(
    ("status", "commitment", "funds"),
    [("pending", "tentative", "pending"), ("on-hold", "committed", "authorised"),
     ("processing", "committed", "paid"), ("completed", "committed", "paid"),
     ("failed", "tentative", "voided"), ("refunded", "committed", "refunded"),
     ("wc-custom", "unknown", "unknown")],
)  # fmt: skip
def test_woocommerces_states_are_mapped_and_unknown_ones_say_so(
    status: Any, commitment: Any, funds: Any
) -> None:
    order = read_woo(status=status).order
    assert (order.commitment, order.funds) == (commitment, funds)


def test_cash_on_delivery_is_committed_without_money() -> None:
    order = read_woo(payment_method="cod", date_paid_gmt=None).order
    assert (order.commitment, order.funds) == ("committed", "on_delivery")


@pytest.mark.parametrize("topic", ["order.created", "order.updated"])
def test_a_checkout_draft_is_no_order_whatever_topic_brings_it(topic: Any) -> None:
    found = read_woo(topic, status="checkout-draft")
    assert isinstance(found, Draft)
    assert found.reason == "draft"


def test_drafts_and_tests_are_set_aside() -> None:
    draft = {"id": 5, "status": "open", "updated_at": "2024-03-01T10:00:00Z"}
    found = shopify.understand("draft_orders/create", draft, TERMS)
    assert isinstance(found, Draft)
    assert (found.external_id, found.reason) == ("draft:5", "draft")
    assert read_shopify(test=True).reason == "test"
    assert read_store(test=True).reason == "test"
    assert read_store(status="draft").reason == "draft"


def test_deliveries_that_mean_nothing_say_why() -> None:
    assert shopify.understand("products/update", {}, TERMS) == Nothing("topic-not-ours")
    assert shopify.understand("orders/edited", {"order_edit": {}}, TERMS) == Nothing("edit-notice")
    assert woocommerce.understand("coupon.created", {}, TERMS) == Nothing("topic-not-ours")
    assert standard.understand("", {"type": "cart.saved"}, TERMS) == Nothing("topic-not-ours")
    assert woocommerce.understand("order.deleted", {"id": 7}, TERMS) == Deleted("7")


def test_what_is_cancelled_says_so() -> None:
    found = read_shopify(cancelled_at="2024-03-02T10:00:00Z", cancel_reason="customer")
    assert (found.order.cancelled, found.by, found.reason_word) == (True, "buyer", "customer")
    assert read_woo(status="cancelled").order.cancelled
    assert read_store(status="cancelled").order.cancelled


def test_the_own_stores_cancellations_leave_what_is_left() -> None:
    gone = {"line_id": "line_1", "quantity": 1, "by": "buyer", "reason": "customer"}
    order = read_store(cancellations=[gone]).order
    assert [line.quantity for line in order.lines] == [1, 1]
    assert order.lines[0].amounts.net == 1000
    assert (order.totals.total, order.totals.rounding) == (2200, 0)
    other = read_store(cancellations=[gone | {"quantity": 2}]).order
    assert [line.external_line_id for line in other.lines] == ["line_2"]


def test_kinds_of_lines_are_told_apart() -> None:
    items = payloads.shopify()["line_items"]
    items[0] |= {"gift_card": True}
    items[1] |= {"requires_shipping": False}
    custom = items[1] | {"id": 3, "variant_id": None, "product_id": None, "sku": None}
    kinds = [line.kind for line in read_shopify(line_items=[*items, custom]).order.lines]
    assert kinds == ["gift_card", "digital", "custom"]
    woo = payloads.woocommerce()["line_items"]
    woo[0]["meta_data"] = [{"key": "wc_gc_giftcard_amount", "value": "25"}]
    fee = {"id": 8, "name": "wrap", "total": "1.00", "total_tax": "0.00", "taxes": []}
    order = read_woo(line_items=woo, fee_lines=[fee]).order
    assert [line.kind for line in order.lines] == ["gift_card", "goods"]
    assert [charge.kind for charge in order.charges] == ["shipping", "fee"]
    lines = payloads.standard()["data"]["lines"]
    lines[0] |= {"kind": "gift-card"}
    lines[1] |= {"kind": "hologram"}
    read = read_store(lines=lines).order.lines
    assert [(line.kind, line.kind_word) for line in read] == [
        ("gift_card", "gift-card"), ("unknown", "hologram"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [({"quantity": 1.5}, "fractional-quantity"), ({"quantity": -1}, "negative-quantity"),
     ({"quantity": 10**10}, "malformed-quantity"), ({"quantity": None}, "malformed-quantity"),
     ({"price": "ten"}, "malformed-amount"), ({"price": "NaN"}, "malformed-amount"),
     ({"price": "1e30"}, "malformed-amount"), ({"id": None}, "missing-id"),
     ({"id": {}}, "malformed-id"), ({"title": []}, "malformed-order")],
)  # fmt: skip
def test_a_broken_line_is_refused_with_a_code(change: Any, code: Any) -> None:
    items = payloads.shopify()["line_items"]
    items[0] |= change
    with pytest.raises(ChannelDataError) as refused:
        read_shopify(line_items=items)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [({"id": None}, "missing-id"), ({"currency": "POUND"}, "malformed-currency"),
     ({"updated_at": "yesterday", "created_at": None}, "malformed-time"),
     ({"total_price": None}, "malformed-amount"), ({"line_items": {}}, "malformed-order")],
)  # fmt: skip
def test_a_broken_order_is_refused_with_a_code(change: Any, code: Any) -> None:
    with pytest.raises(ChannelDataError) as refused:
        read_shopify(**change)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "value",
    ["PO-4711", "PO 4711", "P.O. 4711", "PO4711/2", "PO-2024-000123", "AB-17", "ACME-4711",
     "4500012345",     "0000012345", "Order No. 4711", "Net 30", "NET_30", "Net 30 days", "2/10 Net 30"],
)  # fmt: skip
def test_a_reference_of_a_business_is_kept(value: Any) -> None:
    given = {"purchase_order_number": value, "payment_terms": value}
    told = {"po_number": value, "payment_terms": {"payment_terms_name": value}}
    for order in (read_store(**given).order, read_shopify(**told).order):
        assert order.customer.purchase_order_number == value
        assert order.customer.payment_terms == value


@pytest.mark.parametrize(
    "value",
    ["Jane Doe", "Jane Doe 07700 900123", "Jane 4711", "ann 4711", "Jane-Doe-85", "jane85",
     "07700 900123", "07700900123", "PO 0044 7700 900123", "202-456-1414", "12 High Street",
     "4111 1111 1111 1111", "PO 4111111111111111", "4242-4242/4242_4242"],
)  # fmt: skip
def test_a_person_or_a_card_is_no_reference_of_a_business(value: Any) -> None:
    given = {"purchase_order_number": value, "payment_terms": value}
    told = {"po_number": value, "payment_terms": {"payment_terms_name": value}}
    for order in (read_store(**given).order, read_shopify(**told).order):
        assert order.customer.purchase_order_number is None
        assert order.customer.payment_terms is None


@pytest.mark.parametrize(
    ("said", "reason", "word"),
    [("customer", "customer", "customer"), ("Out of stock", "out-of-stock", "out-of-stock"),
     ("", "cancelled", ""), ("call Jane Doe jane@example.com 07700 900123", "cancelled", ""),
     ("jane", "cancelled", "")],
)  # fmt: skip
def test_of_a_stores_reason_to_cancel_only_a_known_word_is_taken(
    said: Any, reason: Any, word: Any
) -> None:
    gone = {"line_id": "line_1", "quantity": 2, "by": "buyer", "reason": said}
    found = read_store(status="cancelled", cancellations=[gone])
    assert (found.by, found.reason, found.reason_word) == ("buyer", reason, word)


def test_a_card_number_is_never_taken_for_a_reference() -> None:
    assert read_woo(transaction_id="4242424242424242").order.tenders[0].reference is None
    assert read_woo(transaction_id="ch_1").order.tenders[0].reference == "ch_1"


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"[" * 10_000 + b"]" * 10_000, "malformed-json"), (b"[" * 200_000, "malformed-json"),
     (b'{"a":' * 70 + b"1" + b"}" * 70, "malformed-json"), (b'{"a":NaN}', "malformed-json"),
     (b"{", "malformed-json"), (b"", "malformed-json"), (b'{"a":"\xff"}', "malformed-json"),
     (b"1" * 5000, "malformed-json"), (b'{"a":"\\ud800"}', "malformed-json"),
     (b'{"a":"\\u0000"}', "unsupported-text"), (b"[]", "malformed-order")],
)  # fmt: skip
def test_json_that_we_cannot_take_is_refused_and_never_crashes(body: Any, code: Any) -> None:
    with pytest.raises(ChannelDataError) as refused:
        parse_json(body)
    assert refused.value.code == code


def test_brackets_and_escapes_inside_strings_are_just_text() -> None:
    body = json.dumps({"a": "[{" * 500 + '"\\', "b": "\U0001f600", "c": "\\u0000"}).encode()
    assert parse_json(body)["b"] == "\U0001f600"
