"""What is sent to Stripe and what it tells are the same money, in every currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.store.store import Call
from libs.values.money import to_minor
from services.payments import calls
from services.payments.stripe_money import from_stripe, takes, to_stripe
from services.payments.stripe_operations import Authorise

currencies = st.sampled_from(["GBP", "JPY", "HUF", "TWD", "ISK", "UGX", "MGA", "KWD", "TND"])


@given(st.integers(0, 10**12), currencies)
def test_what_can_be_sent_comes_back_as_it_was(minor: int, currency: str) -> None:
    if takes(minor, currency):
        assert from_stripe(to_stripe(minor, currency), currency) == minor


@given(st.integers(0, 10**9), currencies)
def test_whole_units_can_always_be_sent(whole: int, currency: str) -> None:
    assert takes(to_minor(str(whole), currency), currency)


# docs.stripe.com/currencies: 5 ISK and 5 UGX are 500, 500 JPY are 500.
@pytest.mark.parametrize(
    ("text", "currency", "sent"),
    [
        ("5", "ISK", "500"), ("5", "UGX", "500"), ("500", "JPY", "500"), ("5000.00", "MGA", "5000"),
        ("10.45", "HUF", "1045"), ("800.45", "TWD", "80045"), ("5.12", "KWD", "5120"),
        ("10", "USD", "1000"),
    ],
)  # fmt: skip
def test_an_amount_is_sent_in_stripes_units(text: str, currency: str, sent: str) -> None:
    minor = to_minor(text, currency)
    request = calls.Authorise("o", "i", "card", minor, currency, "pm_x", False, False)
    call = Call("e", "", "s", calls.encode(request), 1, 1, 0, 0)
    assert dict(Authorise(lambda _: "").form(call)[2])["amount"] == sent


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("5.124", "KWD"), ("0.001", "BHD"), ("1.999", "TND"), ("5.50", "MGA")],
)
def test_an_amount_that_stripe_has_no_units_for_cannot_be_sent(amount: str, currency: str) -> None:
    assert not takes(to_minor(amount, currency), currency)
