"""What waits for a person's hand: a voucher to be restored in its channel, an amount too fine."""

from typing import Any

import pytest

from libs.contracts import common, payments
from libs.eventsourcing.decider import Refused
from services.payments import commands
from services.payments.standing import Wait, standing, waits
from services.payments.sums import held
from tests.unit.accounting import samples as books
from tests.unit.payments.samples import NOW, ORDER, Payment, line, packed, required, tender
from tests.unit.payments.test_payments_api import client

MUGS = line("a", 2, 1000)
MUG = line("a", 1, 200)


def settle(refund_id: str = "") -> commands.Decide:
    return commands.Decide("settle", "anna", "put back", NOW, refund_id=refund_id)


def queue(payment: Payment) -> list[Wait]:
    return list(waits(payment.state, (), NOW))


def owed(voucher: common.TenderKind = "gift_card", **told: Any) -> Payment:
    """An order of which we charge the card 7.00; it gets cheaper than the voucher's 3.00."""
    payment = Payment()
    given = told | {"tenders": (tender(voucher, 300), tender("card", 700))}
    payment.fact(required(MUGS, **given), packed("s1", ("a", 2)))
    payment.fact(required(MUG, revision=2, **given))
    assert payment.provider.refunded == 700
    return payment


@pytest.mark.parametrize("voucher", ["gift_card", "store_credit"])
def test_a_voucher_that_somebody_has_restored_waits_no_more(voucher: common.TenderKind) -> None:
    payment = owed(voucher)
    [wait] = queue(payment)
    assert (wait.what, wait.reason, wait.owner) == ("refund", "refund-at-channel", "operations")
    name = voucher.replace("_", " ")
    assert wait.next_action == (
        f"refund it in the channel to the {name}, then settle it by its refund_id"
    )
    payment.tell(settle(wait.subject))
    made = payment.last(payments.RefundMade)
    assert (made.amount, made.tender, made.executor, made.origin) == (
        100, voucher, "channel", "channel",
    )  # fmt: skip
    assert payment.last(payments.PaymentDecided).by == "anna"
    assert (queue(payment), held(payment.state), payment.state.waived) == ([], 200, 0)
    assert standing(payment.state) == ("captured", "")
    with pytest.raises(Refused, match="No refund"):
        payment.tell(settle(wait.subject))


def test_what_was_restored_is_asked_of_the_buyer_where_the_order_costs_it_again() -> None:
    payment = owed()
    payment.tell(settle(queue(payment)[0].subject))
    vouchers = (tender("gift_card", 300), tender("card", 700))
    payment.fact(required(MUGS, revision=3, tenders=vouchers))
    [wait] = queue(payment)
    assert (wait.reason, wait.at_risk_minor) == ("no-mandate", 800)


def test_what_a_voucher_carried_beyond_all_that_is_wanted_waits_to_be_restored() -> None:
    payment = Payment()
    gift: dict[str, Any] = {"tenders": (tender("gift_card", 300), tender("card", 700))}
    payment.fact(required(MUG, total=1000, **gift))
    assert (queue(payment), held(payment.state)) == ([], 200)
    payment.fact(required(MUG, revision=2, **gift))
    [wait] = queue(payment)
    assert (wait.reason, wait.owner, wait.at_risk_minor) == ("refund-at-channel", "operations", 100)
    assert (
        wait.next_action
        == "refund it in the channel to the gift card, then settle it by its refund_id"
    )
    assert (held(payment.state), payment.provider.captured) == (200, 0)
    payment.fact(required(MUGS, revision=3, **gift))  # it costs as much again before it was done
    assert (queue(payment), held(payment.state)) == ([], 300)


def test_two_vouchers_of_an_order_that_ends_unconfirmed_wait_to_be_restored() -> None:
    payment = Payment()
    both = (tender("gift_card", 300), tender("store_credit", 400), tender("card", 300))
    payment.fact(required(tenders=both))
    assert sorted(one.at_risk_minor for one in queue(payment)) == [300, 400]
    assert (held(payment.state), payment.provider.requests) == (0, [])


def test_a_voucher_that_the_channel_has_restored_itself_waits_for_nobody() -> None:
    for word in ({"funds": "refunded"}, {"received": 300, "refunded": 300}):
        payment = Payment()
        payment.fact(required(tenders=(tender("gift_card", 300),), **word))
        assert (queue(payment), held(payment.state)) == ([], 0)


def test_a_restored_voucher_is_a_liability_again() -> None:
    payment, ledger = owed(), books.Story()
    order = books.order(books.line("a", 2, 1000), gift_card=300)
    ledger.tell(books.placed(order, ORDER))
    payment.tell(settle(queue(payment)[0].subject))
    for event in payment.events:
        if isinstance(event, payments.PaymentCaptured | payments.RefundMade):
            ledger.tell(event)
    assert ledger.balances == {"2100": -200, "2300 gift_card": 200}


def test_settling_what_is_due_restores_no_voucher_and_needs_no_name() -> None:
    payment = owed()
    with pytest.raises(Refused, match="Nothing is due"):
        payment.tell(settle())
    assert [one.reason for one in queue(payment)] == ["refund-at-channel"]


@pytest.mark.parametrize("refund_id", ["ref_unknown", "card"])
def test_only_what_waits_at_a_channel_is_put_back_by_hand(refund_id: str) -> None:
    payment = owed()
    if refund_id == "card":  # ours, and made
        refunds = payment.state.refunds.items()
        [refund_id] = [name for name, one in refunds if one.executor == "us"]
    with pytest.raises(Refused, match="No refund"):
        payment.tell(settle(refund_id))


