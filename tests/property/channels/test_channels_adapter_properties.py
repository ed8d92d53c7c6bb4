"""Whatever a provider sends, an adapter answers with an order or with a code, and never crashes."""

from collections.abc import Iterator
from typing import Any

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
