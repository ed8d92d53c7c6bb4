"""The Stripe-shaped account: intents, captures, refunds, keys and time, without HTTP."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.sandbox.books import Books
from services.sandbox.chance import FAULTS, Faults, fault_of, share
from services.sandbox.clock import Clock
from services.sandbox.stripe import form, keys, reports
from services.sandbox.stripe.config import Settings
from services.sandbox.stripe.provider import Call, Provider
from services.sandbox.stripe.refusals import Invalid, Refused

Json = dict[str, Any]
DAY = 86_400


class Bench:
    """A provider whose wall clock a test turns, with books that it can open again."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.at = folder, 1_800_000_000.0
        given: Json = {"api_key": "sk", "webhook_secret": "whsec", "search_lag": 0} | settings
        self.settings = Settings(**given)
        self.events: list[Json] = []
        self.open()

    def open(self) -> None:
        self.books = Books(self.folder)
        self.provider = Provider(self.settings, self.books, Clock(wall=lambda: self.at))
        self.provider.start()

    def post(self, path: str, body: str = "", key: str | None = None) -> tuple[int, Json]:
        self.events += self.provider.fall_due()
        call = Call(path, form.parse(body), key, keys.fingerprint(path, body), "req_1")
        kept = self.provider.keys.begin(key, call.request, self.at) if key else None
        if kept is not None:
            return kept.status, kept.body
        try:
            status, found, events = self.provider.perform(call, self.provider.meets(call))
        finally:
            if key:
                self.provider.keys.end(key)
        self.events += events
        return status, found

    def get(self, path: str, query: str = "") -> Json:
        self.events += self.provider.fall_due()
        return self.provider.answer(path, form.parse(query))

    def authorised(self, amount: int = 2000, method: str = "pm_card_visa", more: str = "") -> Json:
        body = f"amount={amount}&currency=gbp&confirm=true&capture_method=manual"
        status, found = self.post(
            "/v1/payment_intents",
            f"{body}&payment_method={method}&metadata[lonja_order]=o1&metadata[lonja_intent]=i1{more}",
        )
        assert status == 200, found
        return found

    def told(self) -> list[str]:
        return [one["type"] for one in self.events]


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


def test_the_first_answer_is_replayed_for_a_day_and_not_longer(bench: Bench) -> None:
    body = "amount=900&currency=gbp&payment_method=pm_card_visa&confirm=true"
    first = bench.post("/v1/payment_intents", body, key="k")
    bench.at += DAY - 1
    assert bench.post("/v1/payment_intents", body, key="k") == first
    bench.at += 2
    assert bench.post("/v1/payment_intents", body, key="k")[1]["id"] != first[1]["id"]


def test_a_key_with_other_parameters_is_refused(bench: Bench) -> None:
    bench.post("/v1/payment_intents", "amount=900&currency=gbp", key="k")
    assert bench.post("/v1/payment_intents", "currency=gbp&amount=900", key="k")[0] == 200
    with pytest.raises(Refused) as refused:
        bench.post("/v1/payment_intents", "amount=901&currency=gbp", key="k")
    assert refused.value.status == 400
    assert refused.value.body["error"]["type"] == "idempotency_error"


def test_a_key_that_is_in_use_is_a_conflict(bench: Bench) -> None:
    bench.provider.keys.begin("k", "x", bench.at)
    with pytest.raises(Refused) as refused:
        bench.provider.keys.begin("k", "x", bench.at)
    assert refused.value.status == 409


def test_what_fails_validation_is_not_kept_under_its_key(bench: Bench) -> None:
    for body in (
        "currency=gbp", "amount=12x&currency=gbp", "amount=29&currency=gbp", "amount=900",
        "amount=900&currency=xxx", "amount=900&currency=gbp&colour=red",
    ):  # fmt: skip
        with pytest.raises(Invalid):
            bench.post("/v1/payment_intents", body, key="k")
    assert bench.post("/v1/payment_intents", "amount=900&currency=gbp", key="k")[0] == 200


@pytest.mark.parametrize("fault", ["error", "error_after"])
def test_a_500_is_kept_and_replayed(opened: Callable[..., Bench], fault: str) -> None:
    bench = opened(faults=Faults(**{fault: 1.0}))
    body = "amount=900&currency=gbp&payment_method=pm_card_visa&confirm=true"
    body += "&metadata[lonja_order]=o1"
    first = bench.post("/v1/payment_intents", body, key="k")
    assert first[0] == 500
    assert bench.post("/v1/payment_intents", body, key="k") == first
    found = bench.get("/v1/payment_intents")["data"]
    assert len(found) == (1 if fault == "error_after" else 0)
    assert bench.post("/v1/payment_intents", body, key="other")[0] == 200


