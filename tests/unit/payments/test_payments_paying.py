"""An order's money: who holds it, what is asked for, and what lets a parcel go."""

from typing import Any

import pytest

from libs.contracts import payments
from libs.eventsourcing.decider import Refused
from services.payments import calls, commands
from services.payments.commands import Terms
from services.payments.standing import standing, waits
from tests.unit.payments.samples import (
    HOUR,
    NOW,
    ORDER,
    Payment,
    line,
    packed,
    required,
    stopped,
    tender,
)

MUGS = line("a", 2, 1000)
CUP = line("b", 1, 501)


def decide(word: Any, **more: Any) -> commands.Decide:
    return commands.Decide(word, "anna", "because", NOW, **more)


def test_money_is_set_aside_captured_when_packed_and_the_parcel_cleared() -> None:
    payment = Payment()
    payment.fact(required(MUGS, CUP, charges=399))
    assert payment.types() == [
        "PaymentExpected", "PaymentAuthorisationRequested", "PaymentAuthorised",
    ]  # fmt: skip
    assert standing(payment.state) == ("authorised", "")
    payment.fact(packed("s1", ("a", 2), ("b", 1)))
    assert payment.types(3) == [
        "PaymentCaptureRequested", "ClearanceDelayed", "PaymentCaptured", "ShipmentCleared",
    ]  # fmt: skip
    captured = payment.last(payments.PaymentCaptured)
    assert (captured.amount, captured.charges_amount, captured.shipment_id) == (1900, 399, "s1")
    assert [one.amount for one in captured.lines] == [1000, 501]
    assert payment.cleared() == [("s1", "captured", 1900)]
    assert payment.last(payments.ShipmentCleared).capture_id == captured.capture_id
    assert standing(payment.state) == ("captured", "")


@pytest.mark.parametrize("custody", ["channel_remits_gross", "channel_remits_net"])
def test_money_that_the_channel_took_is_recorded_whole_and_every_parcel_goes(custody: str) -> None:
    payment = Payment()
    payment.fact(required(MUGS, custody=custody, funds="paid", total=1501))
    assert payment.types() == ["PaymentExpected", "PaymentCaptured"]
    captured = payment.last(payments.PaymentCaptured)
    assert (captured.holder, captured.amount, captured.custody) == ("shop", 1501, custody)
    payment.fact(packed("s1", ("a", 1)), packed("s2", ("a", 1)))
    assert payment.cleared() == [("s1", "channel_captured", 500), ("s2", "channel_captured", 500)]
    assert not payment.provider.requests


def test_a_channel_that_captures_at_our_order_is_waited_for() -> None:
    payment = Payment()
    given: dict[str, Any] = {"custody": "channel_captures_at_our_order"}
    payment.fact(required(MUGS, funds="authorised", **given), packed("s1", ("a", 2)))
    assert payment.types()[1:] == ["PaymentAuthorised", "ClearanceDelayed"]
    assert payment.last(payments.ClearanceDelayed).reason == "channel-capture"
    payment.fact(required(MUGS, funds="paid", revision=2, **given))
    assert payment.cleared() == [("s1", "channel_captured", 1000)]
    assert not payment.provider.requests


@pytest.mark.parametrize(
    ("fields", "reason", "basis"),
    [
        ({"funds": "on_account"}, "on_account", "on_account"),
        ({"funds": "on_delivery"}, "on_delivery", "on_delivery"),
        ({"tenders": (tender("gift_card", 1000),)}, "gift_card", "not_required"),
        ({"tenders": (tender("store_credit", 1000),)}, "gift_card", "not_required"),
    ],
)
def test_what_need_not_be_paid_first_is_said_and_goes(
    fields: dict[str, Any], reason: str, basis: str
) -> None:
    payment = Payment()
    payment.fact(required(MUGS, **fields), packed("s1", ("a", 2)))
    assert payment.last(payments.PaymentNotRequired).reason == reason
    assert payment.cleared() == [("s1", basis, 1000)]
    assert not payment.provider.requests


def test_an_order_of_nothing_needs_no_payment() -> None:
    payment = Payment()
    payment.fact(required(line("a", 1, 0)), packed("s1", ("a", 1)))
    assert payment.last(payments.PaymentNotRequired).reason == "zero_total"
    assert payment.cleared() == [("s1", "not_required", 0)]


