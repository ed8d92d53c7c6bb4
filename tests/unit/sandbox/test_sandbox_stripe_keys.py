"""The Stripe-shaped account: keys, faults, lists, books and shapes, without HTTP."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.sandbox.chance import FAULTS, Faults, fault_of, share
from services.sandbox.stripe import form, reports
from services.sandbox.stripe.refusals import Invalid, Refused
from tests.unit.sandbox.stripe_bench import DAY, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Bench]:
    return lambda **settings: Bench(tmp_path, **settings)


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
