"""Money that a channel took, by what it says itself: captured, given back, owed, due again."""

from typing import Any

import pytest

from libs.contracts import payments
from services.payments.standing import standing, waits
from services.payments.sums import held, lack, taken
from tests.unit.payments.samples import NOW, Payment, line, packed, required, tender

MUGS = line("a", 2, 1000)
MUG = line("a", 1, 800)
CHANNEL: dict[str, Any] = {"custody": "channel_remits_gross", "funds": "paid"}


def told(*lines: Any, revision: int, received: int, refunded: int = 0, **more: Any) -> Any:
    """An order's statement with what its channel says of the money."""
    given = CHANNEL | more | {"received": received, "refunded": refunded}
    return required(*lines, revision=revision, **given)


def back(payment: Payment) -> list[tuple[str, int]]:
    return [(one.status, one.amount) for _, one in sorted(payment.state.refunds.items())]


def reasons(payment: Payment) -> list[tuple[str, int]]:
    return [(one.reason, one.at_risk_minor) for one in waits(payment.state, (), NOW)]


def test_an_order_first_seen_after_a_cheaper_edit_is_captured_whole_and_owes_the_rest() -> None:
    payment = Payment()
    payment.fact(told(MUG, revision=1, received=1000))
    assert payment.types() == ["PaymentExpected", "PaymentCaptured", "RefundRequested"]
    assert (taken(payment.state), held(payment.state)) == (1000, 800)
    (owed,) = waits(payment.state, (), NOW)
    assert (owed.reason, owed.owner, owed.at_risk_minor) == ("refund-at-channel", "operations", 200)
    payment.fact(told(MUG, revision=2, received=1000, refunded=200, funds="part_refunded"))
    assert (back(payment), reasons(payment)) == ([("made", 200)], [])
    assert standing(payment.state) == ("captured", "")


def test_the_end_is_the_same_whatever_was_seen_first() -> None:
    placed = told(MUGS, revision=1, received=1000)
    cut = told(MUG, revision=2, received=1000)
    done = told(MUG, revision=3, received=1000, refunded=200, funds="part_refunded")
    ends = set()
    for story in ([placed, cut, done], [cut, done], [placed, done], [done]):
        payment = Payment()
        payment.fact(*story)
        assert not payment.provider.requests
        ends.add((taken(payment.state), held(payment.state), tuple(back(payment))))
    assert ends == {(1000, 800, (("made", 200),))}


def test_a_refund_that_is_smaller_than_what_is_owed_leaves_the_rest_in_the_queue() -> None:
    payment = Payment()
    payment.fact(told(MUG, revision=1, received=1000))
    part: dict[str, Any] = {"refunded": 150, "funds": "part_refunded"}
    payment.fact(told(MUG, revision=2, received=1000, **part))
    assert sorted(back(payment)) == [("asked", 50), ("made", 150)]
    assert (held(payment.state), reasons(payment)) == (800, [("refund-at-channel", 50)])


def test_an_order_that_costs_as_much_again_owes_nothing_any_more() -> None:
    payment = Payment()
    payment.fact(told(MUG, revision=1, received=1000))
    payment.fact(told(MUGS, revision=2, received=1000), packed("s1", ("a", 2)))
    asked = payment.last(payments.RefundRequested)
    assert (asked.amount, asked.reason) == (0, "due-again")
    assert (taken(payment.state), held(payment.state), reasons(payment)) == (1000, 1000, [])
    assert payment.cleared() == [("s1", "channel_captured", 1000)]
    payment.fact(told(line("a", 2, 900), revision=3, received=1000))
    assert reasons(payment) == [("refund-at-channel", 100)]