@pytest.mark.parametrize(
    ("kind", "holder"), [("gift_card", "gift-card"), ("store_credit", "store-credit")]
)
def test_a_gift_card_or_store_credit_reduces_what_the_card_pays(kind: Any, holder: str) -> None:
    payment = Payment()
    payment.fact(required(MUGS, tenders=(tender(kind, 400), tender("card", 600))))
    carried = payment.last(payments.PaymentCaptured)
    assert (carried.holder, carried.tender, carried.amount) == (holder, kind, 400)
    payment.fact(packed("s1", ("a", 2)))
    assert payment.provider.captured == 600
    assert payment.cleared() == [("s1", "captured", 1000)]


def test_a_parcel_that_comes_before_the_order_has_said_what_it_costs_waits() -> None:
    payment = Payment()
    payment.fact(packed("s1", ("a", 2)))
    assert payment.last(payments.ClearanceDelayed).reason == "payment-unknown"
    payment.fact(required(MUGS))
    assert payment.cleared() == [("s1", "captured", 1000)]


def test_units_that_the_order_does_not_want_do_not_go() -> None:
    payment = Payment()
    payment.fact(required(MUGS), packed("s1", ("a", 3)))
    assert payment.last(payments.ClearanceDelayed).reason == "units-not-required"
    payment.fact(required(line("a", 3, 1500), revision=2))
    assert payment.last(payments.PaymentActionRequired).reason == "no-mandate"


def test_one_parcel_waits_until_all_is_packed() -> None:
    payment = Payment()
    payment.fact(required(MUGS, charges=99), packed("s1", ("a", 1)))
    assert payment.last(payments.ClearanceDelayed).reason == "one-parcel"
    payment.fact(packed("s2", ("a", 1)))
    assert payment.provider.captured == 1099
    assert sorted(name for name, _, _ in payment.cleared()) == ["s1", "s2"]
    assert sum(amount for _, _, amount in payment.cleared()) == 1099


def test_capture_all_takes_everything_at_the_first_parcel() -> None:
    payment = Payment(Terms("card", "capture_all"))
    payment.fact(required(MUGS, charges=99), packed("s1", ("a", 1)))
    assert payment.provider.captured == 1099
    assert payment.cleared() == [("s1", "captured", 599)]
    payment.fact(packed("s2", ("a", 1)))
    assert payment.cleared()[1] == ("s2", "captured", 500)
    assert len(payment.provider.requests) == 2


def test_the_rest_is_authorised_again_with_the_buyers_mandate() -> None:
    payment = Payment(Terms("card", "capture_then_reauthorise"))
    payment.provider.mandate = True
    payment.fact(required(MUGS, charges=99), packed("s1", ("a", 1)))
    assert payment.provider.captured == 599
    again = payment.last(payments.PaymentAuthorisationRequested)
    assert (again.amount, again.off_session, again.reason) == (500, True, "reauthorise")
    payment.fact(packed("s2", ("a", 1)))
    assert payment.provider.captured == 1099


def test_without_a_mandate_the_rest_waits_for_the_buyer() -> None:
    payment = Payment(Terms("card", "capture_then_reauthorise"))
    payment.fact(required(MUGS), packed("s1", ("a", 1)))
    assert payment.provider.captured == 500
    assert payment.last(payments.PaymentActionRequired).reason == "no-mandate"
    payment.fact(packed("s2", ("a", 1)))
    assert payment.last(payments.ClearanceDelayed).reason == "no-mandate"
    assert payment.cleared() == [("s1", "captured", 500)]


def test_a_rest_below_the_providers_minimum_is_taken_with_the_first_parcel() -> None:
    payment = Payment(Terms("card", "capture_then_reauthorise"))
    payment.fact(required(line("a", 1, 500), line("b", 1, 29)), packed("s1", ("a", 1)))
    assert payment.provider.captured == 529


def test_an_amount_below_the_minimum_is_never_asked_for() -> None:
    payment = Payment()
    payment.fact(required(line("a", 1, 29)), packed("s1", ("a", 1)))
    assert payment.last(payments.PaymentDeclined).code == "below-provider-minimum"
    assert not payment.provider.requests
    payment.tell(decide("settle"))
    assert payment.cleared() == [("s1", "not_required", 29)]


