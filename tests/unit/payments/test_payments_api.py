"""The HTTP edge: payments by standing, what waits by money at risk, decisions once per key."""

from typing import Any

import pytest

from libs.replay.memory import MemoryRows
from libs.runtime.ports import Ports
from libs.runtime.settings import ConfigurationError, Server, Settings, load
from libs.web.app import build_app
from services.payments.api import routes, terms
from services.payments.commands import HOUR, Terms
from services.payments.service import SERVICE
from tests.unit.memory import AsgiClient, Keyed, folded
from tests.unit.payments.samples import NOW, ORDER, Payment, line, packed, required

SETTINGS = Settings.model_validate(
    {
        "payments": {"card": {"provider": "stripe", "second_parcel": "capture_all",
                              "expiry_margin_hours": 12, "accept_risk_minor": 500}},
        "channels": {"shop": {"provider": "standard", "custody": "us", "payments": "card"},
                     "far": {"provider": "shopify"}},
    }
)  # fmt: skip


async def nothing() -> None:
    """Gauges are brought up to date by services that run."""


def client(payment: Payment) -> AsgiClient:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    none: Any = None
    rows: Any = lambda projection: MemoryRows(lambda: folded(projection, payment.log))  # noqa: E731
    commands = Keyed(lambda _, command: payment.tell(command))
    ports = Ports(SETTINGS, lambda: NOW, none, commands, none, rows)
    return AsgiClient(build_app(Server(), [routes(ports)], CollectorRegistry(), nothing, dict))


def declined() -> Payment:
    payment = Payment()
    payment.provider.decline = ("insufficient-funds", False)
    payment.fact(required(line("a", 1, 1000)), packed("s1", ("a", 1)))
    return payment


async def test_a_payment_is_shown_with_all_that_waits_in_it() -> None:
    found = (await client(declined()).get(f"/payments/{ORDER}")).json()
    assert (found["standing"], found["reason"]) == ("declined", "insufficient-funds")
    assert (found["required_minor"], found["captured_minor"]) == (1000, 0)
    for wait in found["waits"]:
        assert wait["owner"]
        assert wait["next_action"]
        assert wait["deadline"] > wait["since"] >= NOW
        assert wait["at_risk_minor"] == 1000


async def test_payments_are_listed_by_standing_and_a_wrong_one_is_named() -> None:
    api = client(declined())
    assert len((await api.get("/payments?standing=declined")).json()["items"]) == 1
    assert (await api.get("/payments?standing=captured")).json() == {"items": [], "cursor": None}
    wrong = await api.get("/payments?standing=rich")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid-request")


async def test_what_waits_is_sorted_by_the_money_at_risk() -> None:
    found = (await client(declined()).get("/payments/queues")).json()
    assert {one["what"] for one in found["items"]} == {"authorisation", "clearance"}
    assert not found["more"]


async def test_a_decision_is_taken_and_what_is_not_open_to_one_is_refused() -> None:
    payment = declined()
    api = client(payment)
    payment.provider.decline = None
    path = f"/payments/{ORDER}/decisions"
    assert (await api.post(path, {"decision": "retry"}, None)).json()[
        "code"
    ] == "idempotency-key-missing"
    done = await api.post(path, {"decision": "retry", "reason": "paid 4242424242424242"}, "k1")
    assert done.status_code == 200
    assert "PaymentCaptured" in done.json()["events"]
    assert not any("4242" in str(event) for event in payment.events)
    again = await api.post(path, {"decision": "retry"}, "k2")
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-retry")
    unknown = await api.post(path, {"decision": "adopt", "effect_id": "x"}, "k3")
    assert unknown.json()["code"] == "not-in-doubt"


async def test_a_refund_that_was_paid_back_another_way_is_told_with_a_reference_of_nobody() -> None:
    payment = Payment()
    payment.fact(required(line("a", 1, 1000)), packed("s1", ("a", 1)))
    payment.provider.refuses_refunds = True
    payment.fact(required(revision=2))
    api, path = client(payment), f"/payments/{ORDER}/decisions"
    [wait] = (await api.get("/payments/queues")).json()["items"]
    body = {"decision": "paid-back", "refund_id": wait["subject"]}
    missing = await api.post(path, body, "k1")
    assert (missing.status_code, missing.json()["code"]) == (422, "reference-missing")
    for name in (
        "Mrs Smith", "smith@example.com", "4242424242424242", "4242-4242-4242-4242",
        "GB29NWBK60161331926819", "SEPA-GB29-NWBK-6016-1331-9268-19",
    ):  # fmt: skip
        wrong = await api.post(path, body | {"reference": name}, f"wrong-{name[:4]}{len(name)}")
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid-request")
        assert name not in str(wrong.json())
    assert not any("smith" in str(e).lower() or "4242" in str(e) for e in payment.events)
    done = await api.post(path, body | {"reference": "TRF-2026-17"}, "k2")
    assert done.json()["events"] == ["PaymentDecided", "RefundMade"]
    again = await api.post(path, body | {"reference": "TRF-2026-17"}, "k3")
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-pay-back")
    found = (await api.get(f"/payments/{ORDER}")).json()
    assert (found["refunded_minor"], found["by_hand_minor"], found["waits"]) == (1000, 1000, [])
    [holder] = (await api.get("/payments/holders")).json()
    assert (holder["refunded_minor"], holder["by_hand_minor"]) == (0, 1000)


async def test_holders_are_summed_for_their_books() -> None:
    payment = Payment()
    payment.fact(required(line("a", 1, 1000)), packed("s1", ("a", 1)))
    [holder] = (await client(payment).get("/payments/holders")).json()
    assert (holder["holder"], holder["state"], holder["captured_minor"]) == ("card", "made", 1000)


def test_terms_come_from_the_account_that_charges() -> None:
    assert terms(SETTINGS) == {
        "shop": Terms("card", "capture_all", "release", 12 * HOUR, 500), "far": Terms(),
    }  # fmt: skip
    assert SERVICE.configured is not None
    assert SERVICE.configured(SETTINGS).reacts.keys() == {"orders", "fulfilment"}


def test_a_channel_that_names_no_account_of_ours_is_refused_at_the_start() -> None:
    environ = {"LONJA_CHANNELS__SHOP__PROVIDER": "shopify", "LONJA_CHANNELS__SHOP__PAYMENTS": "x"}
    with pytest.raises(ConfigurationError, match="names no account"):
        load(environ=environ)
    secret = {"LONJA_PAYMENTS__X__PROVIDER": "stripe", "LONJA_PAYMENTS__X__API_KEY": "sk_live_1"}
    settings = load(environ=environ | secret)
    assert "sk_live_1" not in repr(settings)
    assert settings.payments["x"].key().reveal() == "sk_live_1"