def test_money_that_went_back_beyond_what_was_owed_is_recorded_and_keeps_no_parcel() -> None:
    payment = Payment()
    payment.fact(told(MUGS, revision=1, received=1000))
    given_back: dict[str, Any] = {"received": 1000, "refunded": 300, "funds": "part_refunded"}
    payment.fact(told(MUGS, revision=2, **given_back), packed("s1", ("a", 2)))
    assert (back(payment), held(payment.state), lack(payment.state)) == ([("made", 300)], 700, 0)
    assert payment.cleared() == [("s1", "channel_captured", 1000)]
    assert reasons(payment) == []


def test_what_the_buyer_still_owes_a_channel_is_waited_for() -> None:
    payment = Payment()
    part: dict[str, Any] = {"received": 800, "funds": "part_paid"}
    payment.fact(told(MUGS, revision=1, **part), packed("s1", ("a", 2)))
    assert (taken(payment.state), lack(payment.state)) == (800, 200)
    assert reasons(payment) == [("channel-payment", 1000)]
    payment.fact(told(MUGS, revision=2, received=1000))
    assert payment.cleared() == [("s1", "channel_captured", 1000)]


def test_a_whole_refund_of_a_cancelled_order_is_what_the_channel_had() -> None:
    payment = Payment()
    payment.fact(told(MUG, revision=1, received=1000))
    payment.fact(told(revision=2, received=1000, total=800))
    assert reasons(payment) == [("refund-at-channel", 200), ("refund-at-channel", 800)]
    payment.fact(told(revision=3, received=1000, refunded=1000, total=800, funds="refunded"))
    assert (held(payment.state), reasons(payment)) == (0, [])
    assert sum(amount for status, amount in back(payment) if status == "made") == 1000


def test_a_split_order_with_a_refund_asks_for_nothing_of_what_is_still_to_come() -> None:
    payment = Payment()
    spoken: dict[str, Any] = {
        "received": 1000,
        "refunded": 200,
        "funds": "part_refunded",
        "total": 800,
    }
    payment.fact(told(line("a", 1, 400), revision=1, **spoken))
    assert (back(payment), held(payment.state)) == ([("made", 200)], 800)


def test_gift_cards_are_a_part_of_what_the_channel_took() -> None:
    payment = Payment()
    gift: dict[str, Any] = {"tenders": (tender("gift_card", 300), tender("card", 700))}
    payment.fact(told(MUGS, revision=1, received=1000, **gift))
    amounts = {one.holder: one.amount for one in payment.state.captures.values()}
    assert amounts == {"gift-card": 300, "shop": 700}
    payment.fact(told(MUG, revision=2, received=1000, refunded=200, **gift))
    assert (back(payment), held(payment.state)) == ([("made", 200)], 800)


@pytest.mark.parametrize("first", ["store_credit", "card"])
def test_store_credit_carries_its_own_part_whichever_tender_comes_first(first: str) -> None:
    tenders = [tender("store_credit", 300), tender("card", 700)]
    tenders.sort(key=lambda one: one.kind != first)
    payment = Payment()
    payment.fact(told(MUGS, revision=1, received=1000, tenders=tuple(tenders)))
    took = {(one.holder, one.tender, one.amount) for one in payment.state.captures.values()}
    assert took == {("store-credit", "store_credit", 300), ("shop", "card", 700)}
    gone: dict[str, Any] = {"refunded": 1000, "funds": "refunded", "total": 1000}
    payment.fact(told(revision=2, received=1000, tenders=tuple(tenders), **gone))
    made = [one for one in payment.events if isinstance(one, payments.RefundMade)]
    assert [(one.tender, one.amount) for one in made] == [("card", 700), ("store_credit", 300)]


@pytest.mark.parametrize("voucher", ["gift_card", "store_credit"])
@pytest.mark.parametrize("amount", [0, 1000])
def test_a_voucher_lends_its_kind_to_nothing_that_it_does_not_carry(
    voucher: Any, amount: int
) -> None:
    payment = Payment()
    tenders = (tender(voucher, 0), tender("card", amount))
    payment.fact(told(MUGS, revision=1, received=1000, tenders=tenders))
    took = [(one.holder, one.tender, one.amount) for one in payment.state.captures.values()]
    assert took == [("shop", "card", 1000)]


