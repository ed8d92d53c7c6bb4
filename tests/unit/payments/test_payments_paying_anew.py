"""Money that has to be set aside once more: with the buyer there, without, or at the very end."""

import itertools
from typing import Any

import pytest

from libs.contracts import payments
from services.payments import commands
from services.payments.commands import Terms
from services.payments.standing import standing, waits
from tests.unit.payments.samples import HOUR, NOW, Payment, line, packed, required, tender
from tests.unit.payments.unasked import Told

DAY = 24 * HOUR
MUGS = line("a", 2, 1000)
ANEW = "pm_card_mastercard"


def reasons(payment: Payment) -> list[str]:
    return [one.reason for one in waits(payment.state, (), NOW) if one.what == "authorisation"]


def expired() -> Payment:
    """Return a payment whose authorisation was let go before its end, as nothing was packed."""
    payment = Payment(Terms("card"))
    payment.fact(required(MUGS))
    payment.due(NOW + 7 * DAY)
    assert reasons(payment) == ["authorisation-expired"]
    return payment


def split() -> Payment:
    """Return a payment of which a part was captured and the rest waits for the buyer."""
    payment = Payment(Terms("card", "capture_then_reauthorise"))
    payment.fact(required(MUGS), packed("s1", ("a", 1)), packed("s2", ("a", 1)))
    return payment


@pytest.mark.parametrize("begun", [expired, split])
def test_a_buyer_without_a_mandate_pays_with_a_means_given_anew(begun: Any) -> None:
    payment = begun()
    if reasons(payment) != ["no-mandate"]:
        payment.tell(commands.Decide("retry", "anna", "", NOW))
    assert reasons(payment) == ["no-mandate"]
    assert "given anew in the shop" in waits(payment.state, (), NOW)[0].next_action
    payment.fact(required(MUGS, revision=2, method=ANEW))
    asked = payment.last(payments.PaymentAuthorisationRequested)
    assert (asked.method, asked.off_session) == (ANEW, False)
    assert reasons(payment) == []
    if begun is expired:
        payment.fact(packed("s1", ("a", 1)), packed("s2", ("a", 1)))
    assert sorted(name for name, _, _ in payment.cleared()) == ["s1", "s2"]
    assert payment.provider.captured == 1000


def test_a_means_given_anew_is_charged_once_with_the_buyer_and_not_under_the_others_mandate() -> (
    None
):
    payment = Payment(Terms("card", "capture_then_reauthorise"))
    payment.provider.mandate = True
    payment.fact(required(line("a", 3, 1500)))
    payment.provider.mandate = False
    payment.fact(required(line("a", 3, 1500), line("b", 1, 700), revision=2, method=ANEW))
    asked = payment.last(payments.PaymentAuthorisationRequested)
    assert (asked.method, asked.amount, asked.off_session) == (ANEW, 700, False)
    assert asked.reason == "amount-raised"
    payment.fact(required(line("a", 3, 1500), line("b", 2, 1400), revision=3, method=ANEW))
    assert reasons(payment) == ["no-mandate"]


@pytest.mark.parametrize(("mandate", "then"), [(False, ["authorisation-expired"]), (True, [])])
async def test_a_capture_that_comes_too_late_ends_alike_whoever_tells_it_first(
    mandate: bool, then: list[str]
) -> None:
    """The provider ends an authorisation while its capture is on the way."""
    for orders in itertools.permutations(["told", "answered"]):
        told = Told(Terms("card", on_expiry="reauthorise", margin=0), live=False)
        payment = told.payment
        payment.provider.mandate = mandate
        payment.fact(required(MUGS))
        payment.answer_all()
        payment.fact(packed("s1", ("a", 2)))
        [capture] = payment.calls
        payment.provider.intents["pi_0"]["open"] = False
        ended = told.intent(status="canceled", cancellation_reason="automatic")
        for step in orders:
            if step == "told":
                await told.event("payment_intent.canceled", ended)
            else:
                payment.answer(capture)
        assert reasons(payment) == then, orders
        payment.answer_all()
        assert (standing(payment.state)[0] == "captured") == mandate, orders
        assert (payment.provider.captured == 1000) == mandate, orders


def test_a_refused_card_is_not_asked_again_because_a_voucher_was_restored() -> None:
    payment = Payment()
    payment.provider.decline = ("card-expired", True)
    given: dict[str, Any] = {"tenders": (tender("gift_card", 300), tender("card", 700))}
    payment.fact(required(MUGS, **given), required(line("a", 1, 200), revision=2, **given))
    [wait] = waits(payment.state, (), NOW)
    assert (wait.reason, wait.at_risk_minor) == ("refund-at-channel", 100)
    payment.tell(commands.Decide("settle", "anna", "", NOW, refund_id=wait.subject))
    payment.fact(required(MUGS, revision=3, **given))
    assert reasons(payment) == ["card-expired"]
    assert len(payment.provider.requests) == 1