def test_a_decline_waits_and_a_retry_asks_under_a_new_key() -> None:
    payment = Payment()
    payment.provider.decline = ("insufficient-funds", False)
    payment.fact(required(MUGS), packed("s1", ("a", 2)))
    assert standing(payment.state) == ("declined", "insufficient-funds")
    assert {one.what for one in waits(payment.state, (), NOW)} == {"authorisation", "clearance"}
    payment.provider.decline = None
    payment.tell(decide("retry"))
    assert payment.cleared() == [("s1", "captured", 1000)]
    assert len(payment.provider.by_key) == 3


def test_a_channel_without_an_account_waits_until_it_has_one() -> None:
    payment = Payment(Terms())
    payment.fact(required(MUGS))
    assert payment.last(payments.PaymentDeclined).code == "payments-account-missing"
    retry = commands.Decide("retry", "anna", "", NOW, Terms("card"))
    payment.tell(retry)
    assert standing(payment.state) == ("authorised", "")


def test_no_means_of_payment_waits_for_the_buyer() -> None:
    payment = Payment()
    payment.fact(required(MUGS, method=None))
    assert standing(payment.state) == ("action_required", "no-payment-method")
    payment.fact(required(MUGS, revision=2))
    assert standing(payment.state) == ("authorised", "")


def test_what_is_no_longer_due_is_voided_or_sent_back() -> None:
    void, back = Payment(), Payment()
    void.fact(required(MUGS), required(revision=2, total=1000))
    assert void.types()[-3:] == ["PaymentNotRequired", "PaymentVoidRequested", "PaymentVoided"]
    back.fact(required(MUGS), packed("s1", ("a", 2)), required(line("a", 1, 500), revision=2))
    assert back.last(payments.RefundMade).amount == 500
    assert (back.provider.captured, back.provider.refunded) == (1000, 500)


def test_less_than_was_set_aside_is_captured_when_the_order_shrinks() -> None:
    payment = Payment()
    payment.fact(required(MUGS), required(line("a", 1, 500), revision=2), packed("s1", ("a", 1)))
    assert payment.provider.captured == 500
    assert not payment.provider.refunded


def test_stopped_units_free_their_money() -> None:
    payment = Payment()
    payment.fact(required(MUGS, custody="channel_remits_gross", funds="pending"))
    payment.fact(packed("s1", ("a", 2)), stopped("s1", ("a", 1)))
    assert dict(payment.state.parcels["s1"].units) == {"a": 1}
    assert payment.last(payments.ClearanceDelayed).amount == 500


def test_a_parcel_that_left_and_is_billed_again_is_captured_at_once() -> None:
    payment = Payment(Terms("card", "capture_then_reauthorise", "reauthorise"))
    payment.provider.mandate = True
    payment.fact(required(MUGS), packed("s1", ("a", 2)))
    payment.fact(required(revision=2))  # the units were taken back, too late
    assert payment.provider.refunded == 1000
    payment.fact(required(MUGS, revision=3))
    assert payment.types()[-1] == "PaymentCaptured"
    assert payment.provider.captured - payment.provider.refunded == 1000
    assert payment.last(payments.PaymentCaptureRequested).reason == "owed"


def test_what_a_channel_sent_back_is_recorded_not_sent_again() -> None:
    payment = Payment()
    given: dict[str, Any] = {"custody": "channel_remits_gross"}
    payment.fact(required(MUGS, funds="paid", **given))
    payment.fact(required(revision=2, funds="paid", total=1000, **given))
    asked = payment.last(payments.RefundRequested)
    assert (asked.executor, asked.amount) == ("channel", 1000)
    assert [one.reason for one in waits(payment.state, (), NOW)] == ["refund-at-channel"]
    payment.fact(required(revision=3, funds="refunded", total=1000, **given))
    made = payment.last(payments.RefundMade)
    assert (made.executor, made.origin, made.amount) == ("channel", "channel", 1000)
    assert not payment.provider.requests


