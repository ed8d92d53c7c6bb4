"""Whatever is asked of the Stripe-shaped account and the carrier, in any order, their books hold."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.sandbox.books import Books
from services.sandbox.carrier import reports as carrier_reports
from services.sandbox.carrier.addresses import Refused as CarrierRefused
from services.sandbox.carrier.config import Fates
from services.sandbox.carrier.config import Settings as CarrierSettings
from services.sandbox.carrier.provider import Provider as Carrier
from services.sandbox.chance import Faults
from services.sandbox.clock import Clock
from services.sandbox.hooks import Pace, delays
from services.sandbox.stripe import form, keys, reports
from services.sandbox.stripe.config import Settings
from services.sandbox.stripe.provider import Call, Provider
from services.sandbox.stripe.refusals import Refused
from tests.examples import examples

Json = dict[str, Any]
METHODS = ("pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired")
STRIPE_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.integers(1, 4), st.sampled_from(METHODS)),
        st.tuples(st.just("capture"), st.integers(0, 5), st.integers(1, 3000)),
        st.tuples(st.just("refund"), st.integers(0, 5), st.integers(1, 3000)),
        st.tuples(st.just("cancel"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from((60, 700, 90_000, 700_000)), st.just(0)),
        st.tuples(st.just("repeat"), st.integers(0, 30), st.just(0)),
    ),
    max_size=25,
)


class Wall:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


class Caller:
    """Sends each request under a key of its own and remembers the answers."""

    def __init__(self, folder: Path, wall: Wall) -> None:
        self.wall = wall
        given = Settings("sk", "whsec", search_lag=0, faults=Faults(error=0.1, error_after=0.1))
        self.provider = Provider(given, Books(folder), Clock(wall=wall))
        self.provider.start()
        self.sent: list[tuple[str, str, str, float, tuple[int, Json]]] = []

    def send(self, path: str, body: str) -> None:
        key = f"k{len(self.sent)}"
        self.sent.append((path, body, key, self.wall.at, self._post(path, body, key)))

    def _post(self, path: str, body: str, key: str) -> tuple[int, Json]:
        self.provider.fall_due()
        call = Call(path, form.parse(body), key, keys.fingerprint(path, body), "req")
        try:
            kept = self.provider.keys.begin(key, call.request, self.wall.at)
            if kept is not None:
                return kept.status, kept.body
            status, found, _ = self.provider.perform(call, self.provider.meets(call))
        except Refused as refused:
            return refused.status, refused.body
        finally:
            self.provider.keys.end(key)
        return status, found

    def repeat(self, place: int) -> None:
        """A retry within a day gets the first answer, whatever has happened meanwhile."""
        path, body, key, at, answer = self.sent[place % len(self.sent)]
        if self.wall.at - at < 86_400 and answer[0] != 404:
            before = reports.books(self.provider)["captured_minor"]
            assert self._post(path, body, key) == answer
            assert reports.books(self.provider)["captured_minor"] == before

    def intent(self, place: int) -> str:
        known = list(self.provider.account.objects["payment_intent"])
        return known[place % len(known)] if known else "pi_none"

    def step(self, what: str, one: int, two: Any) -> None:
        match what:
            case "create":
                self.send(
                    "/v1/payment_intents",
                    f"amount=2000&currency=gbp&confirm=true&capture_method=manual"
                    f"&payment_method={two}&metadata[lonja_order]=o{one}",
                )
            case "capture" | "cancel":
                body = f"amount_to_capture={two}" if what == "capture" else ""
                self.send(f"/v1/payment_intents/{self.intent(one)}/{what}", body)
            case "refund":
                self.send("/v1/refunds", f"payment_intent={self.intent(one)}&amount={two}")
            case "wait":
                self.wall.at += one
            case _ if self.sent:
                self.repeat(one)


@settings(max_examples=examples(60), deadline=None)
@given(STRIPE_STEPS)
def test_money_is_never_taken_twice_and_never_given_back_above_it(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        caller = Caller(Path(folder), Wall())
        for step in steps:
            caller.step(*step)
            for intent in caller.provider.account.objects["payment_intent"].values():
                found = reports.money(caller.provider, intent)
                assert 0 <= found["refunded"] <= found["captured"] <= intent["amount"]
                assert found["captured"] == 0 or found["held"] == 0
        txns = caller.provider.account.objects["balance_transaction"].values()
        books = reports.books(caller.provider)
        net = books["captured_minor"].get("GBP", 0) - books["refunded_minor"].get("GBP", 0)
        assert sum(one["amount"] for one in txns) == net
        again = Provider(caller.provider.settings, Books(Path(folder)), Clock(wall=caller.wall))
        assert reports.books(again) | {"calls": {}} == books | {"calls": {}}


HOME = {"name": "A", "street1": "1 B", "city": "C", "zip": "Z", "country": "GB"}
CARRIER_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), st.integers(1, 3)),
        st.tuples(st.just("buy"), st.integers(0, 6)),
        st.tuples(st.just("void"), st.integers(0, 6)),
        st.tuples(st.just("wait"), st.sampled_from((10, 3_600, 40_000, 400_000))),
    ),
    max_size=30,
)


def step(carrier: Carrier, wall: Wall, what: str, one: int) -> None:
    known = list(carrier.parcels.by_id)
    number = known[one % len(known)] if known else ""
    match what:
        case "quote":
            parts = {"to_address": HOME, "from_address": HOME, "parcel": {"weight": 9}}
            carrier.create({"shipment": parts | {"reference": f"s{one}"}})
        case "buy" if number:
            rate = carrier.parcels.by_id[number].body["rates"][0]
            carrier.buy(number, {"rate": {"id": rate["id"]}})
        case "void" if number:
            carrier.give_back(number)
        case "wait":
            wall.at += one
        case _:
            pass


@settings(max_examples=examples(60), deadline=None)
@given(CARRIER_STEPS)
def test_a_label_is_paid_once_and_every_scan_is_told_once_and_in_order(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wall = Wall()
        given = CarrierSettings("EZ", "s", fates=Fates(lost=0.2, returned=0.2, late=0.2))
        carrier = Carrier(given, Books(Path(folder)), Clock(wall=wall))
        carrier.start()
        bought: set[str] = set()
        for what, one in steps:
            before = len(carrier_reports.books(carrier)["labels"])
            try:
                step(carrier, wall, what, one)
            except CarrierRefused as refused:
                if what not in {"buy", "void"} or refused.status != 422:
                    raise
            carrier.fall_due()
            labels = carrier_reports.books(carrier)["labels"]
            assert len(labels) - before in ({0, 1} if what == "buy" else {0})
            bought |= {one["tracking_code"] for one in labels}
            assert len(bought) == len(labels)
        assert len(carrier.events) == sum(
            len(carrier.parcels.seen(one, wall.at))
            for one in carrier.parcels.by_id.values()
            if one.bought_at is not None
        )
        again = Carrier(given, Books(Path(folder)), Clock(wall=wall))
        assert carrier_reports.books(again) == carrier_reports.books(carrier)


@given(st.integers(0, 10**6), st.text(min_size=1, max_size=20))
def test_a_hooks_copies_are_the_same_after_a_restart(seed: int, hook: str) -> None:
    pace = Pace(doubled=0.5, late=0.5)
    found = delays(pace, seed, hook)
    assert found == delays(pace, seed, hook)
    assert len(found) in {1, 2}
    assert all(0 <= one <= 2 * pace.late_seconds for one in found)