def test_a_search_by_metadata_finds_an_intent_only_after_a_while(
    opened: Callable[..., Bench],
) -> None:
    bench = opened(search_lag=20)
    intent = bench.authorised()
    query = "query=metadata%5B%27lonja_intent%27%5D%3A%27i1%27"
    assert bench.get("/v1/payment_intents/search", query)["data"] == []
    bench.at += 21
    assert [one["id"] for one in bench.get("/v1/payment_intents/search", query)["data"]] == [
        intent["id"]
    ]
    other = "query=metadata%5B%27lonja_intent%27%5D%3A%27i2%27 AND status%3A%27succeeded%27"
    assert bench.get("/v1/payment_intents/search", other)["data"] == []


def test_a_list_is_paged_newest_first(bench: Bench) -> None:
    made = [bench.post("/v1/payment_intents", "amount=900&currency=gbp")[1]["id"] for _ in range(5)]
    first = bench.get("/v1/payment_intents", "limit=2")
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (made[:2:-1], True)
    rest = bench.get("/v1/payment_intents", f"limit=3&starting_after={made[3]}")
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (made[2::-1], False)


def test_the_books_name_a_callers_intent_that_was_captured_twice(bench: Bench) -> None:
    for _ in range(2):
        bench.post(f"/v1/payment_intents/{bench.authorised()['id']}/capture")
    found = reports.books(bench.provider)
    assert [one["intent"] for one in found["double_charges"]] == ["i1"]
    assert found["orders"]["o1"]["money_minor"]["GBP"]["captured"] == 4000


def test_the_same_books_give_the_same_account(bench: Bench) -> None:
    intent = bench.authorised()
    bench.post(f"/v1/payment_intents/{intent['id']}/capture", key="c")
    bench.provider.anchor(advance=100.0)
    before = reports.books(bench.provider) | {"calls": {}}
    bench.books.close()
    bench.open()
    assert reports.books(bench.provider) | {"calls": {}} == before
    assert bench.provider.clock.now() == bench.at + 100
    assert bench.post(f"/v1/payment_intents/{intent['id']}/capture", key="c")[0] == 200


def test_webhooks_go_out_for_the_chosen_events_only(opened: Callable[..., Bench]) -> None:
    bench = opened(enabled_events=("charge.captured",))
    bench.post(f"/v1/payment_intents/{bench.authorised()['id']}/capture")
    assert len(bench.get("/v1/events")["data"]) == 5
    (only,) = [hook for hook, _ in bench.provider.untold()]
    assert json.loads(only.body)["type"] == "charge.captured"


def test_faults_belong_to_the_order_and_strike_once() -> None:
    faults = Faults(lost=0.1, error=0.1, limited=0.1, slow=0.1)
    first = [fault_of(faults, 3, f"capture:{n}") for n in range(2000)]
    assert first == [fault_of(faults, 3, f"capture:{n}") for n in range(2000)]
    assert first != [fault_of(faults, 4, f"capture:{n}") for n in range(2000)]
    assert {one for one in first if one} == {"lost", "error", "limited", "slow"}
    assert 1100 < sum(one is None for one in first) < 1300
    assert set(FAULTS) >= {"unheard", "error_after"}
    assert 0 <= share(1, "a") < 1


def test_a_form_is_read_with_its_brackets() -> None:
    assert form.parse("a=1&m[x]=y&e[]=p&e[]=q&t[0]=r") == {
        "a": "1", "m": {"x": "y"}, "e": ["p", "q"], "t": ["r"],
    }  # fmt: skip
    for text in ("a[b=1", "a=1&a[b]=2", "[]=1"):
        with pytest.raises(ValueError, match="parameter"):
            form.parse(text)


FIXTURES = os.environ.get("LONJA_FIXTURES")
# Fields of older versions of Stripe's API, which the present one does not send.
OLD = {
    "charge": {"destination", "dispute", "invoice", "order", "refunds", "source"},
    "payment_intent": {"charges", "invoice", "source"},
    "balance_transaction": set[str](),
}


@pytest.mark.skipif(not FIXTURES, reason="LONJA_FIXTURES is not set")
@pytest.mark.parametrize("kind", sorted(OLD))
def test_an_object_has_the_names_and_kinds_of_other_peoples_fixture(
    bench: Bench, kind: str
) -> None:
    assert FIXTURES
    theirs = json.loads((Path(FIXTURES) / f"stripe/{kind}.json").read_text())
    bench.post(f"/v1/payment_intents/{bench.authorised()['id']}/capture")
    (ours,) = bench.get(f"/v1/{kind}s")["data"]
    assert theirs.keys() - ours.keys() <= OLD[kind]
    for name in theirs.keys() & ours.keys():
        if theirs[name] is not None and ours[name] is not None:
            assert type(ours[name]) is type(theirs[name]), name