def test_a_lost_answer_is_a_doubt_and_never_a_second_charge() -> None:
    payment = Payment(live=False)
    payment.fact(required(MUGS))
    [name] = payment.calls
    payment.answer(name, lost=True)
    assert standing(payment.state) == ("in_doubt", "outcome-unknown")
    payment.fact(packed("s1", ("a", 2)), required(MUGS, revision=2))
    assert list(payment.calls) == [name]
    payment.answer(name)
    assert payment.last(payments.PaymentOutcomeResolved).outcome == "adopted"
    payment.answer_all()
    assert payment.provider.captured == 1000
    assert len(payment.provider.intents) == 1


def test_a_doubt_that_nobody_ends_is_a_persons_matter_after_a_day() -> None:
    payment = Payment(live=False)
    payment.fact(required(MUGS))
    [name] = payment.calls
    payment.answer(name, lost=True)
    payment.due(NOW + 24 * HOUR)
    assert standing(payment.state) == ("in_doubt", "outcome-unknown"), "it is still tried"
    assert payment.last(payments.PaymentOutcomeUnknown).owner == "overdue"
    [wait] = [one for one in waits(payment.state, (), NOW) if one.what == "outcome"]
    assert (wait.owner, wait.at_risk_minor, wait.since) == ("operations", 1000, NOW)
    with pytest.raises(Refused, match="Name what"):
        payment.tell(decide("adopt", effect_id=name))
    payment.tell(decide("adopt", effect_id=name, reference="pi_0"))
    assert standing(payment.state) == ("authorised", "")
    assert payment.last(payments.PaymentOutcomeResolved).outcome == "a-person"


def test_a_call_that_a_person_declares_absent_is_made_again_under_a_new_key() -> None:
    payment = Payment(live=False)
    payment.fact(required(MUGS))
    [name] = payment.calls
    payment.answer(name, dropped=True)
    with pytest.raises(Refused, match="still tried"):
        payment.tell(decide("absent", effect_id=name))
    payment.give_up(name)
    assert payment.last(payments.PaymentOutcomeUnknown).owner == "person"
    assert standing(payment.state) == ("in_doubt", "outcome-given-up")
    payment.due(NOW + 24 * HOUR)
    payment.tell(decide("absent", effect_id=name))
    assert standing(payment.state)[0] != "in_doubt"
    assert len(payment.calls) == 1
    assert payment.last(payments.PaymentAuthorisationRequested).attempt == 2


def test_a_small_parcel_goes_at_our_own_risk_while_its_capture_is_in_doubt() -> None:
    payment = Payment(Terms("card", accept_risk=1000), live=False)
    payment.fact(required(MUGS))
    payment.answer_all()
    payment.fact(packed("s1", ("a", 2)))
    [name] = payment.calls
    payment.answer(name, lost=True)
    assert payment.cleared() == [("s1", "risk_accepted", 1000)]
    payment.answer(name)
    assert len(payment.cleared()) == 1


def test_a_capture_that_is_refused_waits_and_can_be_tried_again() -> None:
    payment = Payment(live=False)
    payment.fact(required(MUGS))
    payment.answer_all()
    payment.fact(packed("s1", ("a", 2)))
    payment.provider.intents["pi_0"]["open"] = False
    payment.answer_all()
    assert payment.types()[-3:] == [
        "PaymentCaptureFailed",
        "AuthorisationExpired",
        "ClearanceDelayed",
    ]
    assert standing(payment.state) == ("authorisation_expired", "authorisation-expired")
    assert payment.cleared() == []


@pytest.mark.parametrize(
    ("policy", "mandate", "then"),
    [
        ("release", False, ["AuthorisationExpiring", "PaymentVoidRequested", "PaymentVoided"]),
        ("capture", False, ["AuthorisationExpiring", "PaymentCaptureRequested", "PaymentCaptured"]),
        ("reauthorise", False, ["AuthorisationExpiring", "PaymentVoidRequested", "PaymentVoided"]),
        ("reauthorise", True, ["AuthorisationExpiring", "PaymentVoidRequested",
                               "PaymentAuthorisationRequested", "PaymentVoided",
                               "PaymentAuthorised"]),
    ],
)  # fmt: skip
def test_before_an_authorisation_ends_the_policy_decides(
    policy: commands.OnExpiry, mandate: bool, then: list[str]
) -> None:
    payment = Payment(Terms("card", on_expiry=policy, margin=24 * HOUR))
    payment.provider.mandate = mandate
    payment.provider.expires = NOW + 7 * 24 * HOUR
    payment.fact(required(MUGS))
    before = len(payment.events)
    payment.due(NOW + 6 * 24 * HOUR - 1)
    assert payment.types(before) == []
    payment.provider.expires = None
    payment.due(NOW + 6 * 24 * HOUR)
    assert payment.types(before) == then


