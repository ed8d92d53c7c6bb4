"""Duties and refunded shipping of a Shopify order, from its payload to the books of the ledger."""

import json
import random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import orders
from services.fulfilment import shipment_commands as fulfilment
from services.fulfilment.process import Places
from services.payments.standing import waits
from services.payments.sums import held
from tests.examples import examples
from tests.property.channels.till import Till
from tests.unit.channels.payloads import VAT, both, duty, shopify
from tests.unit.orders.samples import NOW

PLACES = Places({"main": fulfilment.Policy(carrier="self")}, {}, "main")
SKUS = ("TEE", "MUG")
pence = st.integers(0, 4_000)


class Basket(msgspec.Struct, frozen=True):
    """Lines (units, price, duty of the line), shipping, what of it is refunded at last; pence."""

    lines: tuple[tuple[int, int, int], ...]
    shipping: int
    refunded: int
    duties_refunded: bool

    @property
    def goods(self) -> int:
        return sum(units * price for units, price, _ in self.lines)

    def duties(self, *, last: bool) -> int:
        gone = last and self.duties_refunded
        return 0 if gone else sum(duty for _, _, duty in self.lines)

    def left(self, *, last: bool) -> int:
        return self.shipping - (self.refunded if last else 0)

    def taxes(self, *, last: bool) -> int:
        gone = last and self.duties_refunded
        each = [
            tax(units * price) + (0 if gone else tax(duty)) for units, price, duty in self.lines
        ]
        return sum(each) + tax(self.left(last=last))

    def total(self, *, last: bool) -> int:
        beside = self.duties(last=last) + self.left(last=last)
        return self.goods + beside + self.taxes(last=last)


def tax(amount: int) -> int:
    """20 %, to the nearest penny."""
    return (amount + 2) // 5


def text(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


@st.composite
def baskets(draw: st.DrawFn) -> Basket:
    lines = draw(
        st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4_000), pence), min_size=1, max_size=2)
    )
    shipping = draw(pence)
    refunded = draw(st.integers(0, shipping))
    return Basket(tuple(lines), shipping, refunded, draw(st.booleans()))


def told(basket: Basket, *, last: bool, per_line: bool) -> bytes:
    """The order as placed, or after its refund; `per_line`: the shop's version is a newer one."""
    first = basket.total(last=False)
    back = first - basket.total(last=last)
    shipping: dict[str, Any] = {"id": 9, "code": "std", "price": text(basket.shipping),
                "tax_lines": [VAT | {"price": text(tax(basket.shipping))}]}  # fmt: skip
    if per_line:
        shipping["current_discounted_price_set"] = both(text(basket.left(last=last)))
    gone = {
        "transactions": [
            {"kind": "refund", "status": "success", "amount": text(back), "currency": "GBP"}
        ],
        "order_adjustments": [{
            "kind": "shipping_refund", "amount": f"-{text(basket.refunded)}",
            "tax_amount": f"-{text(tax(basket.shipping) - tax(basket.left(last=True)))}",
        }] if basket.refunded else [],
    }  # fmt: skip
    lines = [
        {
            "id": n, "variant_id": 500 + n, "sku": sku, "title": sku, "quantity": units,
            "current_quantity": units, "price": text(price),
            "tax_lines": [VAT | {"price": text(tax(units * price))}],
            "duties": [duty(n, text(due), text(tax(due)))] if due else [],
        }
        for n, (sku, (units, price, due)) in enumerate(zip(SKUS, basket.lines, strict=False), 1)
    ]  # fmt: skip
    payload = shopify(
        line_items=lines, shipping_lines=[shipping], refunds=[gone] if last and back else [],
        updated_at=f"2024-03-01T10:00:{30 if last else 5:02d}+00:00", total_outstanding="0.00",
        subtotal_price=text(basket.goods), total_price=text(first), total_tax=text(
            basket.taxes(last=False)),
        current_total_price=text(basket.total(last=last)),
        current_total_tax=text(basket.taxes(last=last)),
        original_total_duties_set=both(text(basket.duties(last=False))),
        current_total_duties_set=both(text(basket.duties(last=last))),
        financial_status="partially_refunded" if last and back else "paid",
    )  # fmt: skip
    return json.dumps(payload).encode()


@settings(max_examples=examples(100), deadline=None)
@given(baskets(), st.booleans(), st.integers(0, 2**32))
def test_no_order_is_held_for_them_and_the_books_tell_them_from_sales(
    basket: Basket, per_line: bool, seed: int
) -> None:
    rng = random.Random(seed)
    till = Till(rng, PLACES, "shop", "shopify", "1001")
    for sku in SKUS:
        till.stock(sku, 100)
    stages = [told(basket, last=last, per_line=per_line) for last in (False, True)]
    deliveries = [*stages, rng.choice(stages)]
    rng.shuffle(deliveries)
    for body in deliveries:
        till.hear("orders/updated", body)
        till.some_steps()
        if rng.random() < 0.4:
            for name in sorted(till.market.shipments()):
                till.market.work(name)
    till.market.finish(NOW)
    till.post()
    assert [one for one in till.market.log if isinstance(one.event, orders.OrderHeld)] == []
    costs = basket.total(last=True)
    assert (held(till.payment), waits(till.payment, (), NOW)) == (costs, ())
    balances = till.ledger.short()
    assert sum(balances.values()) == 0
    assert abs(balances.pop("7000", 0)) <= len(basket.lines)  # the shop's pennies
    expected = {
        "1100 shop": costs, "2220": -basket.duties(last=True), "4000": -basket.goods,
        "4200": -basket.left(last=True),
    }  # fmt: skip
    assert {n: balances.get(n, 0) for n in expected} == expected
    assert balances.keys() - expected.keys() <= {"2200 0.2"}
