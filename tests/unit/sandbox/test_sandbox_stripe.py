"""The Stripe-shaped account: intents, captures, refunds and time, without HTTP."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.sandbox.stripe import reports
from tests.unit.sandbox.stripe_bench import DAY, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Bench]:
    return lambda **settings: Bench(tmp_path, **settings)


def test_a_manual_intent_holds_the_money_until_it_is_captured(bench: Bench) -> None:
    intent = bench.authorised(more="&expand[]=latest_charge")
    assert (intent["status"], intent["amount_capturable"]) == ("requires_capture", 2000)
    before = intent["latest_charge"]["payment_method_details"]["card"]["capture_before"]
    assert before == int(bench.at) + 7 * DAY
    status, done = bench.post(f"/v1/payment_intents/{intent['id']}/capture")
    assert (status, done["status"], done["amount_received"]) == (200, "succeeded", 2000)
    assert bench.told() == [
        "payment_intent.created", "charge.succeeded", "payment_intent.amount_capturable_updated",
        "charge.captured", "payment_intent.succeeded",
    ]  # fmt: skip


def test_a_capture_is_final_and_releases_the_rest(bench: Bench) -> None:
    intent = bench.authorised()
    path = f"/v1/payment_intents/{intent['id']}/capture"
    _, done = bench.post(path, "amount_to_capture=1500")
    charge = bench.get(f"/v1/charges/{done['latest_charge']}")
    assert (charge["amount_captured"], charge["amount_refunded"]) == (1500, 500)
    status, refused = bench.post(path, "amount_to_capture=500")
    assert (status, refused["error"]["code"]) == (400, "payment_intent_unexpected_state")
    assert reports.books(bench.provider)["captured_minor"] == {"GBP": 1500}


def test_more_than_was_authorised_cannot_be_captured(bench: Bench) -> None:
    intent = bench.authorised()
    path = f"/v1/payment_intents/{intent['id']}/capture"
    status, refused = bench.post(path, "amount_to_capture=2001")
    assert (status, refused["error"]["code"]) == (400, "amount_too_large")
    assert bench.get(f"/v1/payment_intents/{intent['id']}")["status"] == "requires_capture"


def test_an_authorisation_that_nobody_captures_is_cancelled_by_the_provider(bench: Bench) -> None:
    intent = bench.authorised()
    bench.at += 7 * DAY + 1
    found = bench.get(f"/v1/payment_intents/{intent['id']}")
    assert (found["status"], found["cancellation_reason"]) == ("canceled", "automatic")
    assert bench.told()[-2:] == ["charge.expired", "payment_intent.canceled"]
    status, refused = bench.post(f"/v1/payment_intents/{intent['id']}/capture")
    assert (status, refused["error"]["type"]) == (400, "invalid_request_error")


def test_a_short_authorisation_says_so_itself(opened: Callable[..., Bench]) -> None:
    bench = opened(short_share=1.0, short_seconds=60)
    intent = bench.authorised(more="&expand[]=latest_charge")
    card = intent["latest_charge"]["payment_method_details"]["card"]
    assert card["capture_before"] == int(bench.at) + 60


@pytest.mark.parametrize(
    ("method", "code", "decline"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
def test_a_declined_card_is_a_402_that_leaves_an_intent(
    bench: Bench, method: str, code: str, decline: str
) -> None:
    body = f"amount=900&currency=gbp&confirm=true&payment_method={method}"
    status, found = bench.post("/v1/payment_intents", body, key="k")
    error = found["error"]
    assert (status, error["code"], error["decline_code"]) == (402, code, decline)
    intent = bench.get(f"/v1/payment_intents/{error['payment_intent']['id']}")
    assert intent["status"] == "requires_payment_method"
    assert bench.post("/v1/payment_intents", body, key="k") == (status, found)
    assert reports.books(bench.provider)["captured_minor"] == {"GBP": 0}


def test_an_intent_can_be_confirmed_again_with_another_card(bench: Bench) -> None:
    body = "amount=900&currency=gbp&confirm=true&payment_method=pm_card_chargeDeclined"
    _, found = bench.post("/v1/payment_intents", body)
    path = f"/v1/payment_intents/{found['error']['payment_intent']['id']}/confirm"
    status, intent = bench.post(path, "payment_method=pm_card_visa")
    assert (status, intent["status"]) == (200, "succeeded")


def test_a_buyer_who_must_act_does_so_or_fails_to(opened: Callable[..., Bench]) -> None:
    for succeeds, status in ((1.0, "requires_capture"), (0.0, "requires_payment_method")):
        bench = opened(action_succeeds=succeeds)
        intent = bench.authorised(method="pm_card_authenticationRequired")
        assert (intent["status"], intent["next_action"]["type"]) == (
            "requires_action", "redirect_to_url",
        )  # fmt: skip
        bench.at += bench.settings.action_seconds + 1
        assert bench.get(f"/v1/payment_intents/{intent['id']}")["status"] == status
        bench.books.close()


def test_without_the_buyer_an_authentication_is_a_decline(bench: Bench) -> None:
    body = "amount=900&currency=gbp&confirm=true&off_session=true"
    status, found = bench.post(
        "/v1/payment_intents", f"{body}&payment_method=pm_card_authenticationRequired"
    )
    assert (status, found["error"]["code"]) == (402, "authentication_required")


def test_a_cancelled_intent_gives_its_hold_back(bench: Bench) -> None:
    intent = bench.authorised()
    status, done = bench.post(f"/v1/payment_intents/{intent['id']}/cancel")
    assert (status, done["status"], done["amount_capturable"]) == (200, "canceled", 0)
    status, _ = bench.post(f"/v1/payment_intents/{intent['id']}/cancel")
    assert status == 400


def test_refunds_never_exceed_what_was_captured(bench: Bench) -> None:
    intent = bench.authorised()
    bench.post(f"/v1/payment_intents/{intent['id']}/capture", "amount_to_capture=1500")
    body = f"payment_intent={intent['id']}"
    assert bench.post("/v1/refunds", f"{body}&amount=1000")[0] == 200
    assert bench.post("/v1/refunds", f"{body}&amount=501")[0] == 400
    assert bench.post("/v1/refunds", body)[1]["amount"] == 500
    status, refused = bench.post("/v1/refunds", body)
    assert (status, refused["error"]["code"]) == (400, "charge_already_refunded")
    found = reports.books(bench.provider)
    assert (found["captured_minor"], found["refunded_minor"]) == ({"GBP": 1500}, {"GBP": 1500})
    listed = bench.get("/v1/refunds", body)["data"]
    assert [one["amount"] for one in listed] == [500, 1000]


def test_the_balance_shows_each_charge_with_its_fee_and_each_refund(bench: Bench) -> None:
    intent = bench.authorised()
    bench.post(f"/v1/payment_intents/{intent['id']}/capture")
    bench.post("/v1/refunds", f"payment_intent={intent['id']}&amount=300")
    refund, charge = bench.get("/v1/balance_transactions")["data"]
    assert (charge["amount"], charge["fee"], charge["net"]) == (2000, 50, 1950)
    assert (refund["amount"], refund["type"]) == (-300, "refund")