def test_money_is_not_held_for_ever_for_what_does_not_leave() -> None:
    day, week = 24 * HOUR, 7 * 24 * HOUR
    payment = Payment(Terms("card", on_expiry="reauthorise", margin=day))
    payment.provider.mandate, payment.provider.expires = True, NOW + week
    payment.fact(required(MUGS))
    for ends in range(1, 7):
        assert standing(payment.state)[0] == "authorised"
        payment.provider.expires = NOW + (ends + 1) * week
        payment.due(NOW + ends * week - day)
    # Asked for anew on the days 6, 13, 20, 27 and 34; on day 41 that has gone on for 30 days.
    assert payment.types().count("PaymentAuthorised") == 6
    assert payment.last(payments.AuthorisationExpiring).decision == "release"
    assert standing(payment.state) == ("authorisation_expired", "authorisation-expired")
    payment.tell(commands.Decide("retry", "ann", "wish", payment.now))
    payment.provider.expires = NOW + 8 * week
    payment.due(NOW + 7 * week - day)
    assert payment.last(payments.AuthorisationExpiring).decision == "reauthorise"


def test_an_authorisation_shorter_than_the_margin_is_decided_on_half_way() -> None:
    payment = Payment(Terms("card", "capture_then_reauthorise", "reauthorise", 12 * HOUR))
    payment.provider.mandate, payment.provider.expires = True, NOW + 2 * HOUR
    payment.fact(required(MUGS))
    assert payment.last(payments.PaymentAuthorised).decide_by == NOW + HOUR
    payment.due(NOW + HOUR)
    assert payment.last(payments.AuthorisationExpiring).decision == "reauthorise"
    assert payment.types().count("PaymentAuthorised") == 2


def test_an_authorisation_whose_time_is_over_has_ended_even_if_nobody_says_so() -> None:
    payment = Payment(Terms("card", margin=0))
    payment.provider.expires = NOW + HOUR
    payment.fact(required(MUGS))
    payment.due(NOW + HOUR)
    assert payment.last(payments.AuthorisationExpired).amount == 1000
    assert standing(payment.state)[0] == "authorisation_expired"


def test_a_buyer_who_does_not_act_in_time_is_told_of() -> None:
    payment = Payment(live=False)
    payment.fact(required(MUGS))
    [name] = payment.calls
    intent = payment.last(payments.PaymentAuthorisationRequested).intent_id
    del payment.calls[name]
    payment.tell(commands.RecordAuthorisation(
        name, intent, "action", "pi_9", "pi_9", 1000, "GBP", None, mandate=False, at=NOW
    ))  # fmt: skip
    assert standing(payment.state) == ("action_required", "buyer-authentication")
    payment.due(NOW + 48 * HOUR)
    assert payment.last(payments.PaymentDeclined).code == "action-overdue"


def test_decisions_on_what_does_not_wait_are_refused() -> None:
    payment = Payment()
    with pytest.raises(Refused, match="No order"):
        payment.tell(decide("retry"))
    payment.fact(required(MUGS), packed("s1", ("a", 2)))
    for word in ("retry", "capture", "release", "adopt", "absent", "settle"):
        with pytest.raises(Refused):
            payment.tell(decide(word))


def test_a_statement_in_another_currency_is_a_disagreement() -> None:
    payment = Payment()
    payment.fact(required(MUGS), required(MUGS, revision=2, currency="EUR"))
    assert payment.last(payments.PaymentDisagreed).code == "currency-differs"
    assert payment.state.currency == "GBP"


def test_every_call_names_the_order_and_the_account() -> None:
    payment = Payment()
    payment.fact(required(MUGS), packed("s1", ("a", 2)), required(line("a", 1, 500), revision=2))
    assert {(one.order_id, one.holder) for one in payment.provider.requests} == {(ORDER, "card")}
    kinds = [type(one) for one in payment.provider.requests]
    assert kinds == [calls.Authorise, calls.Capture, calls.Refund]
