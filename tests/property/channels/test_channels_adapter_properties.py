"""Whatever a provider sends, an adapter answers with an order or with a code, and never crashes."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channels.adapters import amounts, shopify, standard, woocommerce
from services.channels.adapters.neutral import Whole
from services.channels.adapters.parsing import ChannelDataError, parse_json
from tests.examples import examples
from tests.unit.channels import payloads
from tests.unit.channels.payloads import TERMS

BACK = {"kind": "refund", "status": "success", "amount": "5.00", "currency": "GBP"}
NOTES = {"_stripe_charge_captured": "yes", "_stripe_currency": "GBP", "_stripe_net": "28.00",
         "_stripe_fee": "1.00"}  # fmt: skip


def with_refund() -> Any:
    return payloads.shopify(total_outstanding="0.00", refunds=[{"transactions": [BACK]}])


def with_notes() -> Any:
    refunds = [{"id": 1, "total": "-5.00"}]
    return payloads.woocommerce(
        refunds=refunds, meta_data=[{"key": key, "value": value} for key, value in NOTES.items()]
    )


def with_money() -> Any:
    return payloads.standard(received="34.00", refunded="5.00")


ADAPTERS = {
    "shopify": (shopify.understand, with_refund, "orders/updated"),
    "woocommerce": (woocommerce.understand, with_notes, "order.updated"),
    "standard": (standard.understand, with_money, "order.updated"),
}
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["", "0", "1e9", "-5", "1e400", "12.345", "2024-02-30", "GBP", "9" * 40])
)  # fmt: skip
JUNK = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)

WRITTEN: Any = {  # what a person may have written into an order, by provider
    "shopify": lambda text: with_discount(text) | {
        "po_number": text, "payment_terms": {"payment_terms_name": text},
        "discount_codes": [{"code": text, "amount": "1.00"}],
        "shipping_lines": [{"id": 9, "code": text, "price": "4.00", "tax_lines": []}],
    },
    "woocommerce": lambda text: with_coupon(text) | {"transaction_id": text},
    "standard": lambda text: {
        "status": "cancelled", "purchase_order_number": text, "payment_terms": text,
        "tenders": [{"kind": "card", "amount": "34.00", "reference": text}],
        "discounts": [{"code": text, "amount": "1.00"}],
        "cancellations": [
            {"line_id": "line_1", "quantity": 2, "by": "buyer", "reason": text}
        ],
    },
}  # fmt: skip


def with_discount(code: Any) -> Any:
    items = payloads.shopify()["line_items"]
    items[0]["discount_allocations"] = [{"amount": "1.00", "discount_application_index": 0}]
    return {"line_items": items, "discount_applications": [{"code": code}]}


def with_coupon(code: Any) -> Any:
    items = payloads.woocommerce()["line_items"]
    items[0]["subtotal"] = "25.00"
    return {"line_items": items, "coupon_lines": [{"id": 1, "code": code, "discount": "5.00"}]}


@st.composite
def card_numbers(draw: Any) -> Any:
    """A number that its issuer could have given, as one writes it."""
    head = "4" + draw(st.text("0123456789", min_size=14, max_size=14))
    number = next(head + last for last in "0123456789" if luhn(head + last))
    return draw(st.sampled_from(["", " ", "-"])).join(re.findall(r"\d{4}", number))


def luhn(number: Any) -> Any:
    """ISO/IEC 7812's sum, as it is told: every second digit from the right counts twice."""
    twice = [int(one) for one in number[-2::-2]]
    once = [int(one) for one in number[-1::-2]]
    return (sum(once) + sum(2 * one - 9 * (one > 4) for one in twice)) % 10 == 0


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def attempt(read: Any) -> Any:
    """What was read, or None where it was refused with a code; anything else is a crash."""
    try:
        return read()
    except ChannelDataError:
        return None


def paths(value: Any, path: Any = ()) -> Iterator[Any]:
    yield path
    items: Any = value.items() if isinstance(value, dict) else []
    if isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield from paths(item, (*path, key))


def changed(value: Any, path: Any, junk: Any) -> Any:
    if not path:
        return junk
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = changed(value[path[0]], path[1:], junk)
    return copied


@settings(max_examples=examples(400), deadline=None)
@given(data=st.data(), provider=st.sampled_from(sorted(ADAPTERS)))
def test_a_mutated_order_is_read_or_refused_with_a_code(data: Any, provider: Any) -> None:
    understand, payload, topic = ADAPTERS[provider]
    value = payload()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(paths(value), key=repr)))
        value = changed(value, path, data.draw(JUNK))
    found = attempt(lambda: understand(topic, payloads.parsed(value), TERMS))
    if isinstance(found, Whole):
        order = found.order
        parts = [line.amounts for line in order.lines] + [one.amounts for one in order.charges]
        assert order.totals.rounding == order.totals.total - sum(map(amounts.cost, parts))
        assert all(0 < line.quantity <= 10**9 for line in order.lines)
        assert (order.received is None) == (order.refunded is None)


@settings(max_examples=examples(300), deadline=None)
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes_are_read_or_refused_with_a_code(body: Any) -> None:
    found = attempt(lambda: parse_json(body))
    assert found is None or isinstance(found, dict)


@settings(max_examples=examples(200), deadline=None)
@given(discount=st.integers(0, 2500), tax=st.integers(0, 2500))
def test_what_is_shared_out_adds_up(discount: Any, tax: Any) -> None:
    items = payloads.shopify()["line_items"]
    for item in items:
        item["tax_lines"] = []
    order = payloads.order_of(shopify, "orders/create", payloads.shopify(
            line_items=items, total_discounts=f"{discount / 100:.2f}",
            tax_lines=[{"title": "VAT", "rate": 0.2, "price": f"{tax / 100:.2f}"}],
        ))  # fmt: skip
    assert sum(line.amounts.discount for line in order.lines) == discount
    parts = [line.amounts for line in order.lines] + [one.amounts for one in order.charges]
    assert sum(map(amounts.tax_of, parts)) == tax


@settings(max_examples=examples(200), deadline=None)
@given(
    provider=st.sampled_from(sorted(WRITTEN)), card=card_numbers(),
    around=st.sampled_from(["{}", "PO {}", "ref-{}", "Net 30 {}"]),
)  # fmt: skip
def test_no_card_number_that_a_person_wrote_is_in_an_order(
    provider: Any, card: Any, around: Any
) -> None:
    understand, _, topic = ADAPTERS[provider]
    payload = getattr(payloads, provider)(**WRITTEN[provider](around.format(card)))
    found = understand(topic, payloads.parsed(payload), TERMS)
    assert isinstance(found, Whole)
    digits = re.sub(r"\D", "", card)
    said = [*texts(msgspec.to_builtins(found.order)), found.reason, found.reason_word]
    assert [text for text in said if digits in re.sub(r"\D", "", text)] == []