def test_a_channel_that_holds_the_money_tells_of_its_refunds_itself() -> None:
    payment = Payment()
    given: dict[str, Any] = {"custody": "channel_remits_gross", "funds": "paid"}
    payment.fact(required(MUGS, **given), required(MUG, revision=2, **given))
    [wait] = queue(payment)
    assert wait.next_action == "refund it in the channel"
    with pytest.raises(Refused, match="No refund"):
        payment.tell(settle(wait.subject))


@pytest.mark.parametrize(
    ("word", "left"),
    [({"received": 300, "refunded": 100}, []), ({"received": 300, "refunded": 40}, [60]),
     ({"received": 300, "refunded": 0}, [100]), ({"funds": "refunded"}, []),
     ({"funds": "part_refunded"}, [100])],
)  # fmt: skip
def test_a_store_may_tell_what_it_has_put_back_of_what_it_redeemed(word: Any, left: Any) -> None:
    payment = owed()
    given = word | {"tenders": (tender("gift_card", 300), tender("card", 700))}
    payment.fact(required(MUG, revision=3, **given))
    assert [one.at_risk_minor for one in queue(payment)] == left
    assert held(payment.state) == 200
    assert payment.provider.refunded == 700


@pytest.mark.parametrize("at_once", [False, True])
def test_what_a_store_puts_back_though_it_is_due_again_is_asked_of_the_buyer(at_once: bool) -> None:
    payment = owed()
    given: dict[str, Any] = {
        "tenders": (tender("gift_card", 300), tender("card", 700)), "received": 300,
    }  # fmt: skip
    three, statement = line("a", 1, 300), 3
    if not at_once:
        payment.fact(required(three, revision=statement, refunded=0, **given))
        assert (queue(payment), held(payment.state)) == ([], 300)
        statement += 1
    payment.fact(required(three, revision=statement, refunded=100, **given))
    assert held(payment.state) == 200
    [wait] = queue(payment)
    assert (wait.reason, wait.at_risk_minor) == ("no-mandate", 100)


def test_a_store_that_speaks_of_our_money_too_puts_back_what_it_was_asked_for_alone() -> None:
    payment = owed()
    vouchers = (tender("gift_card", 300), tender("card", 700))
    payment.fact(required(MUG, revision=3, received=1000, refunded=800, tenders=vouchers))
    assert (queue(payment), held(payment.state)) == ([], 200)


async def test_over_http_a_refund_is_settled_by_its_name() -> None:
    payment = owed()
    api = client(payment)
    [waiting] = (await api.get("/payments/queues")).json()["items"]
    path, given = f"/payments/{ORDER}/decisions", {"decision": "settle", "reason": "on the card"}
    none = await api.post(path, given, "k1")
    assert (none.status_code, none.json()["code"]) == (409, "nothing-to-settle")
    done = await api.post(path, given | {"refund_id": waiting["subject"]}, "k2")
    assert done.json()["events"] == ["PaymentDecided", "RefundMade"]
    assert (await api.get("/payments/queues")).json()["items"] == []


DINARS: dict[str, Any] = {"currency": "KWD"}


async def test_an_amount_too_fine_says_what_came_what_is_taken_and_what_to_do() -> None:
    payment = Payment()
    payment.fact(required(line("a", 1, 5124), **DINARS))
    [wait] = (await client(payment).get("/payments/queues")).json()["items"]
    assert (wait["reason"], wait["owner"]) == ("amount-too-fine", "operations")
    assert wait["next_action"] == (
        "5.124 KWD cannot be sent: Stripe takes multiples of 0.010 KWD; change the order to such a "
        "price in its channel, then retry; or take it another way, then settle"
    )
    payment.fact(required(line("a", 1, 5120), revision=2, **DINARS))
    payment.tell(commands.Decide("retry", "anna", "", NOW))
    assert (standing(payment.state), queue(payment)) == (("authorised", ""), [])


def test_an_order_that_has_changed_says_whether_its_new_price_can_be_taken() -> None:
    payment = Payment()
    payment.fact(required(line("a", 1, 5124), **DINARS))
    payment.fact(required(line("a", 1, 4567), revision=2, **DINARS))
    assert [one.next_action.split(":")[0] for one in queue(payment)] == ["4.567 KWD cannot be sent"]
    payment.fact(required(line("a", 1, 4560), revision=3, **DINARS))
    [wait] = queue(payment)
    assert (wait.reason, wait.owner, wait.next_action) == (
        "amount-too-fine", "operations", "retry, or settle outside",
    )  # fmt: skip


def test_a_parcels_share_that_is_too_fine_says_so() -> None:
    payment = Payment(commands.Terms("card", "capture_then_reauthorise"))
    payment.fact(required(line("a", 2, 5130), **DINARS), packed("s1", ("a", 1)))
    assert [one.reason for one in queue(payment)] == ["capture-failed", "capture-failed"]
    for wait in queue(payment):
        assert wait.next_action.startswith("2.565 KWD cannot be sent: Stripe takes multiples of")


def test_a_refund_too_fine_is_made_in_the_providers_dashboard() -> None:
    payment = Payment()
    payment.fact(required(line("a", 1, 5120), **DINARS), packed("s1", ("a", 1)))
    payment.fact(required(line("a", 1, 5115), revision=2, **DINARS))
    [wait] = queue(payment)
    assert (wait.what, wait.reason, wait.at_risk_minor) == ("refund", "amount-too-fine", 5)
    assert wait.next_action == (
        "0.005 KWD cannot be sent: Stripe takes multiples of 0.010 KWD; refund 0.010 KWD in the "
        "provider's dashboard, or pay it back another way, then paid-back by its refund_id"
    )
    payment.provider.by_hand("pi_0", 10)
    payment.tell(
        commands.RecordRefundSeen("main", ORDER, "card", "pi_0", "ch_0", 10, "KWD", NOW, NOW)
    )
    assert queue(payment) == []