def test_a_channel_that_says_less_than_before_is_looked_into_until_it_says_it_again() -> None:
    payment = Payment()
    payment.fact(told(MUGS, revision=1, received=1000))
    payment.fact(told(MUGS, revision=2, received=800))
    assert reasons(payment) == [("channel-says-less", 200)]
    payment.fact(told(MUGS, revision=3, received=1000))
    assert (reasons(payment), taken(payment.state)) == ([], 1000)


def test_what_a_channel_says_of_money_that_we_take_moves_nothing() -> None:
    payment = Payment()
    payment.fact(told(MUGS, revision=1, received=1000, custody="us", funds="none"))
    assert payment.types()[1:] == ["PaymentAuthorisationRequested", "PaymentAuthorised"]


SILENT: dict[str, Any] = {"received": None, "refunded": None}
SAYS: dict[str, Any] = {"received": 1000, "refunded": 0}
OURS: dict[str, Any] = {"custody": "us", "funds": "none"}


@pytest.mark.parametrize("voucher", ["gift_card", "store_credit"])
@pytest.mark.parametrize("carried", [300, 1000])
@pytest.mark.parametrize("told_of", [CHANNEL | SILENT, CHANNEL | SAYS, OURS])
def test_a_voucher_is_redeemed_once_though_its_order_gets_cheaper_and_dearer_again(
    voucher: Any, carried: int, told_of: dict[str, Any]
) -> None:
    payment = Payment()
    given = told_of | {"tenders": (tender(voucher, carried), tender("card", 1000 - carried))}
    payment.fact(required(MUGS, **given))
    payment.fact(required(line("a", 1, 200), revision=2, **given))
    by_voucher = [one for one in payment.state.captures.values() if one.tender == voucher]
    assert sum(one.refunded for one in by_voucher) == carried - 200
    payment.fact(required(MUGS, revision=3, **given))
    by_voucher = [one for one in payment.state.captures.values() if one.tender == voucher]
    assert [(one.amount, one.refunded) for one in by_voucher] == [(carried, 0)]
    assert [one for one in reasons(payment) if one[0] != "no-mandate"] == []
    if told_of is not OURS:
        assert (taken(payment.state), held(payment.state)) == (1000, 1000)


@pytest.mark.parametrize("says", [SILENT, SAYS])
def test_an_order_that_costs_some_of_it_again_keeps_the_voucher_first(says: dict[str, Any]) -> None:
    payment = Payment()
    given = CHANNEL | says | {"tenders": (tender("gift_card", 300), tender("card", 700))}
    for revision, total in enumerate((1000, 200, 500), 1):
        payment.fact(required(line("a", 1, total), revision=revision, **given))
    kept = {one.tender: one.amount - one.refunded for one in payment.state.captures.values()}
    assert (kept, taken(payment.state)) == ({"gift_card": 300, "card": 200}, 1000)
    assert reasons(payment) == [("refund-at-channel", 500)]


@pytest.mark.parametrize("funds", ["paid", "part_paid"])
def test_a_voucher_that_was_restored_is_not_redeemed_by_a_dearer_order(funds: Any) -> None:
    payment = Payment()
    gift: dict[str, Any] = {"tenders": (tender("gift_card", 1000),)}
    payment.fact(told(MUGS, revision=1, received=1000, **gift))
    payment.fact(told(line("a", 1, 200), revision=2, received=1000, refunded=800, **gift))
    given: dict[str, Any] = gift | {"funds": funds}
    payment.fact(told(MUGS, revision=3, received=1000, refunded=800, **given))
    assert (taken(payment.state), held(payment.state)) == (1000, 200)
    again: dict[str, Any] = {"tenders": (*gift["tenders"], tender("gift_card", 800))}
    payment.fact(told(MUGS, revision=4, received=1800, refunded=800, **again))
    assert (taken(payment.state), held(payment.state)) == (1800, 1000)
